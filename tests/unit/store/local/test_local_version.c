/*
 * Versions of files in the local store, where times do not tell all changes apart. The program is
 * linked so that files get whole-second times while `coarse` is set (ld --wrap).
 */
#include "unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "store/local/local_store.h"
#include "unit/store/store_bench.h"

static bool coarse;       /* times of our own puts are cut to whole seconds, */
static int64_t second_ns; /* to this one; 0: to that which was wanted */
static unsigned reads;    /* atomic: calls of read() */

int __real_futimens(int fd, const struct timespec times[2]);
int __wrap_futimens(int fd, const struct timespec times[2]);
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);

int __wrap_futimens(int fd, const struct timespec times[2])
{
    struct timespec cut[2] = {times[0], times[1]};
    cut[1].tv_nsec = 0;
    if (second_ns)
        cut[1] = timespec_from_ns(second_ns);
    return __real_futimens(fd, coarse ? cut : times);
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
    __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
    return __real_read(fd, data, size);
}

static int set_up(void **state)
{
    struct local_bench *fixture = g_new0(struct local_bench, 1);
    fixture->root = scratch_directory_new();
    assert_int_equal(local_store_open(fixture->root, 1, &fixture->store, NULL), 0);
    coarse = false;
    second_ns = 0;
    *state = fixture;
    return 0;
}

static int64_t this_second_ns(void)
{
    return timestamp_now_ns() / NS_PER_SECOND * NS_PER_SECOND;
}

static void set_time(const struct local_bench *fixture, const char *key, int64_t time_ns)
{
    g_autofree char *path = scratch_path(fixture->root, key);
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, timespec_from_ns(time_ns)};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* As others write a file: in place, with a time that does not tell. */
static void write_at(const struct local_bench *fixture, const char *key, const char *text,
                     int64_t time_ns)
{
    scratch_write(fixture->root, key, text);
    set_time(fixture, key, time_ns);
}

static char *listed_etag(const struct local_bench *fixture, const char *key)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, key, NULL, 0);
    assert_int_equal(store_run_all(fixture->store, set, 0, NULL, NULL), 0);
    assert_int_equal(listing->answer.objects->len, 1);
    return g_strdup(((struct store_object *)g_ptr_array_index(listing->answer.objects, 0))->etag);
}

static char *read_etag(const struct local_bench *fixture, const char *key)
{
    char *etag = NULL;
    auto_bytes struct bytes *body = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, &etag, NULL), 0);
    return etag;
}

/* All ways to ask tell the same. g_free(). */
static char *version_of(const struct local_bench *fixture, const char *key)
{
    char *head = etag_of(fixture->store, key);
    g_autofree char *listed = listed_etag(fixture, key);
    g_autofree char *read = read_etag(fixture, key);
    assert_string_equal(head, listed);
    assert_string_equal(head, read);
    return head;
}

static void two_changes_in_one_second_are_two_versions(void **state)
{
    struct local_bench *fixture = *state;
    int64_t time_ns =
        this_second_ns() + 60 * NS_PER_SECOND; /* it is not over, however slow we are */
    write_at(fixture, "k", "one", time_ns);
    g_autofree char *one = version_of(fixture, "k");
    write_at(fixture, "k", "two", time_ns);
    g_autofree char *two = version_of(fixture, "k");
    assert_string_not_equal(one, two);
    assert_int_equal(put_if(fixture->store, "k", "own", STORE_IF_MATCH, one), ERR_PRECONDITION);
    assert_text(get_text(fixture->store, "k"), "two");
    assert_int_equal(put_if(fixture->store, "k", "own", STORE_IF_MATCH, two), 0);
}

static void two_changes_in_one_tick_are_two_versions(void **state)
{
    struct local_bench *fixture = *state;
    /* A tick that is not over when it is looked at, however long that takes. */
    int64_t time_ns = this_second_ns() + 60 * NS_PER_SECOND + 7;
    write_at(fixture, "k", "one", time_ns);
    g_autofree char *one = version_of(fixture, "k");
    write_at(fixture, "k", "two", time_ns);
    g_autofree char *two = version_of(fixture, "k");
    assert_string_not_equal(one, two);
}

static void the_same_content_is_the_same_version_however_often_it_is_looked_at(void **state)
{
    struct local_bench *fixture = *state;
    write_at(fixture, "k", "one", this_second_ns());
    g_autofree char *first = version_of(fixture, "k");
    for (int i = 0; i < 3; i++) {
        g_autofree char *again = version_of(fixture, "k");
        assert_string_equal(first, again);
    }
    assert_int_equal(put_if(fixture->store, "k", "own", STORE_IF_MATCH, first), 0);
}

/* What was changed after the last look, in the second that the look was in. */
static void a_version_is_looked_at_again_when_its_second_is_over(void **state)
{
    struct local_bench *fixture = *state;
    int64_t time_ns = this_second_ns() + 5 * NS_PER_SECOND;
    write_at(fixture, "k", "one", time_ns);
    g_autofree char *one = version_of(fixture, "k");
    write_at(fixture, "k", "two", time_ns);
    AWAIT(timestamp_now_ns() > time_ns + 3 * NS_PER_SECOND);
    g_autofree char *two = version_of(fixture, "k");
    assert_string_not_equal(one, two);
    unsigned before = __atomic_load_n(&reads, __ATOMIC_RELAXED);
    g_autofree char *head = etag_of(fixture->store, "k");
    g_autofree char *listed = listed_etag(fixture, "k");
    assert_string_equal(two, head);
    assert_string_equal(two, listed);
    assert_int_equal(__atomic_load_n(&reads, __ATOMIC_RELAXED), before);
}

static void own_puts_in_one_second_are_versions_of_their_own(void **state)
{
    struct local_bench *fixture = *state;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    coarse = true;
    second_ns = this_second_ns() + 60 * NS_PER_SECOND;
    g_autofree char *first = NULL;
    for (int i = 0; i < 64; i++) {
        g_autofree char *text = g_strdup_printf("%02d", i);
        g_autofree char *etag = NULL;
        auto_bytes struct bytes *body = bytes_new_text(text);
        assert_int_equal(
            store_put(fixture->store, "k", body, STORE_ALWAYS, NULL, NULL, &etag, NULL), 0);
        g_autofree char *told = version_of(fixture, "k");
        assert_string_equal(etag, told);
        if (!first)
            first = g_strdup(etag);
        assert_true(g_hash_table_add(seen, g_steal_pointer(&etag)));
    }
    assert_int_equal(put_if(fixture->store, "k", "xx", STORE_IF_MATCH, first), ERR_PRECONDITION);
}

static void what_is_old_when_it_is_first_looked_at_is_not_read(void **state)
{
    struct local_bench *fixture = *state;
    write_at(fixture, "whole", "x", this_second_ns() - 10 * NS_PER_SECOND);
    write_at(fixture, "fine", "x", this_second_ns() - NS_PER_SECOND + 12345);
    unsigned before = __atomic_load_n(&reads, __ATOMIC_RELAXED);
    g_autofree char *whole = etag_of(fixture->store, "whole");
    g_autofree char *fine = etag_of(fixture->store, "fine");
    g_autofree char *listed = listed_etag(fixture, "whole");
    assert_int_equal(__atomic_load_n(&reads, __ATOMIC_RELAXED), before);
    assert_string_equal(whole, listed);
}

static void own_puts_are_not_read_where_times_are_fine(void **state)
{
    struct local_bench *fixture = *state;
    g_autofree char *etag = NULL;
    auto_bytes struct bytes *body = bytes_new_text("x");
    unsigned before = __atomic_load_n(&reads, __ATOMIC_RELAXED);
    assert_int_equal(store_put(fixture->store, "k", body, STORE_ALWAYS, NULL, NULL, &etag, NULL),
                     0);
    g_autofree char *head = etag_of(fixture->store, "k");
    assert_string_equal(etag, head);
    assert_int_equal(put_if(fixture->store, "k", "y", STORE_IF_MATCH, etag), 0);
    assert_int_equal(__atomic_load_n(&reads, __ATOMIC_RELAXED), before);
}

/* Who forgets a version may take a file for changed, and never one that has changed for the same.
 */
static void many_versions_do_not_need_much_memory(void **state)
{
    struct local_bench *fixture = *state;
    int64_t time_ns = this_second_ns() + 60 * NS_PER_SECOND;
    for (int i = 0; i < 5000; i++) {
        g_autofree char *key = g_strdup_printf("d/%d", i);
        write_at(fixture, key, "one", time_ns);
    }
    g_autofree char *one = version_of(fixture, "d/4999");
    g_autofree char *all = list_keys(fixture->store, "d/", NULL, 0);
    assert_non_null(strstr(all, "d/4999"));
    write_at(fixture, "d/4999", "two", time_ns);
    g_autofree char *two = version_of(fixture, "d/4999");
    assert_string_not_equal(one, two);
}

#define LOCAL(test) cmocka_unit_test_setup_teardown(test, set_up, local_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCAL(two_changes_in_one_second_are_two_versions),
        LOCAL(two_changes_in_one_tick_are_two_versions),
        LOCAL(the_same_content_is_the_same_version_however_often_it_is_looked_at),
        LOCAL(a_version_is_looked_at_again_when_its_second_is_over),
        LOCAL(own_puts_in_one_second_are_versions_of_their_own),
        LOCAL(what_is_old_when_it_is_first_looked_at_is_not_read),
        LOCAL(own_puts_are_not_read_where_times_are_fine),
        LOCAL(many_versions_do_not_need_much_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
