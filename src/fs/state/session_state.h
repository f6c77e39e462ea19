/*
 * What the handlers of one session share, and the first and last steps that all of them have in
 * common: finding what a request is about, and refusing it.
 *
 * Private to the adapter; session.h is the outside.
 */
#ifndef FORKFS_FS_STATE_SESSION_STATE_H
#define FORKFS_FS_STATE_SESSION_STATE_H

#include "base/worker_pool.h"
#include "fs/content/attributes.h"
#include "fs/content/events.h"
#include "fs/content/failures.h"
#include "fs/content/operation_counts.h"
#include "fs/content/render.h"
#include "fs/fuse.h"
#include "fs/session.h"
#include "fs/state/delete_guard.h"
#include "fs/state/drop_marks.h"
#include "fs/state/handles.h"
#include "fs/state/notifier.h"
#include "fs/state/pollers.h"
#include "fs/tree/node_table.h"
#include "fs/tree/tree.h"

struct session {
    char *source;
    char *mountpoint;
    char *fuse_options;
    bool read_only;
    bool allow_other;
    bool debug;
    int64_t operation_timeout_ms;
    struct attribute_settings attributes;
    struct log *log;

    struct catalog *catalog; /* not owned */
    struct fuse_session *fuse;
    bool mounted;
    char *mount_mark; /* unmount_mark() of the mount */
    struct worker_pool *workers;
    struct notifier *notifier;
    struct node_table *nodes;
    struct write_budget *write_budget;
    struct handles *handles;
    struct failures *failures;
    struct delete_guard *delete_guard;
    struct drop_marks *drop_marks; /* used with attributes.confirm_drop */
    struct events *events;
    struct pollers *pollers; /* of the file `events` */
    struct operation_counts *operations;
    bool sweeping;      /* atomic: forks may be going because they have expired */
    uint64_t max_forks; /* 0: no limit */
};

/* What a request is about, as of one image of the registry. */
struct view {
    struct session *session;
    struct registry *registry;
    struct node *node;
    struct fork_entry *entry;      /* the node's fork; NULL: it belongs to none */
    GPtrArray *tags;               /* struct fork_tag, of that fork; NULL: not known */
    const struct overlay *overlay; /* of that fork, just read; NULL: not read. Not owned */
};

/* Without tags and overlay; call.h. ERR_STALE when the fork is not there any more. view_close()
 * also after a failure. */
int view_open(struct view *view, fuse_req_t request, fuse_ino_t node_id, struct error *err);
void view_close(struct view *view);
#define auto_view __attribute__((cleanup(view_close)))

struct tree_place view_place(const struct view *view);
struct render_sources view_sources(const struct view *view);

/* Answers a failed lookup or listing, of which users hear only through errno. */
void reply_failure(fuse_req_t request, int code);

/* The name under which an operation on `node` (may be NULL) is counted: "tag" for mkdir in tags/.
 */
const char *counted_as(const char *operation, const struct node *node);

/* Answers a failed change or open, and notes it in the file `errors` and in the log. `node` may be
 * NULL, `name` (may be NULL) is a name in it. */
void refuse(struct session *session, fuse_req_t request, const char *operation,
            const struct node *node, const char *name, const struct error *failure);

/* Makes the kernel ask again about all nodes of a fork, or (NULL) about the directories that list
 * forks. */
void forget_attributes(struct session *session, const struct ulid *fork_id);

/* Waits until the kernel has heard of it, so that what follows a change sees it by every path. */
void wait_until_forgotten(struct session *session);

#endif
