/*
 * Mount options ("-o name=value,flag") by table: one row for each option, which says what it takes,
 * in which range, and which field of the caller's structure it fills.
 *
 * Fills the structure, and looks up names of users and groups in the system's databases; no state
 * of its own. Threading: as the structure.
 */
#ifndef FORKFS_PROGRAM_OPTION_TABLE_H
#define FORKFS_PROGRAM_OPTION_TABLE_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum option_kind {
    OPTION_SET,       /* no value; field: bool, becomes true */
    OPTION_CLEAR,     /* no value; field: bool, becomes false */
    OPTION_NUMBER,    /* decimal, within the range; field: uint64_t */
    OPTION_USER,      /* a number as above, or the name of a user; field: uint64_t */
    OPTION_GROUP,     /* the same of a group */
    OPTION_OCTAL,     /* octal, within the range; field: uint64_t */
    OPTION_LOG_LEVEL, /* field: enum log_level */
    OPTION_S3_CLIENT, /* field: enum s3_client */
    OPTION_TEXT,      /* any that is not empty; field: char * */
    OPTION_PREFIX, /* a key prefix, "/" at its end optional; field: char *, "" or ending in "/" */
    OPTION_PASS,   /* no value; field: GString *, to which the option is appended */
    OPTION_IGNORE, /* nothing to do, with a value or without; a name that ends in '*' stands for
                      all that start so */
};

struct option_row {
    const char *name;
    enum option_kind kind;
    uint64_t minimum, maximum; /* of numbers */
    size_t field;              /* offset in the structure */
    const char *value_name;    /* for the usage: "SECONDS"; NULL when there is none */
    const char *help;          /* for the usage: one line; NULL hides the row */
};

/* Parses the argument of one -o: options separated by commas; a backslash takes the next character
 * literally. `rows` ends with a row whose name is NULL; fields are at `target`. An option that no
 * row names, a missing, superfluous or unfitting value: ERR_INVALID, with the option's name. */
int option_table_parse(const struct option_row *rows, const char *text, void *target,
                       struct error *err);

/* Appends one line for each row that has a help text. */
void option_table_usage(const struct option_row *rows, GString *out);

#endif
