/*
 * Cleanup attributes for what GLib does not cover: descriptors, directories, locks held for a
 * block. Heap memory, GString, GPtrArray and GHashTable are released with GLib's
 * g_autofree/g_autoptr.
 *
 * Memory: GLib's allocators end the process when memory runs out. That is deliberate: Linux
 * overcommits, so a failing small allocation means that the machine is past saving, and what is on
 * the store survives a crash at any point by design.
 */
#ifndef FORKFS_BASE_CLEANUP_H
#define FORKFS_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static inline void cleanup_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

static inline void cleanup_closedir(DIR **dir)
{
    int saved = errno;
    if (*dir)
        closedir(*dir);
    errno = saved;
}

static inline void cleanup_unlock(pthread_mutex_t **lock)
{
    pthread_mutex_unlock(*lock);
}

/* Usage: auto_close int fd = open(...); -1 closes nothing. */
#define auto_close __attribute__((cleanup(cleanup_close)))
#define auto_closedir __attribute__((cleanup(cleanup_closedir)))

static inline pthread_mutex_t *cleanup_lock(pthread_mutex_t *lock)
{
    pthread_mutex_lock(lock);
    return lock;
}

/* Holds `mutex` to the end of the enclosing block: LOCK_SCOPE(&table->lock); */
#define LOCK_SCOPE(mutex)                                                                          \
    __attribute__((cleanup(cleanup_unlock), unused)) pthread_mutex_t *scope_lock_ =                \
        cleanup_lock(mutex)

#endif
