#include "fs/content/line_text.h"

#include <string.h>

/* How many bytes are to be escaped here: C0 and DEL, U+0080 to U+009F (some of these end a line for
 * some programs), and what is no UTF-8. */
static size_t escaped_length(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7f)
        return 1;
    if (text[0] < 0x80)
        return 0;
    if (g_utf8_get_char_validated((const char *)text, -1) >= (gunichar)-2)
        return 1;
    return text[0] == 0xc2 && text[1] <= 0x9f ? 2 : 0;
}

void line_text_append(GString *line, const char *text, const char *also)
{
    const unsigned char *in = (const unsigned char *)text;
    while (*in) {
        size_t escaped = escaped_length(in);
        if (escaped == 0 && strchr(also, *in))
            escaped = 1;
        size_t kept = escaped == 0 ? (size_t)g_utf8_skip[*in] : 0;
        g_string_append_len(line, (const char *)in, (gssize)kept);
        in += kept;
        for (; escaped > 0; escaped--)
            g_string_append_printf(line, "\\%03o", *in++);
    }
}
