/*
 * What the local store promises beyond the common contract.
 */
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

/* As Lance marks what it is going to rename. */
#define STAGING ".tmp.0123456789abcdef0123456789abcdef"

static void make_link(const char *root, const char *name, const char *target)
{
    g_autofree char *path = scratch_path(root, name);
    assert_int_equal(symlink(target, path), 0);
}

static void open_refuses_what_is_no_directory(void **state)
{
    struct local_bench *fixture = *state;
    struct store *store = NULL;
    struct error err;
    scratch_write(fixture->root, "file", "x");
    g_autofree char *file = scratch_path(fixture->root, "file");
    g_autofree char *absent = scratch_path(fixture->root, "absent");
    assert_int_equal(local_store_open(file, 1, &store, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, file));
    assert_int_equal(local_store_open(absent, 1, &store, &err), ERR_NOT_FOUND);
    assert_null(store);
}

static void put_leaves_one_file_of_the_usual_mode(void **state)
{
    struct local_bench *fixture = *state;
    mode_t mask = umask(0);
    assert_int_equal(chmod(fixture->root, 0755), 0);
    assert_int_equal(put_text(fixture->store, "d/e/k", "x"), 0);
    assert_int_equal(put_text(fixture->store, "d/e/k", "y"), 0);
    assert_int_equal(put_if(fixture->store, "d/e/l", "z", STORE_IF_ABSENT, NULL), 0);
    umask(mask);
    assert_text(scratch_names(fixture->root, "d/e"), "k l");
    struct stat status;
    g_autofree char *file = scratch_path(fixture->root, "d/e/l");
    g_autofree char *directory = scratch_path(fixture->root, "d/e");
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0644);
    assert_int_equal(status.st_nlink, 1);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode, S_IFDIR | 0755);
}

static void lost_precondition_leaves_no_temporary_file(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "d/k", "x");
    assert_int_equal(put_if(fixture->store, "d/k", "y", STORE_IF_ABSENT, NULL), ERR_PRECONDITION);
    assert_int_equal(put_if(fixture->store, "d/k", "y", STORE_IF_MATCH, "0-0-0"), ERR_PRECONDITION);
    assert_text(scratch_names(fixture->root, "d"), "k");
    assert_int_equal(put_if(fixture->store, "e/f/k", "y", STORE_IF_MATCH, "0-0-0"),
                     ERR_PRECONDITION);
    assert_text(scratch_names(fixture->root, ""), "d"); /* and no directory */
}

static void temporary_files_of_crashed_writers_do_not_matter(void **state)
{
    struct local_bench *fixture = *state;
    for (int i = 1; i < 10; i++) {
        g_autofree char *name = g_strdup_printf("d/k#%d", i);
        scratch_write(fixture->root, name, "half");
    }
    assert_int_equal(put_text(fixture->store, "d/k", "x"), 0);
    assert_text(get_text(fixture->store, "d/k"), "x");
    assert_text(list_keys(fixture->store, "d/", NULL, 0), "d/k");
    assert_text(get_text(fixture->store, "d/k#1"), "half");
}

static void objects_of_others_are_seen(void **state)
{
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "d/k", "foreign");
    assert_text(get_text(fixture->store, "d/k"), "foreign");
    g_autofree char *etag = etag_of(fixture->store, "d/k");
    assert_int_equal(put_if(fixture->store, "d/k", "own", STORE_IF_MATCH, etag), 0);
    g_autofree char *own = etag_of(fixture->store, "d/k");
    scratch_write(fixture->root, "d/k", "foreign again");
    assert_int_equal(put_if(fixture->store, "d/k", "x", STORE_IF_MATCH, own), ERR_PRECONDITION);
}

static void etag_is_inode_time_and_size_in_hex(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "k", "12345678901234567");
    g_autofree char *etag = etag_of(fixture->store, "k");
    g_autofree char *path = scratch_path(fixture->root, "k");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    g_autofree char *expected = g_strdup_printf(
        "%lx-%lx-11", (unsigned long)status.st_ino,
        (unsigned long)(status.st_mtim.tv_sec * 1000000000L + status.st_mtim.tv_nsec));
    assert_string_equal(etag, expected);
}

static void directories_are_no_objects(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "d/e/k", "x");
    assert_int_equal(delete_key(fixture->store, "d/e"), 0);
    assert_int_equal(put_text(fixture->store, "d/e", "x"), ERR_IO);
    assert_int_equal(put_if(fixture->store, "d/e", "x", STORE_IF_ABSENT, NULL), ERR_IO);
    assert_int_equal(put_text(fixture->store, "d/e/k/below", "x"), ERR_IO);
    assert_text(list_keys(fixture->store, "", NULL, 0), "d/e/k");
    assert_text(scratch_names(fixture->root, "d"), "e");
}

static void what_is_in_the_way_of_an_object_is_not_its_absence(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "d/k", "x");
    make_link(fixture->root, "dangling", "nowhere");
    assert_text(get_text(fixture->store, "d"), "CORRUPT");
    assert_text(get_text(fixture->store, "d/k/below"), "CORRUPT");
    assert_text(get_text(fixture->store, "dangling"), "CORRUPT");
    assert_text(get_text(fixture->store, "dangling/below"), "NOT_FOUND");
    assert_text(get_text(fixture->store, "e/k"), "NOT_FOUND");
}

static void special_files_do_not_block(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *path = scratch_path(fixture->root, "fifo");
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_text(get_text(fixture->store, "fifo"), "CORRUPT");
    assert_null(etag_of(fixture->store, "fifo"));
    put_text(fixture->store, "k", "x");
    assert_text(list_keys(fixture->store, "", NULL, 0), "k");
}

static void links_are_followed(void **state)
{
    struct local_bench *fixture = *state;
    char *elsewhere = scratch_directory_new();
    scratch_write(elsewhere, "sub/k", "far");
    make_link(fixture->root, "away", elsewhere);
    make_link(fixture->root, "file", "away/sub/k");
    make_link(fixture->root, "nowhere", "does/not/exist");
    assert_text(list_keys(fixture->store, "", NULL, 0), "away/sub/k file");
    assert_text(list_shallow(fixture->store, ""), "away/ file");
    assert_text(get_text(fixture->store, "away/sub/k"), "far");
    assert_text(get_text(fixture->store, "file"), "far");
    assert_text(get_text(fixture->store, "nowhere"), "CORRUPT");
    assert_int_equal(put_text(fixture->store, "away/sub/l", "new"), 0);
    assert_true(scratch_exists(elsewhere, "sub/l"));
    scratch_directory_free(elsewhere);
}

static void links_that_lead_nowhere_are_listed_for_who_wants_them(void **state)
{
    struct local_bench *fixture = *state;
    make_link(fixture->root, "nowhere", "does/not/exist");
    make_link(fixture->root, "ping", "ping");
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, "", NULL, 0);
    listing->with_dead_links = true;
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    const GPtrArray *rows = listing->answer.objects;
    assert_int_equal(rows->len, 2);
    assert_string_equal(((const struct store_object *)rows->pdata[0])->key, "nowhere");
    assert_string_equal(((const struct store_object *)rows->pdata[1])->key, "ping");
}

static void loops_of_links_end(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "a/k", "x");
    make_link(fixture->root, "a/self", ".");
    make_link(fixture->root, "a/up", "..");
    make_link(fixture->root, "ping", "pong");
    make_link(fixture->root, "pong", "ping");
    assert_text(list_keys(fixture->store, "", NULL, 0), "a/k");
    assert_text(get_text(fixture->store, "ping"), "CORRUPT");
}

static void one_directory_reached_twice_is_listed_twice(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "a/k", "x");
    make_link(fixture->root, "b", "a");
    assert_text(list_keys(fixture->store, "", NULL, 0), "a/k b/k");
}

static void empty_directories_show_in_shallow_listings_only(void **state)
{
    struct local_bench *fixture = *state;
    put_text(fixture->store, "d/e/k", "x");
    delete_key(fixture->store, "d/e/k");
    assert_text(list_keys(fixture->store, "", NULL, 0), "");
    assert_text(list_shallow(fixture->store, "d/"), "d/e/");
}

static void prune_removes_temporary_files_and_empty_directories(void **state)
{
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "p/a/b/k#12", "half");
    scratch_write(fixture->root, "p/a/b/k" STAGING, "half");
    scratch_write(fixture->root, "p/c/k", "whole");
    scratch_write(fixture->root, "p/c/k#3", "half");
    scratch_write(fixture->root, "p/c/k#3x", "whole");
    scratch_write(fixture->root, "q/k#1", "half");
    assert_int_equal(prune_prefix(fixture->store, "p/"), 0);
    assert_text(scratch_names(fixture->root, "p"), "c");
    assert_text(scratch_names(fixture->root, "p/c"), "k k#3x");
    assert_text(scratch_names(fixture->root, "q"), "k#1");
    delete_key(fixture->store, "p/c/k");
    delete_key(fixture->store, "p/c/k#3x");
    assert_int_equal(prune_prefix(fixture->store, "p/"), 0);
    assert_text(scratch_names(fixture->root, ""), "q");
}

static void prune_leaves_links_and_special_files(void **state)
{
    struct local_bench *fixture = *state;
    char *elsewhere = scratch_directory_new();
    scratch_write(elsewhere, "k#1", "x");
    scratch_write(fixture->root, "p/d/k", "x");
    make_link(fixture->root, "p/away", elsewhere);
    make_link(fixture->root, "p/l#1", "d/k");
    g_autofree char *fifo = scratch_path(fixture->root, "p/f#1");
    assert_int_equal(mkfifo(fifo, 0644), 0);
    assert_int_equal(prune_prefix(fixture->store, "p/"), 0);
    assert_text(scratch_names(fixture->root, "p"), "away d f#1 l#1");
    assert_text(scratch_names(elsewhere, ""), "k#1");
    assert_int_equal(prune_prefix(fixture->store, "p/away/"), 0);
    assert_text(scratch_names(elsewhere, ""), "");
    scratch_directory_free(elsewhere);
}

static void prune_of_a_key_removes_its_temporary_files_only(void **state)
{
    struct local_bench *fixture = *state;
    static const char *const names[] = {"d/k",    "d/k#1", "d/k#22",  "d/k#",       "d/k#1a",
                                        "d/kk#1", "d/#1",  "d/k#1#2", "d/k" STAGING};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        scratch_write(fixture->root, names[i], "x");
    assert_int_equal(prune_prefix(fixture->store, "d/k"), 0);
    assert_text(scratch_names(fixture->root, "d"), "#1 k k# k#1#2 k#1a kk#1");
    assert_int_equal(prune_prefix(fixture->store, "d/kk"), 0);
    assert_int_equal(prune_prefix(fixture->store, "nowhere/k"), 0);
    assert_text(scratch_names(fixture->root, "d"), "#1 k k# k#1#2 k#1a");
    scratch_write(fixture->root, "top#9", "x");
    assert_int_equal(prune_prefix(fixture->store, "top"), 0);
    assert_text(scratch_names(fixture->root, ""), "d");
}

struct pruner {
    struct store *store;
    bool stop; /* atomic */
};

static void *prune_all_the_time(void *argument)
{
    struct pruner *pruner = argument;
    while (!__atomic_load_n(&pruner->stop, __ATOMIC_ACQUIRE))
        prune_prefix(pruner->store, "r/");
    return NULL;
}

static void put_survives_pruning_of_its_directory(void **state)
{
    struct local_bench *fixture = *state;
    struct pruner pruner = {fixture->store, false};
    pthread_t thread;
    pthread_create(&thread, NULL, prune_all_the_time, &pruner);
    int failed = 0;
    for (int i = 0; i < 150; i++) {
        g_autofree char *key = g_strdup_printf("r/%d/x/k", i % 3);
        enum store_precondition precondition = i % 2 ? STORE_IF_ABSENT : STORE_ALWAYS;
        if (put_if(fixture->store, key, "x", precondition, NULL) != 0)
            failed++;
        g_autofree char *text = get_text(fixture->store, key);
        if (strcmp(text, "x") != 0)
            failed++;
        delete_key(fixture->store, key);
    }
    __atomic_store_n(&pruner.stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(failed, 0);
    assert_int_equal(prune_prefix(fixture->store, "r/"), 0);
    assert_text(scratch_names(fixture->root, ""), "");
}

static void readers_never_see_half_an_object(void **state)
{
    struct local_bench *fixture = *state;
    struct store_set *set = store_set_new();
    for (int i = 0; i < 200; i++) {
        g_autofree char *text = g_strnfill((gsize)(i % 7) * 1000 + 1, (char)('a' + i % 26));
        auto_bytes struct bytes *body = bytes_new_text(text);
        store_set_put(set, "k", body, STORE_ALWAYS, NULL);
        store_set_get(set, "k");
    }
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(store_set_failure(set, ERR_NOT_FOUND, NULL), 0);
    for (size_t i = 1; i < store_set_size(set); i += 2) {
        const struct bytes *body = store_set_at(set, i)->answer.body;
        for (size_t j = 1; body && j < body->size; j++)
            assert_int_equal(body->data[j], body->data[0]);
    }
    store_set_unref(set);
}

#define NOBODY 65534

static void unreadable_directories_fail_with_access(void **state)
{
    struct local_bench *fixture = *state;
    bool root = geteuid() == 0;
    if (root) { /* who may do everything */
        assert_int_equal(chown(fixture->root, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    put_text(fixture->store, "d/k", "x");
    put_text(fixture->store, "e/k", "x");
    g_autofree char *path = scratch_path(fixture->root, "d");
    assert_int_equal(chmod(path, 0), 0);
    assert_text(get_text(fixture->store, "d/k"), "ACCESS");
    assert_int_equal(put_text(fixture->store, "d/l", "x"), ERR_ACCESS);
    assert_int_equal(put_if(fixture->store, "d/l", "x", STORE_IF_ABSENT, NULL), ERR_ACCESS);
    assert_int_equal(delete_key(fixture->store, "d/k"), ERR_ACCESS);
    assert_text(list_keys(fixture->store, "", NULL, 0), "ACCESS");
    assert_text(list_keys(fixture->store, "e/", NULL, 0), "e/k");
    assert_int_equal(chmod(path, 0755), 0);
    assert_text(list_keys(fixture->store, "", NULL, 0), "d/k e/k");
    if (root)
        assert_int_equal(seteuid(0), 0);
}

/* The entry is made, but the directory cannot be opened to be synced. */
static void what_cannot_be_made_durable_is_not_durable(void **state)
{
    struct local_bench *fixture = *state;
    bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(chown(fixture->root, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    put_text(fixture->store, "d/k", "x");
    g_autofree char *path = scratch_path(fixture->root, "d");
    assert_int_equal(chmod(path, 0300), 0);
    assert_int_equal(put_text(fixture->store, "d/l", "x"), ERR_NOT_DURABLE);
    assert_int_equal(delete_key(fixture->store, "d/k"), ERR_NOT_DURABLE);
    assert_int_equal(put_text(fixture->store, "e/k", "x"), 0);
    assert_int_equal(chmod(path, 0755), 0);
    assert_text(list_keys(fixture->store, "", NULL, 0), "d/l e/k");
    if (root)
        assert_int_equal(seteuid(0), 0);
}

static void too_large_objects_are_refused(void **state)
{
    struct local_bench *fixture = *state;
    scratch_write(fixture->root, "big", "x");
    g_autofree char *path = scratch_path(fixture->root, "big");
    assert_int_equal(truncate(path, (1L << 30) + 1), 0);
    assert_text(get_text(fixture->store, "big"), "INVALID");
    g_autofree char *etag = etag_of(fixture->store, "big");
    assert_non_null(etag);
}

static void overlong_names_are_an_error(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *name = g_strnfill(256, 'n');
    assert_int_equal(put_text(fixture->store, name, "x"), ERR_NAME_TOO_LONG);
    assert_text(list_keys(fixture->store, "", NULL, 0), "");
}

static void lock_keeps_a_second_store_out_until_freed(void **state)
{
    struct local_bench *fixture = *state;
    struct store *second = NULL;
    struct error err;
    assert_int_equal(local_store_open(fixture->root, 1, &second, NULL), 0);
    assert_int_equal(local_store_lock(fixture->store, "", NULL), 0);
    assert_int_equal(local_store_lock(second, "", &err), ERR_HELD);
    assert_non_null(strstr(err.text, fixture->root));
    store_free(fixture->store);
    fixture->store = second;
    assert_int_equal(local_store_lock(second, "", NULL), 0);
    assert_text(scratch_names(fixture->root, ""), "");
}

/* Also by links, and by two names of the store itself. */
static void a_lock_on_a_directory_is_one_on_what_it_is(void **state)
{
    struct local_bench *fixture = *state;
    struct store *second = NULL;
    g_autofree char *below = g_build_filename(fixture->root, "d", NULL);
    g_autofree char *link = g_build_filename(below, "link", NULL);
    assert_int_equal(put_text(fixture->store, "d/e/a", "x"), 0);
    assert_int_equal(symlink("e", link), 0);
    assert_int_equal(local_store_open(below, 1, &second, NULL), 0);
    assert_int_equal(local_store_lock(fixture->store, "d/e", NULL), 0);
    assert_int_equal(local_store_lock(fixture->store, "d/link", NULL), 0);
    assert_int_equal(local_store_lock(second, "", NULL), 0);
    assert_int_equal(local_store_lock(second, "link", NULL), ERR_HELD);
    assert_int_equal(local_store_lock(second, "nothing", NULL), 0);
    store_free(second);
    assert_int_equal(unlink(link), 0);
}

#define LOCAL(test) cmocka_unit_test_setup_teardown(test, local_bench_set_up, local_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCAL(open_refuses_what_is_no_directory),
        LOCAL(put_leaves_one_file_of_the_usual_mode),
        LOCAL(lost_precondition_leaves_no_temporary_file),
        LOCAL(temporary_files_of_crashed_writers_do_not_matter),
        LOCAL(objects_of_others_are_seen),
        LOCAL(etag_is_inode_time_and_size_in_hex),
        LOCAL(directories_are_no_objects),
        LOCAL(what_is_in_the_way_of_an_object_is_not_its_absence),
        LOCAL(special_files_do_not_block),
        LOCAL(links_are_followed),
        LOCAL(links_that_lead_nowhere_are_listed_for_who_wants_them),
        LOCAL(loops_of_links_end),
        LOCAL(one_directory_reached_twice_is_listed_twice),
        LOCAL(empty_directories_show_in_shallow_listings_only),
        LOCAL(prune_removes_temporary_files_and_empty_directories),
        LOCAL(prune_leaves_links_and_special_files),
        LOCAL(prune_of_a_key_removes_its_temporary_files_only),
        LOCAL(put_survives_pruning_of_its_directory),
        LOCAL(readers_never_see_half_an_object),
        LOCAL(unreadable_directories_fail_with_access),
        LOCAL(what_cannot_be_made_durable_is_not_durable),
        LOCAL(too_large_objects_are_refused),
        LOCAL(overlong_names_are_an_error),
        LOCAL(lock_keeps_a_second_store_out_until_freed),
        LOCAL(a_lock_on_a_directory_is_one_on_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
