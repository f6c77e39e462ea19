#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/paths.h"

/* A resolved scratch directory with db/, db/inside/, mnt/, file, and link -> db. */
struct scratch {
    char *top, *database, *inside, *mountpoint, *file, *link;
};

static int set_up(void **state)
{
    struct scratch *scratch = g_new0(struct scratch, 1);
    g_autofree char *made = g_dir_make_tmp("forkfs-paths-XXXXXX", NULL);
    char *top = realpath(made, NULL);
    scratch->top = g_strdup(top);
    free(top);
    scratch->database = g_build_filename(scratch->top, "db", NULL);
    scratch->inside = g_build_filename(scratch->top, "db", "inside", NULL);
    scratch->mountpoint = g_build_filename(scratch->top, "mnt", NULL);
    scratch->file = g_build_filename(scratch->top, "file", NULL);
    scratch->link = g_build_filename(scratch->top, "link", NULL);
    if (g_mkdir_with_parents(scratch->inside, 0700) != 0 || g_mkdir(scratch->mountpoint, 0700) != 0)
        return -1;
    *state = scratch;
    return !g_file_set_contents(scratch->file, "", 0, NULL) || symlink("db", scratch->link) != 0;
}

static int tear_down(void **state)
{
    struct scratch *scratch = *state;
    unlink(scratch->file);
    unlink(scratch->link);
    rmdir(scratch->mountpoint);
    rmdir(scratch->inside);
    rmdir(scratch->database);
    rmdir(scratch->top);
    g_free(scratch->top);
    g_free(scratch->database);
    g_free(scratch->inside);
    g_free(scratch->mountpoint);
    g_free(scratch->file);
    g_free(scratch->link);
    g_free(scratch);
    return 0;
}

static void assert_catalog(const char *given, const char *expected)
{
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(catalog_path_resolve(given, &path, &err), 0);
    assert_string_equal(path, expected);
}

static void assert_catalog_refused(const char *given, int code, const char *part_of_message)
{
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(catalog_path_resolve(given, &path, &err), code);
    assert_non_null(strstr(err.text, part_of_message));
    assert_null(path);
}

static int resolve_beside(const char *catalog, const char *given, char **ret, struct error *err)
{
    const struct mountpoint_neighbour neighbour = {"catalog", catalog};
    return mountpoint_resolve(given, &neighbour, ret, err);
}

static void assert_mountpoint_refused(const struct scratch *scratch, const char *given, int code,
                                      const char *part_of_message)
{
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(resolve_beside(scratch->database, given, &path, &err), code);
    assert_non_null(strstr(err.text, part_of_message));
}

static void an_absolute_catalog_only_loses_slashes(void **state)
{
    struct scratch *scratch = *state;
    assert_catalog("/srv//graph///", "/srv/graph");
    assert_catalog("/srv/.graph/..x", "/srv/.graph/..x");
    assert_catalog("/", "/");
    assert_catalog(scratch->link, scratch->link);
}

static void another_catalog_is_resolved(void **state)
{
    struct scratch *scratch = *state;
    g_autofree char *dotted = g_build_filename(scratch->top, "mnt", "..", "link", NULL);
    assert_catalog(dotted, scratch->database);
    g_autofree char *before = g_get_current_dir();
    assert_int_equal(chdir(scratch->top), 0);
    assert_catalog("db/", scratch->database);
    assert_catalog("./link", scratch->database);
    assert_int_equal(chdir(before), 0);
}

static void a_catalog_that_cannot_be_named_is_refused(void **state)
{
    assert_catalog_refused("no/such/place", ERR_NOT_FOUND, "no/such/place");
    assert_catalog_refused("/srv/\xff", ERR_INVALID, "UTF-8");
}

static void a_mountpoint_beside_the_catalog_is_resolved(void **state)
{
    struct scratch *scratch = *state;
    g_autofree char *given = g_build_filename(scratch->top, "link", "..", "mnt", "", NULL);
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(resolve_beside(scratch->database, given, &path, &err), 0);
    assert_string_equal(path, scratch->mountpoint);
}

static void a_name_that_only_starts_like_the_catalog_is_no_part_of_it(void **state)
{
    struct scratch *scratch = *state;
    g_autofree char *longer = g_strconcat(scratch->database, "2", NULL);
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(g_mkdir(longer, 0700), 0);
    assert_int_equal(resolve_beside(scratch->database, longer, &path, &err), 0);
    assert_int_equal(rmdir(longer), 0);
}

static void any_directory_is_beside_a_catalog_in_a_bucket(void **state)
{
    struct scratch *scratch = *state;
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(resolve_beside(NULL, scratch->link, &path, &err), 0);
    assert_string_equal(path, scratch->database);
    assert_int_equal(resolve_beside(NULL, scratch->file, &path, &err), ERR_INVALID);
}

static void local_metadata_is_made_absolute(void **state)
{
    struct scratch *scratch = *state;
    g_autofree char *slashes = g_strconcat(scratch->link, "//", NULL);
    g_autofree char *before = g_get_current_dir();
    struct error err;
    char *path = NULL;
    assert_int_equal(local_metadata_resolve(slashes, &path, &err), 0);
    assert_string_equal(path, scratch->link); /* which may lead elsewhere one day */
    g_free(path);
    assert_int_equal(chdir(scratch->top), 0);
    assert_int_equal(local_metadata_resolve("db/../db", &path, &err), 0);
    assert_string_equal(path, scratch->database);
    g_free(path);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(local_metadata_resolve(NULL, &path, &err), 0);
    assert_null(path);
}

static void assert_local_metadata_refused(const char *given, int code, const char *part_of_message)
{
    g_autofree char *path = NULL;
    struct error err;
    assert_int_equal(local_metadata_resolve(given, &path, &err), code);
    assert_non_null(strstr(err.text, part_of_message));
    assert_non_null(strstr(err.text, given));
    assert_null(path);
}

static void local_metadata_has_to_be_a_readable_directory(void **state)
{
    struct scratch *scratch = *state;
    assert_local_metadata_refused("/no/such/place", ERR_NOT_FOUND, "local_metadata");
    assert_local_metadata_refused("no/such/place", ERR_NOT_FOUND, "local_metadata");
    assert_local_metadata_refused(scratch->file, ERR_INVALID, "no directory");
    if (geteuid() == 0)
        return;
    static const mode_t useless[] = {0300, 0600};
    for (size_t i = 0; i < G_N_ELEMENTS(useless); i++) {
        assert_int_equal(chmod(scratch->mountpoint, useless[i]), 0);
        assert_local_metadata_refused(scratch->mountpoint, ERR_ACCESS, "Permission denied");
    }
    assert_int_equal(chmod(scratch->mountpoint, 0700), 0);
}

static void a_mountpoint_that_hides_local_metadata_is_refused(void **state)
{
    struct scratch *scratch = *state;
    const struct mountpoint_neighbour neighbour = {"local_metadata", scratch->database};
    char *path = NULL;
    struct error err;
    assert_int_equal(mountpoint_resolve(scratch->database, &neighbour, &path, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "lies in the local_metadata"));
    assert_int_equal(mountpoint_resolve(scratch->top, &neighbour, &path, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "would hide the local_metadata"));
    assert_null(path);
}

static void an_unsuitable_mountpoint_is_refused(void **state)
{
    struct scratch *scratch = *state;
    assert_mountpoint_refused(scratch, "/no/such/place", ERR_NOT_FOUND, "/no/such/place");
    assert_mountpoint_refused(scratch, scratch->file, ERR_INVALID, "no directory");
    assert_mountpoint_refused(scratch, scratch->database, ERR_INVALID, "lies in");
    assert_mountpoint_refused(scratch, scratch->link, ERR_INVALID, "lies in");
    assert_mountpoint_refused(scratch, scratch->inside, ERR_INVALID, "lies in");
    assert_mountpoint_refused(scratch, scratch->top, ERR_INVALID, "hide");
    assert_mountpoint_refused(scratch, "/", ERR_INVALID, "hide");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_absolute_catalog_only_loses_slashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_catalog_is_resolved, set_up, tear_down),
        cmocka_unit_test(a_catalog_that_cannot_be_named_is_refused),
        cmocka_unit_test_setup_teardown(a_mountpoint_beside_the_catalog_is_resolved, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_only_starts_like_the_catalog_is_no_part_of_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_directory_is_beside_a_catalog_in_a_bucket, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_unsuitable_mountpoint_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(local_metadata_is_made_absolute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(local_metadata_has_to_be_a_readable_directory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_mountpoint_that_hides_local_metadata_is_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
