#include "fs/failures.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "fs/errno_map.h"

struct failures {
    pthread_mutex_t lock;
    GQueue lines; /* char *, each with its newline */
    struct timespec last;
};

struct failures *failures_new(void)
{
    struct failures *failures = g_new0(struct failures, 1);
    pthread_mutex_init(&failures->lock, NULL);
    g_queue_init(&failures->lines);
    return failures;
}

void failures_free(struct failures *failures)
{
    if (!failures)
        return;
    g_queue_clear_full(&failures->lines, g_free);
    pthread_mutex_destroy(&failures->lock);
    g_free(failures);
}

/* C0 and DEL, and U+0080 to U+009F: some of these end a line for some programs. */
static size_t control_length(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7f)
        return 1;
    return text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
}

static void append_escaped(GString *line, const char *text, const char *also)
{
    const unsigned char *in = (const unsigned char *)text;
    while (*in) {
        size_t escaped = control_length(in);
        if (escaped == 0 && strchr(also, *in))
            escaped = 1;
        if (escaped == 0)
            g_string_append_c(line, (char)*in++);
        for (; escaped > 0; escaped--)
            g_string_append_printf(line, "\\%03o", *in++);
    }
}

void failures_add(struct failures *failures, struct timespec time, const char *operation,
                  const char *path, const struct error *failure)
{
    char stamp[TIMESTAMP_TEXT_SIZE];
    timestamp_format(time, stamp);
    GString *line = g_string_new(stamp);
    g_string_append_printf(line, " %s ", operation);
    append_escaped(line, path, " \\");
    g_string_append_printf(line, " %s ", errno_name(errno_of(failure->code)));
    append_escaped(line, failure->text, "");
    g_string_append_c(line, '\n');

    LOCK_SCOPE(&failures->lock);
    g_queue_push_tail(&failures->lines, g_string_free(line, FALSE));
    failures->last = time;
    if (failures->lines.length > FAILURES_KEPT)
        g_free(g_queue_pop_head(&failures->lines));
}

struct bytes *failures_render(struct failures *failures, struct timespec *ret_last)
{
    g_autoptr(GString) text = g_string_new(NULL);
    LOCK_SCOPE(&failures->lock);
    for (GList *line = failures->lines.head; line; line = line->next)
        g_string_append(text, line->data);
    if (ret_last && failures->lines.length > 0)
        *ret_last = failures->last;
    return bytes_new(text->str, text->len);
}
