#include "fs/mount_options.h"

#include <glib.h>

char *mount_options_text(const struct mount_options *options)
{
    g_autoptr(GString) text = g_string_new("default_permissions,subtype=forkfs,fsname=");
    for (const char *in = options->source; *in; in++) {
        if (*in == ',' || *in == '\\')
            g_string_append_c(text, '\\');
        g_string_append_c(text, *in);
    }
    if (options->read_only)
        g_string_append(text, ",ro");
    if (options->allow_other)
        g_string_append(text, ",allow_other");
    if (options->debug)
        g_string_append(text, ",debug");
    if (options->further && options->further[0])
        g_string_append_printf(text, ",%s", options->further);
    return g_string_free(g_steal_pointer(&text), FALSE);
}
