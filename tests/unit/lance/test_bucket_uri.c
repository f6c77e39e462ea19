#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>

#include "lance/bucket_uri.h"

static void assert_uri(const char *prefix, const char *expected)
{
    g_autofree char *uri = NULL;
    assert_int_equal(lance_bucket_uri("bucket", prefix, &uri, NULL), 0);
    assert_string_equal(uri, expected);
}

static void most_prefixes_are_written_as_they_are(void **state)
{
    assert_uri("", "s3://bucket");
    assert_uri("graphs/one/", "s3://bucket/graphs/one");
    assert_uri("a b/", "s3://bucket/a b");
    assert_uri("\xc3\xa4+&[]{}'\"<>^`|\\:@;=~*/", "s3://bucket/\xc3\xa4+&[]{}'\"<>^`|\\:@;=~*");
}

static void what_the_engine_would_decode_is_written_so_that_it_decodes_to_itself(void **state)
{
    assert_uri("a%20b/", "s3://bucket/a%2520b");
    assert_uri("%2e%2E/%25/", "s3://bucket/%252e%252E/%2525");
    assert_uri("%%41/", "s3://bucket/%%2541");
}

static void a_percent_sign_that_stands_for_itself_stays(void **state)
{
    assert_uri("100%/", "s3://bucket/100%");
    assert_uri("a%zz/%4/", "s3://bucket/a%zz/%4");
}

static void what_would_end_the_path_is_escaped(void **state)
{
    assert_uri("a#b/", "s3://bucket/a%23b");
}

static void a_prefix_in_which_no_engine_finds_branches_is_refused(void **state)
{
    char *uri = NULL;
    struct error err;
    assert_int_equal(lance_bucket_uri("bucket", "a?b/", &uri, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "'a?b/'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_prefixes_are_written_as_they_are),
        cmocka_unit_test(what_the_engine_would_decode_is_written_so_that_it_decodes_to_itself),
        cmocka_unit_test(a_percent_sign_that_stands_for_itself_stays),
        cmocka_unit_test(what_would_end_the_path_is_escaped),
        cmocka_unit_test(a_prefix_in_which_no_engine_finds_branches_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
