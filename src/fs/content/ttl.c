#include "fs/content/ttl.h"

#include <glib.h>
#include <string.h>

struct bytes *ttl_render(const struct fork_entry *entry, struct timespec now)
{
    if (!entry->has_expiry)
        return bytes_new_text("none\n");
    int64_t seconds = (int64_t)entry->expires_at.tv_sec - now.tv_sec;
    if (entry->expires_at.tv_nsec > now.tv_nsec)
        seconds++;
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT "\n", MAX(seconds, 0));
    return bytes_new_text(text);
}

static size_t trimmed_length(const struct bytes *text)
{
    size_t length = text->size;
    while (length > 0 && memchr(" \t\r\n", text->data[length - 1], 4))
        length--;
    return length;
}

static bool parse_seconds(const char *digits, size_t length, uint64_t *ret)
{
    uint64_t seconds = 0;
    for (size_t i = 0; i < length; i++) {
        if (!g_ascii_isdigit(digits[i]) || __builtin_mul_overflow(seconds, 10, &seconds) ||
            __builtin_add_overflow(seconds, (uint64_t)(digits[i] - '0'), &seconds))
            return false;
    }
    *ret = seconds;
    return length > 0;
}

int ttl_parse(const struct bytes *text, bool *ret_has_ttl, uint64_t *ret_seconds, struct error *err)
{
    size_t length = trimmed_length(text);
    uint64_t seconds = 0;
    bool is_none = length == strlen("none") && memcmp(text->data, "none", length) == 0;
    if (!is_none && !parse_seconds(text->data, length, &seconds))
        return error_set(err, ERR_INVALID, "a number of seconds or 'none' is wanted");
    *ret_has_ttl = !is_none;
    *ret_seconds = seconds;
    return 0;
}
