/*
 * Uni's lock on its compaction, as Uni takes it.
 */
#ifndef FORKFS_UNIT_CATALOG_UNI_UNI_LOCK_H
#define FORKFS_UNIT_CATALOG_UNI_UNI_LOCK_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit/unit.h"

/* What Uni does while it compacts: -1 when somebody else has the lock. */
static inline int lock_as_uni(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    assert_int_equal(errno, EWOULDBLOCK);
    close(fd);
    return -1;
}

static inline bool uni_gets_lock(const char *path)
{
    auto_close int fd = lock_as_uni(path);
    return fd >= 0;
}

#endif
