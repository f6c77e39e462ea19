#include "fs/content/failures.h"

#include <glib.h>

#include "base/printable.h"
#include "base/timestamp.h"
#include "fs/content/line_ring.h"
#include "fs/errno_map.h"

struct failures {
    struct line_ring *lines;
};

struct failures *failures_new(void)
{
    struct failures *failures = g_new0(struct failures, 1);
    failures->lines = line_ring_new(FAILURES_KEPT);
    return failures;
}

void failures_free(struct failures *failures)
{
    if (!failures)
        return;
    line_ring_free(failures->lines);
    g_free(failures);
}

void failures_add(struct failures *failures, struct timespec time, const char *operation,
                  const char *path, const struct error *failure)
{
    char stamp[TIMESTAMP_TEXT_SIZE];
    timestamp_format(time, stamp);
    GString *line = g_string_new(stamp);
    g_string_append_printf(line, " %s ", operation);
    printable_append_field(line, path, " \\");
    g_string_append_printf(line, " %s ", errno_name(errno_of(failure->code)));
    printable_append_field(line, failure->text, "");
    line_ring_add(failures->lines, time, g_string_free(line, FALSE));
}

struct bytes *failures_render(struct failures *failures, struct timespec *ret_last)
{
    return line_ring_render(failures->lines, ret_last, NULL);
}
