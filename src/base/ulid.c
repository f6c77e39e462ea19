#include "base/ulid.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

#define LARGEST_TIME ((UINT64_C(1) << 48) - 1)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 48 bits of milliseconds, then 80 random bits. */
typedef unsigned __int128 ulid_value;

static struct ulid encode(ulid_value value)
{
    struct ulid ulid;
    ulid.text[ULID_LENGTH] = '\0';
    for (int i = ULID_LENGTH - 1; i >= 0; i--) {
        ulid.text[i] = alphabet[(unsigned)(value & 31)];
        value >>= 5;
    }
    return ulid;
}

/* The value of a digit, -1 for none. */
static int digit(char character)
{
    /* Of letters, without I, L, O, U. Thousands of names are parsed for a drop. */
    static const signed char values[] = {10, 11, 12, 13, 14, 15, 16, 17, -1, 18, 19, -1, 20,
                                         21, -1, 22, 23, 24, 25, 26, -1, 27, 28, 29, 30, 31};
    if (g_ascii_isalpha(character))
        return values[g_ascii_toupper(character) - 'A'];
    return g_ascii_isdigit(character) ? character - '0' : -1;
}

static ulid_value random_tail(void)
{
    unsigned char tail[10];
    size_t filled = 0;
    while (filled < sizeof tail) {
        ssize_t got = getrandom(tail + filled, sizeof tail - filled, 0);
        if (got >= 0)
            filled += (size_t)got;
        else if (errno != EINTR)
            g_error("getrandom: %s", g_strerror(errno)); /* ends the process: no ids without it */
    }
    ulid_value value = 0;
    for (size_t i = 0; i < sizeof tail; i++)
        value = value << 8 | tail[i];
    return value;
}

struct ulid ulid_new(void)
{
    /* The only state of the process in forkfs: "strictly increasing" is a promise about all
     * callers, and a clock that is set back must not break it. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static ulid_value last;

    uint64_t milliseconds = (uint64_t)(timestamp_now_ns() / NS_PER_MS);
    ulid_value value = (ulid_value)(milliseconds & LARGEST_TIME) << 80 | random_tail();
    LOCK_SCOPE(&lock);
    if (value <= last)
        value = last + 1;
    last = value;
    return encode(value);
}

bool ulid_parse(const char *text, size_t length, struct ulid *ret)
{
    if (length != ULID_LENGTH || digit(text[0]) > 7)
        return false;
    struct ulid ulid = {{0}};
    for (size_t i = 0; i < ULID_LENGTH; i++) {
        int value = digit(text[i]);
        if (value < 0)
            return false;
        ulid.text[i] = alphabet[value];
    }
    if (ret)
        *ret = ulid;
    return true;
}

int64_t ulid_time_ms(const struct ulid *ulid)
{
    int64_t time_ms = 0;
    for (int i = 0; i < 10; i++) /* 50 bits, of which the first two are 0 */
        time_ms = time_ms << 5 | digit(ulid->text[i]);
    return time_ms;
}

bool ulid_equal(const struct ulid *a, const struct ulid *b)
{
    return memcmp(a->text, b->text, ULID_LENGTH) == 0;
}

/* The finaliser of splitmix64: every bit of the argument changes half of the result. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

uint64_t ulid_hash(const struct ulid *ulid)
{
    ulid_value value = 0;
    for (size_t i = 0; i < ULID_LENGTH; i++)
        value = value << 5 | (unsigned)digit(ulid->text[i]);
    uint64_t hash = mix(mix((uint64_t)(value >> 64)) + (uint64_t)value);
    return hash ? hash : 1;
}
