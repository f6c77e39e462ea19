#include "fs/content/events.h"

#include "base/printable.h"
#include "base/timestamp.h"
#include "fs/content/line_ring.h"
#include "fs/errno_map.h"
#include "fs/tree/entry_name.h"

struct events {
    struct line_ring *lines;
};

/* One comparison of images. */
struct comparison {
    struct events *events;
    struct timespec time;
    const struct registry *before;
    bool sweeping;
    bool found;
};

struct events *events_new(void)
{
    struct events *events = g_new0(struct events, 1);
    events->lines = line_ring_new(EVENTS_KEPT);
    return events;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    line_ring_free(events->lines);
    g_free(events);
}

static void append_name(GString *line, const struct fork_entry *entry)
{
    char name[ENTRY_NAME_SIZE];
    entry_name_of(entry, name);
    g_auto(GStrv) words = g_strsplit(name, " ", -1);
    g_autofree char *joined = g_strjoinv("%20", words);
    g_string_append(line, joined);
}

static void add_event(struct events *events, struct timespec time, const char *kind,
                      const struct fork_entry *entry, const char *detail)
{
    char stamp[TIMESTAMP_TEXT_SIZE];
    timestamp_format(time, stamp);
    GString *line = g_string_new(stamp);
    g_string_append_printf(line, " %s ", kind);
    append_name(line, entry);
    g_string_append_printf(line, " %s", entry->id.text);
    if (detail) {
        g_string_append_c(line, ' ');
        printable_append_field(line, detail, "");
    }
    line_ring_add(events->lines, time, g_string_free(line, FALSE));
}

void events_add_overlay(struct events *events, struct timespec time, const struct fork_entry *entry)
{
    add_event(events, time, "overlay", entry, NULL);
}

void events_add_sweep_failure(struct events *events, struct timespec time,
                              const struct fork_entry *entry, const struct error *failure)
{
    g_autofree char *detail =
        g_strdup_printf("%s %s", errno_name(errno_of(failure->code)), failure->text);
    add_event(events, time, "sweep-failed", entry, detail);
}

uint64_t events_count(struct events *events)
{
    return line_ring_count(events->lines);
}

struct bytes *events_render(struct events *events, struct timespec *ret_last, uint64_t *ret_count)
{
    return line_ring_render(events->lines, ret_last, ret_count);
}

/* ---- Comparing ---- */

/* Whether the fork or one that it descends from has expired. Steps are counted, since the parents
 * of a hostile registry may go round in a circle. */
static bool is_swept(const struct comparison *comparison, const struct fork_entry *entry)
{
    for (guint steps = 0; entry && steps < comparison->before->entries->len; steps++) {
        if (fork_entry_time_is_over(entry, comparison->time))
            return true;
        entry = entry->has_parent ? registry_find_id(comparison->before, &entry->parent_id) : NULL;
    }
    return false;
}

static void note_difference(const struct fork_entry *was, const struct fork_entry *is,
                            void *argument)
{
    struct comparison *comparison = argument;
    const struct fork_entry *entry = is ? is : was;
    const char *kind = "changed";
    if (was && is && fork_entry_same_text(was, is))
        return;
    if (!is)
        kind = comparison->sweeping && is_swept(comparison, was) ? "expired" : "dropped";
    else if (!was || was->status != is->status)
        kind = fork_status_name(is->status);
    comparison->found = true;
    add_event(comparison->events, comparison->time, kind, entry, NULL);
}

bool events_compare(struct events *events, struct timespec time, const struct registry *before,
                    const struct registry *after, bool sweeping)
{
    struct comparison comparison = {events, time, before, sweeping, false};
    registry_compare(before, after, note_difference, &comparison);
    return comparison.found;
}
