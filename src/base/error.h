/*
 * Errors that travel.
 *
 * Every fallible function of forkfs returns 0 or one of the negative codes below and takes a
 * caller-owned `struct error` as its last argument. The text says what failed, on which object, at
 * which stage; each level on the way up puts its own context in front with error_prefix(). Nobody
 * logs and returns: the one place that answers a user (or gives up) logs.
 *
 * Threading: a struct error belongs to one thread at a time. Ownership: no heap memory inside; it
 * can be copied by assignment and needs no release.
 */
#ifndef FORKFS_BASE_ERROR_H
#define FORKFS_BASE_ERROR_H

enum error_code {
    ERR_NOT_FOUND = -1,        /* no such fork or object; never any other failure */
    ERR_EXISTS = -2,           /* fork, tag or branch exists already */
    ERR_INVALID = -3,          /* a name, document or value that breaks the rules */
    ERR_NAME_TOO_LONG = -4,    /* name of more than 255 bytes */
    ERR_HELD = -5,             /* open handles hold the fork */
    ERR_NOT_EMPTY = -6,        /* children, tags, or foreign branches descend from the fork */
    ERR_BUDGET = -7,           /* max_forks reached */
    ERR_CORRUPT = -8,          /* a stored document does not parse or contradicts itself */
    ERR_UNCLEAN = -9,          /* the database was not cleanly closed */
    ERR_CONFLICT = -10,        /* dataset is mapped to another branch already */
    ERR_CHANGED = -11,         /* document changed since the writer's handle rendered it */
    ERR_UNSUPPORTED = -12,     /* a feature of a dataset that forkfs cannot branch */
    ERR_ACCESS = -13,          /* the store refused the credentials or the permissions */
    ERR_UNREACHABLE = -14,     /* the store cannot be reached */
    ERR_DEADLINE = -15,        /* the deadline of the operation has passed */
    ERR_NO_SPACE = -16,        /* the store is full */
    ERR_CONTENDED = -17,       /* another writer won repeatedly */
    ERR_INTERRUPTED = -18,     /* cancelled before anything was decided */
    ERR_OUTCOME_UNKNOWN = -19, /* it may or may not have taken effect, even after re-reading */
    ERR_PRECONDITION = -20,    /* store: the object is not at the version demanded */
    ERR_READ_ONLY = -21,       /* mounted read-only, or the file system below is */
    ERR_STALE = -22,           /* the fork went away while it was being used */
    ERR_NOT_PERMITTED = -23,   /* refused on principle (guard against recursive deletes, ...) */
    ERR_PENDING = -24,         /* the fork is still being made */
    ERR_IO = -25,              /* any other failure of the store */
    ERR_TOO_BIG = -26,         /* more is written than a document may have */
    ERR_NOT_DURABLE = -27,     /* it has taken effect, but a power failure may undo that */
    ERR_BUILT_IN = -28,        /* a directory that the mount itself consists of */
    ERR_AWAY = -29,            /* what was there is gone, and would be taken for "there is none" */
    ERR_CODES_END,             /* no code, but the last one plus 1: stays at the end; for tests */
};

struct error {
    int code;        /* 0 or an enum error_code */
    char text[1024]; /* always terminated; cut with "..." when too long */
};

/* Sets *err (NULL: nothing) to `code` with a formatted text, and returns `code`. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* When `code`, that of *err or another that it is to have, is not 0: puts a formatted context and
 * ": " in front of err's text (NULL: nothing). Returns `code` in any case, so that callers end with
 * `return error_prefix(...)`. */
int error_prefix(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies `from` to *to (NULL: nothing) and returns from's code. */
int error_copy(struct error *to, const struct error *from);

/* Sets *err from an errno value: maps it to a code (ENOENT to ERR_NOT_FOUND, ENOSPC and EDQUOT to
 * ERR_NO_SPACE, EACCES and EPERM to ERR_ACCESS, EROFS to ERR_READ_ONLY, ...) and appends ": " and
 * its strerror text to the formatted text. Returns the code. */
int error_set_errno(struct error *err, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The constant's name without prefix, for logs and tests: "NOT_FOUND". Never NULL. */
const char *error_code_name(int code);

#endif
