/*
 * Allocators, per-fork files and overlays that belong to no fork: what a create that died before
 * forkfs, or a rolled-back one of Uni's, left behind.
 */
#ifndef FORKFS_CATALOG_RECOVERY_ORPHANS_H
#define FORKFS_CATALOG_RECOVERY_ORPHANS_H

#include "catalog/catalog_private.h"

/* Removes overlays and per-fork files of ids that no entry and no tombstone knows, if no dataset
 * has a ref or a tree of that id, here or below another prefix of the bucket; others are reported.
 * Lists first and reads the registry afterwards, so that a fork made meanwhile is never taken for
 * an orphan: wherever it is made, its entry precedes its files. Those that another mount may be
 * deleting are watched (takeover.h). Errors of the store. */
int orphans_remove(struct catalog *catalog, struct operation *operation,
                   struct recovery_report *report, struct error *err);

#endif
