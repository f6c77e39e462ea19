#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "program/options.h"

/* Parses a NULL-terminated list of arguments. */
#define PARSE(options, err, ...)                                                                   \
    parse(options, err, (const char *const[]){"forkfs", __VA_ARGS__, NULL})

static int parse(struct options *options, struct error *err, const char *const *arguments)
{
    int count = 0;
    while (arguments[count])
        count++;
    return options_parse(count, (char *const *)arguments, options, err);
}

static void assert_refused(const char *option_list, const char *part_of_message)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o", option_list, "/c", "/m"), ERR_INVALID);
    assert_non_null(strstr(err.text, part_of_message));
    options_clear(&options);
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "/c", "/m"), 0);
    assert_string_equal(options.catalog, "/c");
    assert_string_equal(options.mountpoint, "/m");
    assert_false(options.foreground || options.debug || options.read_only || options.allow_other);
    assert_false(options.confirm_drop);
    assert_int_equal(options.uid, geteuid());
    assert_int_equal(options.umask, 022);
    assert_int_equal(options.drain_timeout_ms, 250);
    assert_int_equal(options.operation_timeout_s, 30);
    assert_int_equal(options.max_forks, 0);
    assert_int_equal(options.default_ttl_s, 0);
    assert_int_equal(options.sweep_interval_s, 60);
    assert_int_equal(options.write_buffer_mib, 256);
    assert_int_equal(options.where.jobs, 192);
    assert_int_equal(options.log_level, LOG_LEVEL_INFO);
    assert_string_equal(options.where.metadata, "");
    assert_null(options.where.storage);
    assert_int_equal(options.refresh_s, 0);
    assert_string_equal(options.fuse_options->str, "");
    options_clear(&options);
}

static void every_option_fills_its_field(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-f", "-o",
                           "ro,allow_other,uid=7,gid=8,umask=077,drain_timeout=1", "-o",
                           "op_timeout=60,jobs=3,log_level=debug,metadata=m,storage=s/t/", "-o",
                           "max_forks=4,default_ttl=3155760000,sweep_interval=0,refresh=7,confirm_"
                           "drop,write_buffer=9",
                           "/c", "/m"),
                     0);
    assert_true(options.foreground && options.read_only && options.allow_other);
    assert_false(options.debug);
    assert_int_equal(options.uid, 7);
    assert_int_equal(options.gid, 8);
    assert_int_equal(options.umask, 077);
    assert_true(options.confirm_drop);
    assert_int_equal(options.write_buffer_mib, 9);
    assert_int_equal(options.drain_timeout_ms, 1);
    assert_int_equal(options.operation_timeout_s, 60);
    assert_int_equal(options.where.jobs, 3);
    assert_int_equal(options.max_forks, 4);
    assert_int_equal(options.default_ttl_s, 3155760000);
    assert_int_equal(options.sweep_interval_s, 0);
    assert_int_equal(options.refresh_s, 7);
    assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(options.where.metadata, "m/");
    assert_string_equal(options.where.storage, "s/t/");
    options_clear(&options);
}

static void options_of_s3_fill_their_fields(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o",
                           "endpoint=http://127.0.0.1:8000,region=r,profile=my profile,path_style",
                           "-o", "ca_file=/a\\,b.pem,s3_client=curl,single_writer,refresh=0", "-o",
                           "local_metadata=var/a\\,b", "s3://bucket/p/q", "/m"),
                     0);
    assert_string_equal(options.catalog, "s3://bucket/p/q");
    assert_string_equal(options.where.endpoint, "http://127.0.0.1:8000");
    assert_string_equal(options.where.region, "r");
    assert_string_equal(options.where.profile, "my profile");
    assert_string_equal(options.where.ca_file, "/a,b.pem");
    assert_string_equal(options.where.local_metadata, "var/a,b");
    assert_int_equal(options.where.client, S3_CLIENT_CURL);
    assert_true(options.where.path_style && options.single_writer);
    assert_int_equal(options.refresh_s, 0);
    options_clear(&options);
}

static void defaults_on_s3_are_those_of_the_manual(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "s3://bucket", "/m"), 0);
    assert_null(options.where.endpoint);
    assert_null(options.where.region);
    assert_null(options.where.profile);
    assert_null(options.where.ca_file);
    assert_null(options.where.local_metadata);
    assert_null(options.where.storage);
    assert_string_equal(options.where.metadata, "");
    assert_int_equal(options.where.client, S3_CLIENT_AUTOMATIC);
    assert_false(options.where.path_style || options.single_writer);
    assert_int_equal(options.refresh_s, 1);
    options_clear(&options);
}

static void options_of_s3_are_refused_on_a_directory(void **state)
{
    assert_refused("endpoint=http://h", "option 'endpoint' is for catalogs on S3");
    assert_refused("region=r", "'region'");
    assert_refused("profile=p", "'profile'");
    assert_refused("path_style", "'path_style'");
    assert_refused("ca_file=/f", "'ca_file'");
    assert_refused("s3_client=libs3", "'s3_client'");
    assert_refused("single_writer", "'single_writer'");
    assert_refused("local_metadata=/d", "'local_metadata'");
}

static void assert_refused_on(const char *catalog, const char *option_list,
                              const char *part_of_message)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o", option_list, catalog, "/m"), ERR_INVALID);
    if (!strstr(err.text, part_of_message))
        fail_msg("'%s' is not in '%s'", part_of_message, err.text);
    assert_null(strstr(err.text, "hush"));
    options_clear(&options);
}

static void urls_that_cannot_be_are_refused(void **state)
{
    assert_refused_on("s3://", "", "bucket");
    assert_refused_on("s3:///p", "", "bucket");
    assert_refused_on("s3://bucket/a/../b", "", "..");
    assert_refused_on("s3://user:hush@bucket/p", "", "password");
    assert_refused_on("s3://bucket/p?token=hush", "", "'?'");
}

/* Which server the region is of, environment and profile may say. */
static void endpoint_and_region_are_not_judged_alone(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o", "region=RegionOne", "s3://bucket", "/m"), 0);
    assert_string_equal(options.where.region, "RegionOne");
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "-o", "endpoint=ftp://h", "s3://bucket", "/m"), 0);
    options_clear(&options);
}

static void values_of_s3_options_are_checked(void **state)
{
    assert_refused("s3_client=wget", "neither libs3 nor curl");
    assert_refused("endpoint=", "'endpoint' is empty");
    assert_refused("profile", "needs a value");
    assert_refused("path_style=1", "takes no value");
    assert_refused("refresh=86401", "between 0 and 86400");
}

static void options_may_follow_the_operands_as_mount_puts_them(void **state)
{
    struct options options;
    struct error err;
    setenv("POSIXLY_CORRECT", "1", 1);
    assert_int_equal(
        PARSE(&options, &err, "/c", "/m", "-o",
              "rw,noauto,user,nouser,users,_netdev,defaults,nofail,x-systemd.automount,"
              "x-gvfs-name=a,comment=b,noatime,relatime,dev,nosuid,jobs=2"),
        0);
    unsetenv("POSIXLY_CORRECT");
    assert_string_equal(options.mountpoint, "/m");
    assert_string_equal(options.fuse_options->str, "dev,nosuid");
    assert_int_equal(options.where.jobs, 2);
    options_clear(&options);
}

static void the_last_of_ro_and_rw_wins(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o", "ro,rw", "/c", "/m"), 0);
    assert_false(options.read_only);
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "-orw", "-oro", "/c", "/m"), 0);
    assert_true(options.read_only);
    options_clear(&options);
}

static void a_backslash_keeps_a_comma_within_a_value(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o", "metadata=a\\,b\\\\c,jobs=5", "/c", "/m"), 0);
    assert_string_equal(options.where.metadata, "a,b\\c/");
    assert_int_equal(options.where.jobs, 5);
    options_clear(&options);
}

static void an_empty_prefix_is_the_top(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-o", "storage=,metadata=meta/", "/c", "/m"), 0);
    assert_string_equal(options.where.storage, "");
    assert_string_equal(options.where.metadata, "meta/");
    options_clear(&options);
}

static void unknown_options_are_refused_by_name(void **state)
{
    assert_refused("ro,frobnicate=1,jobs=2", "'frobnicate'");
    assert_refused("max_fork=3", "'max_fork'");
    assert_refused("=5", "''");
    assert_refused("r", "'r'");
    assert_refused("xyz", "'xyz'");
}

static void numbers_out_of_range_are_refused(void **state)
{
    assert_refused("op_timeout=0", "op_timeout");
    assert_refused("op_timeout=61", "between 1 and 60");
    assert_refused("op_timeout=99999999999999999999999", "op_timeout");
    assert_refused("jobs=0", "jobs");
    assert_refused("max_forks=1000000001", "max_forks");
    assert_refused("default_ttl=3155760001", "default_ttl");
    assert_refused("sweep_interval=86401", "between 0 and 86400");
    assert_refused("uid=4294967295", "uid");
    assert_refused("write_buffer=0", "between 1 and 65536");
    assert_refused("umask=1000", "between 0 and 0777");
    assert_refused("drain_timeout=60001", "drain_timeout");
}

static void owners_can_be_named(void **state)
{
    struct options options;
    struct error err;
    /* In any database of users root and its group are 0; the process's own are not that in general.
     */
    assert_int_equal(PARSE(&options, &err, "-o", "uid=root,gid=root", "/c", "/m"), 0);
    assert_int_equal(options.uid, 0);
    assert_int_equal(options.gid, 0);
    options_clear(&options);
    assert_refused("uid=nobody:here", "'nobody:here' is neither a number nor a user");
    assert_refused("gid=nobody:here", "'nobody:here' is neither a number nor a group");
    assert_refused("uid=-1", "'-1' is neither");
    assert_refused("gid=", "gid");
}

static void what_is_no_number_is_refused(void **state)
{
    assert_refused("jobs=", "jobs");
    assert_refused("jobs=-1", "jobs");
    assert_refused("jobs=+1", "jobs");
    assert_refused("jobs= 1", "jobs");
    assert_refused("jobs=1x", "jobs");
    assert_refused("jobs=0x10", "jobs");
    assert_refused("umask=8", "octal");
    assert_refused("umask=0b1", "octal");
}

static void values_must_be_there_exactly_where_they_belong(void **state)
{
    assert_refused("jobs", "needs a value");
    assert_refused("ro=1", "takes no value");
    assert_refused("dev=1", "takes no value");
}

static void other_values_are_checked(void **state)
{
    assert_refused("log_level=loud", "loud");
    assert_refused("storage=/abs", "/abs");
    assert_refused("storage=a/../b", "a/../b");
    assert_refused("metadata=a//", "a//");
    assert_refused("metadata=/", "'/'");
}

static void operands_must_be_two(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-f"), ERR_INVALID);
    assert_non_null(strstr(err.text, "CATALOG"));
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "/c"), ERR_INVALID);
    assert_non_null(strstr(err.text, "MOUNTPOINT"));
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "/c", "/m", "/x"), ERR_INVALID);
    assert_non_null(strstr(err.text, "/x"));
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "", "/m"), ERR_INVALID);
    options_clear(&options);
}

static void two_dashes_end_the_options(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-f", "--", "-c", "-m"), 0);
    assert_string_equal(options.catalog, "-c");
    assert_string_equal(options.mountpoint, "-m");
    options_clear(&options);
}

static void unknown_switches_are_refused_by_name(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-z", "/c", "/m"), ERR_INVALID);
    assert_non_null(strstr(err.text, "-z"));
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "--nonsense", "/c", "/m"), ERR_INVALID);
    assert_non_null(strstr(err.text, "--nonsense"));
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "/c", "/m", "-o"), ERR_INVALID);
    assert_non_null(strstr(err.text, "-o needs"));
    options_clear(&options);
}

static void help_and_version_need_nothing_else(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-h", "-o", "nonsense"), 0);
    assert_true(options.show_help);
    options_clear(&options);
    assert_int_equal(PARSE(&options, &err, "--version"), 0);
    assert_true(options.show_version);
    options_clear(&options);
}

static void debug_implies_foreground(void **state)
{
    struct options options;
    struct error err;
    assert_int_equal(PARSE(&options, &err, "-d", "/c", "/m"), 0);
    assert_true(options.debug && options.foreground);
    options_clear(&options);
}

static void usage_names_every_option(void **state)
{
    static const char *const names[] = {"ro",
                                        "allow_other=",
                                        "uid=",
                                        "gid=",
                                        "umask=",
                                        "drain_timeout=",
                                        "op_timeout=",
                                        "max_forks=",
                                        "default_ttl=",
                                        "sweep_interval=",
                                        "jobs=",
                                        "log_level=",
                                        "metadata=",
                                        "storage=",
                                        "refresh=",
                                        "endpoint=",
                                        "region=",
                                        "profile=",
                                        "path_style",
                                        "ca_file=",
                                        "s3_client=",
                                        "single_writer",
                                        "local_metadata=",
                                        "confirm_drop",
                                        "write_buffer="};
    g_autofree char *usage = options_usage();
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *bare = g_strndup(names[i], strcspn(names[i], "="));
        g_autofree char *form = g_strdup_printf("-o %s", bare);
        assert_non_null(strstr(usage, form));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(every_option_fills_its_field),
        cmocka_unit_test(options_of_s3_fill_their_fields),
        cmocka_unit_test(defaults_on_s3_are_those_of_the_manual),
        cmocka_unit_test(options_of_s3_are_refused_on_a_directory),
        cmocka_unit_test(urls_that_cannot_be_are_refused),
        cmocka_unit_test(endpoint_and_region_are_not_judged_alone),
        cmocka_unit_test(values_of_s3_options_are_checked),
        cmocka_unit_test(options_may_follow_the_operands_as_mount_puts_them),
        cmocka_unit_test(the_last_of_ro_and_rw_wins),
        cmocka_unit_test(a_backslash_keeps_a_comma_within_a_value),
        cmocka_unit_test(an_empty_prefix_is_the_top),
        cmocka_unit_test(unknown_options_are_refused_by_name),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(owners_can_be_named),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(values_must_be_there_exactly_where_they_belong),
        cmocka_unit_test(other_values_are_checked),
        cmocka_unit_test(operands_must_be_two),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(unknown_switches_are_refused_by_name),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(debug_implies_foreground),
        cmocka_unit_test(usage_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
