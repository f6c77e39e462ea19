#include "fs/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/timestamp.h"
#include "fs/mount_options.h"
#include "fs/operations/operations.h"
#include "fs/state/session_state.h"
#include "fs/unmount.h"

/* Handlers answer from memory, so a few threads are enough; these only bound a burst. */
#define FUSE_THREADS 32
/* Requests that wait for the store, each on a thread of its own. */
#define WORKER_THREADS 64

struct session *session_new(const struct session_settings *settings)
{
    struct session *session = g_new0(struct session, 1);
    session->source = g_strdup(settings->source);
    session->mountpoint = g_strdup(settings->mountpoint);
    session->fuse_options = g_strdup(settings->fuse_options);
    session->read_only = settings->read_only;
    session->allow_other = settings->allow_other;
    session->debug = settings->debug;
    session->operation_timeout_ms = settings->operation_timeout_ms;
    session->attributes = (struct attribute_settings){
        .uid = settings->uid,
        .gid = settings->gid,
        .umask = settings->umask,
        .read_only = settings->read_only,
        .confirm_drop = settings->confirm_drop,
        .mounted_at = timestamp_now(),
    };
    session->log = settings->log;
    session->workers = worker_pool_new("forkfs-request", WORKER_THREADS);
    session->notifier = notifier_new();
    session->nodes = node_table_new();
    session->write_budget = write_budget_new(settings->write_buffer_bytes);
    session->handles = handles_new();
    session->failures = failures_new();
    session->delete_guard = delete_guard_new();
    session->drop_marks = drop_marks_new();
    session->events = events_new();
    session->pollers = pollers_new();
    session->operations = operation_counts_new();
    session->max_forks = settings->max_forks;
    return session;
}

static int new_fuse_session(struct session *session, struct error *err)
{
    struct mount_options options = {
        .source = session->source,
        .further = session->fuse_options,
        .read_only = session->read_only,
        .allow_other = session->allow_other,
        .debug = session->debug,
    };
    g_autofree char *text = mount_options_text(&options);
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    if (fuse_opt_add_arg(&args, "forkfs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
        fuse_opt_add_arg(&args, text) == 0)
        session->fuse =
            fuse_session_new(&args, operations_table(), sizeof(struct fuse_lowlevel_ops), session);
    fuse_opt_free_args(&args);
    if (!session->fuse)
        return error_set(err, ERR_INVALID, "libfuse refuses the mount options %s", text);
    return 0;
}

int session_mount(struct session *session, struct catalog *catalog, struct error *err)
{
    session->catalog = catalog;
    handles_set_holders(session->handles, catalog_holders(catalog));
    int code = new_fuse_session(session, err);
    if (code != 0)
        return code;
    if (fuse_session_mount(session->fuse, session->mountpoint) != 0)
        return error_set(err, ERR_IO, "cannot mount on %s", session->mountpoint);
    session->mounted = true;
    session->mount_mark = unmount_mark(session->mountpoint);
    if (!notifier_start(session->notifier, session->fuse))
        return error_set(err, ERR_IO, "cannot start the notifier's thread");
    return 0;
}

/* Answers the kernel's first request, which is queued as soon as the mount is there. */
static int serve_first_request(struct session *session, struct error *err)
{
    struct fuse_buf buffer = {.mem = NULL};
    int received;
    do {
        received = fuse_session_receive_buf(session->fuse, &buffer);
    } while (received == -EINTR && !fuse_session_exited(session->fuse));
    if (received > 0)
        fuse_session_process_buf(session->fuse, &buffer);
    free(buffer.mem);
    if (received < 0 && received != -EINTR)
        return error_set_errno(err, -received, "the kernel's first request");
    return 0;
}

static int serve_all(struct session *session, struct error *err)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return error_set(err, ERR_IO, "no memory for the configuration of the session's loop");
    fuse_loop_cfg_set_max_threads(config, FUSE_THREADS);
    int result = fuse_session_loop_mt(session->fuse, config);
    fuse_loop_cfg_destroy(config);
    /* A positive result is the signal that ended the loop. */
    return result >= 0 ? 0 : error_set_errno(err, -result, "serving the mount");
}

/* False: somebody has unmounted us, and what looks as our mount may be another by now. */
static bool is_in_use(const struct session *session)
{
    struct pollfd fd = {.fd = fuse_session_fd(session->fuse)};
    return poll(&fd, 1, 0) == 0 || (fd.revents & POLLERR) == 0;
}

/* Libfuse unmounts at the path that it was given, where by now something else may be. */
static int take_mount_away(struct session *session, struct error *err)
{
    g_autofree char *moved = unmount_moved_path(session->mountpoint, session->mount_mark);
    if (moved && is_in_use(session))
        return unmount_path(moved, err);
    fuse_session_unmount(session->fuse);
    return 0;
}

static int end_mount(struct session *session, struct error *err)
{
    if (!session->mounted)
        return 0;
    /* Requests in flight are answered while the mount still stands. */
    worker_pool_drain(session->workers);
    notifier_stop(session->notifier);
    session->mounted = false;
    return take_mount_away(session, err);
}

int session_serve(struct session *session, void (*ready)(void *argument), void *argument,
                  struct error *err)
{
    if (fuse_set_signal_handlers(session->fuse) != 0)
        return error_set(err, ERR_IO, "cannot set the signal handlers");
    int code = serve_first_request(session, err);
    if (code == 0 && !fuse_session_exited(session->fuse)) {
        if (ready)
            ready(argument);
        code = serve_all(session, err);
    }
    struct error failure;
    if (end_mount(session, &failure) != 0 && code == 0)
        code = error_copy(err, &failure);
    fuse_remove_signal_handlers(session->fuse);
    return code;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    end_mount(session, NULL);
    worker_pool_free(session->workers);
    notifier_free(session->notifier);
    if (session->fuse)
        fuse_session_destroy(session->fuse);
    handles_free(session->handles);
    write_budget_free(session->write_budget);
    node_table_free(session->nodes);
    failures_free(session->failures);
    delete_guard_free(session->delete_guard);
    drop_marks_free(session->drop_marks);
    pollers_free(session->pollers);
    events_free(session->events);
    operation_counts_free(session->operations);
    g_free(session->source);
    g_free(session->mountpoint);
    g_free(session->mount_mark);
    g_free(session->fuse_options);
    g_free(session);
}

const char *session_fuse_version(void)
{
    return fuse_pkgversion();
}
