/*
 * Manifests: reading one, and making the first manifest of a branch from its parent's.
 *
 * Fields that this code does not know are kept byte for byte. Facts: docs/formats.md ("Lance
 * manifests"), verified with the engine by tests/engine. Pure functions, thread-safe.
 */
#ifndef FORKFS_LANCE_MANIFEST_H
#define FORKFS_LANCE_MANIFEST_H

#include <glib.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"

/* What the first manifest of a branch is made of. */
struct manifest_branching {
    const char *branch;        /* the new branch */
    const char *parent_branch; /* NULL: main */
    const char *parent_uri; /* of main: the table's URI; of a branch: table URI "/tree/" branch */
    uint64_t version;       /* the parent's version; must be that of `parent` */
    struct timespec now;
};

/* Checks footer, lengths, magic, version, branch, that no feature is used that cannot be branched
 * (manifest_features.h), and that every base id exists; then makes the branch's manifest. `parent`
 * is the content of the parent's manifest file. ERR_CORRUPT when it does not parse or contradicts
 * `branching`, ERR_UNSUPPORTED. *ret: bytes_unref(). */
int manifest_branch(const struct bytes *parent, const struct manifest_branching *branching,
                    struct bytes **ret, struct error *err);

/* Where the manifest looks for files that are not its branch's own: the roots of datasets and
 * branches, as they are recorded (char *, owned by the array). For fsck. ERR_CORRUPT. */
int manifest_base_paths(const struct bytes *manifest, GPtrArray **ret, struct error *err);

/* What a witness wants to know of a manifest; for tests and fsck. */
struct manifest_summary {
    uint64_t version;
    char branch[256]; /* "" for main */
    size_t fragments;
    size_t base_paths;
    size_t indices;
};
int manifest_summarize(const struct bytes *manifest, struct manifest_summary *ret,
                       struct error *err);

#endif
