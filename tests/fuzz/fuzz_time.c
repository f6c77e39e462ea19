/* Times in documents, ids that hold a time, and what is written to the file `ttl`. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/timestamp.h"
#include "fs/content/ttl.h"

static void check_timestamp(const char *text, size_t length)
{
    struct timespec time, again;
    char written[TIMESTAMP_TEXT_SIZE];
    if (!timestamp_parse(text, length, &time))
        return;
    HOLDS(time.tv_nsec >= 0 && time.tv_nsec < NS_PER_SECOND);
    timestamp_format(time, written);
    HOLDS(timestamp_parse(written, strlen(written), &again));
    /* An offset may lead out of the years that can be written. */
    HOLDS(again.tv_nsec == time.tv_nsec);
    HOLDS(again.tv_sec == time.tv_sec || time.tv_sec > TIMESTAMP_MAX_SECONDS ||
          memcmp(written, "0000-01-01T00:00:00", 19) == 0);
}

static void check_ulid(const char *text, size_t length)
{
    struct ulid id, again;
    if (!ulid_parse(text, length, &id))
        return;
    HOLDS(length == ULID_LENGTH && strlen(id.text) == ULID_LENGTH);
    HOLDS(ulid_parse(id.text, ULID_LENGTH, &again) && ulid_equal(&id, &again));
    HOLDS(ulid_hash(&id) != 0 && ulid_hash(&id) == ulid_hash(&again));
}

static void check_ttl(const struct bytes *text)
{
    bool has_ttl;
    uint64_t seconds;
    struct error error = {0};
    int code = ttl_parse(text, &has_ttl, &seconds, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    if (code || (has_ttl && seconds > TIMESTAMP_MAX_SECONDS))
        return;
    const struct fork_entry entry = {.has_expiry = has_ttl,
                                     .expires_at = {.tv_sec = (time_t)seconds}};
    auto_bytes struct bytes *shown = ttl_render(&entry, (struct timespec){0});
    bool has_again;
    uint64_t again;
    HOLDS(ttl_parse(shown, &has_again, &again, NULL) == 0);
    HOLDS(has_again == has_ttl && (!has_ttl || again == seconds));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *text = fuzz_body(data, size);
    check_timestamp((const char *)data, size);
    check_ulid((const char *)data, size);
    check_ttl(text);
    return 0;
}
