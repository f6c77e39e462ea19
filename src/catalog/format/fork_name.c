#include "catalog/format/fork_name.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define NAME_LIMIT 255 /* bytes */

int fork_name_check(const char *name, struct error *err)
{
    size_t length = strlen(name);
    if (length == 0)
        return error_set(err, ERR_INVALID, "the fork name is empty");
    if (length > NAME_LIMIT)
        return error_set(err, ERR_NAME_TOO_LONG, "the fork name has %zu bytes, more than %d",
                         length, NAME_LIMIT);
    if (!g_utf8_validate(name, (gssize)length, NULL))
        return error_set(err, ERR_INVALID, "the fork name is not valid UTF-8");

    bool all_blank = true;
    for (const char *at = name; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
            return error_set(err, ERR_INVALID, "the fork name holds the control character U+%04X",
                             (unsigned)c);
        all_blank = all_blank && g_unichar_isspace(c);
    }
    if (all_blank)
        return error_set(err, ERR_INVALID, "the fork name is all white space");
    return 0;
}
