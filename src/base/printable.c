#include "base/printable.h"

#include <string.h>

/* How many bytes are to be escaped here: C0 and DEL, U+0080 to U+009F (some of these end a line for
 * some programs), and what is no UTF-8. */
static size_t escaped_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return g_ascii_iscntrl((char)text[0]) ? 1 : 0;
    if (g_utf8_get_char_validated((const char *)text, -1) >= (gunichar)-2)
        return 1;
    return text[0] == 0xc2 && text[1] <= 0x9f ? 2 : 0;
}

static void append(GString *out, const char *text, const char *also, bool octal)
{
    const unsigned char *in = (const unsigned char *)text;
    while (*in) {
        size_t escaped = escaped_length(in);
        if (escaped == 0 && strchr(also, *in))
            escaped = 1;
        size_t kept = escaped == 0 ? (size_t)g_utf8_skip[*in] : 0;
        g_string_append_len(out, (const char *)in, (gssize)kept);
        in += kept;
        for (; escaped > 0; escaped--, in++)
            g_string_append_printf(out, octal ? "\\%03o" : "\\x%02x", *in);
    }
}

void printable_append(GString *out, const char *text)
{
    append(out, text, "", false);
}

void printable_append_field(GString *out, const char *text, const char *also)
{
    append(out, text, also, true);
}

bool printable_is(const char *text)
{
    while (*text && !g_ascii_iscntrl(*text))
        text++;
    return !*text;
}

void printable_replace(char *text, char replacement)
{
    for (; *text; text++)
        if (g_ascii_iscntrl(*text))
            *text = replacement;
}
