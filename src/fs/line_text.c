#include "fs/line_text.h"

#include <string.h>

/* C0 and DEL, and U+0080 to U+009F: some of these end a line for some programs. */
static size_t control_length(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7f)
        return 1;
    return text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
}

void line_text_append(GString *line, const char *text, const char *also)
{
    const unsigned char *in = (const unsigned char *)text;
    while (*in) {
        size_t escaped = control_length(in);
        if (escaped == 0 && strchr(also, *in))
            escaped = 1;
        if (escaped == 0)
            g_string_append_c(line, (char)*in++);
        for (; escaped > 0; escaped--)
            g_string_append_printf(line, "\\%03o", *in++);
    }
}
