/*
 * The parts of store.h that are about requests and answers; store.c runs them.
 */
#include <stdarg.h>
#include <string.h>

#include "store/store.h"

/* Lance's own mark of what it is going to rename: ".tmp." and a UUID. */
#define STAGING_MARK ".tmp."
#define STAGING_DIGITS 32

struct store_set {
    unsigned references; /* atomic: workers of an abandoned run hold the set, too */
    bool was_run;
    GPtrArray *requests; /* struct store_request, each allocated, so that pointers stay valid */
};

static void free_expectation(void *data)
{
    struct store_expectation *expected = data;
    g_free(expected->directory);
    g_free(expected->unless);
    g_free(expected);
}

static void row_choice_free(struct store_row_choice *choice)
{
    if (choice && choice->free_argument)
        choice->free_argument(choice->argument);
    g_free(choice);
}

static void free_request(gpointer data)
{
    struct store_request *request = data;
    g_free(request->key);
    g_free(request->etag);
    g_free(request->start_after);
    g_free(request->reserve);
    row_choice_free(request->choice);
    if (request->expected)
        g_ptr_array_unref(request->expected);
    bytes_unref(request->body);
    store_answer_clear(&request->answer);
    g_free(request);
}

struct store_set *store_set_new(void)
{
    struct store_set *set = g_new0(struct store_set, 1);
    set->references = 1;
    set->requests = g_ptr_array_new_with_free_func(free_request);
    return set;
}

struct store_set *store_set_ref(struct store_set *set)
{
    __atomic_fetch_add(&set->references, 1, __ATOMIC_RELAXED);
    return set;
}

void store_set_unref(struct store_set *set)
{
    if (!set || __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    g_ptr_array_unref(set->requests);
    g_free(set);
}

void store_set_mark_run(struct store_set *set)
{
    g_assert(!set->was_run);
    set->was_run = true;
}

size_t store_set_size(const struct store_set *set)
{
    return set->requests->len;
}

struct store_request *store_set_at(struct store_set *set, size_t index)
{
    return g_ptr_array_index(set->requests, index);
}

struct store_request *store_set_add(struct store_set *set, enum store_method method, char *key)
{
    struct store_request *request = g_new0(struct store_request, 1);
    request->method = method;
    request->key = key;
    g_ptr_array_add(set->requests, request);
    return request;
}

struct store_request *store_set_get(struct store_set *set, const char *key)
{
    return store_set_add(set, STORE_GET, g_strdup(key));
}

struct store_request *store_set_head(struct store_set *set, const char *key)
{
    return store_set_add(set, STORE_HEAD, g_strdup(key));
}

struct store_request *store_set_delete(struct store_set *set, const char *key)
{
    return store_set_add(set, STORE_DELETE, g_strdup(key));
}

struct store_request *store_set_put(struct store_set *set, const char *key, struct bytes *body,
                                    enum store_precondition precondition, const char *etag)
{
    struct store_request *request = store_set_add(set, STORE_PUT, g_strdup(key));
    request->body = bytes_ref(body);
    request->precondition = precondition;
    request->etag = g_strdup(etag);
    return request;
}

struct store_request *store_set_list(struct store_set *set, const char *prefix,
                                     const char *start_after, size_t limit)
{
    struct store_request *request = store_set_add(set, STORE_LIST, g_strdup(prefix));
    request->start_after = g_strdup(start_after);
    request->limit = limit;
    return request;
}

struct store_request *store_set_reserve(struct store_set *set, const char *key, const char *reserve,
                                        size_t size)
{
    struct store_request *request = store_set_add(set, STORE_RESERVE, g_strdup(key));
    request->reserve = g_strdup(reserve);
    request->size = size;
    return request;
}

void store_request_use_reserve(struct store_request *put, const char *reserve)
{
    g_free(put->reserve);
    put->reserve = g_strdup(reserve);
}

void store_request_leave_out(struct store_request *listing, store_row_filter *is_unwanted,
                             void *argument, GDestroyNotify free_argument, int64_t age)
{
    row_choice_free(listing->choice);
    listing->choice = g_new0(struct store_row_choice, 1);
    *listing->choice = (struct store_row_choice){is_unwanted, argument, free_argument, age};
}

struct store_request *store_set_list_shallow(struct store_set *set, const char *prefix)
{
    struct store_request *request = store_set_add(set, STORE_LIST, g_strdup(prefix));
    request->shallow = true;
    return request;
}

struct store_request *store_set_prune(struct store_set *set, const char *prefix)
{
    return store_set_add(set, STORE_PRUNE, g_strdup(prefix));
}

void store_request_keep_within(struct store_request *request, size_t own)
{
    request->own = own;
}

struct store_request *store_set_add_own(struct store_set *set, enum store_method method, char *key)
{
    struct store_request *request = store_set_add(set, method, key);
    store_request_keep_within(request, store_key_above(key));
    return request;
}

void store_request_in_place(struct store_request *request)
{
    request->in_place = true;
}

void store_request_remember(struct store_request *listing)
{
    listing->remembered = true;
}

void store_request_expect(struct store_request *request, const char *directory, const char *unless,
                          bool is_sure)
{
    struct store_expectation *expected = g_new0(struct store_expectation, 1);
    expected->directory = g_strdup(directory);
    expected->unless = g_strdup(unless);
    expected->is_sure = is_sure;
    if (!request->expected)
        request->expected = g_ptr_array_new_with_free_func(free_expectation);
    g_ptr_array_add(request->expected, expected);
}

/* Of a key the first `length` bytes. */
static void expect_part(struct store_request *request, size_t length)
{
    g_autofree char *directory = g_strndup(request->key, length);
    if (length > 0)
        store_request_expect(request, directory, NULL, false);
}

void store_request_expect_place(struct store_request *request)
{
    expect_part(request, store_key_above(request->key));
}

void store_request_expect_around(struct store_request *request)
{
    g_autofree char *place = g_strndup(request->key, store_key_above(request->key));
    expect_part(request, store_key_above(place));
}

void store_request_expect_as(struct store_request *request, const struct store_request *other)
{
    for (guint i = 0; other->expected && i < other->expected->len; i++) {
        const struct store_expectation *expected = g_ptr_array_index(other->expected, i);
        store_request_expect(request, expected->directory, expected->unless, expected->is_sure);
    }
}

size_t store_set_delete_found(struct store_set *set, const struct store_request *found)
{
    const GPtrArray *rows = found->answer.objects;
    for (guint i = 0; rows && i < rows->len; i++) {
        const struct store_object *row = g_ptr_array_index(rows, i);
        store_request_keep_within(store_set_delete(set, row->key), found->own);
    }
    return rows ? rows->len : 0;
}

size_t store_key_above(const char *key)
{
    size_t length = strlen(key);
    if (length > 0 && key[length - 1] == '/')
        length--;
    while (length > 0 && key[length - 1] != '/')
        length--;
    return length;
}

int store_set_failure(struct store_set *set, int ignored, struct error *err)
{
    for (size_t i = 0; i < store_set_size(set); i++) {
        const struct store_answer *answer = &store_set_at(set, i)->answer;
        if (answer->code != 0 && answer->code != ignored)
            return error_copy(err, &answer->error);
    }
    return 0;
}

bool store_set_await_late(struct store *store, struct store_set *set, int64_t timeout_ms)
{
    bool any = false;
    for (size_t i = 0; i < store_set_size(set); i++)
        any = any || store_set_at(set, i)->answer.late;
    if (!any)
        return true;
    if (!store_await_abandoned(store, timeout_ms))
        return false;
    for (size_t i = 0; i < store_set_size(set); i++)
        store_set_at(set, i)->answer.late = false;
    return true;
}

/* The first `length` bytes of `key` as a whole key. */
static bool is_valid_key(const char *key, size_t length)
{
    const char *end = key + length, *segment = key;
    if (length == 0)
        return false;
    for (;;) {
        const char *slash = memchr(segment, '/', (size_t)(end - segment));
        size_t size = (size_t)((slash ? slash : end) - segment);
        if (size == 0 || (size == 1 && segment[0] == '.') ||
            (size == 2 && segment[0] == '.' && segment[1] == '.'))
            return false;
        if (!slash)
            return true;
        segment = slash + 1;
    }
}

bool store_key_is_valid(const char *key)
{
    return key && is_valid_key(key, strlen(key));
}

/* Where the mark of a temporary name begins; NULL when it has none. */
static const char *temporary_mark(const char *name)
{
    const char *mark = strrchr(name, '#');
    if (mark && mark[1] && strspn(mark + 1, "0123456789") == strlen(mark + 1))
        return mark;
    size_t length = strlen(name), marked = strlen(STAGING_MARK) + STAGING_DIGITS;
    if (length <= marked)
        return NULL;
    mark = name + length - marked;
    bool is_staging = g_str_has_prefix(mark, STAGING_MARK) &&
                      strspn(mark + strlen(STAGING_MARK), "0123456789abcdef") == STAGING_DIGITS;
    return is_staging ? mark : NULL;
}

bool store_name_is_temporary(const char *name)
{
    return temporary_mark(name);
}

size_t store_temporary_target(const char *name)
{
    return (size_t)(temporary_mark(name) - name);
}

/* A listing compares the segment after the last slash only, so any text will do there. */
static bool is_valid_prefix(const char *prefix)
{
    const char *slash = strrchr(prefix, '/');
    return !slash || is_valid_key(prefix, (size_t)(slash - prefix));
}

/* What store_request_keep_within() demands. */
static bool is_valid_own(const struct store_request *request)
{
    size_t own = request->own;
    if (own == 0)
        return true;
    if (own >= strlen(request->key) || request->key[own - 1] != '/')
        return false;
    return request->method != STORE_LIST ||
           (g_str_has_suffix(request->key, "/") && !request->shallow && !request->start_after);
}

static bool has_valid_reserve(const struct store_request *request)
{
    if (!request->reserve)
        return request->method != STORE_RESERVE;
    return store_key_is_valid(request->reserve) && strchr(request->reserve, '/') &&
           request->precondition != STORE_IF_ABSENT;
}

static bool is_valid_for(const struct store_request *request)
{
    const char *key = request->key;
    if (!key || !is_valid_own(request))
        return false;
    size_t length = strlen(key);
    bool ends_in_slash = length > 0 && key[length - 1] == '/';
    if (request->method == STORE_LIST)
        return is_valid_prefix(key) && (!request->shallow || length == 0 || ends_in_slash);
    if (request->method == STORE_PRUNE)
        return is_valid_key(key, ends_in_slash ? length - 1 : length);
    return is_valid_key(key, length) && has_valid_reserve(request);
}

int store_request_check(const struct store_request *request, struct error *err)
{
    const char *method = store_method_name(request->method);
    if (!is_valid_for(request))
        return error_set(err, ERR_INVALID, "%s %s: no valid key", method,
                         request->key ? request->key : "(none)");
    if (request->method == STORE_PUT && !request->body)
        return error_set(err, ERR_INVALID, "put %s: no body", request->key);
    if (request->method == STORE_PUT && request->precondition == STORE_IF_MATCH && !request->etag)
        return error_set(err, ERR_INVALID, "put %s: no etag to match", request->key);
    return 0;
}

void store_object_free(struct store_object *object)
{
    if (!object)
        return;
    g_free(object->key);
    g_free(object->etag);
    g_free(object);
}

GPtrArray *store_objects_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)store_object_free);
}

void store_answer_clear(struct store_answer *answer)
{
    bytes_unref(answer->body);
    g_free(answer->etag);
    if (answer->objects)
        g_ptr_array_unref(answer->objects);
    if (answer->touched)
        g_ptr_array_unref(answer->touched);
    memset(answer, 0, sizeof *answer);
}

int store_answer_fail(struct store_answer *answer, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    answer->code = code;
    return error_set(&answer->error, code, "%s", text);
}

bool store_method_writes(enum store_method method)
{
    return method == STORE_PUT || method == STORE_DELETE || method == STORE_PRUNE;
}

const char *store_method_name(enum store_method method)
{
    static const char *const names[STORE_METHODS] = {"get",    "head",  "list",   "put",
                                                     "delete", "prune", "reserve"};
    return names[method];
}
