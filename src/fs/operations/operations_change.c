/*
 * mkdir and rmdir: forks, children and tags, made and dropped on a worker.
 */
#include "fs/operations/entries.h"
#include "fs/operations/job.h"
#include "fs/operations/operations.h"

/* An mkdir or rmdir under way. */
struct change_job {
    struct job job;
    struct node *directory;
    char *name;            /* of the entry */
    char *key;             /* of the fork; NULL: it can be named by its id only, or it is a tag */
    char *parent;          /* key of the parent of a new fork; NULL: none */
    struct ulid parent_id; /* and its id */
    struct ulid id;        /* of the fork made, dropped, or tagged */
    bool has_children;     /* the fork to be dropped, as of the request */
};

static void release_change(struct job *job)
{
    struct change_job *change = (struct change_job *)job;
    node_unref(change->directory);
    g_free(change->name);
    g_free(change->key);
    g_free(change->parent);
    g_free(change);
}

static struct change_job *change_job_new(const struct view *view, const char *name)
{
    struct change_job *change = g_new0(struct change_job, 1);
    change->directory = node_ref(view->node);
    change->name = g_strdup(name);
    if (view->entry)
        change->id = view->entry->id;
    change->job.release = release_change;
    return change;
}

/* Whether directories are made and removed in it. */
static bool is_changeable(const struct view *view)
{
    enum node_kind kind = view->node->kind;
    return kind == NODE_FORKS || kind == NODE_CHILDREN || kind == NODE_TAGS;
}

/* ESTALE would make the kernel try again, on a fork that has the name by now. */
static int gone_for_good(int code, const struct ulid *id, struct error *err)
{
    if (code == ERR_STALE)
        return error_set(err, ERR_NOT_FOUND, "the fork %s is gone already", id->text);
    return code;
}

/* The same for what makes nothing go: there the kernel may try again while the fork is there, so
 * that users hear that it is being dropped. */
static int gone_or_stale(struct session *session, int code, const struct ulid *id,
                         struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(session->catalog);
    return registry_find_id(registry, id) ? code : gone_for_good(code, id, err);
}

/* ---- mkdir ---- */

static int create_fork(struct job *job, struct error *err)
{
    struct change_job *job_change = (struct change_job *)job;
    struct change change = {.kind = CHANGE_CREATE,
                            .name = job_change->key,
                            .parent = job_change->parent,
                            .parent_id = job_change->parent ? &job_change->parent_id : NULL};
    catalog_change(job->session->catalog, &change, 1, &job->operation);
    int code = error_copy(err, &change.error);
    if (code == 0)
        job_change->id = change.id;
    wait_until_forgotten(job->session);
    return gone_or_stale(job->session, code, &job_change->parent_id, err);
}

static int tag_fork(struct job *job, struct error *err)
{
    struct change_job *change = (struct change_job *)job;
    int code = catalog_tag(job->session->catalog, &change->id, change->name, &job->operation, err);
    return gone_or_stale(job->session, code, &change->id, err);
}

/* The directory that was made, as it is now. */
static int find_made(const struct change_job *change, const struct view *view,
                     struct tree_child *ret, struct error *err)
{
    const struct tree_place place = view_place(view);
    if (view->node->kind == NODE_TAGS) {
        *ret = (struct tree_child){.kind = NODE_TAG, .entry = view->entry};
        g_strlcpy(ret->name, change->name, sizeof ret->name);
        return 0;
    }
    if (tree_find(&place, change->name, ret) && ulid_equal(&ret->entry->id, &change->id))
        return 0;
    return error_set(err, ERR_NOT_FOUND, "the fork was made, and dropped by someone else at once");
}

static void answer_mkdir(struct job *job)
{
    struct change_job *change = (struct change_job *)job;
    auto_view struct view view = {0};
    struct tree_child child;
    if (job->code == 0)
        job->code = view_open(&view, job->request, change->directory->id, &job->error);
    if (job->code == 0)
        job->code = find_made(change, &view, &child, &job->error);
    if (job->code == 0)
        entries_reply(&view, job->request, &child, NULL);
    else
        refuse(job->session, job->request, "mkdir", change->directory, change->name, &job->error);
}

static int check_children(const struct view *view, struct error *err)
{
    if (view->node->kind != NODE_CHILDREN)
        return 0;
    if (!view->entry->key)
        return error_set(err, ERR_INVALID, "a fork with such a name cannot have children");
    return 0;
}

/* Checks an mkdir; *ret_key is the name of the new fork. */
static int check_mkdir(const struct view *view, const char *name, char **ret_key, struct error *err)
{
    if (view->session->read_only)
        return error_set(err, ERR_READ_ONLY, "the mount is read-only");
    if (!is_changeable(view))
        return error_set(err, ERR_NOT_PERMITTED,
                         "directories are made in forks/, children/ and tags/ only");
    int code = check_children(view, err);
    if (code == 0 && view->node->kind != NODE_TAGS)
        code = entry_name_decode(name, ret_key, err);
    return code;
}

void operation_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    auto_view struct view view = {0};
    g_autofree char *key = NULL;
    struct error err = {0};
    int code = view_open(&view, request, parent, &err);
    if (code == 0)
        code = check_mkdir(&view, name, &key, &err);
    if (code != 0) {
        refuse(view.session, request, "mkdir", view.node, name, &err);
        return;
    }
    struct change_job *change = change_job_new(&view, name);
    change->key = g_steal_pointer(&key);
    change->parent = view.node->kind == NODE_CHILDREN ? g_strdup(view.entry->key) : NULL;
    change->parent_id = change->id;
    change->job.name = counted_as("mkdir", view.node);
    change->job.work = view.node->kind == NODE_TAGS ? tag_fork : create_fork;
    change->job.answer = answer_mkdir;
    job_start(&change->job, view.session, request);
}

/* ---- rmdir ---- */

static int drop_fork(struct job *job, struct error *err)
{
    struct change_job *change = (struct change_job *)job;
    int code = catalog_drop(job->session->catalog, change->key, &change->id, &job->operation, err);
    if (code == 0)
        drop_marks_use(job->session->drop_marks, &change->id);
    wait_until_forgotten(job->session);
    return gone_for_good(code, &change->id, err);
}

static int untag_fork(struct job *job, struct error *err)
{
    struct change_job *change = (struct change_job *)job;
    int code =
        catalog_untag(job->session->catalog, &change->id, change->name, &job->operation, err);
    return gone_for_good(code, &change->id, err);
}

/* Whoever deletes a tree tries its directory first, and then perhaps what is in it. */
static void refuse_drop(struct session *session, fuse_req_t request, const struct node *directory,
                        const char *name, const struct ulid *parent, const struct error *failure)
{
    if (parent)
        delete_guard_directory_refused(session->delete_guard, fuse_req_ctx(request)->pid, directory,
                                       parent);
    refuse(session, request, "rmdir", directory, name, failure);
}

static void answer_rmdir(struct job *job)
{
    struct change_job *change = (struct change_job *)job;
    if (job->code == 0)
        fuse_reply_err(job->request, 0);
    else
        refuse_drop(job->session, job->request, change->directory, change->name,
                    change->has_children ? &change->id : NULL, &job->error);
}

static bool has_children(const struct view *view, const struct fork_entry *entry)
{
    size_t first;
    return view->node->kind != NODE_TAGS &&
           registry_children(view->registry, &entry->id, &first) > 0;
}

/* A fork with children would not be dropped anyway, and is told so, unless something in it was to
 * be deleted. */
static int check_guard(const struct view *view, pid_t thread, const struct fork_entry *entry,
                       struct error *err)
{
    struct delete_guard *guard = view->session->delete_guard;
    bool is_parent = has_children(view, entry);
    int code = delete_guard_check(guard, thread, is_parent ? NULL : view->node, &entry->id, err);
    if (code == 0 && is_parent && delete_guard_covers(guard, thread, view->node))
        code = error_set(err, ERR_NOT_EMPTY, "the fork has child forks");
    return code;
}

static int check_mark(const struct view *view, uid_t user, const struct ulid *id, struct error *err)
{
    if (!view->session->attributes.confirm_drop)
        return 0;
    return drop_marks_check(view->session->drop_marks, id, user, monotonic_now_ns(), err);
}

/* *ret_entry: the fork to be dropped, or whose tag goes. */
static int check_rmdir(const struct view *view, const struct fuse_ctx *caller, const char *name,
                       struct fork_entry **ret_entry, struct error *err)
{
    const struct tree_place place = view_place(view);
    struct tree_child child;
    bool of_tag = view->node->kind == NODE_TAGS;
    if (view->session->read_only)
        return error_set(err, ERR_READ_ONLY, "the mount is read-only");
    if (!is_changeable(view)) {
        delete_guard_directory_refused(view->session->delete_guard, caller->pid, view->node, NULL);
        return error_set(err, ERR_BUILT_IN,
                         "the mount consists of this directory; only forks and tags are removed");
    }
    if (!of_tag && !tree_find(&place, name, &child))
        return error_set(err, ERR_NOT_FOUND, "there is no such fork");
    *ret_entry = of_tag ? view->entry : child.entry;
    int code = check_guard(view, caller->pid, *ret_entry, err);
    return code == 0 && !of_tag ? check_mark(view, caller->uid, &(*ret_entry)->id, err) : code;
}

void operation_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    auto_view struct view view = {0};
    struct fork_entry *entry = NULL;
    struct error err = {0};
    int code = view_open(&view, request, parent, &err);
    if (code == 0)
        code = check_rmdir(&view, fuse_req_ctx(request), name, &entry, &err);
    bool is_parent = entry && has_children(&view, entry);
    if (code != 0) {
        refuse_drop(view.session, request, view.node, name, is_parent ? &entry->id : NULL, &err);
        return;
    }
    struct change_job *change = change_job_new(&view, name);
    bool of_tag = view.node->kind == NODE_TAGS;
    change->key = g_strdup(entry->key);
    change->id = entry->id;
    change->has_children = is_parent;
    change->job.name = counted_as("rmdir", view.node);
    change->job.work = of_tag ? untag_fork : drop_fork;
    change->job.answer = answer_rmdir;
    job_start(&change->job, view.session, request);
}
