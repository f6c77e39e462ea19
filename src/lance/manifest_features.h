/*
 * Which features of Lance tables forkfs can branch, by the feature flags of a manifest and by what
 * its messages hold. Facts: docs/formats.md ("Feature flags").
 *
 * Pure functions, thread-safe.
 */
#ifndef FORKFS_LANCE_MANIFEST_FEATURES_H
#define FORKFS_LANCE_MANIFEST_FEATURES_H

#include "base/error.h"
#include "lance/manifest.pb-c.h"

/* Files are reached through base paths; every branch has this flag. */
#define MANIFEST_FLAG_BASE_PATHS 16u

/* Whether a branch of a table with this manifest can be made. ERR_UNSUPPORTED names the flags, and
 * the features where they are known; ERR_CORRUPT for flags that contradict each other. */
int manifest_check_features(const Lance__Manifest *manifest, struct error *err);

#endif
