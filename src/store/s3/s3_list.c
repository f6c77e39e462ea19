/*
 * Listings: page by page, as many as it takes. A bucket may hold what forkfs would never write;
 * what has no valid key is left out.
 */
#include <string.h>

#include "base/timestamp.h"
#include "store/s3/s3_store_private.h"

/* The most that S3 gives at a time. */
#define PAGE 1000
/* Asked for beyond a limit: to see whether there is more, and for what is left out. */
#define SPARE 8

struct listing {
    struct s3_effort *effort;
    const struct store_request *request;
    struct store_answer *answer;
    char *last; /* the last key seen, shown or not; NULL: none */
};

static bool is_temporary(const char *key)
{
    const char *slash = strrchr(key, '/');
    return store_name_is_temporary(slash ? slash + 1 : key);
}

/* Directory markers of S3 consoles ("a/"), keys with empty segments, and the like are not shown. */
static bool is_shown(const struct listing *listing, const struct s3_wire_row *row)
{
    const char *after = listing->request->start_after;
    size_t length = strlen(row->key);
    /* With a start inside of what a prefix stands for, servers show that prefix once more. */
    if (after && strcmp(row->key, after) <= 0)
        return false;
    if (!row->is_prefix)
        return store_key_is_valid(row->key) &&
               (listing->request->with_temporary || !is_temporary(row->key));
    g_autofree char *directory = g_strndup(row->key, length ? length - 1 : 0);
    return store_key_is_valid(directory);
}

static struct store_object *object_new(struct s3_wire_row *row)
{
    struct store_object *object = g_new0(struct store_object, 1);
    object->key = g_steal_pointer(&row->key);
    object->etag = row->is_prefix ? NULL : g_steal_pointer(&row->etag);
    object->size = row->size;
    /* Whole seconds, as GET and HEAD tell it. */
    object->modified_ns = row->modified_ns - row->modified_ns % NS_PER_SECOND;
    object->is_directory = row->is_prefix;
    return object;
}

static int fail_nonsense(const struct listing *listing, const char *key, const char *what,
                         struct error *err)
{
    return error_set(err, ERR_IO, "list %s: the server's listing makes no sense: %s %s",
                     listing->request->key, key, what);
}

/* Adds one row; sets `truncated` where the limit is reached. */
static int take_row(struct listing *listing, struct s3_wire_row *row, struct error *err)
{
    const struct store_request *request = listing->request;
    struct store_answer *answer = listing->answer;
    if (!g_str_has_prefix(row->key, request->key))
        return fail_nonsense(listing, row->key, "is not below the prefix", err);
    int order = listing->last ? strcmp(row->key, listing->last) : 1;
    if (order == 0) /* a prefix that goes on in the next page */
        return 0;
    if (order < 0)
        return fail_nonsense(listing, row->key, "is out of order", err);
    g_free(listing->last);
    listing->last = g_strdup(row->key);
    if (!is_shown(listing, row))
        return 0;
    if (request->limit && answer->objects->len == request->limit)
        answer->truncated = true;
    else
        g_ptr_array_add(answer->objects, object_new(row));
    return 0;
}

static int take_page(struct listing *listing, const struct s3_wire_answer *page, struct error *err)
{
    for (guint i = 0; i < page->rows->len && !listing->answer->truncated; i++) {
        int code = take_row(listing, g_ptr_array_index(page->rows, i), err);
        if (code)
            return code;
    }
    return 0;
}

/* Where the next page starts, or NULL after the last one. */
static int advance_page(const struct listing *listing, struct s3_wire_answer *page, char **after,
                        struct error *err)
{
    char *next = listing->answer->truncated ? NULL : g_steal_pointer(&page->next);
    if (next && *after && strcmp(next, *after) <= 0) {
        int code = fail_nonsense(listing, next, "does not lead on", err);
        g_free(next);
        return code;
    }
    g_free(*after);
    *after = next;
    return 0;
}

static unsigned page_size(const struct store_request *request)
{
    return request->limit && request->limit < PAGE - SPARE ? (unsigned)request->limit + SPARE
                                                           : PAGE;
}

int s3_list(struct s3_effort *effort, const struct store_request *request,
            struct store_answer *answer, struct error *err)
{
    struct listing listing = {.effort = effort, .request = request, .answer = answer};
    struct s3_wire_request page = {.method = S3_WIRE_LIST,
                                   .key = request->key,
                                   .shallow = request->shallow,
                                   .max_keys = page_size(request)};
    g_autofree char *after =
        request->start_after && *request->start_after ? g_strdup(request->start_after) : NULL;
    int code = 0;
    answer->objects = store_objects_new();
    do {
        struct s3_wire_answer got = {0};
        page.start_after = after;
        code = s3_effort_perform(effort, &page, 1u << S3_WIRE_OK, &got, err);
        if (code == 0)
            code = take_page(&listing, &got, err);
        if (code == 0)
            code = advance_page(&listing, &got, &after, err);
        s3_wire_answer_clear(&got);
        s3_effort_advanced(effort);
    } while (code == 0 && after);
    g_free(listing.last);
    return code;
}
