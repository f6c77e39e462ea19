/*
 * How often users' operations were carried out, with which outcome, and how long they took: by the
 * name of the operation ("mkdir").
 *
 * Thread-safe; the lock inside is a leaf.
 */
#ifndef FORKFS_FS_CONTENT_OPERATION_COUNTS_H
#define FORKFS_FS_CONTENT_OPERATION_COUNTS_H

#include <glib.h>

#include "base/metrics.h"

struct operation_counts;

struct operation_counts *operation_counts_new(void);
void operation_counts_free(struct operation_counts *counts); /* NULL: nothing */

/* The numbers of one operation, zero at first; they live as long as `counts`. */
struct call_metrics *operation_counts_of(struct operation_counts *counts, const char *operation);

/* The names that were asked for, sorted: char *, owned by the array. */
GPtrArray *operation_counts_names(struct operation_counts *counts);

#endif
