#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/timestamp.h"
#include "base/ulid.h"
#include "unit/unit.h"

static bool parses(const char *text)
{
    return ulid_parse(text, strlen(text), NULL);
}

static void new_ids_parse_and_increase_strictly(void **state)
{
    struct ulid last = ulid_new();
    for (int i = 0; i < 10000; i++) {
        struct ulid next = ulid_new();
        assert_true(parses(next.text));
        assert_true(strcmp(last.text, next.text) < 0);
        last = next;
    }
}

static void new_id_carries_the_wall_clock(void **state)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct timespec before = timestamp_now();
    struct ulid id = ulid_new();
    struct timespec after = timestamp_now();
    int64_t milliseconds = 0;
    for (int i = 0; i < 10; i++)
        milliseconds = milliseconds * 32 + (strchr(alphabet, id.text[i]) - alphabet);
    assert_true(milliseconds >= before.tv_sec * 1000 + before.tv_nsec / 1000000);
    assert_true(milliseconds <= after.tv_sec * 1000 + after.tv_nsec / 1000000 + 1);
    assert_int_equal(ulid_time_ms(&id), milliseconds);
}

#define IDS_PER_THREAD 5000

static void *make_ids(void *argument)
{
    struct ulid *ids = argument;
    for (int i = 0; i < IDS_PER_THREAD; i++)
        ids[i] = ulid_new();
    return NULL;
}

static void threads_never_share_an_id(void **state)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct ulid *ids = g_new(struct ulid, THREADS * IDS_PER_THREAD);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, make_ids, ids + i * IDS_PER_THREAD);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (int i = 0; i < THREADS * IDS_PER_THREAD; i++)
        assert_true(g_hash_table_add(seen, ids[i].text));
    g_hash_table_unref(seen);
    g_free(ids);
}

static void parse_gives_upper_case(void **state)
{
    struct ulid id;
    assert_true(ulid_parse("01kyyn40fvq2d7r9s4tax6bce3", 26, &id));
    assert_string_equal(id.text, "01KYYN40FVQ2D7R9S4TAX6BCE3");
}

static void parse_refuses_what_is_no_ulid(void **state)
{
    assert_true(parses("01KYYN40FVQ2D7R9S4TAX6BCE3"));
    assert_true(parses("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
    assert_false(parses("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
    assert_false(parses(""));
    assert_false(parses("01KYYN40FVQ2D7R9S4TAX6BCE"));
    assert_false(parses("01KYYN40FVQ2D7R9S4TAX6BCE33"));
    for (const char *bad = "ILOUilou-_ /\n\xC3"; *bad; bad++) {
        char text[] = "01KYYN40FVQ2D7R9S4TAX6BCE3";
        text[12] = *bad;
        assert_false(parses(text));
    }
    assert_false(ulid_parse("01KYYN40FVQ2\0007R9S4TAX6BCE3", 26, NULL));
}

static void parse_takes_the_length_given(void **state)
{
    struct ulid id;
    assert_true(ulid_parse("01KYYN40FVQ2D7R9S4TAX6BCE3_vertices", 26, &id));
    assert_string_equal(id.text, "01KYYN40FVQ2D7R9S4TAX6BCE3");
}

static void equality_compares_the_text(void **state)
{
    struct ulid a, b;
    ulid_parse("01KYYN40FVQ2D7R9S4TAX6BCE3", 26, &a);
    ulid_parse("01kyyn40fvq2d7r9s4tax6bce3", 26, &b);
    assert_true(ulid_equal(&a, &b));
    b.text[25] = '4';
    assert_false(ulid_equal(&a, &b));
}

static void hash_is_stable_and_tells_ids_apart(void **state)
{
    struct ulid id;
    ulid_parse("01KYYN40FVQ2D7R9S4TAX6BCE3", 26, &id);
    /* Inode numbers must survive a new release: this value never changes. */
    assert_int_equal(ulid_hash(&id), UINT64_C(0x4D76D174C4267C1C));
    ulid_parse("00000000000000000000000000", 26, &id);
    assert_true(ulid_hash(&id) != 0);

    GHashTable *seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (int i = 0; i < 20000; i++) {
        struct ulid next = ulid_new();
        gint64 *hash = g_new(gint64, 1);
        *hash = (gint64)ulid_hash(&next);
        assert_true(g_hash_table_add(seen, hash));
    }
    g_hash_table_unref(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ids_parse_and_increase_strictly),
        cmocka_unit_test(new_id_carries_the_wall_clock),
        cmocka_unit_test(threads_never_share_an_id),
        cmocka_unit_test(parse_gives_upper_case),
        cmocka_unit_test(parse_refuses_what_is_no_ulid),
        cmocka_unit_test(parse_takes_the_length_given),
        cmocka_unit_test(equality_compares_the_text),
        cmocka_unit_test(hash_is_stable_and_tells_ids_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
