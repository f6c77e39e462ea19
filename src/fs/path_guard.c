#include "fs/path_guard.h"

#include "base/timestamp.h"
#include "fs/caller.h"

/* What the guard calls a fork or tag. */
static char *subject_of(const struct ulid *fork_id, const char *tag)
{
    return g_strconcat(fork_id->text, tag ? "/" : NULL, tag, NULL);
}

void path_guard_note(struct session *session, fuse_req_t request, const struct node *directory)
{
    struct caller caller = caller_of_thread(fuse_req_ctx(request)->pid);
    for (const struct node *node = directory; node; node = node->parent) {
        if (node->kind != NODE_FORK && node->kind != NODE_TAG)
            continue;
        g_autofree char *subject = subject_of(&node->fork_id, tree_tag_name(node));
        delete_guard_note(session->delete_guard, caller.process, subject, monotonic_now_ns());
    }
}

int path_guard_check(struct session *session, fuse_req_t request, const struct ulid *fork_id,
                     const char *tag, struct error *err)
{
    struct caller caller = caller_of_thread(fuse_req_ctx(request)->pid);
    g_autofree char *subject = subject_of(fork_id, tag);
    if (!delete_guard_refuses(session->delete_guard, caller.process, subject, monotonic_now_ns()))
        return 0;
    return error_set(err, ERR_NOT_PERMITTED,
                     "process %d (%s) has just tried to delete things inside; a recursive delete "
                     "does not drop forks or tags, rmdir alone does",
                     (int)caller.process, caller.command);
}
