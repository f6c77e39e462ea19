#include "fs/state/caller.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib.h>

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

/* The address of the path that a thread gives to a call that makes a directory; 0: it is in none.
 */
static uint64_t path_of_mkdir(pid_t thread)
{
    char text[256];
    read_proc(thread, "syscall", text, sizeof text);
    g_auto(GStrv) words = g_strsplit(text, " ", 4); /* number, arguments */
    if (g_strv_length(words) < 4)
        return 0;
    long number = strtol(words[0], NULL, 10);
#ifdef SYS_mkdir
    if (number == SYS_mkdir)
        return strtoull(words[1], NULL, 16);
#endif
    return number == SYS_mkdirat ? strtoull(words[2], NULL, 16) : 0;
}

/* As much of the text as there is; an empty one when it cannot be read. */
static void read_text_of(pid_t thread, uint64_t address, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)thread);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : pread(fd, text, size - 1, (off_t)address);
    text[length > 0 ? length : 0] = '\0';
}

bool caller_makes_directory(pid_t thread, const char *name)
{
    char path[PATH_MAX];
    uint64_t address = thread > 0 ? path_of_mkdir(thread) : 0;
    if (address == 0)
        return false;
    read_text_of(thread, address, path, sizeof path);
    size_t end = strlen(path), length = strlen(name);
    while (end > 0 && path[end - 1] == '/')
        end--;
    return end >= length && memcmp(path + end - length, name, length) == 0 &&
           (end == length || path[end - length - 1] == '/');
}
