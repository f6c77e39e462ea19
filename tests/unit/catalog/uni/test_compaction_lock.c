#include "unit/catalog/uni/uni_lock.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "catalog/uni/compaction_lock.h"

/* So long waits whoever is to wait in vain; and nobody ever waits so long. */
#define SHORT_MS 50
#define LONG_MS (INT64_C(1000) * 3600)

struct fixture {
    char *directory;
    char *path;
    struct compaction_lock *lock;
};

static void make_lock(struct fixture *fixture, int64_t longest_ms)
{
    compaction_lock_free(fixture->lock);
    fixture->lock = compaction_lock_new(fixture->path, longest_ms);
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->directory = g_dir_make_tmp("forkfs-compaction-XXXXXX", NULL);
    assert_non_null(fixture->directory);
    fixture->path = g_build_filename(fixture->directory, "compaction.lock", NULL);
    assert_true(g_file_set_contents(fixture->path, "", 0, NULL));
    make_lock(fixture, LONG_MS);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    compaction_lock_free(fixture->lock);
    unlink(fixture->path);
    assert_int_equal(rmdir(fixture->directory), 0);
    g_free(fixture->path);
    g_free(fixture->directory);
    g_free(fixture);
    return 0;
}

static void acquire(struct fixture *fixture)
{
    struct error err = {0};
    bool is_held = false;
    if (compaction_lock_acquire(fixture->lock, NULL, &is_held, &err))
        fail_msg("%s", err.text);
    assert_true(is_held);
}

static void assert_not_acquired(struct fixture *fixture, struct operation *operation, int code)
{
    struct error err = {0};
    bool is_held = true;
    assert_int_equal(compaction_lock_acquire(fixture->lock, operation, &is_held, &err), code);
    assert_false(is_held);
    if (code == ERR_CONTENDED)
        assert_non_null(strstr(err.text, "Uni compacts"));
}

/* ---- One user, and several ---- */

static void uni_waits_until_it_is_released(void **state)
{
    struct fixture *fixture = *state;
    acquire(fixture);
    assert_false(uni_gets_lock(fixture->path));
    compaction_lock_release(fixture->lock);
    assert_true(uni_gets_lock(fixture->path));
}

static void it_is_had_until_the_last_user_has_gone(void **state)
{
    struct fixture *fixture = *state;
    acquire(fixture);
    acquire(fixture);
    compaction_lock_release(fixture->lock);
    assert_false(uni_gets_lock(fixture->path));
    acquire(fixture);
    compaction_lock_release(fixture->lock);
    compaction_lock_release(fixture->lock);
    assert_true(uni_gets_lock(fixture->path));
}

static void another_mount_can_have_it_too(void **state)
{
    struct fixture *fixture = *state;
    struct compaction_lock *other = compaction_lock_new(fixture->path, LONG_MS);
    bool is_held = false;
    acquire(fixture);
    assert_int_equal(compaction_lock_acquire(other, NULL, &is_held, NULL), 0);
    assert_true(is_held);
    compaction_lock_release(fixture->lock);
    assert_false(uni_gets_lock(fixture->path));
    compaction_lock_release(other);
    compaction_lock_free(other);
}

/* ---- Without the file ---- */

static void nothing_is_locked_or_made_where_there_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    bool is_held = true;
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(compaction_lock_acquire(fixture->lock, NULL, &is_held, NULL), 0);
    assert_false(is_held);
    assert_int_equal(access(fixture->path, F_OK), -1);
}

static void nothing_is_locked_without_a_path(void **state)
{
    struct compaction_lock *lock = compaction_lock_new(NULL, LONG_MS);
    bool is_held = true;
    assert_int_equal(compaction_lock_acquire(lock, NULL, &is_held, NULL), 0);
    assert_false(is_held);
    compaction_lock_free(lock);
}

static void a_file_that_cannot_be_opened_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(symlink("compaction.lock", fixture->path), 0);
    assert_not_acquired(fixture, NULL, ERR_CORRUPT);
}

/* ---- While Uni compacts ---- */

struct waiter {
    struct fixture *fixture;
    struct operation operation;
    bool is_held;
    int code;
    bool has_ended; /* atomic */
};

static void *wait_for_lock(void *argument)
{
    struct waiter *waiter = argument;
    waiter->code =
        compaction_lock_acquire(waiter->fixture->lock, &waiter->operation, &waiter->is_held, NULL);
    __atomic_store_n(&waiter->has_ended, true, __ATOMIC_RELEASE);
    return NULL;
}

static void a_wait_in_vain_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    auto_close int uni = lock_as_uni(fixture->path);
    make_lock(fixture, SHORT_MS);
    assert_not_acquired(fixture, NULL, ERR_CONTENDED);
}

static void all_that_wait_get_it_when_uni_has_ended(void **state)
{
    enum { WAITERS = 8 };
    struct fixture *fixture = *state;
    struct waiter waiters[WAITERS] = {0};
    GThread *threads[WAITERS];
    int uni = lock_as_uni(fixture->path);
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i].fixture = fixture;
        operation_init(&waiters[i].operation, -1);
        threads[i] = g_thread_new("waiter", wait_for_lock, &waiters[i]);
    }
    close(uni);
    for (unsigned i = 0; i < WAITERS; i++) {
        g_thread_join(threads[i]);
        assert_int_equal(waiters[i].code, 0);
        assert_true(waiters[i].is_held);
        operation_destroy(&waiters[i].operation);
    }
    assert_false(uni_gets_lock(fixture->path));
    for (unsigned i = 0; i < WAITERS; i++)
        compaction_lock_release(fixture->lock);
    assert_true(uni_gets_lock(fixture->path));
}

static void a_wait_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter = {.fixture = fixture};
    auto_close int uni = lock_as_uni(fixture->path);
    operation_init(&waiter.operation, -1);
    GThread *thread = g_thread_new("waiter", wait_for_lock, &waiter);
    operation_cancel(&waiter.operation);
    g_thread_join(thread);
    assert_int_equal(waiter.code, ERR_INTERRUPTED);
    operation_destroy(&waiter.operation);
}

static void a_wait_ends_with_the_time_of_the_operation(void **state)
{
    struct fixture *fixture = *state;
    struct operation operation;
    auto_close int uni = lock_as_uni(fixture->path);
    operation_init(&operation, SHORT_MS);
    assert_not_acquired(fixture, &operation, ERR_DEADLINE);
    operation_destroy(&operation);
}

/* ---- Uni gets its turn ---- */

struct crowd {
    struct fixture *fixture;
    bool is_over;    /* atomic */
    unsigned rounds; /* atomic */
};

static void *use_again_and_again(void *argument)
{
    struct crowd *crowd = argument;
    while (!__atomic_load_n(&crowd->is_over, __ATOMIC_ACQUIRE)) {
        bool is_held = false;
        if (compaction_lock_acquire(crowd->fixture->lock, NULL, &is_held, NULL) == 0) {
            __atomic_add_fetch(&crowd->rounds, 1, __ATOMIC_RELAXED);
            g_usleep(2000); /* work, so that there is always somebody who has it */
            compaction_lock_release(crowd->fixture->lock);
        }
    }
    return NULL;
}

/* Users overlap, and the last one is followed at once by the next: without a rule there would
 * hardly ever be a moment for Uni, which looks every 10 ms. */
static void uni_gets_its_turn_among_users_without_end(void **state)
{
    enum { USERS = 4 };
    struct fixture *fixture = *state;
    struct crowd crowd = {.fixture = fixture};
    GThread *threads[USERS];
    make_lock(fixture, SHORT_MS);
    for (unsigned i = 0; i < USERS; i++)
        threads[i] = g_thread_new("user", use_again_and_again, &crowd);
    AWAIT(__atomic_load_n(&crowd.rounds, __ATOMIC_RELAXED) > 0);
    for (unsigned turn = 0; turn < 3; turn++) {
        int64_t until = end_of_patience();
        while (!uni_gets_lock(fixture->path)) {
            assert_true(g_get_monotonic_time() < until);
            g_usleep(10000);
        }
        unsigned rounds = __atomic_load_n(&crowd.rounds, __ATOMIC_RELAXED);
        AWAIT(__atomic_load_n(&crowd.rounds, __ATOMIC_RELAXED) > rounds);
    }
    __atomic_store_n(&crowd.is_over, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < USERS; i++)
        g_thread_join(threads[i]);
}

/* Whoever comes too late to join waits for those who have it, as long as its own time lasts. */
static void nobody_joins_users_who_have_had_it_for_long(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter = {.fixture = fixture};
    struct operation short_one;
    make_lock(fixture, 0);
    acquire(fixture);
    operation_init(&short_one, SHORT_MS);
    assert_not_acquired(fixture, &short_one, ERR_DEADLINE);
    operation_destroy(&short_one);
    operation_init(&waiter.operation, -1);
    GThread *thread = g_thread_new("waiter", wait_for_lock, &waiter);
    assert_false(__atomic_load_n(&waiter.has_ended, __ATOMIC_ACQUIRE));
    compaction_lock_release(fixture->lock);
    g_thread_join(thread);
    assert_int_equal(waiter.code, 0);
    compaction_lock_release(fixture->lock);
    operation_destroy(&waiter.operation);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(uni_waits_until_it_is_released),
        TEST(it_is_had_until_the_last_user_has_gone),
        TEST(another_mount_can_have_it_too),
        TEST(nothing_is_locked_or_made_where_there_is_no_file),
        TEST(nothing_is_locked_without_a_path),
        TEST(a_file_that_cannot_be_opened_is_an_error),
        TEST(a_wait_in_vain_is_given_up),
        TEST(all_that_wait_get_it_when_uni_has_ended),
        TEST(a_wait_can_be_cancelled),
        TEST(a_wait_ends_with_the_time_of_the_operation),
        TEST(uni_gets_its_turn_among_users_without_end),
        TEST(nobody_joins_users_who_have_had_it_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
