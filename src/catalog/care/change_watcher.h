/*
 * Half of the caretaker: a thread that notices what others change on the store, because a watch
 * tells, or by looking from time to time.
 *
 * Changes that a watch tells are read once they have been quiet for a moment; what cannot be read
 * (a half-written registry), or is just being written by this mount, is tried again, more and more
 * seldom. While the watch is blind (local_watch.h), the store is looked at every second instead,
 * and that is reported once. A look that fails is tried again at the time of the next. A failure is
 * reported once for each code, until it has gone.
 */
#ifndef FORKFS_CATALOG_CARE_CHANGE_WATCHER_H
#define FORKFS_CATALOG_CARE_CHANGE_WATCHER_H

#include "catalog/care/caretaker.h"

struct change_watcher;

/* See caretaker.h, of which it uses: watch (taken over, also on failure), refresh_ms,
 * operation_timeout_ms, failed, overlay_changed. *ret NULL when there is nothing to do. */
int change_watcher_start(const struct caretaker_settings *settings, struct change_watcher **ret,
                         struct error *err);
void change_watcher_stop(struct change_watcher *watcher); /* NULL: nothing */

#endif
