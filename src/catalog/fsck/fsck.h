/*
 * Checking a catalog: whether registry, documents, branches and all other files of forks agree, and
 * whether anything is left that belongs to no fork. Reads only.
 *
 * It takes no part in the catalog's locks. While somebody creates or drops forks it also finds
 * what is just under way.
 */
#ifndef FORKFS_CATALOG_FSCK_FSCK_H
#define FORKFS_CATALOG_FSCK_FSCK_H

#include <glib.h>

#include "base/operation.h"
#include "catalog/format/layout.h"
#include "store/store.h"

enum fsck_kind {
    FSCK_ERROR,      /* something is not as it has to be for a fork, or the database, to work */
    FSCK_UNFINISHED, /* a change that a crash has left half done */
    FSCK_LEFTOVER,   /* belongs to nothing that the catalog knows */
};
#define FSCK_KINDS 3

struct fsck_finding {
    enum fsck_kind kind;
    char *text; /* one line, without newline or control characters */
};
void fsck_finding_free(void *finding);

/* All of them in one line: how many of which kind. g_free(). */
char *fsck_summary(const GPtrArray *findings);

/* Lists what is wrong: *ret_findings (g_ptr_array_unref()) holds struct fsck_finding, and is empty
 * when all is well. A registry that does not parse is the only
 * finding then, since without it nothing else can be judged. ERR_NOT_FOUND when there is no Uni
 * database; other errors when something could not be read. */
int catalog_fsck(struct store *store, const struct layout *layout, struct operation *operation,
                 GPtrArray **ret_findings, struct error *err);

#endif
