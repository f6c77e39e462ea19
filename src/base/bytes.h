/*
 * Immutable reference-counted byte strings: object bodies, rendered documents.
 *
 * Thread-safe: any thread may reference, read and release. The content never changes after
 * creation and is followed by a NUL that `size` does not count, so text can be used as a C string.
 */
#ifndef FORKFS_BASE_BYTES_H
#define FORKFS_BASE_BYTES_H

#include <stddef.h>

struct bytes {
    unsigned references; /* atomic; use bytes_ref and bytes_unref */
    size_t size;
    char data[];
};

struct bytes *bytes_new(const void *data,
                        size_t size);           /* copies; data may be NULL when size is 0 */
struct bytes *bytes_new_text(const char *text); /* copies, without the NUL */
struct bytes *bytes_allocate(size_t size);      /* content to be filled before sharing */
struct bytes *bytes_ref(struct bytes *bytes);   /* returns its argument; NULL gives NULL */
void bytes_unref(struct bytes *bytes);          /* NULL: nothing */
int bytes_equal(const struct bytes *a, const struct bytes *b);

static inline void cleanup_bytes(struct bytes **bytes)
{
    bytes_unref(*bytes);
}

/* Usage: auto_bytes struct bytes *body = NULL; */
#define auto_bytes __attribute__((cleanup(cleanup_bytes)))

#endif
