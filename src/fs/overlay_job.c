#include "fs/overlay_job.h"

static int work(struct job *job, struct error *err)
{
    struct overlay_job *overlay = (struct overlay_job *)job;
    auto_view struct view view = {0};
    int code = view_open(&view, job->request, overlay->node->id, err);
    if (code != 0)
        return code;
    struct render_sources sources = view_sources(&view);
    return render_waiting(overlay->kind, &sources, view.entry, &job->operation, &overlay->document,
                          err);
}

static void answer(struct job *job)
{
    struct overlay_job *overlay = (struct overlay_job *)job;
    overlay->answer(overlay);
}

static void release(struct job *job)
{
    struct overlay_job *overlay = (struct overlay_job *)job;
    document_clear(&overlay->document);
    node_unref(overlay->node);
    g_free(job);
}

void overlay_job_start(const struct view *view, fuse_req_t request, enum node_kind kind,
                       struct hold *hold, const struct fuse_file_info *file,
                       void (*reply)(struct overlay_job *job))
{
    struct overlay_job *overlay = g_new0(struct overlay_job, 1);
    overlay->node = node_ref(view->node);
    overlay->kind = kind;
    overlay->hold = hold;
    if (file)
        overlay->file = *file;
    overlay->answer = reply;
    overlay->job.work = work;
    overlay->job.answer = answer;
    overlay->job.release = release;
    job_start(&overlay->job, view->session, request);
}

int overlay_job_tolerate(struct overlay_job *overlay, const char *operation)
{
    struct job *job = &overlay->job;
    if (job->code == ERR_CORRUPT) {
        overlay->document.body = bytes_new(NULL, 0);
        overlay->document.newline = false;
        job->code = 0;
    }
    if (job->code == 0 || job->code == ERR_INTERRUPTED || job->code == ERR_STALE)
        return job->code;
    const char *name =
        overlay->node->kind == overlay->kind ? NULL : node_rules(overlay->kind)->name;
    g_autofree char *path = node_path(overlay->node, name);
    session_note_failure(job->session, operation, path, &job->error);
    return job->code;
}
