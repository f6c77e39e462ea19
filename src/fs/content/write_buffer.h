/*
 * What a handle has written to a document, until it is committed.
 *
 * It starts as the document that the handle was opened on (or empty, with O_TRUNC) and takes writes
 * at any offset. Each attempt to commit takes the text as it is then. An attempt is worth while
 * when something changed since the last one that was decided: stored, or refused for what it says.
 * An attempt that failed for another reason (interrupted, store unreachable) can be repeated as it
 * is. A buffer that is empty because nothing was ever written is never attempted: that is what a
 * shell's `>` looks like before its command has written.
 *
 * Thread-safe; the lock is a leaf. One attempt at a time; others wait for it, without the lock.
 */
#ifndef FORKFS_FS_CONTENT_WRITE_BUFFER_H
#define FORKFS_FS_CONTENT_WRITE_BUFFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/operation.h"
#include "fs/content/document.h"
#include "fs/content/write_budget.h"

#define WRITE_BUFFER_MAX ((size_t)64 * 1024 * 1024)

struct write_buffer;

/* Copies the document's text, unless `truncated`, and its version. The text counts against `budget`
 * (NULL: no limit), which has to outlive the buffer. ERR_NO_SPACE. */
int write_buffer_new(const struct document *document, bool truncated, struct write_budget *budget,
                     struct write_buffer **ret, struct error *err);
void write_buffer_free(struct write_buffer *buffer); /* NULL: nothing */

size_t write_buffer_size(struct write_buffer *buffer);
/* At most `size` bytes at `offset`; bytes_unref(). */
struct bytes *write_buffer_read(struct write_buffer *buffer, size_t size, off_t offset);

/* A gap before `offset` is filled with zeros; `append`: at the end, whatever the offset.
 * ERR_TOO_BIG, ERR_NO_SPACE, and then nothing is written. */
int write_buffer_write(struct write_buffer *buffer, const char *data, size_t size, off_t offset,
                       bool append, struct error *err);
int write_buffer_resize(struct write_buffer *buffer, off_t size, struct error *err);

struct write_attempt {
    struct bytes *text;  /* NULL: there is nothing to commit */
    const char *version; /* of the stored document that it replaces; lives until the end */
    uint64_t change;     /* private */
};

/* Whether an attempt would find nothing to commit, and none is under way. */
bool write_buffer_is_settled(struct write_buffer *buffer);

/* Waits for the attempt that is under way. On success write_buffer_end() must follow.
 * ERR_INTERRUPTED, ERR_DEADLINE. */
int write_buffer_begin(struct write_buffer *buffer, struct operation *operation,
                       struct write_attempt *ret, struct error *err);

/* code: how it went. version: what the store holds now, taken over; NULL: as before. */
void write_buffer_end(struct write_buffer *buffer, struct write_attempt *attempt, int code,
                      char *version);

#endif
