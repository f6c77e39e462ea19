/*
 * CATALOG and MOUNTPOINT as absolute paths, and what can be wrong with them.
 *
 * Looks at the file system, changes nothing. Strings returned are freed with g_free().
 */
#ifndef FORKFS_PATHS_H
#define FORKFS_PATHS_H

#include "base/error.h"

/* The path that goes into branch manifests, where engines look for the parent's files. An absolute
 * path without "." and ".." stays as it is, symbolic links included, but for superfluous slashes:
 * it is how the database is known to others. Any other is resolved. ERR_NOT_FOUND, ERR_ACCESS, ...;
 * ERR_INVALID when it is not UTF-8. */
int catalog_path_resolve(const char *given, char **ret, struct error *err);

/* The mountpoint: an existing directory, in which no file system of a crashed process hangs, and
 * that neither lies in `catalog` (a result of catalog_path_resolve(); NULL: it is in no directory)
 * nor hides it. ERR_NOT_FOUND, ERR_ACCESS, ...; ERR_INVALID. */
int mountpoint_resolve(const char *given, const char *catalog, char **ret, struct error *err);

#endif
