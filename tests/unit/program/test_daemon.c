#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program/daemon.h"

/* Splits; the child runs `work` and must not return. What the parent gets. */
static int split(void (*work)(struct daemon *daemon), int *exit_status, struct error *err)
{
    struct daemon daemon;
    int code = daemon_split(&daemon, err);
    if (code == 0 && !daemon.is_parent) {
        work(&daemon);
        _exit(99);
    }
    assert_true(daemon.is_parent);
    *exit_status = daemon.exit_status;
    return code;
}

static void end_with_three(struct daemon *daemon)
{
    _exit(3);
}

static void be_killed(struct daemon *daemon)
{
    kill(getpid(), SIGKILL);
}

/* 0 when it became ready as it should; the parent has gone on by then, so the pipe tells. */
static int report_pipe[2];

static void become_ready(struct daemon *daemon)
{
    pid_t parent_session = getsid(getppid());
    daemon_ready(daemon, NULL);
    char target[64] = "";
    ssize_t length = readlink("/proc/self/fd/1", target, sizeof target - 1);
    bool let_go = getsid(0) == getpid() && getsid(0) != parent_session && daemon->ready_fd == -1 &&
                  length > 0 && strcmp(target, "/dev/null") == 0;
    ssize_t written = write(report_pipe[1], let_go ? "y" : "n", 1);
    _exit(written == 1 ? 0 : 1);
}

static void the_parent_gets_the_status_of_a_child_that_ends_early(void **state)
{
    struct error err;
    int exit_status;
    assert_int_equal(split(end_with_three, &exit_status, &err), 0);
    assert_int_equal(exit_status, 3);
}

static void a_killed_child_is_an_error(void **state)
{
    struct error err;
    int exit_status;
    assert_int_equal(split(be_killed, &exit_status, &err), ERR_IO);
    assert_int_equal(exit_status, 1);
    assert_non_null(strstr(err.text, "signal 9"));
}

static void a_ready_child_lets_go_of_the_terminal_and_the_parent(void **state)
{
    struct error err;
    int exit_status;
    char let_go = '?';
    assert_int_equal(pipe(report_pipe), 0);
    assert_int_equal(split(become_ready, &exit_status, &err), 0);
    assert_int_equal(exit_status, 0);
    assert_int_equal(read(report_pipe[0], &let_go, 1), 1);
    assert_int_equal(let_go, 'y');
    close(report_pipe[0]);
    close(report_pipe[1]);
    wait(NULL);
}

static void ready_does_nothing_in_the_foreground(void **state)
{
    struct daemon daemon = DAEMON_FOREGROUND;
    pid_t session = getsid(0);
    daemon_ready(&daemon, NULL);
    assert_int_equal(getsid(0), session);
}

static void closed_standard_descriptors_are_opened(void **state)
{
    int saved = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    daemon_open_standard_descriptors();
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parent_gets_the_status_of_a_child_that_ends_early),
        cmocka_unit_test(a_killed_child_is_an_error),
        cmocka_unit_test(a_ready_child_lets_go_of_the_terminal_and_the_parent),
        cmocka_unit_test(ready_does_nothing_in_the_foreground),
        cmocka_unit_test(closed_standard_descriptors_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
