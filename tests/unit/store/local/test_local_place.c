/*
 * Whether the directory of a local store is still what its path names, and whether directories in
 * it are there that a request expects.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/local/local_private.h"
#include "store/local/local_store.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

/* A listing that is only to be made where the store was opened. */
static int list_in_place(struct local_bench *fixture, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list_shallow(set, "");
    store_request_in_place(listing);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    return error_copy(err, &listing->answer.error);
}

static int put_in_place(struct local_bench *fixture, const char *key)
{
    auto_store_set struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct store_request *put = store_set_put(set, key, body, STORE_ALWAYS, NULL);
    store_request_in_place(put);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    return put->answer.code;
}

static void a_directory_that_was_renamed_is_away_until_it_is_back(void **state)
{
    struct local_bench *fixture = *state;
    struct error err;
    g_autofree char *elsewhere = g_strconcat(fixture->root, ".away", NULL);
    assert_int_equal(put_in_place(fixture, "a"), 0);
    assert_int_equal(rename(fixture->root, elsewhere), 0);
    assert_int_equal(list_in_place(fixture, &err), ERR_AWAY);
    assert_non_null(strstr(err.text, fixture->root));
    assert_non_null(strstr(err.text, "nothing is there now"));
    assert_int_equal(put_in_place(fixture, "b"), ERR_AWAY);
    assert_int_equal(put_text(fixture->store, "c", "x"), 0); /* who does not ask goes on */
    assert_int_equal(rename(elsewhere, fixture->root), 0);
    assert_int_equal(list_in_place(fixture, &err), 0);
    assert_text(scratch_names(fixture->root, ""), "a c");
}

static void a_directory_that_was_replaced_is_away(void **state)
{
    struct local_bench *fixture = *state;
    struct error err;
    g_autofree char *elsewhere = g_strconcat(fixture->root, ".away", NULL);
    assert_int_equal(rename(fixture->root, elsewhere), 0);
    assert_int_equal(mkdir(fixture->root, 0755), 0);
    assert_int_equal(put_in_place(fixture, "a"), ERR_AWAY);
    assert_int_equal(list_in_place(fixture, &err), ERR_AWAY);
    assert_non_null(strstr(err.text, "another one is there now"));
    assert_text(scratch_names(fixture->root, ""), "");
    assert_int_equal(rmdir(fixture->root), 0);
    assert_int_equal(rename(elsewhere, fixture->root), 0);
}

static void a_link_to_the_directory_names_it_until_it_leads_elsewhere(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *link = g_strconcat(fixture->root, ".link", NULL);
    struct error err;
    assert_int_equal(symlink(fixture->root, link), 0);
    store_free(fixture->store);
    assert_int_equal(local_store_open(link, 1, &fixture->store, NULL), 0);
    assert_int_equal(list_in_place(fixture, &err), 0);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("/", link), 0);
    assert_int_equal(list_in_place(fixture, &err), ERR_AWAY);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(link, link), 0);
    assert_int_equal(list_in_place(fixture, &err), ERR_AWAY);
    assert_int_equal(unlink(link), 0);
}

/* ---- Directories that are expected ---- */

static int put_expecting(struct local_bench *fixture, const char *key, const char *directory,
                         bool is_sure)
{
    auto_store_set struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct store_request *put = store_set_put(set, key, body, STORE_ALWAYS, NULL);
    store_request_expect(put, directory, NULL, is_sure);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    return put->answer.code;
}

static void move(const struct local_bench *fixture, const char *from, const char *to)
{
    g_autofree char *source = g_build_filename(fixture->root, from, NULL);
    g_autofree char *target = g_build_filename(fixture->root, to, NULL);
    assert_int_equal(rename(source, target), 0);
}

static void a_directory_that_was_made_is_missed(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_expecting(fixture, "d/a", "d/", false), 0);
    move(fixture, "d", "away");
    assert_int_equal(put_expecting(fixture, "d/b", "d/", false), ERR_AWAY);
    assert_text(scratch_names(fixture->root, ""), "away");
    move(fixture, "away", "d");
    assert_int_equal(put_expecting(fixture, "d/b", "d/", false), 0);
}

static void a_directory_that_was_seen_is_missed(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_text(fixture->store, "d/a", "x"), 0); /* who does not ask sees nothing */
    move(fixture, "d", "away");
    assert_int_equal(put_expecting(fixture, "b", "d/", false), 0);
    move(fixture, "away", "d");
    assert_int_equal(put_expecting(fixture, "b", "d/", false), 0);
    move(fixture, "d", "away");
    assert_int_equal(put_expecting(fixture, "b", "d/", false), ERR_AWAY);
}

static void a_directory_that_has_to_be_there_is_missed_unseen(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_expecting(fixture, "d/a", "d/", true), ERR_AWAY);
    assert_int_equal(put_text(fixture->store, "d", "x"), 0); /* no directory */
    assert_int_equal(put_expecting(fixture, "b", "d/", true), ERR_AWAY);
    assert_text(scratch_names(fixture->root, ""), "d");
}

static void a_directory_that_the_store_has_pruned_is_not_missed(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_expecting(fixture, "d/a", "d/", false), 0);
    assert_int_equal(delete_key(fixture->store, "d/a"), 0);
    prune_prefix(fixture->store, "d/");
    assert_int_equal(put_expecting(fixture, "d/b", "d/", false), 0);
    prune_prefix(fixture->store, "d/"); /* in vain */
    move(fixture, "d", "away");
    assert_int_equal(put_expecting(fixture, "d/c", "d/", false), ERR_AWAY);
}

/* By nobody, also by who does not expect it, or has found it there a moment ago. */
static void a_directory_that_has_gone_is_not_made_anew(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_expecting(fixture, "up/d/sub/a", "up/d/", false), 0);
    move(fixture, "up", "away");
    assert_int_equal(put_text(fixture->store, "up/d/b", "x"), ERR_AWAY);
    assert_int_equal(put_text(fixture->store, "up/d/other/b", "x"), ERR_AWAY);
    assert_false(scratch_exists(fixture->root, "up"));
    move(fixture, "away", "back");
    assert_int_equal(put_text(fixture->store, "back/d/other/b", "x"), 0);
}

static void a_directory_below_an_empty_one_is_not_missed(void **state)
{
    struct local_bench *fixture = *state;
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, "root/", NULL, 0);
    store_request_expect(listing, "root/a/b/", "root/", true);
    g_autofree char *root = g_build_filename(fixture->root, "root", NULL);
    assert_int_equal(mkdir(root, 0755), 0);
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    auto_store_set struct store_set *again = store_set_new();
    listing = store_set_list(again, "root/", NULL, 0);
    store_request_expect(listing, "root/a/b/", "root/", true);
    assert_int_equal(put_text(fixture->store, "root/a/c", "x"), 0);
    assert_int_equal(store_run_all(fixture->store, again, 0, NULL, NULL), ERR_AWAY);
}

/* Where a file system was mounted; a link is as good as a mount. */
static void lead_to(const struct local_bench *fixture, const char *link, const char *target)
{
    g_autofree char *path = g_build_filename(fixture->root, link, NULL);
    assert_int_equal(symlink(target, path), 0);
}

static void a_directory_of_another_file_system_is_not_the_one_that_was_seen(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_expecting(fixture, "up/d/a", "up/d/", false), 0);
    move(fixture, "up/d", "away");
    lead_to(fixture, "up/d", "/proc");
    assert_int_equal(put_expecting(fixture, "b", "up/d/", false), ERR_AWAY);
    assert_int_equal(put_text(fixture->store, "up/d/none/b", "x"), ERR_AWAY);
    move(fixture, "up/d", "link");
    move(fixture, "away", "up/d");
    assert_int_equal(put_expecting(fixture, "b", "up/d/", false), 0);
}

static void a_directory_that_was_replaced_on_its_file_system_is_as_good(void **state)
{
    struct local_bench *fixture = *state;
    assert_int_equal(put_expecting(fixture, "d/a", "d/", false), 0);
    assert_int_equal(put_text(fixture->store, "copy/a", "x"), 0);
    move(fixture, "d", "old");
    move(fixture, "copy", "d");
    assert_int_equal(put_expecting(fixture, "d/b", "d/", false), 0);
}

/* What goes right after it was looked for. */
static bool goes_then;

int __wrap_local_check_expected(struct local_store *store, const struct store_request *request,
                                struct error *err);
int __real_local_check_expected(struct local_store *store, const struct store_request *request,
                                struct error *err);

int __wrap_local_check_expected(struct local_store *store, const struct store_request *request,
                                struct error *err)
{
    return __atomic_load_n(&goes_then, __ATOMIC_RELAXED)
               ? 0
               : __real_local_check_expected(store, request, err);
}

static int removal_expecting(struct local_bench *fixture, enum store_method method, const char *key,
                             bool own, const char *unless)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *request = own ? store_set_add_own(set, method, g_strdup(key))
                                        : store_set_add(set, method, g_strdup(key));
    store_request_expect(request, "d/below/", unless, false);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    return request->answer.code;
}

static void what_is_not_found_while_its_directory_is_away_is_not_removed(void **state)
{
    static const struct {
        enum store_method method;
        const char *key;
    } removals[] = {
        {STORE_DELETE, "d/below/a"}, {STORE_PRUNE, "d/below/b/"}, {STORE_LIST, "d/below/b/"}};
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "d/below/a", "1");
    scratch_write(fixture->root, "d/below/b/c", "1");
    assert_int_equal(removal_expecting(fixture, STORE_LIST, "d/below/b/", true, NULL), 0);
    move(fixture, "d/below", "away");
    __atomic_store_n(&goes_then, true, __ATOMIC_RELAXED);
    int codes[3], emptied[3];
    for (size_t i = 0; i < 3; i++)
        codes[i] = removal_expecting(fixture, removals[i].method, removals[i].key, true, NULL);
    int plain = removal_expecting(fixture, STORE_DELETE, "d/below/a", false, NULL);
    for (size_t i = 0; i < 3; i++)
        emptied[i] = removal_expecting(fixture, removals[i].method, removals[i].key, true, "d/");
    __atomic_store_n(&goes_then, false, __ATOMIC_RELAXED);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(codes[i], ERR_AWAY);
        assert_int_equal(emptied[i], 0);
    }
    assert_int_equal(plain, ERR_AWAY);
    move(fixture, "away", "d/below");
    assert_int_equal(removal_expecting(fixture, STORE_DELETE, "d/below/a", false, NULL), 0);
    assert_false(scratch_exists(fixture->root, "d/below/a"));
}

static bool without_id; /* file systems tell none */

int __wrap_fstatfs64(int fd, struct statfs *status);
int __real_fstatfs64(int fd, struct statfs *status);

int __wrap_fstatfs64(int fd, struct statfs *status)
{
    int result = __real_fstatfs64(fd, status);
    if (__atomic_load_n(&without_id, __ATOMIC_RELAXED))
        memset(&status->f_fsid, 0, sizeof status->f_fsid);
    return result;
}

/* As file systems without a device may get when they are mounted again; some have no id. */
static void a_directory_is_known_when_its_file_system_has_another_number(void **state)
{
    struct local_bench *fixture = *state;
    struct stat proc, sys;
    if (stat("/proc", &proc) != 0 || stat("/sys", &sys) != 0 || proc.st_ino != sys.st_ino)
        skip();
    __atomic_store_n(&without_id, true, __ATOMIC_RELAXED);
    lead_to(fixture, "d", "/proc");
    int first = put_expecting(fixture, "b", "d/", false);
    move(fixture, "d", "link");
    lead_to(fixture, "d", "/sys");
    int second = put_expecting(fixture, "b", "d/", false);
    __atomic_store_n(&without_id, false, __ATOMIC_RELAXED);
    assert_int_equal(first, 0);
    assert_int_equal(second, 0);
}

static void a_directory_of_the_same_number_on_another_file_system_is_another(void **state)
{
    struct local_bench *fixture = *state;
    struct stat proc, sys;
    if (stat("/proc", &proc) != 0 || stat("/sys", &sys) != 0 || proc.st_ino != sys.st_ino)
        skip();
    lead_to(fixture, "d", "/proc");
    assert_int_equal(put_expecting(fixture, "b", "d/", false), 0);
    move(fixture, "d", "link");
    lead_to(fixture, "d", "/sys");
    assert_int_equal(put_expecting(fixture, "b", "d/", false), ERR_AWAY);
}

/* The mountpoint below a file system is empty, too, and does not say that anything is gone. */
static void an_empty_directory_of_another_file_system_does_not_count(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *empty = g_strdup("/dev/shm/forkfs-place-XXXXXX");
    struct stat here, there;
    if (!g_mkdtemp(empty))
        skip();
    assert_int_equal(put_text(fixture->store, "root/a/b/c", "x"), 0);
    auto_store_set struct store_set *shown = store_set_new();
    store_request_remember(store_set_list_shallow(shown, ""));
    assert_int_equal(store_run_all(fixture->store, shown, 0, NULL, NULL), 0);
    move(fixture, "root", "away");
    lead_to(fixture, "root", empty);
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, "root/", NULL, 0);
    store_request_expect(listing, "root/a/b/", "root/", false);
    bool are_apart =
        stat(fixture->root, &here) == 0 && stat(empty, &there) == 0 && here.st_dev != there.st_dev;
    int code = store_run_all(fixture->store, set, 0, NULL, NULL);
    rmdir(empty);
    assert_int_equal(code, are_apart ? ERR_AWAY : 0);
}

#define LOCAL(test) cmocka_unit_test_setup_teardown(test, local_bench_set_up, local_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCAL(a_directory_that_was_renamed_is_away_until_it_is_back),
        LOCAL(a_directory_that_was_replaced_is_away),
        LOCAL(a_link_to_the_directory_names_it_until_it_leads_elsewhere),
        LOCAL(a_directory_that_was_made_is_missed),
        LOCAL(a_directory_that_was_seen_is_missed),
        LOCAL(a_directory_that_has_gone_is_not_made_anew),
        LOCAL(a_directory_that_has_to_be_there_is_missed_unseen),
        LOCAL(a_directory_that_the_store_has_pruned_is_not_missed),
        LOCAL(a_directory_below_an_empty_one_is_not_missed),
        LOCAL(a_directory_of_another_file_system_is_not_the_one_that_was_seen),
        LOCAL(a_directory_that_was_replaced_on_its_file_system_is_as_good),
        LOCAL(what_is_not_found_while_its_directory_is_away_is_not_removed),
        LOCAL(a_directory_is_known_when_its_file_system_has_another_number),
        LOCAL(a_directory_of_the_same_number_on_another_file_system_is_another),
        LOCAL(an_empty_directory_of_another_file_system_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
