#include "lance/bucket_uri.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* Whether the engine would take this '%' and what follows it for one byte. */
static bool is_escape(const char *text)
{
    return text[0] == '%' && g_ascii_isxdigit(text[1]) && g_ascii_isxdigit(text[2]);
}

int lance_bucket_uri(const char *bucket, const char *prefix, char **ret, struct error *err)
{
    if (strchr(prefix, '?'))
        return error_set(err, ERR_UNSUPPORTED,
                         "below the prefix '%.200s' the Lance engine finds no branches, because of "
                         "its '?'",
                         prefix);
    GString *uri = g_string_new(NULL);
    g_string_printf(uri, "s3://%s/", bucket);
    for (const char *at = prefix; *at; at++) {
        if (*at == '#')
            g_string_append(uri, "%23");
        else if (is_escape(at))
            g_string_append(uri, "%25");
        else
            g_string_append_c(uri, *at);
    }
    g_string_truncate(uri, uri->len - 1);
    *ret = g_string_free(uri, FALSE);
    return 0;
}
