/*
 * The mounted filesystem: a FUSE session that shows one catalog.
 *
 * Order of use (main): session_new, catalog_open with session_registry_changed as observer,
 * catalog_recover, session_mount, session_serve, session_free, catalog_free. Between new and mount
 * nothing is visible to anybody.
 *
 * Threading: main's thread calls all of these, but session_registry_changed, which the committer
 * calls at any time after session_new, the functions for the caretaker, and session_note_failure,
 * which is thread-safe.
 */
#ifndef FORKFS_FS_SESSION_H
#define FORKFS_FS_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "catalog/catalog.h"

struct session;

struct session_settings {
    const char *source;     /* CATALOG, a path absolute; shown as the source in /proc/mounts */
    const char *mountpoint; /* absolute path of a directory (mountpoint_resolve()) */
    const char
        *fuse_options; /* further comma-separated options for libfuse or the kernel; or NULL */
    bool read_only;
    bool allow_other;
    uid_t uid; /* owner shown for everything */
    gid_t gid;
    mode_t umask;              /* taken off the modes 0777 and 0666/0444 */
    bool confirm_drop;         /* rmdir of a fork wants a mark first (drop_marks.h) */
    size_t write_buffer_bytes; /* of all open files together (write_budget.h) */
    int64_t operation_timeout_ms;
    uint64_t max_forks; /* budget, for statfs; 0: none */
    bool debug;         /* libfuse's own trace on stderr */
    struct log *log;
};

/* Nothing visible yet; strings are copied. Never fails. */
struct session *session_new(const struct session_settings *settings);

/* The observer for catalog_settings; `argument` is the session. */
void session_registry_changed(void *argument, const struct registry *before,
                              const struct registry *after);

/* Adds a line to the file `errors` and to the log: for what recovery could not do. */
void session_note_failure(struct session *session, const char *operation, const char *path,
                          const struct error *failure);

/* For the caretaker (caretaker.h); `argument` is the session. */
void session_sweeping(void *argument, bool begins);
void session_care_failed(void *argument, const char *fork, const struct error *failure);
/* What a recovery did, also the one at mount; `failure` may be NULL. */
void session_recovered(void *argument, const struct recovery_report *report,
                       const struct error *failure);
void session_overlay_changed(void *argument, const struct ulid *fork);

/* Mounts. ERR_INVALID for options that libfuse refuses; ERR_IO. */
int session_mount(struct session *session, struct catalog *catalog, struct error *err);

/* Serves until unmounted or told to end by SIGTERM, SIGINT or SIGHUP; `ready` (may be NULL) is
 * called once the kernel's first request has been answered. On the way out waits for what is in
 * flight, answers it, unmounts. Returns 0 for an orderly end. */
int session_serve(struct session *session, void (*ready)(void *argument), void *argument,
                  struct error *err);

void session_free(struct session *session); /* NULL: nothing */

/* "3.14.0": the version of libfuse in use. */
const char *session_fuse_version(void);

#endif
