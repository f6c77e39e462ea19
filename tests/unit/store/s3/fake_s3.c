#include "unit/store/s3/fake_s3.h"

#include <sched.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/s3/wire/s3_wire_private.h"
#include "unit/unit.h"

struct fake_object {
    struct bytes *body;
    char *etag;
    int64_t modified_ns;
};

struct fake_wire {
    struct s3_wire base;
    struct fake_s3 *server;
};

static gint compare(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static void free_object(gpointer data)
{
    struct fake_object *object = data;
    bytes_unref(object->body);
    g_free(object->etag);
    g_free(object);
}

struct fake_s3 *fake_s3_new(void)
{
    struct fake_s3 *server = g_new0(struct fake_s3, 1);
    pthread_mutex_init(&server->lock, NULL);
    server->page = 1000;
    server->objects = g_tree_new_full(compare, NULL, g_free, free_object);
    server->faults = g_array_new(FALSE, FALSE, sizeof(struct fake_s3_fault));
    server->log = g_string_new(NULL);
    server->random = 88172645463325252u;
    return server;
}

void fake_s3_free(struct fake_s3 *server)
{
    g_tree_unref(server->objects);
    g_array_unref(server->faults);
    g_string_free(server->log, TRUE);
    pthread_mutex_destroy(&server->lock);
    g_free(server);
}

static void set_object(struct fake_s3 *server, const char *key, const struct bytes *body)
{
    struct fake_object *object = g_new0(struct fake_object, 1);
    object->body = bytes_new(body->data, body->size);
    object->etag =
        g_compute_checksum_for_data(G_CHECKSUM_MD5, (const guchar *)body->data, body->size);
    object->modified_ns = (int64_t)timestamp_now().tv_sec * 1000000000;
    g_tree_replace(server->objects, g_strdup(key), object);
}

/* ---- Methods ---- */

static void answer_object(const struct s3_wire_request *request, const struct fake_object *object,
                          struct s3_wire_answer *answer)
{
    answer->status = object ? 200 : 404;
    answer->result = object ? S3_WIRE_OK : S3_WIRE_NOT_FOUND;
    if (!object) {
        answer->s3_code = request->method == S3_WIRE_GET ? g_strdup("NoSuchKey") : NULL;
        return;
    }
    if (request->method == S3_WIRE_GET)
        answer->body = bytes_ref(object->body);
    answer->etag = g_strdup(object->etag);
    answer->size = object->body->size;
    answer->modified_ns = object->modified_ns;
}

static bool etag_matches(const struct fake_s3 *server, const struct fake_object *object,
                         const char *etag)
{
    g_autofree char *quoted = g_strconcat("\"", object->etag, "\"", NULL);
    bool bare_equal = strcmp(etag, object->etag) == 0, quoted_equal = strcmp(etag, quoted) == 0;
    switch (server->match) {
    case FAKE_S3_MATCH_QUOTED:
        return quoted_equal;
    case FAKE_S3_MATCH_BARE:
        return bare_equal;
    case FAKE_S3_MATCH_NEVER:
    case FAKE_S3_MATCH_VERSIONED:
        return false;
    case FAKE_S3_MATCH_EITHER:
    case FAKE_S3_MATCH_IGNORED:
        break;
    }
    return bare_equal || quoted_equal;
}

/* S3_WIRE_OK when the condition holds. */
static enum s3_wire_result check_condition(const struct fake_s3 *server,
                                           const struct s3_wire_request *request,
                                           const struct fake_object *object)
{
    if (request->condition == S3_WIRE_ALWAYS || server->match == FAKE_S3_MATCH_IGNORED)
        return S3_WIRE_OK;
    if (request->condition == S3_WIRE_IF_NONE_MATCH_ANY)
        return object && server->match != FAKE_S3_MATCH_VERSIONED ? S3_WIRE_PRECONDITION
                                                                  : S3_WIRE_OK;
    if (!object)
        return server->absent_is_404 ? S3_WIRE_NOT_FOUND : S3_WIRE_PRECONDITION;
    if (etag_matches(server, object, request->etag))
        return S3_WIRE_OK;
    bool too_late = !strstr(request->etag, object->etag);
    return too_late && server->losers_get_500 ? S3_WIRE_SERVER_ERROR : S3_WIRE_PRECONDITION;
}

static void put(struct fake_s3 *server, const struct s3_wire_request *request,
                struct s3_wire_answer *answer)
{
    const struct fake_object *object = g_tree_lookup(server->objects, request->key);
    answer->result = check_condition(server, request, object);
    if (answer->result == S3_WIRE_NOT_FOUND) {
        answer->status = 404;
        answer->s3_code = g_strdup("NoSuchKey");
    }
    if (answer->result != S3_WIRE_OK)
        return;
    set_object(server, request->key, request->body);
    object = g_tree_lookup(server->objects, request->key);
    answer->etag = server->no_etag_of_put ? NULL : g_strdup(object->etag);
    answer->versioned = server->match == FAKE_S3_MATCH_VERSIONED;
}

struct page {
    const struct s3_wire_request *request;
    unsigned limit;
    struct s3_wire_answer *answer;
    char *last; /* key dealt with last */
};

static struct s3_wire_row *add_row(struct page *page, const char *key, size_t length)
{
    struct s3_wire_row *row = g_new0(struct s3_wire_row, 1);
    row->key = g_strndup(key, length);
    g_ptr_array_add(page->answer->rows, row);
    return row;
}

static bool is_in_last_prefix(const struct page *page, const char *key)
{
    const GPtrArray *rows = page->answer->rows;
    const struct s3_wire_row *last = rows->len ? g_ptr_array_index(rows, rows->len - 1) : NULL;
    return last && last->is_prefix && g_str_has_prefix(key, last->key);
}

/* Like ListObjectsV2 with start-after: a start inside of a common prefix shows it once more. */
static gboolean add_to_page(gpointer key_pointer, gpointer value, gpointer data)
{
    const char *key = key_pointer;
    const struct fake_object *object = value;
    struct page *page = data;
    const struct s3_wire_request *request = page->request;
    if (!g_str_has_prefix(key, request->key) ||
        (request->start_after && strcmp(key, request->start_after) <= 0))
        return FALSE;
    if (!is_in_last_prefix(page, key)) {
        if (page->answer->rows->len == page->limit) {
            page->answer->next = g_strdup(page->last);
            return TRUE;
        }
        const char *slash = request->shallow ? strchr(key + strlen(request->key), '/') : NULL;
        struct s3_wire_row *row =
            add_row(page, key, slash ? (size_t)(slash + 1 - key) : strlen(key));
        row->is_prefix = slash != NULL;
        row->etag = slash ? NULL : g_strdup(object->etag);
        row->size = object->body->size;
        row->modified_ns = object->modified_ns;
    }
    page->last = key_pointer;
    return FALSE;
}

static void list(struct fake_s3 *server, const struct s3_wire_request *request,
                 struct s3_wire_answer *answer)
{
    struct page page = {
        .request = request, .limit = MIN(request->max_keys, server->page), .answer = answer};
    answer->rows = s3_wire_rows_new();
    g_tree_foreach(server->objects, add_to_page, &page);
}

static void serve(struct fake_s3 *server, const struct s3_wire_request *request,
                  struct s3_wire_answer *answer)
{
    answer->result = S3_WIRE_OK;
    switch (request->method) {
    case S3_WIRE_GET:
    case S3_WIRE_HEAD:
        answer_object(request, g_tree_lookup(server->objects, request->key), answer);
        break;
    case S3_WIRE_LIST:
        list(server, request, answer);
        break;
    case S3_WIRE_PUT:
        put(server, request, answer);
        break;
    case S3_WIRE_DELETE:
        g_tree_remove(server->objects, request->key);
        break;
    }
}

/* ---- What goes wrong ---- */

static const struct fake_s3_fault *find_fault(const struct fake_s3 *server, const char *wire,
                                              enum s3_wire_method method)
{
    for (guint i = 0; i < server->faults->len; i++) {
        const struct fake_s3_fault *fault = &g_array_index(server->faults, struct fake_s3_fault, i);
        unsigned number = server->counts[method];
        if (fault->method == method && number >= fault->from &&
            (!fault->count || number < fault->from + fault->count) &&
            (!fault->wire || strcmp(fault->wire, wire) == 0))
            return fault;
    }
    return NULL;
}

static unsigned draw(struct fake_s3 *server, unsigned below)
{
    server->random ^= server->random << 13;
    server->random ^= server->random >> 7;
    server->random ^= server->random << 17;
    return (unsigned)(server->random % below);
}

static void become(struct s3_wire_answer *answer, enum s3_wire_result result)
{
    s3_wire_answer_clear(answer);
    answer->result = result;
}

static void go_wrong_at_random(struct fake_s3 *server, const struct s3_wire_request *request,
                               struct s3_wire_answer *answer)
{
    static const enum s3_wire_result results[] = {S3_WIRE_BUSY,     S3_WIRE_UNREACHABLE,
                                                  S3_WIRE_CONFLICT, S3_WIRE_SERVER_ERROR,
                                                  S3_WIRE_LOST,     S3_WIRE_TIMED_OUT};
    enum s3_wire_result result = results[draw(server, G_N_ELEMENTS(results))];
    if (s3_result_is_unknown(result) && draw(server, 2)) {
        serve(server, request, answer);
        server->overtaken += answer->result == S3_WIRE_OK;
    }
    become(answer, result);
}

static void apply_fault(struct fake_s3 *server, const struct fake_s3_fault *fault,
                        const struct s3_wire_request *request, struct s3_wire_answer *answer)
{
    if (fault->applies)
        serve(server, request, answer);
    become(answer, fault->result);
    answer->repeated = fault->repeated;
    answer->status = fault->status;
    answer->s3_code = g_strdup(fault->s3_code);
    answer->message = g_strdup(fault->message);
    answer->region = g_strdup(fault->region);
}

static void perform(struct s3_wire *base, const struct s3_wire_request *request,
                    struct s3_wire_answer *answer)
{
    static const char *const names[] = {"get", "head", "list", "put", "delete"};
    struct fake_s3 *server = ((struct fake_wire *)base)->server;
    void (*meanwhile)(struct fake_s3 *) = NULL;
    assert_true(request->timeout_ms > 0);
    if (server->before)
        server->before();
    pthread_mutex_lock(&server->lock);
    server->counts[request->method]++;
    g_strlcpy(server->access_key, request->credentials ? request->credentials->access_key : "",
              sizeof server->access_key);
    g_string_append_printf(server->log, "%s%s %s", server->log->len ? "; " : "",
                           names[request->method], request->key);
    const struct fake_s3_fault *fault = find_fault(server, base->name, request->method);
    if (fault) {
        meanwhile = fault->meanwhile;
        apply_fault(server, fault, request, answer);
    } else if (draw(server, 100) < server->chaos)
        go_wrong_at_random(server, request, answer);
    else
        serve(server, request, answer);
    pthread_mutex_unlock(&server->lock);
    if (meanwhile)
        meanwhile(server);
    sched_yield(); /* others come in between */
}

/* ---- For tests ---- */

static void free_wire(struct s3_wire *wire)
{
    g_free(wire);
}

struct s3_wire *fake_s3_wire(struct fake_s3 *server, const char *name)
{
    static const struct s3_wire_operations operations = {.perform = perform, .free = free_wire};
    struct fake_wire *wire = g_new0(struct fake_wire, 1);
    wire->base.operations = &operations;
    g_strlcpy(wire->base.name, name, sizeof wire->base.name);
    wire->server = server;
    return &wire->base;
}

void fake_s3_hurry(struct store *store, int64_t patience_ms)
{
    ((struct s3_store *)store)->pace = (struct s3_pace){
        .first_ms = 1, .longest_ms = 2, .exchange_ms = 1000, .patience_ms = patience_ms};
}

struct store_connection fake_s3_counts(struct store *store)
{
    struct store_connection counts;
    store_connection(store, &counts);
    return counts;
}

struct store *fake_s3_store(struct fake_s3 *server, unsigned jobs)
{
    struct s3_wire *wire = fake_s3_wire(server, "fake/1.0");
    struct store *store = s3_store_open_wires(wire, wire, NULL, jobs);
    fake_s3_hurry(store, 60000);
    return store;
}

void fake_s3_fault(struct fake_s3 *server, const struct fake_s3_fault *fault)
{
    LOCK_SCOPE(&server->lock);
    g_array_append_val(server->faults, *fault);
}

void fake_s3_forget(struct fake_s3 *server)
{
    LOCK_SCOPE(&server->lock);
    g_array_set_size(server->faults, 0);
    g_string_truncate(server->log, 0);
    memset(server->counts, 0, sizeof server->counts);
}

unsigned fake_s3_count(struct fake_s3 *server, enum s3_wire_method method)
{
    LOCK_SCOPE(&server->lock);
    return server->counts[method];
}

char *fake_s3_log(struct fake_s3 *server)
{
    LOCK_SCOPE(&server->lock);
    return g_strdup(server->log->str);
}

void fake_s3_set(struct fake_s3 *server, const char *key, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    LOCK_SCOPE(&server->lock);
    set_object(server, key, body);
}

void fake_s3_remove(struct fake_s3 *server, const char *key)
{
    LOCK_SCOPE(&server->lock);
    g_tree_remove(server->objects, key);
}

char *fake_s3_get(struct fake_s3 *server, const char *key)
{
    LOCK_SCOPE(&server->lock);
    const struct fake_object *object = g_tree_lookup(server->objects, key);
    return object ? g_strndup(object->body->data, object->body->size) : NULL;
}

int fake_s3_set_up(void **state)
{
    struct fake_s3_fixture *fixture = g_new0(struct fake_s3_fixture, 1);
    fixture->server = fake_s3_new();
    fixture->store = fake_s3_store(fixture->server, 4);
    *state = fixture;
    return 0;
}

int fake_s3_tear_down(void **state)
{
    struct fake_s3_fixture *fixture = *state;
    store_free(fixture->store);
    fake_s3_free(fixture->server);
    g_free(fixture);
    return 0;
}
