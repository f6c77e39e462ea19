#include "store/s3/wire/s3_xml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <string.h>

#include "base/timestamp.h"
#include "store/s3/wire/s3_wire_private.h"

void s3_xml_initialize(void)
{
    xmlInitParser();
}

/* ---- Trees ---- */

static void free_document(xmlDoc **document)
{
    if (*document)
        xmlFreeDoc(*document);
}

#define auto_document __attribute__((cleanup(free_document)))

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* Reads a document whose root has this name; NULL: it is none. */
static xmlDoc *read_document(const char *text, size_t size, const char *root_name)
{
    if (size > INT_MAX)
        return NULL;
    auto_document xmlDoc *document = xmlReadMemory(text, (int)size, NULL, NULL,
                                                   XML_PARSE_NONET | XML_PARSE_NOERROR |
                                                       XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
    if (!document || xmlGetIntSubset(document)) /* entities are declared in a document type */
        return NULL;
    const xmlNode *root = xmlDocGetRootElement(document);
    return root && is_element(root, root_name) ? g_steal_pointer(&document) : NULL;
}

static const xmlNode *first_child(const xmlNode *parent, const char *name)
{
    for (const xmlNode *node = parent->children; node; node = node->next)
        if (is_element(node, name))
            return node;
    return NULL;
}

/* The text of a child; NULL when there is no such child. g_free(). */
static char *child_text(const xmlNode *parent, const char *name)
{
    const xmlNode *child = first_child(parent, name);
    if (!child)
        return NULL;
    xmlChar *content = xmlNodeGetContent(child);
    char *text = g_strdup(content ? (const char *)content : "");
    xmlFree(content);
    return text;
}

/* ---- Listings ---- */

/* A key as it was written. In encoded ones '+' is a blank, with those servers that write it at all:
 * a plus is "%2B" with all of them. NULL: it is none. */
static char *decode_key(const char *text, bool encoded)
{
    if (!text || !*text)
        return NULL;
    if (!encoded)
        return g_strdup(text);
    g_autofree char *spaced = g_strdup(text);
    return g_uri_unescape_string(g_strdelimit(spaced, "+", ' '), NULL);
}

static int64_t parse_time(const char *text)
{
    struct timespec time;
    if (!text || !timestamp_parse(text, strlen(text), &time) || time.tv_sec < 0)
        return 0;
    return timespec_ns(time);
}

static const char *add_object(GPtrArray *rows, const xmlNode *contents, bool encoded)
{
    g_autofree char *key = child_text(contents, "Key");
    g_autofree char *size = child_text(contents, "Size");
    g_autofree char *etag = child_text(contents, "ETag");
    g_autofree char *modified = child_text(contents, "LastModified");
    g_autofree char *decoded = decode_key(key, encoded);
    guint64 bytes;
    if (!decoded)
        return "an object without a key";
    if (!size || !g_ascii_string_to_unsigned(size, 10, 0, G_MAXUINT64, &bytes, NULL))
        return "an object without a size";
    struct s3_wire_row *row = g_new0(struct s3_wire_row, 1);
    row->key = g_steal_pointer(&decoded);
    row->etag = s3_wire_etag(etag);
    row->size = bytes;
    row->modified_ns = parse_time(modified);
    g_ptr_array_add(rows, row);
    return NULL;
}

static const char *add_prefix(GPtrArray *rows, const xmlNode *prefixes, bool encoded)
{
    g_autofree char *text = child_text(prefixes, "Prefix");
    g_autofree char *decoded = decode_key(text, encoded);
    if (!decoded)
        return "a common prefix without text";
    struct s3_wire_row *row = g_new0(struct s3_wire_row, 1);
    row->key = g_steal_pointer(&decoded);
    row->is_prefix = true;
    g_ptr_array_add(rows, row);
    return NULL;
}

/* The text of a child as child_text() has it, but NULL when it is empty. */
static char *optional_text(const xmlNode *parent, const char *name)
{
    g_autofree char *text = child_text(parent, name);
    return text && *g_strstrip(text) ? g_steal_pointer(&text) : NULL;
}

/* Reads a page. Returns what is wrong; NULL: nothing. */
static const char *read_listing(struct s3_list_page *page, const xmlNode *root)
{
    g_autofree char *truncated = child_text(root, "IsTruncated");
    g_autofree char *encoding = child_text(root, "EncodingType");
    if (!truncated || (strcmp(truncated, "true") != 0 && strcmp(truncated, "false") != 0))
        return "it does not say whether it is complete";
    bool encoded = encoding && strcmp(encoding, "url") == 0; /* keys are written as in a URL */
    page->truncated = *truncated == 't';
    page->continuation = optional_text(root, "NextContinuationToken");
    const char *problem = NULL;
    for (const xmlNode *node = root->children; node && !problem; node = node->next) {
        if (is_element(node, "Contents"))
            problem = add_object(page->rows, node, encoded);
        else if (is_element(node, "CommonPrefixes"))
            problem = add_prefix(page->rows, node, encoded);
    }
    return problem;
}

int s3_xml_parse_listing(const char *text, size_t size, struct s3_list_page *ret, struct error *err)
{
    *ret = (struct s3_list_page){0};
    auto_document xmlDoc *document = read_document(text, size, "ListBucketResult");
    if (!document)
        return error_set(err, ERR_CORRUPT, "not a listing");
    ret->rows = s3_wire_rows_new();
    const char *problem = read_listing(ret, xmlDocGetRootElement(document));
    return problem ? error_set(err, ERR_CORRUPT, "unsound listing: %s", problem) : 0;
}

void s3_list_page_clear(struct s3_list_page *page)
{
    g_clear_pointer(&page->rows, g_ptr_array_unref);
    g_clear_pointer(&page->continuation, g_free);
}

/* ---- Errors ---- */

bool s3_xml_parse_error(const char *text, size_t size, struct s3_error_document *ret)
{
    *ret = (struct s3_error_document){0};
    auto_document xmlDoc *document = read_document(text, size, "Error");
    if (!document)
        return false;
    const xmlNode *root = xmlDocGetRootElement(document);
    ret->code = optional_text(root, "Code");
    ret->message = optional_text(root, "Message");
    ret->region = optional_text(root, "Region");
    ret->endpoint = optional_text(root, "Endpoint");
    return ret->code != NULL;
}

void s3_error_document_clear(struct s3_error_document *document)
{
    g_free(document->code);
    g_free(document->message);
    g_free(document->region);
    g_free(document->endpoint);
    *document = (struct s3_error_document){0};
}
