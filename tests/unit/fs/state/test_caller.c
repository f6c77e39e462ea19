#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fs/state/caller.h"
#include "unit/unit.h"

static void *caller_of_this_thread(void *argument)
{
    prctl(PR_SET_NAME, "a thread");
    *(struct caller *)argument = caller_of_thread(gettid());
    return NULL;
}

static void a_thread_stands_for_its_process(void **state)
{
    prctl(PR_SET_NAME, "the process");
    pthread_t thread;
    struct caller caller;
    assert_int_equal(pthread_create(&thread, NULL, caller_of_this_thread, &caller), 0);
    pthread_join(thread, NULL);
    assert_int_equal(caller.process, getpid());
    assert_string_equal(caller.command, "the process");
}

static void a_caller_from_outside_is_unknown(void **state)
{
    struct caller caller = caller_of_thread(0);
    assert_int_equal(caller.process, 0);
    assert_string_equal(caller.command, "?");
}

static void a_thread_that_has_ended_keeps_its_number(void **state)
{
    struct caller caller = caller_of_thread(INT32_MAX);
    assert_int_equal(caller.process, INT32_MAX);
    assert_string_equal(caller.command, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_stands_for_its_process),
        cmocka_unit_test(a_caller_from_outside_is_unknown),
        cmocka_unit_test(a_thread_that_has_ended_keeps_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
