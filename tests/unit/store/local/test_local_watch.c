#include "unit/unit.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/local/local_watch.h"

static const char *const prefixes[] = {"catalog/", "catalog/schemas/", "catalog/tombstones/", NULL};

struct place {
    char *root;
    struct local_watch *watch;
    GHashTable *keys; /* taken last */
};

static char *path_of(const struct place *place, const char *key)
{
    return g_build_filename(place->root, key, NULL);
}

static void make_directory(const struct place *place, const char *key)
{
    g_autofree char *path = path_of(place, key);
    assert_int_equal(g_mkdir_with_parents(path, 0755), 0);
}

static void write_file(const struct place *place, const char *key)
{
    g_autofree char *path = path_of(place, key);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
}

static void rename_file(const struct place *place, const char *from, const char *to)
{
    g_autofree char *old = path_of(place, from);
    g_autofree char *new = path_of(place, to);
    assert_int_equal(rename(old, new), 0);
}

static void remove_file(const struct place *place, const char *key)
{
    g_autofree char *path = path_of(place, key);
    assert_int_equal(g_remove(path), 0);
}

/* All that has happened until now: inotify queues an event before the call that caused it returns.
 */
static void take(struct place *place)
{
    g_hash_table_remove_all(place->keys);
    local_watch_take(place->watch, place->keys);
}

static void assert_taken(struct place *place, const char *key)
{
    take(place);
    assert_true(g_hash_table_contains(place->keys, key));
}

static int set_up(void **state)
{
    struct place *place = g_new0(struct place, 1);
    place->root = g_dir_make_tmp("forkfs-watch-XXXXXX", NULL);
    place->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    make_directory(place, "catalog/schemas");
    place->watch = local_watch_new(place->root, prefixes);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    local_watch_free(place->watch);
    g_hash_table_unref(place->keys);
    const char *arguments[] = {"rm", "-rf", place->root, NULL};
    g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                 NULL);
    g_free(place->root);
    g_free(place);
    return 0;
}

static void nothing_happened_is_nothing_taken(void **state)
{
    struct place *place = *state;
    struct pollfd poller = {.fd = local_watch_fd(place->watch), .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 0), 0);
    take(place);
    assert_int_equal(g_hash_table_size(place->keys), 0);
}

static void a_written_file_is_reported(void **state)
{
    struct place *place = *state;
    write_file(place, "catalog/registry.json");
    struct pollfd poller = {.fd = local_watch_fd(place->watch), .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 0), 1);
    assert_taken(place, "catalog/registry.json");
    assert_int_equal(g_hash_table_size(place->keys), 1);
    write_file(place, "catalog/registry.json");
    assert_taken(place, "catalog/registry.json");
}

static void a_renamed_file_is_reported_under_its_final_name_only(void **state)
{
    struct place *place = *state;
    write_file(place, "catalog/registry.json#17");
    rename_file(place, "catalog/registry.json#17", "catalog/registry.json");
    assert_taken(place, "catalog/registry.json");
    assert_int_equal(g_hash_table_size(place->keys), 1);
}

static void a_linked_file_is_reported(void **state)
{
    struct place *place = *state;
    write_file(place, "elsewhere");
    g_autofree char *from = path_of(place, "elsewhere");
    g_autofree char *to = path_of(place, "catalog/schemas/a.json");
    assert_int_equal(link(from, to), 0);
    assert_taken(place, "catalog/schemas/a.json");
}

static void a_removed_file_is_reported(void **state)
{
    struct place *place = *state;
    write_file(place, "catalog/schemas/a.json");
    take(place);
    remove_file(place, "catalog/schemas/a.json");
    assert_taken(place, "catalog/schemas/a.json");
}

static void what_lies_elsewhere_is_not_reported(void **state)
{
    struct place *place = *state;
    make_directory(place, "catalog/other");
    write_file(place, "catalog/other/a.json");
    write_file(place, "top.json");
    take(place);
    assert_int_equal(g_hash_table_size(place->keys), 0);
}

static void a_directory_that_appears_is_reported_and_watched(void **state)
{
    struct place *place = *state;
    make_directory(place, "catalog/tombstones");
    write_file(place, "catalog/tombstones/early.json");
    assert_taken(place, "catalog/tombstones/");
    write_file(place, "catalog/tombstones/a.json");
    assert_taken(place, "catalog/tombstones/a.json");
    assert_int_equal(g_hash_table_size(place->keys), 1);
}

static void a_directory_that_goes_and_comes_back_is_watched_again(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 3; i++) {
        remove_file(place, "catalog/schemas");
        assert_taken(place, "catalog/schemas/");
        make_directory(place, "catalog/schemas");
        assert_taken(place, "catalog/schemas/");
        write_file(place, "catalog/schemas/a.json");
        assert_taken(place, "catalog/schemas/a.json");
        remove_file(place, "catalog/schemas/a.json");
        take(place);
    }
}

static void a_whole_tree_that_is_replaced_is_reported(void **state)
{
    struct place *place = *state;
    make_directory(place, "backup/schemas");
    write_file(place, "backup/registry.json");
    take(place);
    rename_file(place, "catalog", "old");
    rename_file(place, "backup", "catalog");
    assert_taken(place, "catalog/");
    assert_true(g_hash_table_contains(place->keys, "catalog/schemas/"));
    write_file(place, "catalog/schemas/a.json");
    assert_taken(place, "catalog/schemas/a.json");
    write_file(place, "old/registry.json");
    take(place);
    assert_int_equal(g_hash_table_size(place->keys), 0);
}

static void a_tree_that_is_not_there_yet_can_be_watched(void **state)
{
    struct place *place = *state;
    static const char *const deep[] = {"meta/data/catalog/", NULL};
    struct local_watch *watch = local_watch_new(place->root, deep);
    make_directory(place, "meta/data/catalog");
    local_watch_take(watch, place->keys);
    write_file(place, "meta/data/catalog/a");
    local_watch_take(watch, place->keys);
    assert_true(g_hash_table_contains(place->keys, "meta/data/catalog/a"));
    local_watch_free(watch);
}

static void lost_events_mean_that_everything_may_have_changed(void **state)
{
    struct place *place = *state;
    g_autofree char *limit = NULL;
    assert_true(g_file_get_contents("/proc/sys/fs/inotify/max_queued_events", &limit, NULL, NULL));
    write_file(place, "catalog/a");
    write_file(place, "catalog/b");
    take(place);
    for (int i = atoi(limit); i >= 0; i--) { /* equal events in a row would become one */
        rename_file(place, "catalog/a", "catalog/c");
        rename_file(place, "catalog/c", "catalog/a");
    }
    assert_taken(place, "catalog/");
    assert_true(g_hash_table_contains(place->keys, "catalog/schemas/"));
    write_file(place, "catalog/registry.json");
    assert_taken(place, "catalog/registry.json");
}

static void a_root_that_goes_away_is_survived(void **state)
{
    struct place *place = *state;
    remove_file(place, "catalog/schemas");
    remove_file(place, "catalog");
    remove_file(place, "");
    take(place);
    take(place);
    assert_int_equal(g_hash_table_size(place->keys), 0);
}

/* What inotify has a limit of, and what the reason then names. */
struct limit {
    const char *file;
    const char *named;
};

static bool allow(const struct limit *limit, const char *number)
{
    auto_close int fd = open(limit->file, O_WRONLY);
    return fd >= 0 && write(fd, number, strlen(number)) > 0;
}

/* What is wrong, 0: nothing. In a process of its own, whose limits are its own, too. */
static int watch_with_a_limit(struct place *place, const struct limit *limit)
{
    struct local_watch *watch = local_watch_new(place->root, prefixes);
    struct error reason = {0};
    int wrong = 0;
    if (!local_watch_is_blind(watch, &reason) || !strstr(reason.text, limit->named))
        wrong = 2;
    local_watch_take(watch, place->keys);
    if (!local_watch_is_blind(watch, NULL))
        wrong = 3;
    if (!allow(limit, "100"))
        wrong = 4;
    local_watch_take(watch, place->keys);
    if (local_watch_is_blind(watch, NULL) || !g_hash_table_contains(place->keys, "catalog/"))
        wrong = 5;
    local_watch_free(watch);
    return wrong;
}

static void assert_blind_at(const struct limit *limit, struct place *place)
{
    enum { NOT_ALLOWED = 77 };
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWUSER) != 0 || !allow(limit, "0") ? NOT_ALLOWED
                                                                : watch_with_a_limit(place, limit));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_ALLOWED)
        skip();
    assert_int_equal(status, 0);
}

static void without_a_watch_left_it_is_blind_until_there_is_one(void **state)
{
    static const struct limit watches = {"/proc/sys/user/max_inotify_watches", "catalog"};
    assert_blind_at(&watches, *state);
}

static void without_an_instance_left_it_is_blind_until_there_is_one(void **state)
{
    static const struct limit instances = {"/proc/sys/user/max_inotify_instances", "for changes"};
    assert_blind_at(&instances, *state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_happened_is_nothing_taken),
        TEST(a_written_file_is_reported),
        TEST(a_renamed_file_is_reported_under_its_final_name_only),
        TEST(a_linked_file_is_reported),
        TEST(a_removed_file_is_reported),
        TEST(what_lies_elsewhere_is_not_reported),
        TEST(a_directory_that_appears_is_reported_and_watched),
        TEST(a_directory_that_goes_and_comes_back_is_watched_again),
        TEST(a_whole_tree_that_is_replaced_is_reported),
        TEST(a_tree_that_is_not_there_yet_can_be_watched),
        TEST(lost_events_mean_that_everything_may_have_changed),
        TEST(a_root_that_goes_away_is_survived),
        TEST(without_a_watch_left_it_is_blind_until_there_is_one),
        TEST(without_an_instance_left_it_is_blind_until_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
