#include <string.h>

#include "catalog/uni/wal_segment.h"
#include "unit/unit.h"

/* As Uni 5.0.0 and 4.1.1 wrote them. */
#define SEAL                                                                                       \
    "UNIWAL2\n215ddeb0c7320676bb94d8e69def68cf62e8e21f0535650fa1f010a9a0f06905\n"                  \
    "{\"lsn\":2,\"mutations\":[],\"writer_features\":[\"endpoint_enforcement\"],"                  \
    "\"announced_through\":1}"
#define COMMIT_OF_5                                                                                \
    "UNIWAL2\nb62df7d62a43dfb1425bc5857fc3ac2607876116267fb073dbcc1fca65fe7703\n"                  \
    "{\"lsn\":1,\"mutations\":[{\"InsertVertex\":{\"vid\":0,\"properties\":{\"x\":"                \
    "\"\\u0001uni_cv:BKFh\"},\"labels\":[\"P\"],\"created_at\":1795984853180738594,"               \
    "\"updated_at\":1795984853180738594}}],\"writer_features\":[\"endpoint_enforcement\"],"        \
    "\"commits\":[{\"start\":0,\"len\":1}]}"
#define COMMIT_OF_4                                                                                \
    "UNIWAL2\naf1f6496b7773cb442ae9fb2514dbe06bd01a4c05cc42534047f2f34fa3bfa67\n"                  \
    "{\"lsn\":1,\"mutations\":[{\"InsertVertex\":{\"vid\":0,\"properties\":{\"name\":"             \
    "\"\\u0001uni_cv:BKFh\"},\"labels\":[\"Person\"],\"created_at\":1795984400362885887,"          \
    "\"updated_at\":1795984400362885887}}]}"

static enum wal_segment_content read_text(const char *text, uint64_t number, struct error *err)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    return wal_segment_read(body, number, err);
}

static void assert_unreadable(const char *text, const char *part)
{
    struct error err = {0};
    if (read_text(text, 2, &err) != WAL_SEGMENT_UNREADABLE)
        fail_msg("%s is taken", text);
    assert_int_equal(read_text(text, 2, NULL), WAL_SEGMENT_UNREADABLE);
    if (!strstr(err.text, part))
        fail_msg("%s: '%s' does not say '%s'", text, err.text, part);
}

/* ---- Content ---- */

static void the_seal_of_uni_5_is_empty(void **state)
{
    assert_int_equal(read_text(SEAL, 2, NULL), WAL_SEGMENT_EMPTY);
}

static void the_number_of_a_commit_counts_from_uni_5_on(void **state)
{
    assert_int_equal(read_text(COMMIT_OF_5, 1, NULL), WAL_SEGMENT_NUMBERED);
    assert_int_equal(read_text(COMMIT_OF_4, 1, NULL), WAL_SEGMENT_UNNUMBERED);
}

static void old_segments_have_no_checksum(void **state)
{
    assert_int_equal(read_text("{\"lsn\":2,\"mutations\":[]}", 2, NULL), WAL_SEGMENT_EMPTY);
    assert_int_equal(read_text("{\"lsn\":2,\"mutations\":[{}]}", 2, NULL), WAL_SEGMENT_UNNUMBERED);
}

static void a_segment_torn_anywhere_is_unreadable(void **state)
{
    for (size_t length = 0; length < strlen(SEAL); length++) {
        auto_bytes struct bytes *body = bytes_new(SEAL, length);
        assert_int_equal(wal_segment_read(body, 2, NULL), WAL_SEGMENT_UNREADABLE);
    }
    assert_unreadable("UNIWAL2\n", "header");
    assert_unreadable("UNIWAL2\n215ddeb0c7320676bb94d8e69def68cf62e8e21f0535650fa1f010a9a0f06905 ",
                      "header");
}

static void a_changed_byte_is_noticed(void **state)
{
    for (size_t i = strlen("UNIWAL2\n"); i < strlen(SEAL); i++) {
        auto_bytes struct bytes *body = bytes_new_text(SEAL);
        body->data[i] ^= 1;
        assert_int_equal(wal_segment_read(body, 2, NULL), WAL_SEGMENT_UNREADABLE);
    }
    g_autofree char *changed = g_strdup(SEAL);
    changed[strlen(changed) - 2] = '9';
    assert_unreadable(changed, "checksum");
}

static void a_segment_says_its_own_number(void **state)
{
    struct error err = {0};
    assert_int_equal(read_text(SEAL, 3, &err), WAL_SEGMENT_UNREADABLE);
    assert_non_null(strstr(err.text, "number is 2"));
}

static void what_is_no_segment_is_unreadable(void **state)
{
    assert_unreadable("", "");
    assert_unreadable("log", "");
    assert_unreadable("[]", "not an object");
    assert_unreadable("UNIWAL3\n{}", "");
    assert_unreadable("{\"mutations\":[]}", "lsn");
    assert_unreadable("{\"lsn\":2}", "mutations");
    assert_unreadable("{\"lsn\":2,\"mutations\":null}", "mutations");
    assert_unreadable("{\"lsn\":2,\"mutations\":{}}", "mutations");
    assert_unreadable("{\"lsn\":\"2\",\"mutations\":[]}", "lsn");
    assert_unreadable("{\"lsn\":2,\"mutations\":[]} {}", "");
}

/* ---- Names ---- */

static void the_number_stands_before_the_underscore(void **state)
{
    uint64_t number;
    assert_true(wal_segment_number("wal/00000000000000000042_x.wal", &number));
    assert_int_equal(number, 42);
    assert_true(wal_segment_number("18446744073709551615_0dfe9ae5.wal", &number));
    assert_true(number == UINT64_MAX);
}

static void other_names_have_no_number(void **state)
{
    static const char *const keys[] = {"wal/1.wal",
                                       "wal/.wal",
                                       "wal/0000000000000000042_x.wal",
                                       "wal/000000000000000000042_x.wal",
                                       "wal/00000000000000000042.wal",
                                       "wal/00000000000000000042x.wal",
                                       "wal/+0000000000000000042_x.wal",
                                       "wal/18446744073709551616_x.wal",
                                       "wal/00000000000000000042_x",
                                       "00000000000000000042_x.wal/y.wal"};
    uint64_t number = 7;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (wal_segment_number(keys[i], &number))
            fail_msg("%s has a number", keys[i]);
    assert_int_equal(number, 7);
}

static void a_segment_ends_in_wal(void **state)
{
    assert_true(wal_segment_is_one("wal/1.wal"));
    assert_false(wal_segment_is_one("wal/readme"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seal_of_uni_5_is_empty),
        cmocka_unit_test(the_number_of_a_commit_counts_from_uni_5_on),
        cmocka_unit_test(old_segments_have_no_checksum),
        cmocka_unit_test(a_segment_torn_anywhere_is_unreadable),
        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(a_segment_says_its_own_number),
        cmocka_unit_test(what_is_no_segment_is_unreadable),
        cmocka_unit_test(the_number_stands_before_the_underscore),
        cmocka_unit_test(other_names_have_no_number),
        cmocka_unit_test(a_segment_ends_in_wal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
