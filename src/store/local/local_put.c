/*
 * Puts of the local store: a temporary file, made durable, then published under its name by one
 * system call. What fails before that call has had no effect; what fails after it, when the set is
 * settled, is ERR_NOT_DURABLE. Where there is no room for a temporary file a reserve may be one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/local/local_private.h"

/* How often directories may be pruned away under a put before it gives up. */
#define MOST_ATTEMPTS 64

struct put {
    struct local_store *store;
    const struct store_request *request;
    struct store_answer *answer;
    char *target;    /* path of what is put, from the root: its key, or where a link leads */
    char *directory; /* of the target */
    char *temporary; /* path of the temporary file; NULL: there is none */
    bool published;  /* the temporary name has gone, or should have */
    bool stays;      /* it could not be removed */
    bool in_reserve; /* `temporary` is the reserve */
    char *etag;      /* of the temporary file, which it keeps */
    int fd;          /* of the temporary file, until it is written */
};

/* Pruning leaves alone what is noted here, or it might go on winning against a put whose fsync
 * takes long. */
static void note_writing(struct local_store *store, const char *temporary)
{
    LOCK_SCOPE(&store->lock);
    g_hash_table_add(store->writing, g_strdup(temporary));
}

static void forget_writing(struct local_store *store, const char *temporary)
{
    LOCK_SCOPE(&store->lock);
    g_hash_table_remove(store->writing, temporary);
}

bool local_is_being_written(struct local_store *store, const char *key)
{
    LOCK_SCOPE(&store->lock);
    return g_hash_table_contains(store->writing, key);
}

/* Creates the temporary file. Returns 0 or an errno value. */
static int create_temporary(struct put *put)
{
    struct local_store *store = put->store;
    for (;;) {
        uint64_t number = __atomic_add_fetch(&store->counter, 1, __ATOMIC_RELAXED);
        g_autofree char *name = g_strdup_printf("%s#%" G_GUINT64_FORMAT, put->target, number);
        note_writing(store, name);
        put->fd = TEMP_FAILURE_RETRY(
            openat(store->root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (put->fd >= 0) {
            put->temporary = g_steal_pointer(&name);
            return 0;
        }
        int failure = errno;
        forget_writing(store, name);
        if (failure != EEXIST) /* else: left behind by a writer that crashed */
            return failure;
    }
}

static int write_whole(int fd, const struct bytes *body)
{
    size_t done = 0;
    while (done < body->size) {
        ssize_t put = TEMP_FAILURE_RETRY(write(fd, body->data + done, body->size - done));
        if (put < 0)
            return errno;
        done += (size_t)put;
    }
    return 0;
}

/* The kernel's own time stamps are as coarse as its tick. A strictly increasing one makes the etag
 * of every put of this store a new one, whatever inode number it is given. */
static struct timespec next_mtime(struct local_store *store)
{
    int64_t wanted = timestamp_now_ns();
    int64_t last = __atomic_load_n(&store->last_mtime_ns, __ATOMIC_RELAXED);
    int64_t next;
    do
        next = MAX(wanted, last + 1);
    while (!__atomic_compare_exchange_n(&store->last_mtime_ns, &last, next, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
    return timespec_from_ns(next);
}

/* What a reserve was longer than the object. Its blocks beyond that stay where it was not. */
static int cut_off(struct put *put)
{
    struct stat status;
    if (fstat(put->fd, &status) != 0)
        return errno;
    off_t size = (off_t)put->request->body->size;
    return status.st_size > size && ftruncate(put->fd, size) != 0 ? errno : 0;
}

/* Owner, content, time, etag, durability. 0 or an errno value. */
static int fill_temporary(struct put *put)
{
    struct timespec mtime = next_mtime(put->store);
    struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, mtime};
    struct local_ownership ownership;
    struct stat status;
    int failure = local_ownership_of_file(put->store, put->target, put->directory, &ownership);
    if (failure == 0)
        failure = write_whole(put->fd, put->request->body);
    if (failure == 0)
        failure = cut_off(put);
    if (failure)
        return failure;
    local_give(put->fd, &ownership);
    if (futimens(put->fd, times) != 0 || TEMP_FAILURE_RETRY(fsync(put->fd)) != 0 ||
        fstat(put->fd, &status) != 0)
        return errno;
    g_free(put->etag);
    put->etag = local_etag_of_put(put->store, &status, put->request->body, mtime);
    int fd = put->fd;
    put->fd = -1;
    return close(fd) == 0 || errno == EINTR ? 0 : errno;
}

/* Failing to remove a temporary file matters little: listings skip it, pruning removes it. */
static void remove_temporary(struct put *put)
{
    put->stays = unlinkat(put->store->root, put->temporary, 0) != 0 && !local_is_absent(errno);
}

static void discard_temporary(struct put *put)
{
    if (put->fd >= 0)
        close(put->fd);
    put->fd = -1;
    if (put->in_reserve)
        g_clear_pointer(&put->temporary, g_free);
    if (!put->temporary)
        return;
    if (!put->published)
        remove_temporary(put);
    forget_writing(put->store, put->temporary);
    if (put->stays)
        local_note_leftover(put->store, put->temporary);
    else
        local_forget_leftover(put->store, put->temporary);
    put->stays = false;
    g_clear_pointer(&put->temporary, g_free);
}

static int fail_precondition(struct put *put, const char *reason)
{
    return store_answer_fail(put->answer, ERR_PRECONDITION, "put %s: %s", put->request->key,
                             reason);
}

/* The name exists. As a directory it is no object, and would never become absent. */
static int fail_exists(struct put *put)
{
    struct stat status;
    if (fstatat(put->store->root, put->target, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(status.st_mode))
        return local_fail(put->answer, put->request, EISDIR, "link");
    return fail_precondition(put, "the object exists");
}

/* Each way to publish returns 0, ENOENT for "the directory has gone, try again", or -1 after having
 * failed the answer. */
static int publish_if_absent(struct put *put)
{
    int root = put->store->root;
    const char *target = put->target;
    if (linkat(root, put->temporary, root, target, 0) == 0) {
        /* It is there, whatever becomes of its other name: pruning would remove that, too. */
        remove_temporary(put);
        put->published = true;
        return 0;
    }
    int failure = errno;
    /* File systems without hard links. */
    if (failure == EPERM || failure == EOPNOTSUPP || failure == ENOSYS || failure == EMLINK) {
        if (renameat2(root, put->temporary, root, target, RENAME_NOREPLACE) == 0) {
            put->published = true;
            return 0;
        }
        failure = errno;
    }
    if (failure == ENOENT)
        return failure;
    if (failure == EEXIST)
        fail_exists(put);
    else
        local_fail(put->answer, put->request, failure, "link");
    return -1;
}

/* The caller holds the store's lock. */
static int check_match(struct put *put)
{
    struct stat status;
    if (fstatat(put->store->root, put->target, &status, 0) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            fail_precondition(put, "the object does not exist");
        else
            local_fail(put->answer, put->request, errno, "stat");
        return -1;
    }
    g_autofree char *etag =
        S_ISREG(status.st_mode) ? local_etag(put->store, put->target, &status) : g_strdup("");
    if (strcmp(etag, put->request->etag) == 0)
        return 0;
    fail_precondition(put, "the object is at another version");
    return -1;
}

static int rename_temporary(struct put *put)
{
    int root = put->store->root;
    if (put->in_reserve)
        return local_reserve_publish(put->store, put->temporary, put->target);
    return renameat(root, put->temporary, root, put->target) == 0 ? 0 : errno;
}

static int publish_by_rename(struct put *put)
{
    LOCK_SCOPE(&put->store->lock);
    if (put->request->precondition == STORE_IF_MATCH && check_match(put) != 0)
        return -1;
    int failure = rename_temporary(put);
    if (failure == 0) {
        put->published = true;
        return 0;
    }
    if (failure == ENOENT)
        return ENOENT;
    local_fail(put->answer, put->request, failure, "rename");
    return -1;
}

static int fail_stage(struct put *put, int failure, const char *stage)
{
    if (failure == ENOENT)
        return ENOENT;
    local_fail(put->answer, put->request, failure, stage);
    return -1;
}

/* Tries to put once. Returns what the publishing functions do. */
static int attempt_put(struct put *put)
{
    int failure = create_temporary(put);
    if (failure == ENOENT && put->request->precondition == STORE_IF_MATCH) {
        fail_precondition(put, "the object does not exist, nor does its directory");
        return -1;
    }
    if (failure == ENOENT) {
        failure = local_make_directories(put->store, put->directory);
        if (failure == ESTALE) {
            store_answer_fail(put->answer, ERR_AWAY,
                              "put %s: a directory above it was there and is not now: put it "
                              "back, or mount again if it is gone on purpose",
                              put->request->key);
            return -1;
        }
        if (failure)
            return fail_stage(put, failure, "make the directory");
        failure = create_temporary(put);
    }
    if (failure)
        return fail_stage(put, failure, "create the temporary file");
    failure = fill_temporary(put);
    if (failure)
        return fail_stage(put, failure, "write");
    if (put->request->precondition == STORE_IF_ABSENT)
        return publish_if_absent(put);
    return publish_by_rename(put);
}

/* ---- When there is no room ---- */

static void touch_reserve(struct put *put)
{
    g_autofree char *directory = local_parent(put->request->reserve);
    local_touch(put->answer, directory);
}

/* What the publishing functions return, and ENOSPC when the reserve cannot be used. */
static int attempt_in_reserve(struct put *put)
{
    const char *reserve = put->request->reserve;
    put->fd = local_reserve_begin(put->store, reserve);
    if (put->fd < 0)
        return ENOSPC;
    put->in_reserve = true;
    put->temporary = g_strdup(reserve);
    int failure = fill_temporary(put);
    int result =
        failure ? fail_stage(put, failure, "write into the reserve") : publish_by_rename(put);
    local_reserve_end(put->store, reserve, put->target);
    discard_temporary(put);
    put->in_reserve = false;
    return result;
}

/* After an attempt that had no room. The reserve is written into; or is given up for the room. */
static int attempt_with_reserve(struct put *put)
{
    struct store_answer *answer = put->answer;
    const struct store_answer full = *answer;
    *answer = (struct store_answer){0};
    int result = attempt_in_reserve(put);
    bool is_full = result == ENOSPC || (result < 0 && answer->code == ERR_NO_SPACE);
    answer->took_reserve = result == 0;
    if (is_full && local_reserve_give_up(put->store, put->request->reserve)) {
        *answer = (struct store_answer){.took_reserve = true};
        result = attempt_put(put);
        discard_temporary(put);
    } else if (is_full) {
        *answer = full;
        result = -1;
    }
    return result;
}

void local_put(struct local_store *store, const struct store_request *request,
               struct store_answer *answer)
{
    struct put put = {.store = store, .request = request, .answer = answer, .fd = -1};
    put.target = local_target(store, request->key, request->through_link);
    put.directory = local_parent(put.target);
    int result = ENOENT;
    for (int i = 0; i < MOST_ATTEMPTS && result == ENOENT; i++) {
        result = attempt_put(&put);
        discard_temporary(&put);
    }
    if (result < 0 && answer->code == ERR_NO_SPACE && request->reserve)
        result = attempt_with_reserve(&put);
    if (result == ENOENT)
        store_answer_fail(answer, ERR_CONTENDED, "put %s: its directory is removed again and again",
                          request->key);
    if (result == 0) {
        answer->etag = g_steal_pointer(&put.etag);
        local_touch(answer, put.directory);
        local_touch_unsettled(store, answer, put.directory);
        if (answer->took_reserve)
            touch_reserve(&put);
    }
    g_free(put.etag);
    g_free(put.directory);
    g_free(put.target);
}
