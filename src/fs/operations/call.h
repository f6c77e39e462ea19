/*
 * Requests that may need what is not in memory yet: the overlay of a fork, or its tags.
 *
 * A handler fills a struct call and runs it. The call's function replies, or it finds that
 * something is missing; then it has that fetched, which puts a copy of the call on the worker pool,
 * and returns. When it is there the function runs again, on the copy, and finds it in its view.
 * What is fetched need not stay in a cache meanwhile, so one fetch is enough.
 */
#ifndef FORKFS_FS_OPERATIONS_CALL_H
#define FORKFS_FS_OPERATIONS_CALL_H

#include "fs/fuse.h"
#include "fs/state/session_state.h"

struct call {
    fuse_req_t request;
    fuse_ino_t node;
    void (*run)(struct call *call);
    /* Arguments of the request, as far as it has them. */
    const char *name;
    struct fuse_file_info *file; /* may be NULL */
    const struct stat *wanted;
    int what;
    size_t size;
    off_t offset;
    bool plus;
    int64_t started_ns; /* CLOCK_MONOTONIC; where it is timed */
    bool looks_only; /* an overlay that does not parse is shown as empty; its open will say why */
    /* What there is so far. */
    struct hold *hold;
    struct overlay *overlay; /* fetched */
    GPtrArray *tags;         /* fetched */
    struct error error;      /* code 0, or why something could not be fetched */
};

/* view_open() of the call's node, and what was fetched. Tags that are in memory are there, if the
 * node needs them. Fails with the error of the fetch, and with ERR_STALE for a tag that is gone. */
int call_view(const struct call *call, struct view *view, struct error *err);

/* Fetches the tags if the node needs them and they are not there. True: the function has to return,
 * it will be run again. */
bool call_fetches_tags(const struct call *call, const struct view *view);

/* Renders a child or (tree_self()) the node if it is a file. False: the contents are not in memory;
 * they are being fetched, the function has to return. */
bool call_renders(const struct call *call, const struct view *view, const struct tree_child *child,
                  struct document *ret);

#endif
