#include "fs/operations/call.h"

#include "fs/operations/job.h"

/* A call that waits for the store. */
struct fetch_job {
    struct job job;
    struct call call;
    struct ulid fork_id;
    /* What the call points to. */
    char *name;
    struct fuse_file_info file;
    struct stat wanted;
};

static int read_overlay(struct job *job, struct error *err)
{
    struct fetch_job *fetch = (struct fetch_job *)job;
    int code = catalog_overlay(job->session->catalog, &fetch->fork_id, &job->operation,
                               &fetch->call.overlay, err);
    if ((code != ERR_CORRUPT && code != ERR_AWAY) || !fetch->call.looks_only)
        return code;
    fetch->call.overlay = g_new0(struct overlay, 1);
    fetch->call.overlay->text = bytes_new(NULL, 0);
    return 0;
}

static int read_tags(struct job *job, struct error *err)
{
    struct fetch_job *fetch = (struct fetch_job *)job;
    operation_give_up_early(&job->operation); /* a change of a tag begins with this */
    return catalog_tags(job->session->catalog, &fetch->fork_id, &job->operation, &fetch->call.tags,
                        err);
}

static void answer_call(struct job *job)
{
    struct fetch_job *fetch = (struct fetch_job *)job;
    fetch->call.error = job->error;
    fetch->call.error.code = job->code;
    fetch->call.run(&fetch->call);
}

static void release_fetch(struct job *job)
{
    struct fetch_job *fetch = (struct fetch_job *)job;
    overlay_free(fetch->call.overlay);
    if (fetch->call.tags)
        g_ptr_array_unref(fetch->call.tags);
    g_free(fetch->name);
    g_free(fetch);
}

static void start_fetch(const struct call *call, const struct view *view,
                        const struct ulid *fork_id, int (*work)(struct job *job, struct error *err))
{
    struct fetch_job *fetch = g_new0(struct fetch_job, 1);
    fetch->call = *call;
    fetch->fork_id = *fork_id;
    fetch->call.name = fetch->name = g_strdup(call->name);
    if (call->file) {
        fetch->file = *call->file;
        fetch->call.file = &fetch->file;
    }
    if (call->wanted) {
        fetch->wanted = *call->wanted;
        fetch->call.wanted = &fetch->wanted;
    }
    fetch->job.work = work;
    fetch->job.answer = answer_call;
    fetch->job.release = release_fetch;
    job_start(&fetch->job, view->session, call->request);
}

static int check_tag(const struct view *view, struct error *err)
{
    struct tree_child self;
    const struct tree_place place = view_place(view);
    const char *name = tree_tag_name(view->node);
    if (!name || !view->tags)
        return 0;
    tree_self(&place, &self);
    return self.tag ? 0 : error_set(err, ERR_STALE, "the tag %s does not exist any more", name);
}

int call_view(const struct call *call, struct view *view, struct error *err)
{
    int code = view_open(view, call->request, call->node, err);
    if (code == 0 && call->error.code != 0)
        code = error_copy(err, &call->error);
    if (code != 0)
        return code;
    view->overlay = call->overlay;
    if (call->tags)
        view->tags = g_ptr_array_ref(call->tags);
    else if (node_kind_needs_tags(view->node->kind))
        view->tags = catalog_tags_cached(view->session->catalog, &view->entry->id);
    return check_tag(view, err);
}

bool call_fetches_tags(const struct call *call, const struct view *view)
{
    if (view->tags || !node_kind_needs_tags(view->node->kind))
        return false;
    start_fetch(call, view, &view->entry->id, read_tags);
    return true;
}

bool call_renders(const struct call *call, const struct view *view, const struct tree_child *child,
                  struct document *ret)
{
    if (!node_kind_is_file(child->kind))
        return true;
    struct render_sources sources = view_sources(view);
    render_file(child, &sources, ret);
    if (ret->body)
        return true;
    start_fetch(call, view, &child->entry->id, read_overlay);
    return false;
}
