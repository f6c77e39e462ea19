/*
 * What a recovery has done, and what it has left alone. Belongs to one thread.
 */
#ifndef FORKFS_CATALOG_RECOVERY_REPORT_H
#define FORKFS_CATALOG_RECOVERY_REPORT_H

#include <glib.h>
#include <stdbool.h>

#include "base/error.h"

/* What recovery did, and what it could not do. */
struct recovery_report {
    unsigned rolled_back; /* pending forks removed */
    unsigned finished;    /* tombstoned forks removed */
    unsigned orphans;     /* tombstones, allocators, overlays without a fork, removed */
    GPtrArray *problems;  /* struct error *: what was left alone, and why; never NULL */
    bool whole;           /* everything was looked at, not only what was due */
};
void recovery_report_clear(struct recovery_report *report);

/* What follows is for recovery itself. */

/* Adds "<what> <object> was left alone: <reason>". */
void recovery_report_problem(struct recovery_report *report, const struct error *reason,
                             const char *what, const char *object);

/* Whether an error is about the fork at hand, so that recovery can go on with the next. */
bool recovery_is_about_one_fork(int code);

#endif
