/*
 * Requests that are kept within a place on the local store: nothing of them leaves it, with the
 * kernel's help and without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/local/local_store.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"

#define OWN strlen("top/")

struct fixture {
    struct store *store;
    char *root;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->root = scratch_directory_new();
    assert_int_equal(local_store_open(fixture->root, 4, &fixture->store, NULL), 0);
    scratch_write(fixture->root, "outside/file", "precious");
    scratch_write(fixture->root, "outside/left#1", "precious");
    scratch_write(fixture->root, "top/other/file", "precious");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    assert_text(scratch_names(fixture->root, "outside"), "file left#1");
    assert_text(scratch_names(fixture->root, "top/other"), "file");
    store_free(fixture->store);
    scratch_directory_free(fixture->root);
    g_free(fixture);
    return 0;
}

static void make_link(struct fixture *fixture, const char *name, const char *target)
{
    g_autofree char *path = scratch_path(fixture->root, name);
    assert_int_equal(symlink(target, path), 0);
}

static bool is_there(struct fixture *fixture, const char *name)
{
    struct stat status;
    g_autofree char *path = scratch_path(fixture->root, name);
    return lstat(path, &status) == 0;
}

/* ---- Requests ---- */

static char *join_rows(const struct store_request *request)
{
    if (request->answer.code)
        return g_strdup(error_code_name(request->answer.code));
    g_autoptr(GString) keys = g_string_new(NULL);
    const GPtrArray *rows = request->answer.objects;
    for (guint i = 0; rows && i < rows->len; i++) {
        const struct store_object *row = g_ptr_array_index(rows, i);
        g_string_append_printf(keys, "%s%s", i ? " " : "", row->key);
    }
    if (request->answer.truncated)
        g_string_append(keys, "...");
    return g_string_free(g_steal_pointer(&keys), FALSE);
}

/* Keys, or the name of the error code. g_free(). */
static char *list_own(struct fixture *fixture, const char *prefix, size_t limit)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, prefix, NULL, limit);
    store_request_keep_within(listing, OWN);
    store_run(fixture->store, set, NULL, NULL);
    return join_rows(listing);
}

static char *prune_own(struct fixture *fixture, const char *prefix)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *prune = store_set_prune(set, prefix);
    store_request_keep_within(prune, OWN);
    store_run(fixture->store, set, NULL, NULL);
    return join_rows(prune);
}

static int delete_own(struct fixture *fixture, const char *key)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *request = store_set_delete(set, key);
    store_request_keep_within(request, OWN);
    store_run(fixture->store, set, NULL, NULL);
    return request->answer.code;
}

/* As deletions do it; returns how many there were. */
static size_t delete_all(struct fixture *fixture, const char *prefix)
{
    auto_store_set struct store_set *set = store_set_new();
    auto_store_set struct store_set *deletes = store_set_new();
    struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    store_request_keep_within(listing, OWN);
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    size_t count = store_set_delete_found(deletes, listing);
    assert_int_equal(store_run_all(fixture->store, deletes, 0, NULL, NULL), 0);
    assert_text(prune_own(fixture, prefix), "");
    return count;
}

/* ---- Tests ---- */

static void a_listing_shows_what_is_no_object_and_nothing_behind_a_link(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "top/a/d-e/file", "x");
    scratch_write(fixture->root, "top/a/d/file", "x");
    scratch_write(fixture->root, "top/a/d/file#1", "x");
    make_link(fixture, "top/a/directory", "../../outside");
    make_link(fixture, "top/a/d/dangling#1", "nowhere");
    make_link(fixture, "top/a/loop", "loop");
    make_link(fixture, "top/a/up", "..");
    g_autofree char *fifo = scratch_path(fixture->root, "top/a/d/fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_text(list_own(fixture, "top/a/", 0),
                "top/a/d-e/file top/a/d/dangling#1 top/a/d/fifo top/a/d/file top/a/directory "
                "top/a/loop top/a/up");
    assert_text(list_own(fixture, "top/b/", 0), "");
}

static void a_limited_listing_says_that_there_is_more(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "top/a/file", "x");
    assert_text(list_own(fixture, "top/a/", 1), "top/a/file");
    for (int i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("top/a/%d/file", i);
        scratch_write(fixture->root, name, "x");
    }
    g_autofree char *keys = list_own(fixture, "top/a/", 2);
    assert_true(g_str_has_suffix(keys, "..."));
    g_auto(GStrv) rows = g_strsplit(keys, " ", -1);
    assert_int_equal(g_strv_length(rows), 2);
}

static void what_is_listed_can_be_deleted_and_then_nothing_is_left(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "top/a/d/file", "x");
    scratch_write(fixture->root, "top/a/d/file#1", "x");
    scratch_write(fixture->root, "top/a/d/e/f/file.tmp.0123456789abcdef0123456789abcdef", "x");
    make_link(fixture, "top/a/d/link", "../../../outside");
    make_link(fixture, "top/a/d/other", "../../other");
    g_autofree char *fifo = scratch_path(fixture->root, "top/a/fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(delete_all(fixture, "top/a/"), 4);
    assert_text(scratch_names(fixture->root, "top"), "other");
    assert_int_equal(delete_all(fixture, "top/a/"), 0);
}

static void a_link_in_the_place_itself_is_what_goes(void **state)
{
    static const char *const targets[] = {"../outside", "other", "nowhere", "a", "other/file"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
        make_link(fixture, "top/a", targets[i]);
        assert_text(list_own(fixture, "top/a/", 0), "top/a");
        assert_text(prune_own(fixture, "top/a/"), "top/a");
        assert_true(is_there(fixture, "top/a"));
        assert_int_equal(delete_own(fixture, "top/a"), 0);
        assert_text(scratch_names(fixture->root, "top"), "other");
    }
    scratch_write(fixture->root, "top/a", "a file");
    assert_int_equal(delete_all(fixture, "top/a/"), 1);
}

static void a_delete_does_not_go_through_a_link(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "top/a/file", "x");
    make_link(fixture, "top/a/d", "../../outside");
    assert_int_equal(delete_own(fixture, "top/a/d/file"), 0);
    assert_int_equal(delete_own(fixture, "top/a/file/below"), 0);
    assert_int_equal(delete_own(fixture, "top/a/absent/below"), 0);
    assert_text(scratch_names(fixture->root, "top/a"), "d file");
}

static void a_link_on_the_way_to_the_place_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    make_link(fixture, "top/a", "../outside");
    assert_text(list_own(fixture, "top/a/b/", 0), "CORRUPT");
    assert_text(prune_own(fixture, "top/a/b/"), "CORRUPT");
    assert_int_equal(delete_own(fixture, "top/a/file"), 0);
}

static void links_above_the_place_are_followed(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "elsewhere/a/d/file", "x");
    g_autofree char *top = scratch_path(fixture->root, "top");
    g_autofree char *kept = scratch_path(fixture->root, "kept");
    assert_int_equal(rename(top, kept), 0);
    make_link(fixture, "top", "elsewhere");
    assert_text(list_own(fixture, "top/a/", 0), "top/a/d/file");
    assert_int_equal(delete_all(fixture, "top/a/"), 1);
    assert_text(scratch_names(fixture->root, "elsewhere"), "");
    assert_int_equal(unlink(top), 0);
    assert_int_equal(rename(kept, top), 0);
}

static void a_prune_tells_what_it_leaves(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "top/a/b/file", "x");
    scratch_write(fixture->root, "top/a/c/file#1", "x");
    make_link(fixture, "top/a/d", "../../outside");
    assert_text(prune_own(fixture, "top/a/"), "top/a/b/file top/a/d");
    assert_text(scratch_names(fixture->root, "top/a"), "b d");
}

static void a_prune_of_a_key_takes_a_directory_in_its_place(void **state)
{
    struct fixture *fixture = *state;
    scratch_write(fixture->root, "top/a.json/b/file", "x");
    scratch_write(fixture->root, "top/a.json#1", "x");
    assert_text(prune_own(fixture, "top/a.json"), "top/a.json/b/file");
    assert_int_equal(delete_own(fixture, "top/a.json/b/file"), 0);
    assert_text(prune_own(fixture, "top/a.json"), "");
    assert_text(scratch_names(fixture->root, "top"), "other");
    scratch_write(fixture->root, "top/a.json", "x");
    assert_text(prune_own(fixture, "top/a.json"), "");
    assert_true(is_there(fixture, "top/a.json"));
}

/* Makes directories below `top/a`, with a file in the lowest. */
static void make_deep(struct fixture *fixture, const char *name, unsigned depth)
{
    g_autofree char *top = scratch_path(fixture->root, "top/a");
    assert_int_equal(mkdir(top, 0755), 0);
    int fd = open(top, O_RDONLY | O_DIRECTORY);
    for (unsigned i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        int below = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = below;
    }
    assert_true(fd >= 0);
    close(openat(fd, "file", O_WRONLY | O_CREAT, 0644));
    assert_int_equal(symlinkat("/", fd, "link"), 0);
    close(fd);
}

static void paths_longer_than_the_kernel_takes_are_walked(void **state)
{
    struct fixture *fixture = *state;
    char name[201] = {0};
    memset(name, 'x', 200);
    make_deep(fixture, name, 50);
    assert_int_equal(delete_all(fixture, "top/a/"), 2);
    assert_text(scratch_names(fixture->root, "top"), "other");
}

/* More than there may be descriptors. */
static void so_are_deep_ones(void **state)
{
    struct fixture *fixture = *state;
    make_deep(fixture, "d", 3000);
    assert_int_equal(delete_all(fixture, "top/a/"), 2);
    assert_text(scratch_names(fixture->root, "top"), "other");
}

static void a_name_that_nothing_can_have_is_absent(void **state)
{
    struct fixture *fixture = *state;
    char name[6001] = "top/a/";
    memset(name + strlen(name), 'x', sizeof name - 1 - strlen(name));
    name[sizeof name - 2] = '/';
    scratch_write(fixture->root, "top/a/file", "x");
    assert_text(list_own(fixture, name, 0), "");
    assert_text(prune_own(fixture, name), "");
    g_autofree char *key = g_strconcat(name, "file", NULL);
    assert_int_equal(delete_own(fixture, key), 0);
    assert_true(is_there(fixture, "top/a/file"));
}

static void requests_that_cannot_be_kept_within_are_invalid(void **state)
{
    struct fixture *fixture = *state;
    auto_store_set struct store_set *set = store_set_new();
    store_request_keep_within(store_set_list(set, "top/a/", NULL, 0), 3);
    store_request_keep_within(store_set_list(set, "top/a/", NULL, 0), 6);
    store_request_keep_within(store_set_list(set, "top/a/", NULL, 0), 100);
    store_request_keep_within(store_set_list(set, "top/a", NULL, 0), OWN);
    store_request_keep_within(store_set_list(set, "top/a/", "top/a/b", 0), OWN);
    store_request_keep_within(store_set_list_shallow(set, "top/a/"), OWN);
    store_request_keep_within(store_set_delete(set, "top/../outside/file"), OWN);
    store_run(fixture->store, set, NULL, NULL);
    for (size_t i = 0; i < store_set_size(set); i++)
        assert_int_equal(store_set_at(set, i)->answer.code, ERR_INVALID);
}

static void what_is_above_a_key_ends_in_its_last_slash(void **state)
{
    assert_int_equal(store_key_above("a/b/c"), 4);
    assert_int_equal(store_key_above("a/b/c/"), 4);
    assert_int_equal(store_key_above("a"), 0);
    assert_int_equal(store_key_above("a/"), 0);
    assert_int_equal(store_key_above(""), 0);
}

/* ---- Mounted file systems ---- */

/* A process with mounts of its own; -1: not allowed to. */
static int enter_own_mounts(const char *directory, const char *place)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -1;
    return mount(directory, place, NULL, MS_BIND, NULL);
}

static int look_at_mounted(const char *root)
{
    g_autofree char *outside = scratch_path(root, "outside");
    g_autofree char *place = scratch_path(root, "top/a/mounted");
    struct fixture fixture = {.root = (char *)root};
    if (enter_own_mounts(outside, place) != 0)
        return 77;
    if (local_store_open(root, 1, &fixture.store, NULL) != 0)
        return 1;
    g_autofree char *listed = list_own(&fixture, "top/a/", 0);
    g_autofree char *pruned = prune_own(&fixture, "top/a/");
    g_autofree char *itself = list_own(&fixture, "top/a/mounted/", 0);
    int deleted = delete_own(&fixture, "top/a/mounted/file");
    store_free(fixture.store);
    bool refused = strcmp(listed, "HELD") == 0 && strcmp(pruned, "HELD") == 0 &&
                   strcmp(itself, "HELD") == 0 && deleted == ERR_HELD;
    return refused ? 0 : 2;
}

static void a_mounted_file_system_is_not_entered(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    g_autofree char *place = scratch_path(fixture->root, "top/a/mounted");
    assert_int_equal(g_mkdir_with_parents(place, 0755), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(look_at_mounted(fixture->root));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- All ---- */

/* As an old kernel answers. False: it cannot be arranged. */
static bool take_openat2_away(void)
{
#ifdef SYS_openat2
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {G_N_ELEMENTS(filter), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           syscall(SYS_openat2, -1, "", NULL, 0) == -1 && errno == ENOSYS;
#else
    return false;
#endif
}

#define OWNED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    OWNED(a_listing_shows_what_is_no_object_and_nothing_behind_a_link),
    OWNED(a_limited_listing_says_that_there_is_more),
    OWNED(what_is_listed_can_be_deleted_and_then_nothing_is_left),
    OWNED(a_link_in_the_place_itself_is_what_goes),
    OWNED(a_delete_does_not_go_through_a_link),
    OWNED(a_link_on_the_way_to_the_place_is_an_error),
    OWNED(links_above_the_place_are_followed),
    OWNED(a_prune_tells_what_it_leaves),
    OWNED(a_prune_of_a_key_takes_a_directory_in_its_place),
    OWNED(paths_longer_than_the_kernel_takes_are_walked),
    OWNED(so_are_deep_ones),
    OWNED(a_name_that_nothing_can_have_is_absent),
    OWNED(requests_that_cannot_be_kept_within_are_invalid),
    OWNED(what_is_above_a_key_ends_in_its_last_slash),
    OWNED(a_mounted_file_system_is_not_entered),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("with the kernel's help", tests, NULL, NULL);
    if (take_openat2_away())
        failed += cmocka_run_group_tests_name("without", tests, NULL, NULL);
    return failed;
}
