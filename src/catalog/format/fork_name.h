/*
 * Rules for names, and how long they may be.
 *
 * A fork's: valid UTF-8, 1 to 255 bytes, no control characters (U+0000-1F, 7F-9F), not all white
 * space (Unicode). Source: uni-fork's name check, docs/formats.md.
 */
#ifndef FORKFS_CATALOG_FORMAT_FORK_NAME_H
#define FORKFS_CATALOG_FORMAT_FORK_NAME_H

#include "base/error.h"

/* In bytes. A file's name has at most 255, that of a temporary one beside it some more than it. */
#define FORK_NAME_MAX 255
#define LABEL_NAME_MAX 255     /* Uni's, of labels and edge types */
#define DATASET_NAME_MAX 240   /* a directory "<dataset>.lance" */
#define LANCE_TAG_NAME_MAX 200 /* "fork_<tag>_<dataset>", ".json" not counted */
/* "<dataset>.json" as ref files write it, so that "fork_<ULID>_" may stand before it. */
#define BRANCHABLE_FILE_MAX 205

/* Whether a fork may have the name: 0, ERR_INVALID or ERR_NAME_TOO_LONG. */
int fork_name_check(const char *name, struct error *err);

/* The first control character in valid UTF-8; 0: none. */
unsigned name_control_character(const char *name);

#endif
