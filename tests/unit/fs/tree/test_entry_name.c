#include <string.h>

#include "fs/tree/entry_name.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

static void assert_round_trip(const char *key, const char *expected)
{
    char name[ENTRY_NAME_SIZE];
    entry_name_encode(key, name);
    assert_string_equal(name, expected);
    g_autofree char *decoded = NULL;
    assert_int_equal(entry_name_decode(name, &decoded, NULL), 0);
    assert_string_equal(decoded, key);
}

static void plain_names_stay_as_they_are(void **state)
{
    assert_round_trip("what_if", "what_if");
    assert_round_trip("a b", "a b");
    assert_round_trip("Größe", "Größe");
    assert_round_trip("...", "...");
    assert_round_trip(".hidden", ".hidden");
}

static void what_an_entry_cannot_carry_is_encoded(void **state)
{
    assert_round_trip("50%", "50%25");
    assert_round_trip("a/b", "a%2Fb");
    assert_round_trip(".", "%2E");
    assert_round_trip("..", "%2E%2E");
    assert_round_trip("%2F", "%252F");
    assert_round_trip("./..", ".%2F..");
}

static void assert_not_decoded(const char *name)
{
    g_autofree char *key = NULL;
    if (entry_name_decode(name, &key, NULL) != ERR_INVALID)
        fail_msg("%s is accepted", name);
}

static void sequences_that_the_encoder_does_not_write_are_invalid(void **state)
{
    const char *names[] = {"%",    "a%",    "%2",  "%41",    "%2f",    "%2E.", ".%2E",
                           "a%2E", "%2Eab", "%00", "%2E%2e", "%2E%2F", "%zz",  "%%"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_not_decoded(names[i]);
}

static void length_is_that_of_the_decoded_name(void **state)
{
    g_autofree char *longest = g_strnfill(255, '%');
    char name[ENTRY_NAME_SIZE];
    entry_name_encode(longest, name);
    assert_int_equal(strlen(name), ENTRY_NAME_SIZE - 1);
    assert_round_trip(longest, name);

    g_autofree char *too_long = g_strnfill(256, 'x');
    g_autofree char *key = NULL;
    assert_int_equal(entry_name_decode(too_long, &key, NULL), ERR_NAME_TOO_LONG);
}

static void forks_are_found_by_their_entry(void **state)
{
    const struct fixture_fork forks[] = {
        {"plain", ID_A, "active", NULL},
        {"a/b", ID_B, "active", NULL},
        {"bad\\u0007", ID_C, "active", NULL},
    };
    auto_registry struct registry *registry = fixture_registry(forks, 3);
    assert_string_equal(entry_name_find(registry, "plain")->id.text, ID_A);
    assert_string_equal(entry_name_find(registry, "a%2Fb")->id.text, ID_B);
    assert_string_equal(entry_name_find(registry, "%" ID_C)->id.text, ID_C);
    assert_null(entry_name_find(registry, "bad\a"));
    assert_null(entry_name_find(registry, "a/b"));
    assert_null(entry_name_find(registry, "%" ID_A));
    assert_null(entry_name_find(registry, "absent"));
}

static void lower_case_id_names_nothing(void **state)
{
    const struct fixture_fork forks[] = {{"bad\\u0007", ID_C, "active", NULL}};
    auto_registry struct registry *registry = fixture_registry(forks, 1);
    g_autofree char *lower = g_ascii_strdown("%" ID_C, -1);
    assert_null(entry_name_find(registry, lower));
}

static void a_key_with_nul_appears_by_id(void **state)
{
    const struct fixture_fork forks[] = {{"a\\u0000b", ID_A, "active", NULL}};
    auto_registry struct registry *registry = fixture_registry(forks, 1);
    char name[ENTRY_NAME_SIZE];
    entry_name_of(g_ptr_array_index(registry->entries, 0), name);
    assert_string_equal(name, "%" ID_A);
    assert_non_null(entry_name_find(registry, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_stay_as_they_are),
        cmocka_unit_test(what_an_entry_cannot_carry_is_encoded),
        cmocka_unit_test(sequences_that_the_encoder_does_not_write_are_invalid),
        cmocka_unit_test(length_is_that_of_the_decoded_name),
        cmocka_unit_test(forks_are_found_by_their_entry),
        cmocka_unit_test(lower_case_id_names_nothing),
        cmocka_unit_test(a_key_with_nul_appears_by_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
