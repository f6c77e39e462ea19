#include <stdarg.h>

#include "base/printable.h"
#include "catalog/repair/repair_private.h"

void repair_did(struct repair *repair, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    GString *line = g_string_new(NULL);
    printable_append(line, text);
    g_ptr_array_add(repair->actions, g_string_free(line, FALSE));
}
