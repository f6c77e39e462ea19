/*
 * The rendered contents of a file: a shared byte string, perhaps followed by a newline that the
 * string itself does not have. So a registry of megabytes is shown without being copied.
 *
 * A document is a plain value that owns one reference to its body, and its version.
 */
#ifndef FORKFS_FS_CONTENT_DOCUMENT_H
#define FORKFS_FS_CONTENT_DOCUMENT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/bytes.h"

struct document {
    struct bytes *body; /* NULL: there is no document (yet) */
    bool newline;       /* one follows the body */
    struct timespec modified;
    char *version; /* what the store holds, for a writer that wants to replace it; or NULL */
};

static inline size_t document_size(const struct document *document)
{
    return document->body ? document->body->size + (document->newline ? 1 : 0) : 0;
}

static inline void document_clear(struct document *document)
{
    bytes_unref(document->body);
    g_free(document->version);
    document->body = NULL;
    document->version = NULL;
}

#define auto_document __attribute__((cleanup(document_clear)))

#endif
