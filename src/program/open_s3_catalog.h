/*
 * From the URL of a bucket to a store that is known to work.
 *
 * Credentials, region and endpoint are taken from the options, else from the environment and the
 * profile (s3_profile.h). Everything that can be wrong with them shows here, not later.
 */
#ifndef FORKFS_PROGRAM_OPEN_S3_CATALOG_H
#define FORKFS_PROGRAM_OPEN_S3_CATALOG_H

#include "program/open_catalog.h"

/* See open_catalog(). As Uni has it, the URL's prefix is that of the datasets, and all else is at
 * the root of the bucket; with a `storage` prefix datasets, snapshots and per-fork files are below
 * that. */
int open_s3_catalog(const struct catalog_location *location, struct operation *operation,
                    struct opened_catalog *ret, struct error *err);

#endif
