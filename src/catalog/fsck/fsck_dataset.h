/*
 * The check of one dataset, shared by the files that implement it: branches (fsck_branches.c),
 * where they look for what they inherit (fsck_places.c), and tags (fsck_tags.c). Belongs to one
 * thread.
 */
#ifndef FORKFS_CATALOG_FSCK_FSCK_DATASET_H
#define FORKFS_CATALOG_FSCK_FSCK_DATASET_H

#include "catalog/fsck/fsck_findings.h"

/* What was seen of one branch. */
struct branch_seen {
    char *name;
    bool has_ref, has_tree;
    uint64_t version;   /* the newest; 0 without manifest */
    char *manifest_key; /* of the newest; NULL without manifest */
    struct store_request *ref, *manifest;
};

/* One dataset being checked. */
struct dataset_check {
    struct fsck *fsck;
    const char *root; /* key without trailing slash */
    char *name;
    GHashTable *by_name; /* name -> struct branch_seen */
    GPtrArray *in_order; /* the same, as they were met */
    struct store_set *set;
    struct store_request *refs, *tree, *tree_directories, *tags, *catalog;
    GPtrArray *tags_seen; /* struct tag_seen, of fsck_tags.c */
};

/* Notes the places where a branch, whose manifest has been read, looks for files that it inherits,
 * and that are not this database's. */
void fsck_note_base_paths(const struct dataset_check *check, const struct branch_seen *branch);

/* Asks in the first wave which tags there are. */
void fsck_list_tags(struct dataset_check *check);
/* Second: asks for their refs, and reads the answers after the run of `set`. */
void fsck_get_tags(struct dataset_check *check, struct store_set *set);
void fsck_read_tags(struct dataset_check *check);
/* With a wave of its own, if there are tags: those that pin nothing any more, and those that keep a
 * branch which nobody knows. */
int fsck_check_tags(struct dataset_check *check, struct error *err);

#endif
