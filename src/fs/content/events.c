#include "fs/content/events.h"

#include <string.h>

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
    for (const char *in = name; *in; in++) {
        if (*in == ' ')
            g_string_append(line, "%20");
        else
            g_string_append_c(line, *in);
    }
}

static void add(struct events *events, struct timespec time, const char *kind,
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
    add(events, time, "overlay", entry, NULL);
}

void events_add_sweep_failure(struct events *events, struct timespec time,
                              const struct fork_entry *entry, const struct error *failure)
{
    g_autofree char *detail =
        g_strdup_printf("%s %s", errno_name(errno_of(failure->code)), failure->text);
    add(events, time, "sweep-failed", entry, detail);
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

static void found(struct comparison *comparison, const char *kind, const struct fork_entry *entry)
{
    comparison->found = true;
    add(comparison->events, comparison->time, kind, entry, NULL);
}

static bool has_expired(const struct fork_entry *entry, struct timespec now)
{
    return entry->has_expiry &&
           (entry->expires_at.tv_sec < now.tv_sec ||
            (entry->expires_at.tv_sec == now.tv_sec && entry->expires_at.tv_nsec <= now.tv_nsec));
}

/* Whether the fork or one that it descends from has expired. Steps are counted, since the parents
 * of a hostile registry may go round in a circle. */
static bool is_swept(const struct comparison *comparison, const struct fork_entry *entry)
{
    for (guint steps = 0; entry && steps < comparison->before->entries->len; steps++) {
        if (has_expired(entry, comparison->time))
            return true;
        entry = entry->has_parent ? registry_find_id(comparison->before, &entry->parent_id) : NULL;
    }
    return false;
}

static void gone(struct comparison *comparison, const struct fork_entry *entry)
{
    bool swept = comparison->sweeping && is_swept(comparison, entry);
    found(comparison, swept ? "expired" : "dropped", entry);
}

static void appeared(struct comparison *comparison, const struct fork_entry *entry)
{
    found(comparison, fork_status_name(entry->status), entry);
}

static void stayed(struct comparison *comparison, const struct fork_entry *old,
                   const struct fork_entry *new)
{
    if (old == new)
        return; /* shared by the images: nothing has changed */
    if (old->status != new->status)
        found(comparison, fork_status_name(new->status), new);
    else if (old->text_length != new->text_length ||
             memcmp(old->text, new->text, old->text_length) != 0)
        found(comparison, "changed", new);
}

/* As the images are sorted: by id, then key; keys that are no C strings come last. */
static int compare_entries(const struct fork_entry *a, const struct fork_entry *b)
{
    int order = strcmp(a->id.text, b->id.text);
    if (order != 0)
        return order;
    if (a->key && b->key)
        return strcmp(a->key, b->key);
    if (a->key || b->key)
        return a->key ? -1 : 1;
    return strcmp(a->key_source, b->key_source);
}

bool events_compare(struct events *events, struct timespec time, const struct registry *before,
                    const struct registry *after, bool sweeping)
{
    struct comparison comparison = {events, time, before, sweeping, false};
    const GPtrArray *old = before->by_id;
    const GPtrArray *new = after->by_id;
    guint a = 0;
    guint b = 0;
    while (a < old->len || b < new->len) {
        struct fork_entry *was = a < old->len ? old->pdata[a] : NULL;
        struct fork_entry *is = b < new->len ? new->pdata[b] : NULL;
        int order = !was ? 1 : !is ? -1 : was == is ? 0 : compare_entries(was, is);
        if (order < 0)
            gone(&comparison, was);
        else if (order > 0)
            appeared(&comparison, is);
        else
            stayed(&comparison, was, is);
        a += order <= 0;
        b += order >= 0;
    }
    return comparison.found;
}
