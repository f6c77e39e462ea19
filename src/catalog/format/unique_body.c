#include "catalog/format/unique_body.h"

#include <glib.h>
#include <string.h>

#define LINE_LENGTH 32 /* a bit of a random number each */

struct bytes *unique_body(const struct bytes *text)
{
    struct bytes *body = bytes_allocate(text->size + strlen("\n") + LINE_LENGTH);
    memcpy(body->data, text->data, text->size);
    char *out = body->data + text->size;
    *out++ = '\n';
    guint32 random = g_random_int();
    for (unsigned i = 0; i < LINE_LENGTH; i++)
        *out++ = (random >> i) & 1 ? '\t' : ' ';
    return body;
}
