/*
 * CATALOG, MOUNTPOINT and local_metadata as absolute paths, and what can be wrong with them.
 *
 * Looks at the file system, changes nothing. Strings returned are freed with g_free().
 */
#ifndef FORKFS_PROGRAM_PATHS_H
#define FORKFS_PROGRAM_PATHS_H

#include "base/error.h"

/* The path that goes into branch manifests, where engines look for the parent's files. An absolute
 * path without "." and ".." stays as it is, symbolic links included, but for superfluous slashes:
 * it is how the database is known to others. Any other is resolved. ERR_NOT_FOUND, ERR_ACCESS, ...;
 * ERR_INVALID when it is not UTF-8. */
int catalog_path_resolve(const char *given, char **ret, struct error *err);

/* The directory local_metadata, which has to be there and readable, as an absolute path: made as
 * that of the catalog. `given` NULL: none, *ret becomes NULL. ERR_NOT_FOUND, ERR_ACCESS, ...;
 * ERR_INVALID when it is no directory. */
int local_metadata_resolve(const char *given, char **ret, struct error *err);

/* A directory that the mountpoint must be apart from. */
struct mountpoint_neighbour {
    const char *what; /* "catalog" */
    const char *path; /* absolute; NULL: there is none */
};

/* The mountpoint: an existing directory, in which no file system of a crashed process hangs, and
 * that neither lies in the neighbour nor hides it. ERR_NOT_FOUND, ERR_ACCESS, ...; ERR_INVALID. */
int mountpoint_resolve(const char *given, const struct mountpoint_neighbour *neighbour, char **ret,
                       struct error *err);

#endif
