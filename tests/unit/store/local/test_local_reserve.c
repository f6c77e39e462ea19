/*
 * Room that is kept for when the file system is full.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/local/local_store.h"
#include "unit/store/store_bench.h"
#include "unit/stores/failing_sync.h"
#include "unit/unit.h"

#define KEY "d/registry"
#define RESERVE "d/own/room"
#define SIZE 20000

/* ---- The file system ---- */

static bool is_full;       /* there is no room for temporary files */
static bool cannot_swap;   /* files do not change places */
static bool cannot_extend; /* no blocks without data */

ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags);
int __real_renameat2(int from, const char *name, int to, const char *other, unsigned flags);
int __wrap_fallocate(int fd, int mode, off_t from, off_t length);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t length);

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    char path[PATH_MAX] = "";
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    if (is_full && readlink(link, path, sizeof path - 1) > 0 && strchr(path, '#')) {
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, data, size);
}

int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
    if (!cannot_swap)
        return __real_renameat2(from, name, to, other, flags);
    errno = EINVAL;
    return -1;
}

int __wrap_fallocate(int fd, int mode, off_t from, off_t length)
{
    if (!cannot_extend)
        return (int)syscall(SYS_fallocate, fd, mode, from, length);
    errno = EOPNOTSUPP;
    return -1;
}

int __wrap_fallocate64(int fd, int mode, off_t from, off_t length)
{
    return __wrap_fallocate(fd, mode, from, length);
}

/* ---- The fixture: an object "one" and a reserve for it ---- */

struct fixture {
    struct store *store;
    char *root;
    char *object;
    char *room;
};

static struct store_request *reserve(struct fixture *fixture, struct store_set *set, size_t size)
{
    struct store_request *request = store_set_reserve(set, KEY, RESERVE, size);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    return request;
}

static int reserve_again(struct fixture *fixture)
{
    auto_store_set struct store_set *set = store_set_new();
    return reserve(fixture, set, SIZE)->answer.code;
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    is_full = cannot_swap = cannot_extend = false;
    fixture->root = scratch_directory_new();
    fixture->object = scratch_path(fixture->root, KEY);
    fixture->room = scratch_path(fixture->root, RESERVE);
    assert_int_equal(local_store_open(fixture->root, 4, &fixture->store, NULL), 0);
    assert_int_equal(put_text(fixture->store, KEY, "one"), 0);
    *state = fixture;
    return 0;
}

static int set_up_reserved(void **state)
{
    set_up(state);
    assert_int_equal(reserve_again(*state), 0);
    is_full = true;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    failing_sync_disarm();
    is_full = false;
    store_free(fixture->store);
    scratch_directory_free(fixture->root);
    g_free(fixture->room);
    g_free(fixture->object);
    g_free(fixture);
    return 0;
}

/* *ret_took: whether it has taken the reserve. */
static int put_reserved(struct fixture *fixture, const char *text, bool *ret_took)
{
    auto_store_set struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text(text);
    g_autofree char *etag = etag_of(fixture->store, KEY);
    struct store_request *put = store_set_put(set, KEY, body, STORE_IF_MATCH, etag);
    store_request_use_reserve(put, RESERVE);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    *ret_took = put->answer.took_reserve;
    return put->answer.code;
}

static void assert_puts(struct fixture *fixture, const char *text)
{
    bool took = false;
    assert_int_equal(put_reserved(fixture, text, &took), 0);
    assert_true(took);
    assert_text(get_text(fixture->store, KEY), text);
}

static void assert_has_no_room(struct fixture *fixture, const char *there)
{
    bool took = false;
    assert_int_equal(put_reserved(fixture, "more", &took), ERR_NO_SPACE);
    assert_text(get_text(fixture->store, KEY), there);
    g_autofree char *names = scratch_names(fixture->root, "d");
    assert_null(strchr(names, '#'));
}

static struct stat status_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status;
}

/* ---- Keeping room ---- */

static void a_reserve_has_the_blocks_it_was_asked_for(void **state)
{
    struct fixture *fixture = *state;
    auto_store_set struct store_set *set = store_set_new();
    auto_store_set struct store_set *larger = store_set_new();
    assert_int_equal(chmod(fixture->object, 0640), 0);
    assert_true(reserve(fixture, set, SIZE)->answer.size >= SIZE);
    assert_true(status_of(fixture->room).st_blocks * 512 >= SIZE);
    assert_int_equal(status_of(fixture->room).st_mode, S_IFREG | 0640);
    const ino_t inode = status_of(fixture->room).st_ino;
    assert_true(reserve(fixture, larger, 4 * SIZE)->answer.size >= 4 * SIZE);
    assert_int_equal(status_of(fixture->room).st_ino, inode);
}

static void where_there_are_no_empty_blocks_it_is_filled(void **state)
{
    struct fixture *fixture = *state;
    cannot_extend = true;
    assert_int_equal(reserve_again(fixture), 0);
    assert_true(status_of(fixture->room).st_blocks * 512 >= SIZE);
    is_full = true;
    assert_puts(fixture, "two");
    assert_int_equal(status_of(fixture->object).st_size, 3);
}

static void what_is_there_and_no_file_of_its_own_makes_place(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *other = scratch_path(fixture->root, "other");
    scratch_write(fixture->root, "other", "precious");
    scratch_write(fixture->root, RESERVE, "x");
    assert_int_equal(unlink(fixture->room), 0);
    assert_int_equal(symlink(other, fixture->room), 0);
    assert_int_equal(reserve_again(fixture), 0);
    assert_int_equal(unlink(fixture->room), 0);
    assert_int_equal(link(other, fixture->room), 0);
    assert_int_equal(reserve_again(fixture), 0);
    is_full = true;
    assert_puts(fixture, "two");
    assert_text(get_text(fixture->store, "other"), "precious");
    assert_int_equal(status_of(other).st_nlink, 1);
}

static void a_directory_that_leads_elsewhere_gets_no_reserve(void **state)
{
    struct fixture *fixture = *state;
    char *elsewhere = scratch_directory_new();
    g_autofree char *link = scratch_path(fixture->root, "d/own");
    assert_int_equal(symlink(elsewhere, link), 0);
    assert_int_not_equal(reserve_again(fixture), 0);
    assert_text(scratch_names(elsewhere, ""), "");
    is_full = true;
    assert_has_no_room(fixture, "one");
    scratch_directory_free(elsewhere);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    struct fixture *fixture = *state;
    auto_store_set struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text("x");
    struct store_request *put = store_set_put(set, "k", body, STORE_IF_ABSENT, NULL);
    store_request_use_reserve(put, RESERVE);
    const struct store_request *top = store_set_reserve(set, KEY, "room", 1);
    store_run(fixture->store, set, NULL, NULL);
    assert_int_equal(put->answer.code, ERR_INVALID);
    assert_int_equal(top->answer.code, ERR_INVALID);
}

/* ---- Using it ---- */

static void without_a_reserve_there_is_no_room(void **state)
{
    is_full = true;
    assert_has_no_room(*state, "one");
}

static void with_room_the_reserve_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    bool took = true;
    const ino_t inode = status_of(fixture->room).st_ino;
    is_full = false;
    assert_int_equal(put_reserved(fixture, "two", &took), 0);
    assert_false(took);
    assert_int_equal(status_of(fixture->room).st_ino, inode);
}

static void what_was_replaced_is_the_next_reserve(void **state)
{
    struct fixture *fixture = *state;
    const ino_t object = status_of(fixture->object).st_ino;
    const ino_t room = status_of(fixture->room).st_ino;
    assert_int_equal(chmod(fixture->object, 0640), 0);
    assert_puts(fixture, "two, longer");
    assert_int_equal(status_of(fixture->object).st_ino, room);
    assert_int_equal(status_of(fixture->object).st_mode, S_IFREG | 0640);
    assert_int_equal(status_of(fixture->room).st_ino, object);
    assert_puts(fixture, "3");
    assert_puts(fixture, "four");
    assert_text(scratch_names(fixture->root, "d"), "own registry");
    assert_text(scratch_names(fixture->root, "d/own"), "room");
}

static void its_blocks_stay_with_what_is_written_into_it(void **state)
{
    struct fixture *fixture = *state;
    assert_puts(fixture, "two");
    assert_true(status_of(fixture->object).st_blocks * 512 >= SIZE);
}

static void what_was_replaced_is_made_unreadable(void **state)
{
    struct fixture *fixture = *state;
    assert_puts(fixture, "two");
    assert_text(get_text(fixture->store, RESERVE), "one");
    assert_int_equal(reserve_again(fixture), 0);
    assert_text(get_text(fixture->store, RESERVE), "");
    assert_puts(fixture, "three");
}

static void a_lost_precondition_leaves_it(void **state)
{
    struct fixture *fixture = *state;
    auto_store_set struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text("two");
    struct store_request *put = store_set_put(set, KEY, body, STORE_IF_MATCH, "0-0-0");
    store_request_use_reserve(put, RESERVE);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(put->answer.code, ERR_PRECONDITION);
    assert_puts(fixture, "three");
}

static void where_files_cannot_change_places_it_is_used_up(void **state)
{
    struct fixture *fixture = *state;
    cannot_swap = true;
    assert_puts(fixture, "two");
    assert_text(scratch_names(fixture->root, "d/own"), "");
    assert_has_no_room(fixture, "two");
    assert_int_equal(reserve_again(fixture), 0);
    assert_puts(fixture, "three");
}

/* ---- What must not be written into ---- */

static void what_somebody_reads_is_not_written_into(void **state)
{
    struct fixture *fixture = *state;
    char seen[8] = "";
    auto_close int reader = open(fixture->object, O_RDONLY | O_CLOEXEC);
    assert_puts(fixture, "two");
    assert_has_no_room(fixture, "two");
    assert_int_equal(pread(reader, seen, sizeof seen, 0), 3);
    assert_string_equal(seen, "one");
}

static void what_has_another_name_is_not_written_into(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *backup = scratch_path(fixture->root, "backup");
    assert_int_equal(link(fixture->object, backup), 0);
    assert_puts(fixture, "two");
    assert_has_no_room(fixture, "two");
    assert_text(get_text(fixture->store, "backup"), "one");
}

static void what_a_power_failure_may_bring_back_is_not_written_into(void **state)
{
    struct fixture *fixture = *state;
    bool took = false;
    failing_sync_arm("/d", 1, UINT_MAX);
    assert_int_equal(put_reserved(fixture, "two", &took), ERR_NOT_DURABLE);
    assert_true(took);
    g_autofree char *old = get_text(fixture->store, RESERVE);
    put_reserved(fixture, "three", &took);
    g_autofree char *there = get_text(fixture->store, RESERVE);
    assert_true(strcmp(there, old) == 0 || strcmp(there, "NOT_FOUND") == 0);
    failing_sync_disarm();
    assert_int_equal(reserve_again(fixture), 0);
    assert_puts(fixture, "four");
}

int main(void)
{
#define LOCAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define RESERVED(test) cmocka_unit_test_setup_teardown(test, set_up_reserved, tear_down)
    const struct CMUnitTest tests[] = {
        LOCAL(a_reserve_has_the_blocks_it_was_asked_for),
        LOCAL(where_there_are_no_empty_blocks_it_is_filled),
        LOCAL(what_is_there_and_no_file_of_its_own_makes_place),
        LOCAL(a_directory_that_leads_elsewhere_gets_no_reserve),
        LOCAL(requests_that_make_no_sense_are_refused),
        LOCAL(without_a_reserve_there_is_no_room),
        RESERVED(with_room_the_reserve_is_left_alone),
        RESERVED(what_was_replaced_is_the_next_reserve),
        RESERVED(its_blocks_stay_with_what_is_written_into_it),
        RESERVED(what_was_replaced_is_made_unreadable),
        RESERVED(a_lost_precondition_leaves_it),
        RESERVED(where_files_cannot_change_places_it_is_used_up),
        RESERVED(what_somebody_reads_is_not_written_into),
        RESERVED(what_has_another_name_is_not_written_into),
        RESERVED(what_a_power_failure_may_bring_back_is_not_written_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
