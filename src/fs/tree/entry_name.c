#include "fs/tree/entry_name.h"

#include <stdio.h>
#include <string.h>

void entry_name_encode(const char *key, char name[static ENTRY_NAME_SIZE])
{
    char *out = name;
    bool dots = strcmp(key, ".") == 0 || strcmp(key, "..") == 0;
    for (const char *in = key; *in; in++) {
        if (*in == '%' || *in == '/' || dots)
            out += sprintf(out, "%%%02X", (unsigned char)*in);
        else
            *out++ = *in;
    }
    *out = '\0';
}

/* Takes every "%XX" for the byte XX. NULL when a sequence is cut off or stands for NUL. */
static char *decode_any(const char *name)
{
    g_autoptr(GString) key = g_string_new(NULL);
    for (const char *in = name; *in; in++) {
        if (*in != '%') {
            g_string_append_c(key, *in);
            continue;
        }
        int high = g_ascii_xdigit_value(in[1]);
        int low = high < 0 ? -1 : g_ascii_xdigit_value(in[2]);
        if (low < 0 || high + low == 0)
            return NULL;
        g_string_append_c(key, (char)(high * 16 + low));
        in += 2;
    }
    return g_string_free(g_steal_pointer(&key), FALSE);
}

int entry_name_decode(const char *name, char **ret_key, struct error *err)
{
    g_autofree char *key = decode_any(name);
    if (key && strlen(key) > FORK_NAME_MAX)
        return error_set(err, ERR_NAME_TOO_LONG, "the name has more than %d bytes", FORK_NAME_MAX);
    char canonical[ENTRY_NAME_SIZE];
    if (key)
        entry_name_encode(key, canonical);
    /* Only what the encoder writes counts, or two entries could name one fork. */
    if (!key || strcmp(canonical, name) != 0)
        return error_set(err, ERR_INVALID,
                         "'%s': '%%' is written as %%25, '/' as %%2F; other sequences have no "
                         "meaning",
                         name);
    *ret_key = g_steal_pointer(&key);
    return 0;
}

void entry_name_of(const struct fork_entry *entry, char name[static ENTRY_NAME_SIZE])
{
    if (entry->key && fork_name_check(entry->key, NULL) == 0)
        entry_name_encode(entry->key, name);
    else
        snprintf(name, ENTRY_NAME_SIZE, "%%%s", entry->id.text);
}

static bool appears_as(const struct fork_entry *entry, const char *name)
{
    char own[ENTRY_NAME_SIZE];
    if (!entry)
        return false;
    entry_name_of(entry, own);
    return strcmp(own, name) == 0;
}

struct fork_entry *entry_name_find(const struct registry *registry, const char *name)
{
    g_autofree char *key = NULL;
    if (entry_name_decode(name, &key, NULL) == 0) {
        struct fork_entry *entry = registry_find(registry, key);
        if (appears_as(entry, name))
            return entry;
    }
    struct ulid id;
    if (name[0] == '%' && ulid_parse(name + 1, strlen(name + 1), &id)) {
        struct fork_entry *entry = registry_find_id(registry, &id);
        if (appears_as(entry, name))
            return entry;
    }
    return NULL;
}
