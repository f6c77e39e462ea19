#include "fs/content/batch.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "fs/errno_map.h"

struct batch {
    unsigned references;         /* atomic */
    struct write_budget *budget; /* not owned; may be NULL */
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t news;         /* there are answers, or nobody carries out lines any more */
    bool running;
    GString *waiting; /* what was written and not carried out */
    size_t complete;  /* bytes of it up to the last newline */
    size_t lines;     /* newlines in it */
    size_t told;      /* bytes of the incomplete line that batch_check_end() has told of */
    GString *answers; /* what was not read yet starts at `read` */
    size_t read;
    uint64_t answered; /* how often answers were added */
};

/* The lines of one run. */
struct group {
    struct batch *batch;
    GArray *lines;   /* struct batch_line */
    GArray *changes; /* struct change, of the lines that are well-formed, in their order */
    bool *done;      /* of the changes */
    guint answered;  /* lines */
    guint taken;     /* changes among them */
    batch_observer *observer;
    void *argument;
    struct error *first_failure;
};

struct batch *batch_new(struct write_budget *budget)
{
    struct batch *batch = g_new0(struct batch, 1);
    batch->budget = budget;
    batch->references = 1;
    pthread_mutex_init(&batch->lock, NULL);
    monotonic_cond_init(&batch->news);
    batch->waiting = g_string_new(NULL);
    batch->answers = g_string_new(NULL);
    return batch;
}

struct batch *batch_ref(struct batch *batch)
{
    __atomic_fetch_add(&batch->references, 1, __ATOMIC_RELAXED);
    return batch;
}

void batch_unref(struct batch *batch)
{
    if (!batch || __atomic_sub_fetch(&batch->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    write_budget_give_back(batch->budget, batch->waiting->len + batch->answers->len);
    g_string_free(batch->waiting, TRUE);
    g_string_free(batch->answers, TRUE);
    pthread_cond_destroy(&batch->news);
    pthread_mutex_destroy(&batch->lock);
    g_free(batch);
}

static size_t count_lines(const char *data, size_t size)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    return lines;
}

static size_t after_last_newline(const GString *text)
{
    const char *newline = memrchr(text->str, '\n', text->len);
    return newline ? (size_t)(newline + 1 - text->str) : 0;
}

int batch_write(struct batch *batch, const char *data, size_t size, struct error *err)
{
    size_t lines = count_lines(data, size);
    LOCK_SCOPE(&batch->lock);
    if (batch->waiting->len + size > BATCH_BYTES_WAITING ||
        batch->lines + lines > BATCH_LINES_WAITING)
        return error_set(err, ERR_TOO_BIG,
                         "more than %d lines or %d bytes wait to be carried out; fsync carries "
                         "them out",
                         BATCH_LINES_WAITING, BATCH_BYTES_WAITING);
    if (batch->answers->len - batch->read > BATCH_ANSWERS_UNREAD)
        return error_set(err, ERR_TOO_BIG, "the answers have to be read first");
    int code = write_budget_take(batch->budget, size, err);
    if (code != 0)
        return code;
    g_string_append_len(batch->waiting, data, (gssize)size);
    batch->lines += lines;
    if (lines > 0)
        batch->complete = after_last_newline(batch->waiting);
    return 0;
}

bool batch_has_work(struct batch *batch)
{
    LOCK_SCOPE(&batch->lock);
    return batch->running || batch->complete > 0;
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    return true;
}

int batch_check_end(struct batch *batch, bool *ret_is_news, struct error *err)
{
    LOCK_SCOPE(&batch->lock);
    const char *line = batch->waiting->str + batch->complete;
    size_t length = batch->waiting->len - batch->complete;
    *ret_is_news = length != batch->told;
    batch->told = length;
    if (is_blank(line, length))
        return 0;
    g_autoptr(GString) shown = g_string_new(NULL);
    g_autofree char *start = g_strndup(line, length);
    printable_append(shown, start);
    return error_set(err, ERR_INVALID, "a line without newline at the end is not carried out: %s",
                     shown->str);
}

bool batch_is_running(struct batch *batch)
{
    LOCK_SCOPE(&batch->lock);
    return batch->running;
}

size_t batch_read(struct batch *batch, char *buffer, size_t size)
{
    LOCK_SCOPE(&batch->lock);
    size_t length = MIN(size, batch->answers->len - batch->read);
    memcpy(buffer, batch->answers->str + batch->read, length);
    batch->read += length;
    if (batch->read == batch->answers->len && batch->read > 0) {
        write_budget_give_back(batch->budget, batch->answers->len);
        g_string_free(batch->answers, TRUE);
        batch->answers = g_string_new(NULL);
        batch->read = 0;
    }
    return length;
}

/* ---- Carrying out ---- */

static void parse_lines(struct group *group, const char *text, size_t length)
{
    for (const char *end; length > 0; length -= (size_t)(end + 1 - text), text = end + 1) {
        struct batch_line line;
        end = memchr(text, '\n', length);
        batch_line_parse(text, (size_t)(end - text), &line);
        if (line.is_blank)
            batch_line_clear(&line);
        else
            g_array_append_val(group->lines, line);
    }
}

/* Changes borrow from the lines, which do not move any more. */
static void make_changes(struct group *group)
{
    for (guint i = 0; i < group->lines->len; i++) {
        const struct batch_line *line = &g_array_index(group->lines, struct batch_line, i);
        struct change change = {
            .kind = line->kind,
            .name = line->key,
            .parent = line->parent,
            .expiry = line->expiry,
            .ttl_seconds = line->ttl_seconds,
            .expected_id = line->key ? NULL : &line->id,
        };
        if (line->error.code == 0)
            g_array_append_val(group->changes, change);
    }
}

/* Takes what has come of the change over into its line. */
static void take_result(struct batch_line *line, const struct change *change)
{
    if (change->error.code != 0)
        line->error = change->error;
    /* Gone by another's hand: who wants to drop it hears what rmdir would say. */
    if (change->error.code == ERR_STALE && line->kind == CHANGE_DROP)
        line->error.code = ERR_NOT_FOUND;
}

static void append_answer(GString *answers, const struct batch_line *line)
{
    bool ok = line->error.code == 0;
    g_string_append(answers, ok ? "ok " : "error ");
    printable_append_field(answers, line->word, "");
    if (!ok) {
        g_string_append_printf(answers, " %s ", errno_name(errno_of(line->error.code)));
        printable_append_field(answers, line->error.text, "");
    }
    g_string_append_c(answers, '\n');
}

/* The next line that is done, if all before it are answered. NULL: it is not done yet. */
static struct batch_line *next_done(struct group *group)
{
    if (group->answered == group->lines->len)
        return NULL;
    struct batch_line *line = &g_array_index(group->lines, struct batch_line, group->answered);
    if (line->error.code == 0 && !group->done[group->taken])
        return NULL;
    if (line->error.code == 0)
        take_result(line, &g_array_index(group->changes, struct change, group->taken++));
    group->answered++;
    return line;
}

static void answer_done(struct group *group)
{
    g_autoptr(GString) answers = g_string_new(NULL);
    for (struct batch_line *line; (line = next_done(group));) {
        bool failed = line->error.code != 0;
        append_answer(answers, line);
        if (group->observer)
            group->observer(group->argument, line, failed ? &line->error : NULL);
        if (failed && group->first_failure && group->first_failure->code == 0)
            *group->first_failure = line->error;
    }
    LOCK_SCOPE(&group->batch->lock);
    group->batch->answered += answers->len > 0;
    write_budget_overdraw(group->batch->budget, answers->len);
    g_string_append_len(group->batch->answers, answers->str, (gssize)answers->len);
    pthread_cond_broadcast(&group->batch->news);
}

static void note_done(void *argument, const struct change *change)
{
    struct group *group = argument;
    group->done[change - (const struct change *)(const void *)group->changes->data] = true;
    answer_done(group);
}

/* Once, with the lock held, for lines that another thread carries out. As long as some are answered
 * there is time to wait. */
static int await_news(struct batch *batch, struct operation *operation, struct error *err)
{
    uint64_t before = batch->answered;
    int code = operation_check(operation, "waiting for the lines before", err);
    if (code)
        return code;
    monotonic_cond_wait(&batch->news, &batch->lock, operation->deadline_ns);
    if (batch->answered != before)
        operation_renew(operation);
    return 0;
}

/* Waits for its turn and takes the complete lines out; *ret_text stays NULL when there are none. */
static int begin_run(struct batch *batch, struct operation *operation, struct bytes **ret_text,
                     struct error *err)
{
    int code = 0;
    LOCK_SCOPE(&batch->lock);
    while (batch->running && code == 0)
        code = await_news(batch, operation, err);
    if (code != 0 || batch->complete == 0)
        return code;
    *ret_text = bytes_new(batch->waiting->str, batch->complete);
    write_budget_give_back(batch->budget, batch->complete);
    g_string_erase(batch->waiting, 0, (gssize)batch->complete);
    batch->complete = 0;
    batch->lines = 0;
    batch->told = 0;
    batch->running = true;
    return 0;
}

static void end_run(struct batch *batch)
{
    LOCK_SCOPE(&batch->lock);
    batch->running = false;
    pthread_cond_broadcast(&batch->news);
}

static void run_group(struct group *group, struct catalog *catalog, const struct bytes *text,
                      struct operation *operation)
{
    g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(struct batch_line));
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct change));
    g_array_set_clear_func(lines, (GDestroyNotify)batch_line_clear);
    group->lines = lines;
    group->changes = changes;
    parse_lines(group, text->data, text->size);
    make_changes(group);
    g_autofree bool *done = g_new0(bool, changes->len);
    group->done = done;
    if (changes->len > 0)
        catalog_change_telling(catalog, (struct change *)(void *)changes->data, changes->len,
                               operation, note_done, group);
    answer_done(group); /* when there was nothing to carry out */
}

int batch_run(struct batch *batch, struct catalog *catalog, batch_observer *observer,
              void *argument, struct operation *operation, struct error *first_failure,
              struct error *err)
{
    auto_bytes struct bytes *text = NULL;
    struct group group = {
        .batch = batch, .observer = observer, .argument = argument, .first_failure = first_failure};
    if (first_failure)
        *first_failure = (struct error){0};
    operation_watch(operation, &batch->news, &batch->lock);
    int code = begin_run(batch, operation, &text, err);
    operation_unwatch(operation);
    if (code != 0 || !text)
        return code;
    run_group(&group, catalog, text, operation);
    end_run(batch);
    return 0;
}

static int await_answers(struct batch *batch, struct operation *operation, struct error *err)
{
    LOCK_SCOPE(&batch->lock);
    int code = 0;
    while (batch->running && batch->answers->len == batch->read && code == 0)
        code = await_news(batch, operation, err);
    return code;
}

int batch_await_answers(struct batch *batch, struct operation *operation, struct error *err)
{
    operation_watch(operation, &batch->news, &batch->lock);
    int code = await_answers(batch, operation, err);
    operation_unwatch(operation);
    return code;
}
