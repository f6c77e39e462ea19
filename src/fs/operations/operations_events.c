/*
 * poll: who waits for more in events.
 */
#include <poll.h>

#include "base/cleanup.h"
#include "fs/operations/operations.h"
#include "fs/state/session_state.h"

#define ALWAYS_READABLE (POLLIN | POLLRDNORM)

static bool has_news(struct session *session, struct handle *handle)
{
    uint64_t count = events_count(session->events);
    LOCK_SCOPE(&handle->lock);
    return count > handle->events_seen;
}

void operation_poll(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *file,
                    struct fuse_pollhandle *poll)
{
    struct session *session = fuse_req_userdata(request);
    struct handle *handle = (struct handle *)(uintptr_t)file->fh;
    unsigned found = ALWAYS_READABLE;
    if (!handle->shows_events) {
        if (poll)
            fuse_pollhandle_destroy(poll);
        fuse_reply_poll(request, found | POLLOUT | POLLWRNORM);
        return;
    }
    if (poll)
        pollers_add(session->pollers, handle, poll);
    if (has_news(session, handle))
        found |= POLLPRI | POLLERR;
    fuse_reply_poll(request, found);
}
