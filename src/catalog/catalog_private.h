/*
 * The inside of struct catalog, for the files that implement catalog.h.
 *
 * Everything here is set once by catalog_open() and thread-safe in itself.
 */
#ifndef FORKFS_CATALOG_CATALOG_PRIVATE_H
#define FORKFS_CATALOG_CATALOG_PRIVATE_H

#include "catalog/catalog.h"
#include "catalog/descendants.h"
#include "catalog/fork_point.h"
#include "catalog/name_locks.h"
#include "catalog/overlays.h"
#include "catalog/tombstones.h"

struct catalog {
    struct store *store;
    struct layout *layout;
    struct catalog_settings settings;
    struct committer *committer;
    struct holders *holders;
    struct name_locks *names;
    struct tombstones *tombstones;
    struct overlays *overlays;
    struct fork_point_reader *fork_points;
    struct descendants *descendants;
};

#endif
