/*
 * Open files and directories: what each handle keeps until it is released.
 *
 * A file handle keeps the contents rendered when it was opened and, if its file does so, a hold on
 * its fork. A directory handle keeps the image of the registry that it lists, so that positions
 * stay what they are. The table knows all of them, because at unmount the kernel does not release
 * what is open.
 *
 * Thread-safe; the locks inside are leaves. A handle lives until it is closed.
 */
#ifndef FORKFS_FS_HANDLES_H
#define FORKFS_FS_HANDLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "fs/document.h"

struct handle {
    struct document document;  /* files */
    struct hold *hold;         /* files; may be NULL */
    uint64_t node_id;          /* files */
    struct stat attributes;    /* files: as they were when it was opened */
    pthread_mutex_t lock;      /* guards snapshot */
    struct registry *snapshot; /* directories */
};

struct handles;

struct handles *handles_new(void);
void handles_free(struct handles *handles); /* closes what is open; NULL: nothing */

/* Where holds are given back; to be set before the first file is opened. */
void handles_set_holders(struct handles *handles, struct holders *holders);

/* Takes over document and hold; hold may be NULL. `attributes` is copied. */
struct handle *handles_open_file(struct handles *handles, uint64_t node_id,
                                 const struct stat *attributes, struct document *document,
                                 struct hold *hold);
/* Takes its own reference to the registry. */
struct handle *handles_open_directory(struct handles *handles, struct registry *registry);

/* Releases all that the handle keeps. Never blocks for long. */
void handles_close(struct handles *handles, struct handle *handle);

/* The attributes of a file as of some handle that is open on it; false when there is none. A linear
 * search: for files of forks that are gone. */
bool handles_find_attributes(struct handles *handles, uint64_t node_id, struct stat *ret);

/* The image to list: a listing that starts anew (rewind true) takes over `current`. Referenced. */
struct registry *handle_snapshot(struct handle *handle, struct registry *current, bool rewind);

#endif
