/*
 * Open files and directories: what each handle keeps until it is released.
 *
 * A file handle keeps the contents rendered when it was opened and, if its file does so, a hold on
 * its fork; one that writes keeps what was written. A directory handle keeps the image of the
 * registry and of the tags that it lists, so that positions stay what they are. The table knows all
 * of them, because at unmount the kernel does not release what is open.
 *
 * Thread-safe; the locks inside are leaves. A handle lives until it is closed.
 */
#ifndef FORKFS_FS_STATE_HANDLES_H
#define FORKFS_FS_STATE_HANDLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "fs/content/batch.h"
#include "fs/content/document.h"
#include "fs/content/events.h"
#include "fs/content/write_buffer.h"

struct handle {
    struct document document;    /* files */
    struct hold *hold;           /* files; may be NULL */
    uint64_t node_id;            /* files */
    struct stat attributes;      /* files: as they were when it was opened */
    pid_t process;               /* files: who opened it; 0 when not known */
    uint64_t number;             /* files: a newer handle has a larger one */
    struct write_buffer *buffer; /* files opened for writing, else NULL */
    struct batch *batch;         /* the file `batch`, else NULL */
    bool reads_answers;          /* the file `batch`: can be read through this handle */
    bool shows_events;           /* the file `events`: the document is rendered again when read from
                                    the start */
    uint64_t events_seen;        /* events_count() as of the document */
    pthread_mutex_t lock; /* guards snapshot, tags, events_seen, and the document of `events` */
    struct registry *snapshot; /* directories */
    GPtrArray *tags;           /* directories: struct fork_tag; may be NULL */
};

struct handles;

struct handles *handles_new(void);
void handles_free(struct handles *handles); /* closes what is open; NULL: nothing */

/* Where holds are given back; to be set before the first file is opened. */
void handles_set_holders(struct handles *handles, struct holders *holders);

/* Takes over document, buffer and hold; these two may be NULL. `attributes` is copied. process: 0
 * where nobody will ask for it. */
struct handle *handles_open_file(struct handles *handles, uint64_t node_id,
                                 const struct stat *attributes, pid_t process,
                                 struct document *document, struct write_buffer *buffer,
                                 struct hold *hold);
/* `events`: renders it again and takes note of what was seen. */
void handle_render_events(struct handle *handle, struct events *events);
/* The document as it is now, with a reference to its body, without version. */
struct document handle_document(struct handle *handle);
/* Takes its own reference to the registry. */
struct handle *handles_open_directory(struct handles *handles, struct registry *registry);

/* Releases all that the handle keeps. Never blocks for long. */
void handles_close(struct handles *handles, struct handle *handle);

/* The attributes of a file as of some handle that is open on it; false when there is none. A linear
 * search: for files of forks that are gone. */
bool handles_find_attributes(struct handles *handles, uint64_t node_id, struct stat *ret);
/* The attributes as of the newest handle that `process` has open on it; false for process 0. */
bool handles_find_own_attributes(struct handles *handles, uint64_t node_id, pid_t process,
                                 struct stat *ret);

/* The image to list: a listing that starts anew (rewind true) takes over `current` and `tags` (may
 * be NULL). Both are referenced. */
struct registry *handle_snapshot(struct handle *handle, struct registry *current, GPtrArray *tags,
                                 bool rewind, GPtrArray **ret_tags);

#endif
