#include "catalog/format/fork_name.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

unsigned name_control_character(const char *name)
{
    for (; *name; name = g_utf8_next_char(name))
        if (g_unichar_iscntrl(g_utf8_get_char(name)))
            return g_utf8_get_char(name);
    return 0;
}

static bool is_all_blank(const char *name)
{
    while (*name && g_unichar_isspace(g_utf8_get_char(name)))
        name = g_utf8_next_char(name);
    return !*name;
}

int fork_name_check(const char *name, struct error *err)
{
    size_t length = strlen(name);
    if (length == 0)
        return error_set(err, ERR_INVALID, "the fork name is empty");
    if (length > FORK_NAME_MAX)
        return error_set(err, ERR_NAME_TOO_LONG, "the fork name has %zu bytes, more than %d",
                         length, FORK_NAME_MAX);
    if (!g_utf8_validate(name, (gssize)length, NULL))
        return error_set(err, ERR_INVALID, "the fork name is not valid UTF-8");
    unsigned control = name_control_character(name);
    if (control)
        return error_set(err, ERR_INVALID, "the fork name holds the control character U+%04X",
                         control);
    if (is_all_blank(name))
        return error_set(err, ERR_INVALID, "the fork name is all white space");
    return 0;
}
