/*
 * What one handle on the file `batch` has written and can read: lines that wait to be carried out,
 * and the answers to those that were.
 *
 * Complete lines are carried out as one group, whose creates and drops share the writes of the
 * registry; each line fails or succeeds alone and gets one line in answer, in the order of writing,
 * as soon as it and all before it are done:
 *
 *   ok NAME
 *   error NAME ERRNO reason
 *
 * Blank lines are skipped. An incomplete last line waits for its end, and is told of when a handle
 * is closed. Answers are read once, from the first to the last, whatever the offset. Both are
 * bounded: writing more than is carried out, or carrying out more than is read, is ERR_TOO_BIG.
 * What waits and the answers count against the budget of all that is written.
 *
 * Thread-safe. Groups of one handle are carried out one after the other. Reference-counted, since a
 * handle may be closed while its group is being carried out.
 */
#ifndef FORKFS_FS_CONTENT_BATCH_H
#define FORKFS_FS_CONTENT_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/operation.h"
#include "catalog/catalog.h"
#include "fs/content/batch_line.h"
#include "fs/content/write_budget.h"

#define BATCH_BYTES_WAITING 1048576
#define BATCH_LINES_WAITING 10000
#define BATCH_ANSWERS_UNREAD 16777216 /* bytes */

struct batch;

/* budget (NULL: no limit) has to outlive the batch. */
struct batch *batch_new(struct write_budget *budget);
struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch *batch); /* NULL: nothing */

/* Takes all of the data or nothing. ERR_TOO_BIG, ERR_NO_SPACE. */
int batch_write(struct batch *batch, const char *data, size_t size, struct error *err);

/* Whether a thread is carrying out lines of it. */
bool batch_is_running(struct batch *batch);

/* Whether batch_run() would have to carry something out, or to wait for who does. */
bool batch_has_work(struct batch *batch);

/* Told of each line that was carried out or refused; failure NULL: it went well. */
typedef void batch_observer(void *argument, const struct batch_line *line,
                            const struct error *failure);

/* Carries out the complete lines. Returns 0 however they fared; ERR_INTERRUPTED or ERR_DEADLINE
 * when another thread is carrying out lines of this handle, and answers none in all the time.
 * *first_failure (may be NULL): that of the first line that failed; code 0 when none did. */
int batch_run(struct batch *batch, struct catalog *catalog, batch_observer *observer,
              void *argument, struct operation *operation, struct error *first_failure,
              struct error *err);

/* Whether all that was written ends in a newline, for who closes a handle: a line without may be
 * the beginning of another, and is not guessed at. ERR_INVALID; *ret_is_news: not said before. */
int batch_check_end(struct batch *batch, bool *ret_is_news, struct error *err);

/* For who wants to read: 0 once there are answers that were not read yet, or nobody carries out
 * lines of this handle. ERR_INTERRUPTED, ERR_DEADLINE. */
int batch_await_answers(struct batch *batch, struct operation *operation, struct error *err);

/* Takes at most `size` bytes of the answers that were not read yet; returns how many. */
size_t batch_read(struct batch *batch, char *buffer, size_t size);

#endif
