#include "fs/state/path_guard.h"

#include "base/timestamp.h"
#include "fs/state/caller.h"

void path_guard_note(struct session *session, fuse_req_t request, const struct node *directory)
{
    struct caller caller = caller_of_thread(fuse_req_ctx(request)->pid);
    for (const struct node *node = directory; node; node = node->parent)
        if (node->kind == NODE_FORK)
            delete_guard_note(session->delete_guard, caller.process, &node->fork_id,
                              monotonic_now_ns());
}

int path_guard_check(struct session *session, fuse_req_t request, const struct ulid *fork_id,
                     struct error *err)
{
    struct caller caller = caller_of_thread(fuse_req_ctx(request)->pid);
    if (!delete_guard_refuses(session->delete_guard, caller.process, fork_id, monotonic_now_ns()))
        return 0;
    return error_set(err, ERR_NOT_PERMITTED,
                     "process %d (%s) has just tried to delete things inside; a recursive delete "
                     "does not drop forks or tags, rmdir alone does",
                     (int)caller.process, caller.command);
}
