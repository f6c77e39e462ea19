/*
 * From where a catalog lies to its store and layout.
 */
#ifndef FORKFS_PROGRAM_OPEN_CATALOG_H
#define FORKFS_PROGRAM_OPEN_CATALOG_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/operation.h"
#include "catalog/format/layout.h"
#include "program/catalog_options.h"
#include "program/opened_catalog.h"
#include "store/local/local_watch.h"
#include "store/store.h"

struct catalog_location {
    const char *catalog; /* an absolute path (catalog_path_resolve()), or a URL s3://... */
    const struct catalog_options *options;
    const char *local_metadata; /* S3: that option's directory, as local_metadata_resolve() has it;
                                   NULL: none */
    bool writable; /* local: keep other writers out, however they come to the registry, as long as
                      the store is open; S3: make sure that writers cannot overwrite each other's
                      changes */
    bool single_writer; /* S3: be content when they can */
    struct log *log;    /* may be NULL */
};

/* Local: ERR_NOT_FOUND, ERR_ACCESS, ERR_INVALID (no directory), ERR_HELD (somebody else has the
 * lock). S3: credentials, bucket, region, endpoint and certificate have been tried out; errors of
 * s3_profile_open(), s3_store.h; ERR_UNSUPPORTED when the server ignores preconditions;
 * ERR_INVALID when there is a local_metadata, but the bucket has what should be in it. `operation`
 * limits the requests for that. *ret: opened_catalog_close(). */
int open_catalog(const struct catalog_location *location, struct operation *operation,
                 struct opened_catalog *ret, struct error *err);
/* Local: the path of Uni's lock on compacting; g_free(). */
char *open_compaction_lock_path(const char *path, const struct layout *layout);

/* Local: watches what the catalog keeps in memory for changes by others. local_watch_free(). */
struct local_watch *open_watch(const char *path, const struct layout *layout);

#endif
