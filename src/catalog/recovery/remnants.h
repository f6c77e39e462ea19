/*
 * What requests that arrived late have left of forks that are gone: refs and manifests, and perhaps
 * files, of an id that no entry of the registry knows.
 *
 * Only in buckets; in a directory nothing arrives after the mount has ended. The mount that gave
 * the requests up knows of them (fork/late_forks.h). What others have left, or a mount that was
 * killed, is looked for: soon after the start, once in an hour, and when a drop has met one.
 *
 * What somebody may want back is never removed: a fork that is whole (whose entry was lost, then),
 * what has files that no such request puts, what a tag or another branch hangs on.
 */
#ifndef FORKFS_CATALOG_RECOVERY_REMNANTS_H
#define FORKFS_CATALOG_RECOVERY_REMNANTS_H

#include "catalog/catalog_private.h"

/* Looks a second time at the forks of this mount for which nothing can arrive any more, and deletes
 * what has arrived for those that are gone. No request when there are none. Errors of the store. */
int remnants_of_own(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err);

/* When it is time for that: lists all branches, and reads the registry after that (a fork that is
 * being made has its entry before its branches). Ids that no entry and no tombstone knows are
 * watched; those that have stayed as they are for takeover_ms are removed, or reported. Errors of
 * the store. */
int remnants_remove(struct catalog *catalog, struct operation *operation,
                    struct recovery_report *report, struct error *err);

#endif
