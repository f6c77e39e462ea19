/*
 * Who sent a request: the kernel tells the thread, users know the process.
 *
 * Thread-safe.
 */
#ifndef FORKFS_FS_STATE_CALLER_H
#define FORKFS_FS_STATE_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

struct caller {
    pid_t process;    /* 0 when unknown, for callers outside our pid namespace */
    char command[32]; /* "?" when unknown */
};

/* The process that `thread` belongs to. Reads /proc; a thread that has ended meanwhile is taken for
 * a process of its own. */
struct caller caller_of_thread(pid_t thread);

/* Whether the thread, which waits for the answer to a request, is in mkdir(2) or mkdirat(2) of a
 * path that ends in `name`. False also when /proc does not say: without the right to trace it, or
 * of an io_uring. */
bool caller_makes_directory(pid_t thread, const char *name);

#endif
