#include "base/mountinfo.h"

#include <string.h>

#define MOUNTINFO "/proc/self/mountinfo"

/* Fields of a line: six, then optional ones up to "-", then three. */
enum { FIELD_ID = 0, FIELD_DEVICE = 2, FIELD_PATH = 4, FIELD_OPTIONS = 5, FIELDS_FIRST = 6 };
enum { FIELD_TYPE = 1, FIELD_SOURCE = 2, FIELD_SUPER_OPTIONS = 3, FIELDS_LAST = 4 };

static void free_entry(gpointer data)
{
    struct mount_entry *entry = data;
    g_free(entry->device);
    g_free(entry->path);
    g_free(entry->type);
    g_free(entry->source);
    g_free(entry);
}

static bool has_option(const char *options, const char *option)
{
    g_auto(GStrv) words = g_strsplit(options, ",", -1);
    return g_strv_contains((const char *const *)words, option);
}

/* The field "-", or NULL. */
static char **find_separator(char **fields)
{
    guint count = g_strv_length(fields);
    for (guint i = FIELDS_FIRST; i + FIELDS_LAST <= count; i++)
        if (strcmp(fields[i], "-") == 0)
            return fields + i;
    return NULL;
}

/* Blanks and the like are written as octal numbers, "\040". */
static struct mount_entry *parse_line(const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", -1);
    char **last = find_separator(fields);
    if (!last)
        return NULL;
    struct mount_entry *entry = g_new0(struct mount_entry, 1);
    entry->id = g_ascii_strtoull(fields[FIELD_ID], NULL, 10);
    entry->device = g_strdup(fields[FIELD_DEVICE]);
    entry->path = g_strcompress(fields[FIELD_PATH]);
    entry->type = g_strcompress(last[FIELD_TYPE]);
    entry->source = g_strcompress(last[FIELD_SOURCE]);
    entry->read_only =
        has_option(fields[FIELD_OPTIONS], "ro") || has_option(last[FIELD_SUPER_OPTIONS], "ro");
    return entry;
}

GPtrArray *mountinfo_parse(const char *text)
{
    GPtrArray *mounts = g_ptr_array_new_with_free_func(free_entry);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        struct mount_entry *entry = parse_line(*line);
        if (entry)
            g_ptr_array_add(mounts, entry);
    }
    return mounts;
}

int mountinfo_read(GPtrArray **ret, struct error *err)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) failure = NULL;
    if (!g_file_get_contents(MOUNTINFO, &text, NULL, &failure))
        return error_set(err, ERR_IO, "%s", failure->message);
    *ret = mountinfo_parse(text);
    return 0;
}

const struct mount_entry *mountinfo_by_id(const GPtrArray *mounts, uint64_t id)
{
    for (guint i = 0; i < mounts->len; i++) {
        const struct mount_entry *entry = g_ptr_array_index(mounts, i);
        if (entry->id == id)
            return entry;
    }
    return NULL;
}

const struct mount_entry *mountinfo_at(const GPtrArray *mounts, const char *path)
{
    for (guint i = mounts->len; i > 0; i--) {
        const struct mount_entry *entry = g_ptr_array_index(mounts, i - 1);
        if (strcmp(entry->path, path) == 0)
            return entry;
    }
    return NULL;
}
