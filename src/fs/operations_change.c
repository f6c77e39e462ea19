#include "base/timestamp.h"
#include "fs/caller.h"
#include "fs/entries.h"
#include "fs/job.h"
#include "fs/operations.h"

/* An mkdir or rmdir under way. */
struct change_job {
    struct job job;
    struct node *directory;
    char *name; /* of the entry */
    char *key;  /* of the fork; NULL: it can be named by its id only */
    struct ulid id;
};

static void release(struct job *job)
{
    struct change_job *change = (struct change_job *)job;
    node_unref(change->directory);
    g_free(change->name);
    g_free(change->key);
    g_free(change);
}

static struct change_job *change_job_new(const struct view *view, const char *name)
{
    struct change_job *change = g_new0(struct change_job, 1);
    change->directory = node_ref(view->node);
    change->name = g_strdup(name);
    change->job.release = release;
    return change;
}

/* The checks that mkdir and rmdir have in common. */
static int check_directory(const struct view *view, struct error *err)
{
    if (view->session->read_only)
        return error_set(err, ERR_READ_ONLY, "the mount is read-only");
    if (view->node->kind != NODE_FORKS)
        return error_set(err, ERR_NOT_PERMITTED, "directories are made and removed in forks/ only");
    return 0;
}

static int create_fork(struct job *job, struct error *err)
{
    struct change_job *change = (struct change_job *)job;
    int code =
        catalog_create(job->session->catalog, change->key, NULL, &job->operation, &change->id, err);
    wait_until_forgotten(job->session);
    return code;
}

static void answer_mkdir(struct job *job)
{
    struct change_job *change = (struct change_job *)job;
    auto_view struct view view = {0};
    struct tree_child child;
    if (job->code == 0)
        job->code = view_open(&view, job->request, change->directory->id, &job->error);
    if (job->code == 0 &&
        (!tree_find(view.registry, view.node->kind, view.entry, change->name, &child) ||
         !ulid_equal(&child.entry->id, &change->id)))
        job->code = error_set(&job->error, ERR_NOT_FOUND,
                              "the fork was made, and dropped by someone else right away");
    if (job->code == 0)
        entries_reply(&view, job->request, &child, NULL);
    else
        refuse(job->session, job->request, "mkdir", change->directory, change->name, &job->error);
}

void operation_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    auto_view struct view view = {0};
    g_autofree char *key = NULL;
    struct error err = {0};
    int code = view_open(&view, request, parent, &err);
    if (code == 0)
        code = check_directory(&view, &err);
    if (code == 0)
        code = entry_name_decode(name, &key, &err);
    if (code != 0) {
        refuse(view.session, request, "mkdir", view.node, name, &err);
        return;
    }
    struct change_job *change = change_job_new(&view, name);
    change->key = g_steal_pointer(&key);
    change->job.work = create_fork;
    change->job.answer = answer_mkdir;
    job_start(&change->job, view.session, request);
}

static int drop_fork(struct job *job, struct error *err)
{
    struct change_job *change = (struct change_job *)job;
    struct session *session = job->session;
    int code = catalog_drop(session->catalog, change->key, &change->id, &job->operation, err);
    /* ESTALE would make the kernel try again, and drop a fork that has the name by now. */
    if (code == ERR_STALE)
        code = error_set(err, ERR_NOT_FOUND, "the fork %s is gone already", change->id.text);
    wait_until_forgotten(session);
    return code;
}

static void answer_rmdir(struct job *job)
{
    struct change_job *change = (struct change_job *)job;
    if (job->code == 0)
        fuse_reply_err(job->request, 0);
    else
        refuse(job->session, job->request, "rmdir", change->directory, change->name, &job->error);
}

static int check_rmdir(const struct view *view, fuse_req_t request, const char *name,
                       struct tree_child *ret, struct error *err)
{
    int code = check_directory(view, err);
    if (code != 0)
        return code;
    if (!tree_find(view->registry, view->node->kind, view->entry, name, ret))
        return error_set(err, ERR_NOT_FOUND, "there is no such fork");
    struct caller caller = caller_of_thread(fuse_req_ctx(request)->pid);
    if (delete_guard_refuses(view->session->delete_guard, caller.process, &ret->entry->id,
                             monotonic_now_ns()))
        return error_set(err, ERR_NOT_PERMITTED,
                         "process %d (%s) has just tried to delete files inside; a recursive "
                         "delete does not drop forks, rmdir alone does",
                         (int)caller.process, caller.command);
    return 0;
}

void operation_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    auto_view struct view view = {0};
    struct tree_child child;
    struct error err = {0};
    int code = view_open(&view, request, parent, &err);
    if (code == 0)
        code = check_rmdir(&view, request, name, &child, &err);
    if (code != 0) {
        refuse(view.session, request, "rmdir", view.node, name, &err);
        return;
    }
    struct change_job *change = change_job_new(&view, name);
    change->key = g_strdup(child.entry->key);
    change->id = child.entry->id;
    change->job.work = drop_fork;
    change->job.answer = answer_rmdir;
    job_start(&change->job, view.session, request);
}
