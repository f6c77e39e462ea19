/*
 * What the files of the local store share. Nobody else includes this.
 */
#ifndef FORKFS_STORE_LOCAL_LOCAL_PRIVATE_H
#define FORKFS_STORE_LOCAL_LOCAL_PRIVATE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "store/store.h"

struct local_store {
    struct store base;
    char *path;    /* of the root, for messages */
    int root;      /* descriptor */
    GArray *locks; /* descriptors (int) of the directories that are locked */
    struct worker_pool *sync_pool;
    uint64_t counter;      /* atomic; makes temporary names unique */
    int64_t last_mtime_ns; /* atomic; see local_put.c */
    /* Held for the step that makes a change visible, where it depends on what is there, and for
     * making directories. */
    pthread_mutex_t lock;
    GHashTable *unsettled; /* guarded by lock: directory to uint64_t; see local_sync.c */
    GHashTable *doubted;   /* as that */
    uint64_t last_serial;  /* guarded by lock: of these two */
    GHashTable *writing;   /* guarded by lock: keys of the temporary files of running puts */

    pthread_mutex_t leftovers_lock; /* a leaf; guards the two below, see local_leftovers.c */
    pthread_cond_t leftovers_changed;
    GHashTable *looked;    /* directory to what is known of it */
    GHashTable *leftovers; /* key to the keys of its temporary files (a set of char *) */

    pthread_mutex_t reserves_lock; /* a leaf; guards the next */
    GHashTable *reserves;          /* key to what is known of it; see local_reserve.c */

    pthread_mutex_t versions_lock; /* may be taken while `lock` is held; guards the two below */
    GHashTable *versions;          /* see local_version.c */
    GQueue versions_order;         /* their keys, the oldest first */

    pthread_mutex_t seen_lock; /* a leaf; guards the next */
    GHashTable *seen;          /* directory to where it was; see local_expected.c */

    struct local_memory *memory; /* its lock is a leaf; see local_memory.c */
};

/* ---- local_file.c: one file or directory ---- */

/* Fails the answer with "METHOD KEY: STAGE: strerror". Returns the code. */
int local_fail(struct store_answer *answer, const struct store_request *request, int errno_value,
               const char *stage);
/* As local_fail(), with ERR_NOT_DURABLE: for what happened after the change had become visible. */
int local_fail_undurable(struct store_answer *answer, const struct store_request *request,
                         int errno_value, const char *stage);

/* Whether an errno says that nothing of a name exists. A name that is too long for the file system
 * is one that nothing can have: a registry may hold such names. */
static inline bool local_is_absent(int errno_value)
{
    return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ENAMETOOLONG;
}

/* The key of the directory that holds `key`; "" for the root. g_free(). */
char *local_parent(const char *key);
/* A path for the *at() functions: the directory `key`, "." for the root. */
const char *local_path(const char *directory);
/* The path of an object, from the root: its key, or where that leads to when it is a symbolic link
 * and links are followed. g_free(). */
char *local_target(struct local_store *store, const char *key, bool through_link);

void local_get(struct local_store *store, const struct store_request *request,
               struct store_answer *answer);
void local_head(struct local_store *store, const struct store_request *request,
                struct store_answer *answer);

/* One entry of a directory, "." and ".." excepted. */
struct local_entry {
    char *name;
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK ...; never DT_UNKNOWN */
};

GArray *local_entries_new(void); /* of struct local_entry; g_array_unref() */
/* Adds an entry, if it is there; DT_UNKNOWN: asks what it is. 0 or an errno value. */
int local_add_entry(int directory, const char *name, unsigned char type, GArray *entries);
/* Reads a whole directory. *ret: struct local_entry, g_array_unref(). 0 or an errno value. `fd` is
 * closed in any case. */
int local_read_directory(int fd, GArray **ret);
unsigned char local_type_of_mode(mode_t mode); /* a DT_ constant */

/* ---- local_read.c ---- */

/* Exactly `size` bytes; less is EIO: somebody writes into the file. 0 or an errno value. */
int local_read_whole(int fd, char *data, size_t size);

/* ---- local_version.c: etags; all are to be g_free()d ---- */

/* Of the file at `path`, whose status was just read; which becomes that of the version told if
 * another one is found there by now. */
char *local_etag(struct local_store *store, const char *path, struct stat *status);
/* Of a file whose content was read after `looked_ns`, CLOCK_REALTIME, and did not change meanwhile.
 */
char *local_etag_of_content(struct local_store *store, const struct stat *status,
                            const struct bytes *body, int64_t looked_ns);
/* Of a file that we have just made, for which we wanted that time. */
char *local_etag_of_put(struct local_store *store, const struct stat *status,
                        const struct bytes *body, struct timespec wanted);
int64_t local_mtime_ns(const struct stat *status);
void local_version_free(gpointer version); /* for the table */

/* ---- local_ownership.c ---- */

struct local_ownership {
    uid_t uid;
    gid_t gid;
    mode_t mode; /* permissions, and the setgid bit of a directory */
};

/* What a file at `path` is to have, which is made or replaced, and a directory made in `parent`. 0
 * or an errno value; paths are relative to the root, or absolute. */
int local_ownership_of_file(struct local_store *store, const char *path, const char *directory,
                            struct local_ownership *ret);
int local_ownership_of_directory(struct local_store *store, const char *parent,
                                 struct local_ownership *ret);
/* Gives it to what was just made, as far as we may. */
void local_give(int fd, const struct local_ownership *ownership);

/* ---- local_within.c: no link is followed ---- */

/* Opens a directory below the directory `fd`, to look names up in it (O_PATH); "": that one itself.
 * -1 with errno: ELOOP for a symbolic link in the path, EXDEV for a mounted file system. */
int local_open_within(int fd, const char *path);
/* Opens the directory that holds the last name of a key without '/' at its end, the first `own`
 * bytes of the key as any path, the rest as local_open_within(). */
int local_open_above(struct local_store *store, const char *key, size_t own);
/* The same for a request that is kept within, and `key` in its place; ESTALE as local_open_seen().
 */
int local_open_own(struct local_store *store, const struct store_request *request, const char *key);

/* ---- local_walk.c ---- */

/* What a walk meets, `directory` being a descriptor of what holds it. The functions return 0 or an
 * errno value, which ends the walk. */
struct local_visitor {
    bool follows_first; /* where it begins it goes through a link or a mount, but nowhere below */
    /* No directory, or (DT_DIR) one that another file system is mounted on. */
    int (*leaf)(void *data, int directory, const struct local_entry *entry, const char *key);
    /* A directory, after everything in it; EAGAIN: it is to be walked again. NULL: nothing. */
    int (*leave)(void *data, int directory, const char *name, const char *key);
};

/* Walks the directory `name` of the directory `above`. `key`: that of `above`, with a '/' unless it
 * is empty; after a failure it is that of what failed. 0 or an errno value: ENOTDIR or ELOOP when
 * `name` is no directory, EBUSY when one was walked again too often, ESTALE when one was moved. */
int local_walk(int above, const char *name, const struct local_visitor *visitor, void *data,
               GString *key);

/* ---- local_leftovers.c: temporary files of keys ---- */

/* Known temporary files of `key`: *ret, keys, g_ptr_array_unref(). Reads its directory if that was
 * never looked at. Some may be gone, or be written right now. 0 or an errno value. */
int local_leftovers(struct local_store *store, const char *key, GPtrArray **ret);
/* All temporary files have been removed that were in `directory`, no '/' at its end. */
void local_note_looked(struct local_store *store, const char *directory);
/* A temporary file that this store could not remove. */
void local_note_leftover(struct local_store *store, const char *key);
/* One that was met in a directory, "" or with a '/' at its end. */
void local_note_met(struct local_store *store, const char *directory, const char *name);
void local_forget_leftover(struct local_store *store, const char *key); /* it is gone */

/* ---- local_memory.c: large directories of which little is wanted ---- */

struct local_memory *local_memory_new(void);
void local_memory_free(struct local_memory *memory);
/* As local_read_directory(), for a listing with a choice of that age (store_request_leave_out());
 * of a directory that is remembered only what such a choice does not leave out. `directory`: its
 * key, ending in
 * '/' or "". *ret_turn: for local_memory_keep(), which is to follow. */
int local_memory_read(struct local_store *store, const char *directory, int fd, int64_t age,
                      GArray **ret, uint64_t *ret_turn);
/* What of it the choice did not leave out (char *), and how much it did. */
void local_memory_keep(struct local_store *store, const char *directory, uint64_t turn,
                       const GPtrArray *names, size_t left_out);

/* ---- local_reserve.c: room for when the file system is full ---- */

void local_reserve(struct local_store *store, const struct store_request *request,
                   struct store_answer *answer);
/* Opens the reserve `key` to be written into from its beginning; close() and local_reserve_end().
 * -1: there is none, or it cannot be written into. */
int local_reserve_begin(struct local_store *store, const char *key);
/* Lets it take the place of `target`. 0 or an errno value. */
int local_reserve_publish(struct local_store *store, const char *key, const char *target);
void local_reserve_end(struct local_store *store, const char *key, const char *target);
/* Deletes it, so that there is room. False: there was none. */
bool local_reserve_give_up(struct local_store *store, const char *key);

/* ---- local_put.c, local_list.c, local_own.c, local_prune.c ---- */

void local_put(struct local_store *store, const struct store_request *request,
               struct store_answer *answer);
/* Whether `key` is the temporary file of a put of this store that is under way. */
bool local_is_being_written(struct local_store *store, const char *key);
void local_list(struct local_store *store, const struct store_request *request,
                struct store_answer *answer);
/* LIST of what is kept within (store_request_keep_within()). */
void local_list_own(struct local_store *store, const struct store_request *request,
                    struct store_answer *answer);
/* Adds a row of a key only. */
void local_add_key(struct store_answer *answer, const char *key);
/* Adds a row of `key`, which is the `name` of the directory `above`, if that is there and is no
 * directory. 0 or an errno value. */
int local_add_place(int above, const char *name, const char *key, struct store_answer *answer);
/* Fails the answer for what stands in the way of a request that is kept within. */
int local_fail_within(struct store_answer *answer, const struct store_request *request,
                      int errno_value, const char *key);
void local_delete(struct local_store *store, const struct store_request *request,
                  struct store_answer *answer);
void local_prune(struct local_store *store, const struct store_request *request,
                 struct store_answer *answer);

/* ---- local_sync.c: durability of directories ---- */

/* Notes that the entries of `directory` (a key, "" for the root) have changed. */
void local_touch(struct store_answer *answer, const char *directory);

/* Touches those directories above `directory` in which new sub-directories may not be durable. */
void local_touch_unsettled(struct local_store *store, struct store_answer *answer,
                           const char *directory);

/* Touches the directory of `prefix`, which ends in '/', the one above it and those below it, as far
 * as they could not be synced when that was tried last. */
void local_touch_doubted(struct local_store *store, struct store_answer *answer,
                         const char *prefix);

/* Makes `directory` and what is missing above it. 0 or an errno value; ESTALE when one of them was
 * there and has gone (local_has_been()): it is not made anew. */
int local_make_directories(struct local_store *store, const char *directory);

/* Makes the entries of `directory` durable; where it is gone, that. 0 or an errno value. */
int local_sync_directory(struct local_store *store, const char *directory);

/* ---- local_settle.c ---- */

/* settle() of the store. */
void local_settle(struct store *base, struct store_wave *wave);

/* ---- local_expected.c: directories that are taken to be there ---- */

/* Before a request: ERR_AWAY when one is not there that it expects. */
int local_check_expected(struct local_store *store, const struct store_request *request,
                         struct error *err);
/* Whether a directory (a key without '/' at its end) has been seen, so that nobody makes it any
 * more; *ret_gone: it is not there, or another one of another file system is. */
bool local_has_been(struct local_store *store, const char *directory, bool *ret_gone);
/* Before the store removes a directory (a key without '/' at its end), if it is empty: it is not
 * missed any more. Whether it was; then local_restore_directory() when it has stayed. */
bool local_forget_directory(struct local_store *store, const char *directory);
void local_restore_directory(struct local_store *store, const char *directory,
                             const struct stat *status);
/* Looks where a directory is, if it was not seen before; not below one that is elsewhere. */
void local_learn_directory(struct local_store *store, const char *directory);
/* Opens the directory that is the first `length` bytes of a key, to look names up in it. -1 with
 * errno; ESTALE when it is not there, but is expected and has been seen: what is not found then is
 * not gone. The check before the request (local_check_expected()) may have found it there. */
int local_open_seen(struct local_store *store, const struct store_request *request, const char *key,
                    size_t length);
/* After one that has succeeded: what it has made is missed from now on. */
void local_note_made(struct local_store *store, const struct store_request *request);

#endif
