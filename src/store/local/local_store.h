/*
 * The object store on a directory of the local machine.
 *
 * Keys are paths below the root. A put writes "name#digits" beside its target (a name that listings
 * skip, also Uni's), makes it durable, and renames or links it into place; STORE_IF_ABSENT is a
 * link, STORE_IF_MATCH compares and renames under a lock of this store, which is atomic among the
 * users of one store object; other processes are kept out by the catalog lock. Parent directories
 * are made on demand. Directories touched by a set, new ones and their parents included, are made
 * durable in settle(), each once.
 *
 * Etag: hex inode-mtime_ns-size, and "-" with a hash of the content where these need not tell two
 * changes apart (local_version.c). Symbolic links inside the root are followed (an administrator
 * may place datasets elsewhere), but by requests that are kept within a place
 * (store_request_keep_within()); keys cannot name "..". What is made takes owner, group and mode
 * from what it replaces, or from its directory (local_ownership.c).
 *
 * The root is opened once; what is asked in_place compares it with what its path names at that
 * time, by device and inode.
 *
 * Objects above 1 GiB are refused on read (ERR_INVALID): nothing that forkfs reads is near that.
 */
#ifndef FORKFS_STORE_LOCAL_LOCAL_STORE_H
#define FORKFS_STORE_LOCAL_LOCAL_STORE_H

#include "store/store.h"

/* root: path of an existing directory. jobs: threads; at most 16 are of use. ERR_NOT_FOUND,
 * ERR_ACCESS, ERR_INVALID (no directory). *ret: store_free(). */
int local_store_open(const char *root, unsigned jobs, struct store **ret, struct error *err);

/* Takes the advisory lock (flock, exclusive, not waiting) on a directory itself, wherever links
 * lead to it: a key without '/' at its end, "" for the root. Held until the store is freed. One
 * that is not there, or that this store has locked by another name, is success. ERR_HELD when
 * another process has it. */
int local_store_lock(struct store *store, const char *directory, struct error *err);

#endif
