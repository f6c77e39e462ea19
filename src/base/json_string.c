#include "base/json_string.h"

#include <glib.h>
#include <string.h>

static gunichar hex4(const char *at)
{
    gunichar value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (gunichar)g_ascii_xdigit_value(at[i]);
    return value;
}

/* Decodes the escape whose backslash is at `at`; returns the length of its source. */
static size_t decode_escape(const char *at, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (at[1] != 'u') {
        *(*out)++ = values[strchr(names, at[1]) - names];
        return 2;
    }
    gunichar value = hex4(at + 2);
    size_t length = 6;
    if (value >= 0xD800 && value <= 0xDBFF) {
        value = 0x10000 + ((value - 0xD800) << 10) + (hex4(at + 8) - 0xDC00);
        length = 12;
    }
    *out += g_unichar_to_utf8(value, *out);
    return length;
}

char *json_string_decode(const char *text, size_t length, size_t *ret_length)
{
    char *decoded = g_malloc(length + 1); /* no escape is shorter than what it stands for */
    char *out = decoded;
    const char *at = text, *end = text + length;
    while (at < end) {
        if (*at == '\\')
            at += decode_escape(at, &out);
        else
            *out++ = *at++;
    }
    *out = '\0';
    *ret_length = (size_t)(out - decoded);
    return decoded;
}
