/*
 * Names of Lance branches, and the keys of what belongs to a branch of a dataset.
 *
 * A dataset is given by the key of its root without trailing slash, e.g.
 * "storage/vertices_Person.lance". A branch given as NULL is main. Facts: docs/formats.md.
 * Pure functions, thread-safe; strings returned are freed with g_free().
 */
#ifndef FORKFS_LANCE_BRANCH_NAME_H
#define FORKFS_LANCE_BRANCH_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Whether a branch that a document names can be: letters and digits of any script, '.', '-', '_',
 * segments separated by '/'; not empty, not "main", no segment that is empty, ".", ends in ".lock",
 * holds "..", or is one of the directories of a branch or a dataset (lance_own_directories, _refs,
 * tree). Beyond ASCII all but control characters is taken for a letter: the engine that made the
 * branch may know a newer Unicode. ERR_INVALID. `name` may be NULL (invalid). */
int lance_branch_name_check(const char *name, struct error *err);
/* Whether the engine takes the name for a new branch: beyond ASCII only what Unicode calls
 * alphabetic or a number. */
int lance_new_branch_name_check(const char *name, struct error *err);
/* The two checks for names of tags, which have no '/'. A new one is ASCII: once a dataset has a tag
 * with another letter, the engine lists none of its tags and deletes none of its branches. */
int lance_tag_name_check(const char *name, struct error *err);
int lance_new_tag_name_check(const char *name, struct error *err);

/* The directories in which a branch, or main, has its files: "_versions", which comes first, and
 * others; ends with NULL. */
extern const char *const lance_own_directories[];
bool lance_is_own_directory(const char *segment);

/* Where a branch lies, of a dataset's key or URI: "D/tree/B"; NULL, which is main: "D". */
char *lance_branch_path(const char *dataset, const char *branch);
char *lance_versions_prefix(const char *dataset, const char *branch); /* ".../_versions/" */
char *lance_manifest_key(const char *dataset, const char *branch, uint64_t version); /* V2 name */
/* The file of a branch's or a tag's ref: all but ASCII letters, digits, '.', '-', '_' and '~' as
 * %XX, and ".json". */
char *lance_ref_file_name(const char *name);
/* The name in that of such a file; NULL when it is none, or is encoded in another way. */
char *lance_name_of_ref_file(const char *file);

char *lance_branch_ref_key(const char *dataset, const char *branch);
char *lance_branch_refs_prefix(const char *dataset);                     /* "D/_refs/branches/" */
char *lance_tag_refs_prefix(const char *dataset);                        /* "D/_refs/tags/" */
char *lance_branch_tree_prefix(const char *dataset, const char *branch); /* "D/tree/B/" */
char *lance_branch_trees_prefix(const char *dataset);                    /* "D/tree/" */

/* The branch that a ref key names, or NULL when the key is no ref file directly below the prefix.
 */
char *lance_branch_of_ref_key(const char *dataset, const char *key);

/* The branch in one of whose own directories a path lies, given from below "D/tree/": "team/x" of
 * "team/x/data/1.lance". NULL when it lies in none. */
char *lance_branch_of_tree_path(const char *path);

/* Version in a manifest's file name (last segment of `key`), V2 or V1 scheme; false for detached
 * manifests, hints and temporary files. *is_v2 may be NULL. */
bool lance_manifest_version(const char *key, uint64_t *version, bool *is_v2);

#endif
