#include "catalog/uni/compaction_lock.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

/* Between two looks at a file that somebody else has locked. Compacting takes longer. */
#define PAUSE_NS (20 * NS_PER_MS)
/* A break in which Uni, which looks every 10 ms, can have the lock. */
#define BREAK_NS (25 * NS_PER_MS)

struct compaction_lock {
    char *path;
    int64_t longest_ns;
    pthread_mutex_t lock; /* not held over calls about the file */
    pthread_cond_t changed;
    unsigned users;
    bool is_busy;         /* somebody opens or closes the file */
    int fd;               /* while there are users */
    int64_t had_since_ns; /* with breaks that were too short */
    int64_t let_go_ns;    /* 0: never had */
    int64_t try_again_ns; /* somebody else had it at the last look */
};

struct compaction_lock *compaction_lock_new(const char *path, int64_t longest_ms)
{
    struct compaction_lock *lock = g_new0(struct compaction_lock, 1);
    lock->path = g_strdup(path);
    lock->longest_ns = longest_ms * NS_PER_MS;
    lock->fd = -1;
    pthread_mutex_init(&lock->lock, NULL);
    monotonic_cond_init(&lock->changed);
    return lock;
}

void compaction_lock_free(struct compaction_lock *lock)
{
    if (!lock)
        return;
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->lock);
    g_free(lock->path);
    g_free(lock);
}

/* ---- The file ---- */

enum outcome { GOT_IT, IS_ABSENT, SOMEBODY_ELSE_HAS_IT, WAITS_FOR_OURS, FAILED };

static enum outcome try_file(const char *path, int *ret_fd, struct error *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return IS_ABSENT;
    if (fd < 0) {
        error_set_errno(err, errno, "opening %s", path);
        return FAILED;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        *ret_fd = fd;
        fd = -1;
        return GOT_IT;
    }
    if (errno == EWOULDBLOCK || errno == EINTR)
        return SOMEBODY_ELSE_HAS_IT;
    error_set_errno(err, errno, "locking %s", path);
    return FAILED;
}

/* ---- With the mutex held ---- */

static bool was_had_for_long(const struct compaction_lock *lock, int64_t now_ns)
{
    return now_ns - lock->had_since_ns >= lock->longest_ns;
}

static void begin_to_have(struct compaction_lock *lock, int fd)
{
    const int64_t now_ns = monotonic_now_ns();
    if (lock->let_go_ns == 0 || now_ns - lock->let_go_ns >= BREAK_NS)
        lock->had_since_ns = now_ns;
    lock->fd = fd;
    lock->users = 1;
}

static enum outcome try_unlocked(struct compaction_lock *lock, struct error *err)
{
    int fd = -1;
    lock->is_busy = true;
    pthread_mutex_unlock(&lock->lock);
    enum outcome outcome = try_file(lock->path, &fd, err);
    pthread_mutex_lock(&lock->lock);
    lock->is_busy = false;
    if (outcome == GOT_IT)
        begin_to_have(lock, fd);
    lock->try_again_ns = outcome == SOMEBODY_ELSE_HAS_IT ? monotonic_now_ns() + PAUSE_NS : 0;
    pthread_cond_broadcast(&lock->changed);
    return outcome;
}

/* *ret_again_ns: when to look again at the latest, if it is not had by then. */
static enum outcome look_at_lock(struct compaction_lock *lock, int64_t *ret_again_ns,
                                 struct error *err)
{
    const int64_t now_ns = monotonic_now_ns();
    *ret_again_ns = INT64_MAX; /* a change will tell */
    if (lock->users > 0 && !was_had_for_long(lock, now_ns)) {
        lock->users++;
        return GOT_IT;
    }
    if (lock->users > 0 || lock->is_busy)
        return WAITS_FOR_OURS;
    if (now_ns < lock->try_again_ns) {
        *ret_again_ns = lock->try_again_ns;
        return SOMEBODY_ELSE_HAS_IT;
    }
    if (was_had_for_long(lock, now_ns) && lock->let_go_ns > 0 &&
        now_ns < lock->let_go_ns + BREAK_NS) {
        *ret_again_ns = lock->let_go_ns + BREAK_NS;
        return WAITS_FOR_OURS;
    }
    enum outcome outcome = try_unlocked(lock, err);
    *ret_again_ns = lock->try_again_ns;
    return outcome;
}

static int await_lock(struct compaction_lock *lock, struct operation *operation, bool *ret_held,
                      struct error *err)
{
    int64_t give_up_ns = INT64_MAX; /* what is ours is waited for as long as one has time */
    const int64_t deadline_ns = operation ? operation->deadline_ns : INT64_MAX;
    LOCK_SCOPE(&lock->lock);
    for (;;) {
        int64_t again_ns;
        struct error failure = {0};
        int code = operation_check(operation, "waiting for Uni to end compacting", err);
        if (code)
            return code;
        enum outcome outcome = look_at_lock(lock, &again_ns, &failure);
        *ret_held = outcome == GOT_IT;
        if (outcome == GOT_IT || outcome == IS_ABSENT)
            return 0;
        if (outcome == FAILED)
            return error_copy(err, &failure);
        if (monotonic_now_ns() >= give_up_ns)
            return error_set(err, ERR_CONTENDED, "Uni compacts: %s is locked", lock->path);
        if (outcome == SOMEBODY_ELSE_HAS_IT && give_up_ns == INT64_MAX)
            give_up_ns = monotonic_now_ns() + lock->longest_ns;
        monotonic_cond_wait(&lock->changed, &lock->lock,
                            MIN(again_ns, MIN(give_up_ns, deadline_ns)));
    }
}

int compaction_lock_acquire(struct compaction_lock *lock, struct operation *operation,
                            bool *ret_held, struct error *err)
{
    *ret_held = false;
    if (!lock->path)
        return 0;
    operation_watch(operation, &lock->changed, &lock->lock);
    int code = await_lock(lock, operation, ret_held, err);
    operation_unwatch(operation);
    return code;
}

void compaction_lock_release(struct compaction_lock *lock)
{
    LOCK_SCOPE(&lock->lock);
    if (--lock->users > 0)
        return;
    lock->is_busy = true;
    pthread_mutex_unlock(&lock->lock);
    close(lock->fd);
    pthread_mutex_lock(&lock->lock);
    lock->is_busy = false;
    lock->let_go_ns = monotonic_now_ns();
    pthread_cond_broadcast(&lock->changed);
}
