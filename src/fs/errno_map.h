/*
 * From the errors of the core to errno. Nothing else in the adapter chooses an errno for a failure
 * of the core.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_ERRNO_MAP_H
#define FORKFS_FS_ERRNO_MAP_H

/* code: an enum error_code. Positive; EIO for what is not known. */
int errno_of(int code);

/* The constant's name, "EEXIST". Never NULL; "EIO" for values that errno_of() never gives. */
const char *errno_name(int errno_value);

#endif
