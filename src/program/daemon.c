#include "program/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

void daemon_open_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int collect_child(pid_t child, int *exit_status, struct error *err)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return error_set_errno(err, errno, "waiting for the background process");
    if (WIFSIGNALED(status))
        return error_set(err, ERR_IO, "the background process was ended by signal %d (%s)",
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    *exit_status = WEXITSTATUS(status);
    return 0;
}

/* The child writes one byte when it is ready; the end of the pipe without it is the child's end. */
static int wait_for_child(pid_t child, int ready_fd, int *exit_status, struct error *err)
{
    char byte;
    ssize_t got;
    do {
        got = read(ready_fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1) {
        *exit_status = 0;
        return 0;
    }
    return collect_child(child, exit_status, err);
}

static void become_child(struct daemon *daemon, pid_t parent, int ready_fd)
{
    *daemon = (struct daemon){.ready_fd = ready_fd};
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        raise(SIGTERM);
}

int daemon_split(struct daemon *daemon, struct error *err)
{
    *daemon = (struct daemon){.is_parent = true, .exit_status = 1, .ready_fd = -1};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "starting the background process");
    auto_close int read_end = ends[0];
    auto_close int write_end = ends[1];
    fflush(NULL);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0)
        return error_set_errno(err, errno, "starting the background process");
    if (child == 0) {
        become_child(daemon, parent, write_end);
        write_end = -1;
        return 0;
    }
    close(write_end);
    write_end = -1;
    return wait_for_child(child, read_end, &daemon->exit_status, err);
}

static void leave_terminal(void)
{
    setsid();
    auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
}

void daemon_ready(struct daemon *daemon, struct log *log)
{
    if (daemon->ready_fd < 0)
        return;
    log_set_target(log, LOG_TO_SYSLOG);
    leave_terminal();
    prctl(PR_SET_PDEATHSIG, 0);
    ssize_t written;
    do {
        written = write(daemon->ready_fd, "", 1);
    } while (written < 0 && errno == EINTR);
    close(daemon->ready_fd);
    daemon->ready_fd = -1;
}
