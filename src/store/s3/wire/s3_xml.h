/*
 * The XML that S3 answers with: listings and errors.
 *
 * What a server sent is not trusted: no network, no entities, no document types. Element names are
 * taken without their namespace. Thread-safe after s3_xml_initialize(). Results belong to the
 * caller.
 */
#ifndef FORKFS_STORE_S3_WIRE_S3_XML_H
#define FORKFS_STORE_S3_WIRE_S3_XML_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "store/s3/wire/s3_wire.h"

/* To be called before threads start; may be called again. */
void s3_xml_initialize(void);

/* A page of a listing. */
struct s3_list_page {
    GPtrArray *rows;    /* objects and common prefixes, struct s3_wire_row, in no order */
    bool truncated;     /* there are more pages */
    char *continuation; /* token for the next page; NULL: none was given */
};

/* Reads a ListBucketResult. Keys are decoded where the document says that they are encoded.
 * ERR_CORRUPT when it is not a whole, sound listing. s3_list_page_clear(), also after a failure. */
int s3_xml_parse_listing(const char *text, size_t size, struct s3_list_page *ret,
                         struct error *err);
void s3_list_page_clear(struct s3_list_page *page);

struct s3_error_document {
    char *code; /* never NULL in a document that was read */
    char *message;
    char *region;   /* that the server wants in the signature; mostly NULL, as the rest */
    char *endpoint; /* that a redirect points to */
};

/* False when the text is no <Error> with a <Code>. s3_error_document_clear(), also then. */
bool s3_xml_parse_error(const char *text, size_t size, struct s3_error_document *ret);
void s3_error_document_clear(struct s3_error_document *document);

#endif
