/*
 * What /proc/self/mountinfo says.
 */
#include "base/mountinfo.h"
#include "unit/unit.h"

#define LINES                                                                                      \
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"                                     \
    "40 22 0:44 / /mnt/a\\040b rw,nosuid master:3 propagate_from:2 - fuse.forkfs /srv/a\\040b "    \
    "rw\n"                                                                                         \
    "41 22 0:45 / /mnt/c ro,nosuid - fuse.forkfs s3://graphs/c rw,user_id=0\n"                     \
    "42 22 0:46 / /mnt/d rw - fuse.forkfs /srv/d ro,user_id=0\n"                                   \
    "43 22 0:47 / /mnt/c rw - tmpfs tmpfs rw\n"

static void mounts_are_told_with_path_type_and_source(void **state)
{
    g_autoptr(GPtrArray) mounts = mountinfo_parse(LINES);
    assert_int_equal(mounts->len, 5);
    const struct mount_entry *entry = mountinfo_by_id(mounts, 40);
    assert_non_null(entry);
    assert_string_equal(entry->path, "/mnt/a b");
    assert_string_equal(entry->type, "fuse.forkfs");
    assert_string_equal(entry->source, "/srv/a b");
    assert_null(mountinfo_by_id(mounts, 44));
}

static void a_mount_is_read_only_by_itself_or_with_its_file_system(void **state)
{
    g_autoptr(GPtrArray) mounts = mountinfo_parse(LINES);
    assert_false(mountinfo_by_id(mounts, 40)->read_only);
    assert_true(mountinfo_by_id(mounts, 41)->read_only);
    assert_true(mountinfo_by_id(mounts, 42)->read_only);
}

static void the_last_mount_at_a_path_is_the_one_that_is_seen(void **state)
{
    g_autoptr(GPtrArray) mounts = mountinfo_parse(LINES);
    assert_string_equal(mountinfo_at(mounts, "/mnt/c")->type, "tmpfs");
    assert_null(mountinfo_at(mounts, "/mnt"));
}

static void lines_that_are_not_understood_are_left_out(void **state)
{
    g_autoptr(GPtrArray) mounts =
        mountinfo_parse("\n22 1 254:0 / / rw\n22 1 254:0 / / rw - ext4 /dev/vda\n- - - -\n");
    assert_int_equal(mounts->len, 0);
}

static void the_root_of_this_process_is_mounted(void **state)
{
    g_autoptr(GPtrArray) mounts = NULL;
    struct error failure;
    assert_int_equal(mountinfo_read(&mounts, &failure), 0);
    assert_non_null(mountinfo_at(mounts, "/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounts_are_told_with_path_type_and_source),
        cmocka_unit_test(a_mount_is_read_only_by_itself_or_with_its_file_system),
        cmocka_unit_test(the_last_mount_at_a_path_is_the_one_that_is_seen),
        cmocka_unit_test(lines_that_are_not_understood_are_left_out),
        cmocka_unit_test(the_root_of_this_process_is_mounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
