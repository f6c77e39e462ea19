/*
 * How much of a list of changes is taken on at a time: so much that waves are worth their while, so
 * little that a round ends well within the time of the operation, which it has anew whenever
 * something has been done. What a round takes is measured, and the next takes on more or less.
 *
 * One thread.
 */
#ifndef FORKFS_CATALOG_CHANGE_PACE_H
#define FORKFS_CATALOG_CHANGE_PACE_H

#include "catalog/catalog_private.h"

struct pace {
    struct operation *operation;
    size_t requests; /* that the next round may have, about */
    size_t taken;    /* that the round at hand has */
    int64_t began_ns;
    bool renews;   /* there is the whole time again for the next round */
    unsigned vain; /* rounds in a row that nothing came of but that the time was over */
};

void pace_begin(struct pace *pace, struct operation *operation);

/* A round begins. Then for each change: whether it may take part; the first always may. */
void pace_begin_round(struct pace *pace);
bool pace_admits(struct pace *pace, struct catalog *catalog, const struct change *change);

/* The changes (struct change) of the round have been carried out. True: those that ran out of time
 * may be tried again (pace_is_late()), and what waits goes on; the operation has its whole time
 * again. False: all that waits is late. */
bool pace_end_round(struct pace *pace, const GPtrArray *round);

/* Whether the change failed for want of time, and can be tried again: nothing of it is left, or it
 * is a drop, which goes on then. */
bool pace_is_late(const struct change *change);

#endif
