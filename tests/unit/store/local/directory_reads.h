/*
 * Counts what the local store reads of directories. For programs that are linked with
 * $(directory_reads_ldflags). Thread-safe.
 */
#ifndef FORKFS_UNIT_STORE_LOCAL_DIRECTORY_READS_H
#define FORKFS_UNIT_STORE_LOCAL_DIRECTORY_READS_H

struct directory_reads {
    unsigned directories; /* that were read, each time that they were */
    unsigned entries;     /* that were found in them */
    unsigned files;       /* of which more than the name was asked */
};

/* Since the last call. */
struct directory_reads directory_reads_take(void);

#endif
