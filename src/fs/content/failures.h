/*
 * The file `errors`: the last failed changes and opens, one line each, newest last.
 *
 *   TIME OPERATION PATH ERRNO reason
 *
 * TIME is RFC 3339. In PATH blanks, control characters and backslashes are written as in
 * /proc/mounts (\040), in the reason control characters only, so that each failure is one line and
 * its fields can be told apart.
 *
 * Thread-safe; the lock inside is a leaf.
 */
#ifndef FORKFS_FS_CONTENT_FAILURES_H
#define FORKFS_FS_CONTENT_FAILURES_H

#include <time.h>

#include "base/bytes.h"
#include "base/error.h"

#define FAILURES_KEPT 100

struct failures;

struct failures *failures_new(void);
void failures_free(struct failures *failures); /* NULL: nothing */

/* `operation` as users know it ("mkdir", "open"), `path` relative to the mount. All is copied. */
void failures_add(struct failures *failures, struct timespec time, const char *operation,
                  const char *path, const struct error *failure);

/* All lines. *ret_last (may be NULL) is the time of the newest; untouched when there is none. */
struct bytes *failures_render(struct failures *failures, struct timespec *ret_last);

#endif
