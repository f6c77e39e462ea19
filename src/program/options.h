/*
 * The command line of forkfs: `forkfs [options] CATALOG MOUNTPOINT`, also in the form in which
 * mount(8) calls its helpers, options last.
 *
 * Parses, checks ranges, looks up users and groups; touches neither catalog nor mountpoint. Not
 * thread-safe (getopt).
 */
#ifndef FORKFS_PROGRAM_OPTIONS_H
#define FORKFS_PROGRAM_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "program/catalog_options.h"

struct options {
    bool show_help;    /* -h: nothing else counts */
    bool show_version; /* -V: nothing else counts */
    bool foreground;   /* -f, or -d */
    bool debug;        /* -d */
    char *catalog;     /* as given */
    char *mountpoint;  /* as given */
    bool read_only;
    bool allow_other;
    uint64_t uid; /* default: the caller's effective ids */
    uint64_t gid;
    uint64_t umask;
    bool confirm_drop;
    uint64_t drain_timeout_ms;
    uint64_t operation_timeout_s;
    uint64_t max_forks;        /* 0: no limit */
    uint64_t default_ttl_s;    /* 0: none */
    uint64_t sweep_interval_s; /* 0: no sweeps */
    uint64_t refresh_s;        /* how often to ask for changes by others; 0: never */
    uint64_t write_buffer_mib;
    bool single_writer; /* S3: there is no other, whatever the server can do */
    enum log_level log_level;
    char *log_level_file; /* as given; NULL: none */
    struct catalog_options where;
    GString *fuse_options; /* comma-separated, for libfuse and the kernel; may be empty */
};

/* Fills *ret, which needs options_clear() also after a failure. ERR_INVALID for whatever is wrong
 * with the command line. */
int options_parse(int argc, char *const argv[], struct options *ret, struct error *err);
void options_clear(struct options *options);

/* The text of -h. g_free(). */
char *options_usage(void);

#endif
