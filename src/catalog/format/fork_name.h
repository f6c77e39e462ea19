/*
 * The rule for fork names: valid UTF-8, 1 to 255 bytes, no control characters (U+0000-1F, 7F-9F),
 * not all white space (Unicode). Source: uni-fork's name check, docs/formats.md.
 */
#ifndef FORKFS_CATALOG_FORMAT_FORK_NAME_H
#define FORKFS_CATALOG_FORMAT_FORK_NAME_H

#include "base/error.h"

/* 0, ERR_INVALID or ERR_NAME_TOO_LONG. */
int fork_name_check(const char *name, struct error *err);

#endif
