/*
 * One line of the file `batch`: a command.
 *
 *   create NAME [parent=NAME] [ttl=SECONDS|ttl=none]
 *   drop NAME
 *
 * Words are separated by blanks. Names are those of directory entries (entry_name.h) with blanks as
 * %20.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_BATCH_LINE_H
#define FORKFS_FS_CONTENT_BATCH_LINE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "catalog/change_list.h"

/* The longest line, without its newline: the two longest names there are, and the rest. */
#define BATCH_LINE_LONGEST 2048

struct batch_line {
    char *word; /* NAME as it was written, for the answer; "-" when there is none */
    enum change_kind kind;
    char *key;      /* of the fork; NULL for one that can be dropped by its id only */
    struct ulid id; /* when key is NULL */
    char *parent;   /* CREATE: key; NULL: none */
    enum change_expiry expiry;
    uint64_t ttl_seconds;
    struct error error; /* code 0: the line is well-formed, or blank */
    bool is_command;    /* what `kind` says */
    bool is_blank;      /* nothing to do and nothing to answer */
};

/* `text` has `length` bytes, without the newline. batch_line_clear() also when the line is bad. */
void batch_line_parse(const char *text, size_t length, struct batch_line *ret);
void batch_line_clear(struct batch_line *line);

#endif
