/*
 * Versions of files: their etags are inode number, time of the last change and size.
 *
 * That proves nothing while the time lies within what the file system's clock cannot tell apart: a
 * file may be changed twice within one tick of the kernel, or within one second where whole seconds
 * are stored, and inode numbers are used again. A version that is looked at so soon is racy, and
 * gets a hash of its content as well. So that later looks tell the same, racy versions are
 * remembered; once the time is over the content is hashed a last time. The versions of files that
 * are older when they are first looked at need none of this.
 *
 * The clock of the file system is taken to be that of this machine.
 *
 * A put sets a time of its own, which no other put of this store has had, nor any other writer, if
 * it is exact.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/local/local_private.h"

/* Longer than a tick. */
#define FINE_NS (20 * NS_PER_MS)
/* Longer than the two seconds of some file systems. */
#define COARSE_NS (3 * NS_PER_SECOND)
/* What is larger is no document, and nobody demands a version of it. */
#define LARGEST_HASHED (INT64_C(64) << 20)
#define HASH_LENGTH 32
/* How many versions are remembered; who forgets one takes the file for changed. */
#define MOST_REMEMBERED 4096

struct version {
    char *hash;    /* NULL: an exact put of our own */
    bool is_final; /* it was hashed when it was not racy any more */
};

void local_version_free(gpointer data)
{
    struct version *version = data;
    g_free(version->hash);
    g_free(version);
}

int64_t local_mtime_ns(const struct stat *status)
{
    return timespec_ns(status->st_mtim);
}

static char *plain_etag(const struct stat *status)
{
    return g_strdup_printf("%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)status->st_ino,
                           (uint64_t)local_mtime_ns(status), (uint64_t)status->st_size);
}

static bool is_racy(const struct stat *status, int64_t now_ns)
{
    int64_t window_ns = status->st_mtim.tv_nsec == 0 ? COARSE_NS : FINE_NS;
    return now_ns < local_mtime_ns(status) + window_ns;
}

/* Takes over the hash. */
static void remember(struct local_store *store, const char *plain, char *hash, bool is_final)
{
    struct version *version = g_new0(struct version, 1);
    version->hash = hash;
    version->is_final = is_final;
    LOCK_SCOPE(&store->versions_lock);
    if (!g_hash_table_contains(store->versions, plain))
        g_queue_push_tail(&store->versions_order, g_strdup(plain));
    g_hash_table_replace(store->versions, g_strdup(plain), version);
    if (g_queue_get_length(&store->versions_order) > MOST_REMEMBERED) {
        g_autofree char *oldest = g_queue_pop_head(&store->versions_order);
        g_hash_table_remove(store->versions, oldest);
    }
}

static char *join(const char *plain, const char *hash)
{
    return g_strconcat(plain, "-", hash, NULL);
}

/* The etag if it can be told without looking at the content; NULL: it has to be hashed. */
static char *known_etag(struct local_store *store, const char *plain, bool racy)
{
    LOCK_SCOPE(&store->versions_lock);
    const struct version *version = g_hash_table_lookup(store->versions, plain);
    if (version ? !version->hash : !racy)
        return g_strdup(plain);
    return version && version->is_final ? join(plain, version->hash) : NULL;
}

static char *hash_of(const struct bytes *body)
{
    char *hash =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)body->data, body->size);
    hash[HASH_LENGTH] = '\0';
    return hash;
}

char *local_etag_of_content(struct local_store *store, const struct stat *status,
                            const struct bytes *body, int64_t looked_ns)
{
    g_autofree char *plain = plain_etag(status);
    bool racy = is_racy(status, looked_ns);
    char *known = known_etag(store, plain, racy);
    if (known || status->st_size > LARGEST_HASHED)
        return known ? known : g_steal_pointer(&plain);
    g_autofree char *hash = hash_of(body);
    remember(store, plain, g_strdup(hash), !racy);
    return join(plain, hash);
}

char *local_etag_of_put(struct local_store *store, const struct stat *status,
                        const struct bytes *body, struct timespec wanted)
{
    g_autofree char *plain = plain_etag(status);
    bool is_exact = local_mtime_ns(status) == timespec_ns(wanted) && wanted.tv_nsec != 0;
    if (is_exact || status->st_size > LARGEST_HASHED) {
        remember(store, plain, NULL, true);
        return g_steal_pointer(&plain);
    }
    g_autofree char *hash = hash_of(body);
    remember(store, plain, g_strdup(hash), false);
    return join(plain, hash);
}

/* Also the status of what is read, which may be another file by now. NULL: it cannot be read. */
static struct bytes *read_content(struct local_store *store, const char *path, struct stat *status,
                                  int64_t *ret_looked_ns)
{
    struct stat opened;
    auto_close int fd =
        TEMP_FAILURE_RETRY(openat(store->root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd < 0 || fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode) ||
        opened.st_size > LARGEST_HASHED)
        return NULL;
    *status = opened;
    *ret_looked_ns = timestamp_now_ns();
    struct bytes *body = bytes_allocate((size_t)opened.st_size);
    if (local_read_whole(fd, body->data, body->size) == 0)
        return body;
    bytes_unref(body);
    return NULL;
}

char *local_etag(struct local_store *store, const char *path, struct stat *status)
{
    g_autofree char *plain = plain_etag(status);
    int64_t looked_ns = timestamp_now_ns();
    char *known = known_etag(store, plain, is_racy(status, looked_ns));
    if (known || status->st_size > LARGEST_HASHED)
        return known ? known : g_steal_pointer(&plain);
    auto_bytes struct bytes *body = read_content(store, path, status, &looked_ns);
    return body ? local_etag_of_content(store, status, body, looked_ns) : g_steal_pointer(&plain);
}
