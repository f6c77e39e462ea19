/*
 * Owner, group and mode of what the local store makes.
 */
#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "unit/store/store_bench.h"

#define ALICE 4001
#define BOB 4002
#define TEAM 4003

static struct stat status_of(const struct local_bench *fixture, const char *key)
{
    struct stat status;
    g_autofree char *path = scratch_path(fixture->root, key);
    assert_int_equal(stat(path, &status), 0);
    return status;
}

static void set(const struct local_bench *fixture, const char *key, uid_t uid, gid_t gid,
                mode_t mode)
{
    g_autofree char *path = scratch_path(fixture->root, key);
    assert_int_equal(chown(path, uid, gid), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void assert_is(const struct local_bench *fixture, const char *key, uid_t uid, gid_t gid,
                      mode_t mode)
{
    struct stat status = status_of(fixture, key);
    assert_int_equal(status.st_uid, uid);
    assert_int_equal(status.st_gid, gid);
    assert_int_equal(status.st_mode & 07777, mode);
}

static void skip_unless_root(void)
{
    if (geteuid() != 0)
        skip();
}

/* ---- Modes, which everybody may give ---- */

static void new_files_and_directories_have_the_mode_of_their_directory(void **state)
{
    struct local_bench *fixture = *state;
    static const struct {
        mode_t above, directory, file;
    } cases[] = {{0755, 0755, 0644}, {0700, 0700, 0600}, {0775, 0775, 0664},
                 {0750, 0750, 0640}, {0777, 0777, 0666}, {01777, 0775, 0664}};
    mode_t mask = umask(077);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *directory = g_strdup_printf("%zu", i);
        g_autofree char *key = g_strdup_printf("%zu/k", i);
        assert_int_equal(chmod(fixture->root, cases[i].above), 0);
        assert_int_equal(put_text(fixture->store, key, "x"), 0);
        assert_int_equal(status_of(fixture, directory).st_mode & 07777, cases[i].directory);
        assert_int_equal(status_of(fixture, key).st_mode & 07777, cases[i].file);
    }
    umask(mask);
}

static void a_replaced_file_keeps_its_mode(void **state)
{
    struct local_bench *fixture = *state;
    static const mode_t modes[] = {0600, 0640, 0644, 0660, 0664, 0400, 0666};
    put_text(fixture->store, "k", "x");
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *path = scratch_path(fixture->root, "k");
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(put_text(fixture->store, "k", "y"), 0);
        assert_int_equal(status_of(fixture, "k").st_mode & 07777, modes[i]);
    }
}

static void setgid_is_inherited_by_directories(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(chmod(fixture->root, 02775), 0);
    assert_int_equal(put_text(fixture->store, "d/e/k", "x"), 0);
    assert_int_equal(status_of(fixture, "d").st_mode & 07777, 02775);
    assert_int_equal(status_of(fixture, "d/e").st_mode & 07777, 02775);
    assert_int_equal(status_of(fixture, "d/e/k").st_mode & 07777, 0664);
}

/* ---- Owners and groups, which root gives ---- */

static void root_gives_a_replaced_file_back_to_its_owner(void **state)
{
    struct local_bench *fixture = *state;
    skip_unless_root();
    put_text(fixture->store, "k", "x");
    set(fixture, "k", ALICE, TEAM, 0640);
    g_autofree char *etag = etag_of(fixture->store, "k");
    assert_int_equal(put_if(fixture->store, "k", "y", STORE_IF_MATCH, etag), 0);
    assert_is(fixture, "k", ALICE, TEAM, 0640);
}

static void what_root_makes_belongs_to_the_owner_of_its_directory(void **state)
{
    struct local_bench *fixture = *state;
    skip_unless_root();
    set(fixture, "", ALICE, TEAM, 02770);
    assert_int_equal(put_if(fixture->store, "d/e/k", "x", STORE_IF_ABSENT, NULL), 0);
    assert_is(fixture, "d", ALICE, TEAM, 02770);
    assert_is(fixture, "d/e", ALICE, TEAM, 02770);
    assert_is(fixture, "d/e/k", ALICE, TEAM, 0660);
}

static void become(uid_t uid, gid_t gid)
{
    assert_int_equal(setegid(gid), 0);
    assert_int_equal(seteuid(uid), 0);
}

static void become_root_again(void)
{
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
}

static void a_member_keeps_the_group_of_what_he_replaces(void **state)
{
    struct local_bench *fixture = *state;
    skip_unless_root();
    put_text(fixture->store, "k", "x");
    set(fixture, "", ALICE, TEAM, 0770);
    set(fixture, "k", ALICE, TEAM, 0660);
    become(BOB, TEAM);
    int code = put_text(fixture->store, "k", "y");
    become_root_again();
    assert_int_equal(code, 0);
    assert_is(fixture, "k", BOB, TEAM, 0660);
}

static void a_group_that_cannot_be_given_does_not_give_its_rights_to_another(void **state)
{
    struct local_bench *fixture = *state;
    skip_unless_root();
    put_text(fixture->store, "k", "x");
    set(fixture, "", ALICE, ALICE, 0777);
    set(fixture, "k", ALICE, TEAM, 0664);
    become(BOB, BOB);
    int code = put_text(fixture->store, "k", "y");
    become_root_again();
    assert_int_equal(code, 0);
    assert_is(fixture, "k", BOB, BOB, 0644);
}

/* ---- Links ---- */

static int put_through(struct store *store, const char *key, const char *text)
{
    auto_store_set struct store_set *requests = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text(text);
    store_set_put(requests, key, body, STORE_ALWAYS, NULL)->through_link = true;
    return store_run_all(store, requests, 0, NULL, NULL);
}

static void make_link(const struct local_bench *fixture, const char *key, const char *target)
{
    g_autofree char *path = scratch_path(fixture->root, key);
    assert_int_equal(symlink(target, path), 0);
}

static bool is_link(const struct local_bench *fixture, const char *key)
{
    g_autofree char *path = scratch_path(fixture->root, key);
    return g_file_test(path, G_FILE_TEST_IS_SYMLINK);
}

static void a_put_through_a_link_replaces_what_it_leads_to(void **state)
{
    struct local_bench *fixture = *state;
    char *elsewhere = scratch_directory_new();
    scratch_write(elsewhere, "real", "old");
    g_autofree char *real = scratch_path(elsewhere, "real");
    scratch_write(fixture->root, "d/e/other", "old");
    make_link(fixture, "absolute", real);
    make_link(fixture, "d/relative", "e/next");
    make_link(fixture, "d/e/next", "other");
    assert_int_equal(put_through(fixture->store, "absolute", "new"), 0);
    assert_int_equal(put_through(fixture->store, "d/relative", "new"), 0);
    assert_true(is_link(fixture, "absolute"));
    assert_true(is_link(fixture, "d/relative"));
    assert_true(is_link(fixture, "d/e/next"));
    assert_text(get_text(fixture->store, "absolute"), "new");
    assert_text(get_text(fixture->store, "d/e/other"), "new");
    assert_text(scratch_names(elsewhere, ""), "real");
    scratch_directory_free(elsewhere);
}

/* A document may be a link that somebody has planted. */
static void any_other_put_replaces_the_link_itself(void **state)
{
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "precious", "old");
    make_link(fixture, "k", "precious");
    assert_int_equal(put_text(fixture->store, "k", "new"), 0);
    assert_false(is_link(fixture, "k"));
    assert_text(get_text(fixture->store, "precious"), "old");
}

#define LOCAL(test) cmocka_unit_test_setup_teardown(test, local_bench_set_up, local_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCAL(new_files_and_directories_have_the_mode_of_their_directory),
        LOCAL(a_replaced_file_keeps_its_mode),
        LOCAL(setgid_is_inherited_by_directories),
        LOCAL(root_gives_a_replaced_file_back_to_its_owner),
        LOCAL(what_root_makes_belongs_to_the_owner_of_its_directory),
        LOCAL(a_member_keeps_the_group_of_what_he_replaces),
        LOCAL(a_group_that_cannot_be_given_does_not_give_its_rights_to_another),
        LOCAL(a_put_through_a_link_replaces_what_it_leads_to),
        LOCAL(any_other_put_replaces_the_link_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
