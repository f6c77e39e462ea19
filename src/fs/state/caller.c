#include "fs/state/caller.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

/* Reads a file of /proc that fits into `text`; an empty string when it cannot. */
static void read_proc(pid_t process, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, file);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
}

static pid_t process_of(const char *status, pid_t thread)
{
    /* In the first line, the name, newlines are escaped. */
    const char *line = strstr(status, "\nTgid:");
    long process = line ? strtol(line + strlen("\nTgid:"), NULL, 10) : 0;
    return process > 0 ? (pid_t)process : thread;
}

struct caller caller_of_thread(pid_t thread)
{
    struct caller caller = {0, "?"};
    if (thread <= 0)
        return caller;
    char status[1024];
    read_proc(thread, "status", status, sizeof status);
    caller.process = process_of(status, thread);
    char command[sizeof caller.command];
    read_proc(caller.process, "comm", command, sizeof command);
    command[strcspn(command, "\n")] = '\0';
    if (command[0])
        memcpy(caller.command, command, sizeof command);
    return caller;
}

bool caller_makes_directory(pid_t thread)
{
    char text[256];
    char *end;
    if (thread <= 0)
        return false;
    read_proc(thread, "syscall", text, sizeof text);
    long number = strtol(text, &end, 10);
    if (end == text)
        return false;
#ifdef SYS_mkdir
    if (number == SYS_mkdir)
        return true;
#endif
    return number == SYS_mkdirat;
}
