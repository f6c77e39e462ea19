/*
 * Repairing a catalog: rebuilds a registry that was lost, corrects parents that cannot be, removes
 * tags that pin nothing, finishes what crashes left, and takes in or removes what belongs to no
 * fork. What it does follows from what lies on the store; what cannot be proven is left as it is.
 *
 * Nobody else may write the catalog meanwhile: the caller has the lock of a directory. A bucket is
 * watched first: that no mount keeps its lease, and that nothing changes for the time in which what
 * another one has left unfinished may not be taken over (sharing/takeover.h). One thread.
 *
 * Orphan, lineage: in the words of docs/architecture.md.
 */
#ifndef FORKFS_CATALOG_REPAIR_REPAIR_H
#define FORKFS_CATALOG_REPAIR_REPAIR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "store/store.h"

/* What to do with an orphan: what the store holds of a fork that no entry knows. */
enum repair_orphans {
    REPAIR_LEAVE, /* removes only what cannot be a fork any more and holds no data of its own */
    REPAIR_ADOPT, /* makes forks of those that are whole */
    REPAIR_PURGE, /* removes them, with their data and the tags that keep them */
};

struct repair_settings {
    enum repair_orphans orphans;
    bool shared;        /* other mounts may write the catalog: it is in a bucket */
    bool unconditional; /* shared: the server ignores preconditions, so that none of them may */
    int64_t lease_ms;   /* shared: how long one that does not renew its lease counts as alive */
    int64_t watch_ms;   /* shared: how long nothing may have changed */
};

struct repair_report {
    GPtrArray *actions;  /* char *: what was done, a line each, without newline */
    GPtrArray *findings; /* struct fsck_finding: what is wrong still */
};
void repair_report_clear(struct repair_report *report);

/* Takes over store and layout, also on failure; the report tells what was done up to then, and is
 * the caller's to clear in any case. ERR_NOT_FOUND when there is no Uni database; ERR_HELD when
 * somebody else writes the catalog; errors of the store, of catalog_open(), of commits. */
int catalog_repair(struct store *store, struct layout *layout,
                   const struct repair_settings *settings, struct operation *operation,
                   struct repair_report *report, struct error *err);

#endif
