#include <glib.h>

#include "fs/mount_options.h"
#include "unit/unit.h"

#define ALWAYS "default_permissions,subtype=forkfs,"

static void assert_text(const struct mount_options *options, const char *expected)
{
    g_autofree char *text = mount_options_text(options);
    assert_string_equal(text, expected);
}

static void the_source_is_always_named(void **state)
{
    assert_text(&(struct mount_options){.source = "/srv/graph"}, ALWAYS "fsname=/srv/graph");
}

static void commas_of_the_source_do_not_end_the_option(void **state)
{
    assert_text(&(struct mount_options){.source = "a,allow_other\\b"},
                ALWAYS "fsname=a\\,allow_other\\\\b");
}

static void options_are_added_where_asked_for(void **state)
{
    const struct mount_options options = {.source = "s",
                                          .further = "dev,suid",
                                          .read_only = true,
                                          .allow_other = true,
                                          .debug = true};
    assert_text(&options, ALWAYS "fsname=s,ro,allow_other,debug,dev,suid");
}

static void empty_further_options_add_nothing(void **state)
{
    assert_text(&(struct mount_options){.source = "s", .further = ""}, ALWAYS "fsname=s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_always_named),
        cmocka_unit_test(commas_of_the_source_do_not_end_the_option),
        cmocka_unit_test(options_are_added_where_asked_for),
        cmocka_unit_test(empty_further_options_add_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
