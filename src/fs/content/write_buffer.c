#include "fs/content/write_buffer.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"

struct write_buffer {
    pthread_mutex_t lock;
    pthread_cond_t idle;         /* no attempt is under way */
    struct write_budget *budget; /* not owned; may be NULL */
    GByteArray *text;
    char *version;
    uint64_t changes; /* how many there were */
    uint64_t decided; /* `changes` as of the last attempt that was decided */
    bool written;     /* ever, by write */
    bool busy;        /* an attempt is under way */
};

int write_buffer_new(const struct document *document, bool truncated, struct write_budget *budget,
                     struct write_buffer **ret, struct error *err)
{
    int code = write_budget_take(budget, truncated ? 0 : document_size(document), err);
    if (code != 0)
        return code;
    struct write_buffer *buffer = *ret = g_new0(struct write_buffer, 1);
    buffer->budget = budget;
    pthread_mutex_init(&buffer->lock, NULL);
    monotonic_cond_init(&buffer->idle);
    buffer->text = g_byte_array_new();
    buffer->version = g_strdup(document->version);
    if (truncated)
        return 0;
    const struct bytes *body = document->body;
    g_byte_array_append(buffer->text, (const guint8 *)body->data, (guint)body->size);
    if (document->newline)
        g_byte_array_append(buffer->text, (const guint8 *)"\n", 1);
    return 0;
}

void write_buffer_free(struct write_buffer *buffer)
{
    if (!buffer)
        return;
    write_budget_give_back(buffer->budget, buffer->text->len);
    g_byte_array_unref(buffer->text);
    g_free(buffer->version);
    pthread_cond_destroy(&buffer->idle);
    pthread_mutex_destroy(&buffer->lock);
    g_free(buffer);
}

size_t write_buffer_size(struct write_buffer *buffer)
{
    LOCK_SCOPE(&buffer->lock);
    return buffer->text->len;
}

struct bytes *write_buffer_read(struct write_buffer *buffer, size_t size, off_t offset)
{
    LOCK_SCOPE(&buffer->lock);
    size_t start = MIN((size_t)offset, buffer->text->len);
    return bytes_new(buffer->text->data + start, MIN(size, buffer->text->len - start));
}

/* An array keeps its memory when it gets shorter; a new one does not have it. */
static void shrink(struct write_buffer *buffer, size_t size)
{
    GByteArray *shorter = g_byte_array_sized_new((guint)size);
    g_byte_array_append(shorter, buffer->text->data, (guint)size);
    write_budget_give_back(buffer->budget, buffer->text->len - size);
    g_byte_array_unref(buffer->text);
    buffer->text = shorter;
}

/* The caller holds the lock. New bytes are zeros. */
static int set_size(struct write_buffer *buffer, size_t size, struct error *err)
{
    size_t before = buffer->text->len;
    if (size > WRITE_BUFFER_MAX)
        return error_set(err, ERR_TOO_BIG, "a document has at most %zu bytes", WRITE_BUFFER_MAX);
    if (size < before) {
        shrink(buffer, size);
        return 0;
    }
    int code = write_budget_take(buffer->budget, size - before, err);
    if (code != 0)
        return code;
    g_byte_array_set_size(buffer->text, (guint)size);
    if (size > before)
        memset(buffer->text->data + before, 0, size - before);
    return 0;
}

int write_buffer_write(struct write_buffer *buffer, const char *data, size_t size, off_t offset,
                       bool append, struct error *err)
{
    LOCK_SCOPE(&buffer->lock);
    size_t start = append ? buffer->text->len : (size_t)offset;
    size_t end = 0;
    if (__builtin_add_overflow(start, size, &end))
        end = SIZE_MAX;
    int code = end > buffer->text->len ? set_size(buffer, end, err) : 0;
    if (code != 0 || size == 0)
        return code;
    memcpy(buffer->text->data + start, data, size);
    buffer->written = true;
    buffer->changes++;
    return 0;
}

int write_buffer_resize(struct write_buffer *buffer, off_t size, struct error *err)
{
    LOCK_SCOPE(&buffer->lock);
    if ((size_t)size == buffer->text->len)
        return 0;
    int code = set_size(buffer, (size_t)size, err);
    if (code == 0)
        buffer->changes++;
    return code;
}

/* The caller holds the lock. */
static bool has_news(const struct write_buffer *buffer)
{
    return buffer->changes != buffer->decided && (buffer->written || buffer->text->len > 0);
}

bool write_buffer_is_settled(struct write_buffer *buffer)
{
    LOCK_SCOPE(&buffer->lock);
    return !buffer->busy && !has_news(buffer);
}

static int take_turn(struct write_buffer *buffer, struct operation *operation,
                     struct write_attempt *ret, struct error *err)
{
    LOCK_SCOPE(&buffer->lock);
    while (buffer->busy) {
        int code = operation_check(operation, "waiting for another write of this handle", err);
        if (code != 0)
            return code;
        monotonic_cond_wait(&buffer->idle, &buffer->lock, operation->deadline_ns);
    }
    buffer->busy = true;
    ret->text = NULL;
    if (has_news(buffer))
        ret->text = bytes_new(buffer->text->data, buffer->text->len);
    ret->version = buffer->version;
    ret->change = buffer->changes;
    return 0;
}

int write_buffer_begin(struct write_buffer *buffer, struct operation *operation,
                       struct write_attempt *ret, struct error *err)
{
    operation_watch(operation, &buffer->idle, &buffer->lock);
    int code = take_turn(buffer, operation, ret, err);
    operation_unwatch(operation);
    return code;
}

/* Whether the same text would be answered the same again. */
static bool is_decision(int code)
{
    switch (code) {
    case 0:
    case ERR_INVALID:
    case ERR_CONFLICT:
    case ERR_CHANGED:
    case ERR_EXISTS:
    case ERR_NOT_FOUND:
    case ERR_UNSUPPORTED:
    case ERR_STALE:
    case ERR_NOT_PERMITTED:
        return true;
    default:
        return false;
    }
}

void write_buffer_end(struct write_buffer *buffer, struct write_attempt *attempt, int code,
                      char *version)
{
    bool attempted = attempt->text;
    bytes_unref(attempt->text);
    LOCK_SCOPE(&buffer->lock);
    if (attempted && is_decision(code))
        buffer->decided = attempt->change;
    if (version) {
        g_free(buffer->version);
        buffer->version = version;
    }
    buffer->busy = false;
    pthread_cond_broadcast(&buffer->idle);
}
