#include "store/local/routed_store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "store/local/local_store.h"

/* The local store's calls run on the threads of the wrapped store. */
#define LOCAL_JOBS 1

struct routed_store {
    struct store base;
    struct store *local; /* the whole file system, so that each call looks the directory up anew */
    char *directory;
    char *place; /* the same as a prefix of the local store's keys */
    char *prefix;
    char **keys;
};

static struct routed_store *routed_of(struct store *base)
{
    return (struct routed_store *)base;
}

static bool key_covers(const char *routed, const char *key)
{
    return g_str_has_suffix(routed, "/") ? g_str_has_prefix(key, routed) : strcmp(key, routed) == 0;
}

static bool is_routed(const struct routed_store *store, const char *key)
{
    for (char **routed = store->keys; *routed; routed++)
        if (key_covers(*routed, key))
            return true;
    return false;
}

/* ---- Keys here and there ---- */

static char *local_key(const struct routed_store *store, const char *key)
{
    return g_strconcat(store->place, key + strlen(store->prefix), NULL);
}

static void rename_rows(const struct routed_store *store, GPtrArray *rows)
{
    for (guint i = 0; rows && i < rows->len; i++) {
        struct store_object *row = g_ptr_array_index(rows, i);
        char *key = g_strconcat(store->prefix, row->key + strlen(store->place), NULL);
        g_free(row->key);
        row->key = key;
    }
}

/* Where a listing starts that is to start after a key, which may be none of its own. False: behind
 * its end. */
static bool local_start(const struct routed_store *store, const struct store_request *request,
                        char **ret)
{
    const char *after = request->start_after;
    *ret = NULL;
    if (!after || (!g_str_has_prefix(after, request->key) && strcmp(after, request->key) < 0))
        return true;
    if (!g_str_has_prefix(after, request->key))
        return false;
    *ret = local_key(store, after);
    return true;
}

/* ---- Requests ---- */

/* An absence counts only where the directory is there. */
static void check_directory(const struct routed_store *store, struct store_answer *answer)
{
    struct stat status;
    bool absent = answer->code == ERR_NOT_FOUND ||
                  (answer->code == 0 && answer->objects && answer->objects->len == 0);
    if (!absent)
        return;
    int failure = stat(store->directory, &status) != 0 ? errno : 0;
    if (failure == 0 && !S_ISDIR(status.st_mode))
        failure = ENOTDIR;
    if (failure == 0)
        return;
    store_answer_clear(answer);
    store_answer_fail(answer, ERR_IO, "%s", g_strerror(failure));
}

static void perform_local(struct routed_store *store, const struct store_request *request,
                          const struct operation *operation, struct store_answer *answer)
{
    g_autofree char *key = local_key(store, request->key);
    g_autofree char *start = NULL;
    struct store_request there = *request;
    there.key = key;
    there.expected = NULL; /* check_directory() looks */
    if (!local_start(store, request, &start)) {
        answer->objects = store_objects_new();
        return;
    }
    there.start_after = start;
    store->local->operations->perform(store->local, &there, operation, answer);
    rename_rows(store, answer->objects);
    check_directory(store, answer);
    if (answer->code)
        error_prefix(&answer->error, answer->error.code, "the directory %s", store->directory);
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct routed_store *store = routed_of(base);
    if (!is_routed(store, request->key))
        base->wrapped->operations->perform(base->wrapped, request, operation, answer);
    else if (store_method_writes(request->method))
        store_answer_fail(answer, ERR_READ_ONLY, "%s %s: the directory %s is only read",
                          store_method_name(request->method), request->key, store->directory);
    else
        perform_local(store, request, operation, answer);
}

static void destroy(struct store *base)
{
    struct routed_store *store = routed_of(base);
    store_free(base->wrapped);
    store_free(store->local);
    g_free(store->directory);
    g_free(store->place);
    g_free(store->prefix);
    g_strfreev(store->keys);
}

int routed_store_new(struct store *inner, const struct store_routing *routing, struct store **ret,
                     struct error *err)
{
    static const struct store_operations operations = {.perform = perform, .destroy = destroy};
    struct store *local = NULL;
    int code = local_store_open("/", LOCAL_JOBS, &local, err);
    if (code)
        return code;
    struct routed_store *store = g_new0(struct routed_store, 1);
    store_initialize_wrapper(&store->base, &operations, inner);
    store->local = local;
    store->directory = g_strdup(routing->directory);
    store->place =
        routing->directory[1] ? g_strconcat(routing->directory + 1, "/", NULL) : g_strdup("");
    store->prefix = g_strdup(routing->prefix);
    store->keys = g_strdupv((char **)routing->keys);
    *ret = &store->base;
    return 0;
}
