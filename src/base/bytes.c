#include "base/bytes.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

struct bytes *bytes_allocate(size_t size)
{
    g_assert(size < SIZE_MAX - sizeof(struct bytes));
    struct bytes *bytes = g_malloc(sizeof *bytes + size + 1);
    bytes->references = 1;
    bytes->size = size;
    bytes->data[size] = '\0';
    return bytes;
}

struct bytes *bytes_new(const void *data, size_t size)
{
    struct bytes *bytes = bytes_allocate(size);
    if (size)
        memcpy(bytes->data, data, size);
    return bytes;
}

struct bytes *bytes_new_text(const char *text)
{
    return bytes_new(text, strlen(text));
}

struct bytes *bytes_ref(struct bytes *bytes)
{
    if (bytes)
        __atomic_fetch_add(&bytes->references, 1, __ATOMIC_RELAXED);
    return bytes;
}

void bytes_unref(struct bytes *bytes)
{
    if (bytes && __atomic_sub_fetch(&bytes->references, 1, __ATOMIC_ACQ_REL) == 0)
        g_free(bytes);
}

int bytes_equal(const struct bytes *a, const struct bytes *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}
