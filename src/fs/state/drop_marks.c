#include "fs/state/drop_marks.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"

struct mark {
    struct ulid id;
    uid_t user;
    int64_t at_ns;
};

struct drop_marks {
    pthread_mutex_t lock;
    GArray *marks; /* struct mark, one for each fork and user */
};

struct drop_marks *drop_marks_new(void)
{
    struct drop_marks *marks = g_new0(struct drop_marks, 1);
    pthread_mutex_init(&marks->lock, NULL);
    marks->marks = g_array_new(FALSE, FALSE, sizeof(struct mark));
    return marks;
}

void drop_marks_free(struct drop_marks *marks)
{
    if (!marks)
        return;
    g_array_unref(marks->marks);
    pthread_mutex_destroy(&marks->lock);
    g_free(marks);
}

int drop_marks_parse(const struct bytes *text, struct error *err)
{
    static const char word[] = "drop";
    size_t length = text->size;
    while (length > 0 && memchr(" \t\r\n", text->data[length - 1], 4))
        length--;
    if (length != strlen(word) || memcmp(text->data, word, length) != 0)
        return error_set(err, ERR_INVALID,
                         "the word 'drop' is wanted, which allows rmdir to drop the fork");
    return 0;
}

static void remove_expired(GArray *marks, int64_t now_ns)
{
    for (guint i = marks->len; i-- > 0;)
        if (now_ns - g_array_index(marks, struct mark, i).at_ns > DROP_MARK_NS)
            g_array_remove_index_fast(marks, i);
}

static struct mark *find_mark(GArray *marks, const struct ulid *id, uid_t user)
{
    for (guint i = 0; i < marks->len; i++) {
        struct mark *mark = &g_array_index(marks, struct mark, i);
        if (mark->user == user && ulid_equal(&mark->id, id))
            return mark;
    }
    return NULL;
}

void drop_marks_set(struct drop_marks *marks, const struct ulid *id, uid_t user, int64_t now_ns)
{
    LOCK_SCOPE(&marks->lock);
    remove_expired(marks->marks, now_ns);
    struct mark *known = find_mark(marks->marks, id, user);
    if (known) {
        known->at_ns = now_ns;
        return;
    }
    struct mark mark = {*id, user, now_ns};
    g_array_append_val(marks->marks, mark);
}

int drop_marks_check(struct drop_marks *marks, const struct ulid *id, uid_t user, int64_t now_ns,
                     struct error *err)
{
    LOCK_SCOPE(&marks->lock);
    const struct mark *mark = find_mark(marks->marks, id, user);
    if (mark && now_ns - mark->at_ns <= DROP_MARK_NS)
        return 0;
    return error_set(err, ERR_NOT_PERMITTED,
                     "rmdir drops only a fork whose status was written 'drop' by the same user "
                     "within the last minute (confirm_drop)");
}

void drop_marks_use(struct drop_marks *marks, const struct ulid *id)
{
    LOCK_SCOPE(&marks->lock);
    for (guint i = marks->marks->len; i-- > 0;)
        if (ulid_equal(&g_array_index(marks->marks, struct mark, i).id, id))
            g_array_remove_index_fast(marks->marks, i);
}
