/*
 * Pages of listings: asking for one, and seeing whether it is the one that was asked for.
 */
#include <string.h>

#include "store/s3/wire/s3_wire_curl_private.h"

/* U+10FFFF, the last of all characters, encoded. */
#define LAST_CHARACTER "%F4%8F%BF%BF"

/* Where a page starts, encoded. A shallow listing goes on after all that is below the common prefix
 * it has come to: after the name of the prefix alone, some servers would tell it again, and others
 * not. */
static char *encode_start(const struct s3_wire_request *request)
{
    const char *start = request->start_after;
    const char *slash = NULL;
    if (request->shallow && g_str_has_prefix(start, request->key))
        slash = strchr(start + strlen(request->key), '/');
    if (!slash)
        return s3_query_encode(start);
    g_autofree char *prefix = g_strndup(start, (size_t)(slash - start) + 1);
    g_autofree char *encoded = s3_query_encode(prefix);
    return g_strconcat(encoded, LAST_CHARACTER, NULL);
}

/* Sorted by name and encoded, as the signature wants it. */
char *s3_wire_curl_list_query(const struct s3_wire_request *request, const char *continuation)
{
    g_autofree char *prefix = s3_query_encode(request->key);
    GString *query = g_string_new(NULL);
    if (continuation) {
        g_autofree char *token = s3_query_encode(continuation);
        g_string_append_printf(query, "continuation-token=%s&", token);
    }
    if (request->shallow)
        g_string_append(query, "delimiter=%2F&");
    g_string_append_printf(query, "encoding-type=url&list-type=2&max-keys=%u&prefix=%s",
                           request->max_keys, prefix);
    if (request->start_after) {
        g_autofree char *start = encode_start(request);
        g_string_append_printf(query, "&start-after=%s", start);
    }
    return g_string_free(query, FALSE);
}

static int compare_rows(const void *a, const void *b)
{
    const struct s3_wire_row *const *row_a = a;
    const struct s3_wire_row *const *row_b = b;
    return strcmp((*row_a)->key, (*row_b)->key);
}

/* Servers that do not know a parameter leave it out of account, and a caller that goes from page to
 * page would then go round in circles. */
static const char *page_problem(const struct s3_wire_request *request,
                                const struct s3_list_page *page)
{
    if (page->truncated && !page->rows->len)
        return "the page is empty but not the last";
    for (guint i = 0; i < page->rows->len; i++) {
        const struct s3_wire_row *row = g_ptr_array_index(page->rows, i);
        if (!g_str_has_prefix(row->key, request->key))
            return "it has keys outside the prefix";
        if (request->start_after && strcmp(row->key, request->start_after) <= 0)
            return "it has keys before its start";
    }
    return NULL;
}

void s3_wire_curl_list_conclude(const struct s3_wire_request *request,
                                struct s3_wire_answer *answer, struct s3_list_page *page)
{
    const char *problem = page_problem(request, page);
    if (problem) {
        s3_wire_conclude(request, answer, S3_WIRE_LOST, "not the listing that was asked for: %s",
                         problem);
        return;
    }
    answer->result = S3_WIRE_OK;
    answer->rows = g_steal_pointer(&page->rows);
    g_ptr_array_sort(answer->rows, compare_rows);
    if (page->truncated) {
        const struct s3_wire_row *last = g_ptr_array_index(answer->rows, answer->rows->len - 1);
        answer->next = g_strdup(last->key);
    }
}
