#include "catalog/sharing/leases.h"

#include <pthread.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/format/lease.h"

#define SUFFIX ".json"
/* How many mounts an error names. */
#define MOUNTS_NAMED 3
#define NEVER INT64_MIN

/* One lease on the store. All times are this mount's monotonic clock. */
struct seen_lease {
    struct ulid id;
    char *etag;          /* as listed or got last */
    int64_t changed_ns;  /* when that etag was first seen */
    int64_t listed_ns;   /* beginning of the last look that has shown it */
    int64_t read_ns;     /* beginning of the look that has read `etag`; NEVER: none has */
    bool is_damaged;     /* what was read last does not parse */
    struct lease *lease; /* what was read last; NULL: damaged, or not read yet */
};

struct leases {
    struct leases_settings settings;
    pthread_mutex_t lock; /* guards all below */
    GHashTable *seen;     /* key -> struct seen_lease */
    char *own_key;        /* NULL: none */
    int64_t listed_ns;    /* beginning of the last look that succeeded, or NEVER */
};

static void seen_lease_free(void *pointer)
{
    struct seen_lease *seen = pointer;
    lease_free(seen->lease);
    g_free(seen->etag);
    g_free(seen);
}

struct leases *leases_new(const struct leases_settings *settings)
{
    struct leases *leases = g_new0(struct leases, 1);
    leases->settings = *settings;
    leases->listed_ns = NEVER;
    pthread_mutex_init(&leases->lock, NULL);
    leases->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, seen_lease_free);
    return leases;
}

void leases_free(struct leases *leases)
{
    if (!leases)
        return;
    g_hash_table_unref(leases->seen);
    pthread_mutex_destroy(&leases->lock);
    g_free(leases->own_key);
    g_free(leases);
}

void leases_set_own(struct leases *leases, const struct ulid *id)
{
    char *key = layout_lease_key(leases->settings.layout, id);
    LOCK_SCOPE(&leases->lock);
    g_hash_table_remove(leases->seen, key);
    g_free(leases->own_key);
    leases->own_key = key;
}

int64_t leases_now_ns(const struct leases *leases)
{
    return leases->settings.now_ns();
}

/* ---- Time; with the lock held ---- */

static int64_t unchanged_ns(const struct seen_lease *seen)
{
    return seen->listed_ns - seen->changed_ns;
}

/* Some margin, for clocks do not run at quite the same speed. */
static bool has_run_out(const struct leases *leases, const struct seen_lease *seen)
{
    int64_t lease_ns = leases->settings.lease_ms * NS_PER_MS;
    return unchanged_ns(seen) > lease_ns + lease_ns / 10;
}

static bool is_to_be_deleted(const struct leases *leases, const struct seen_lease *seen)
{
    return has_run_out(leases, seen) && unchanged_ns(seen) > leases->settings.delete_ms * NS_PER_MS;
}

/* ---- Looking ---- */

struct store_request *leases_add_listing(struct leases *leases, struct store_set *set)
{
    g_autofree char *prefix = layout_leases_prefix(leases->settings.layout);
    return store_set_list(set, prefix, NULL, 0);
}

/* The caller holds the lock. */
static void note_etag(struct leases *leases, struct seen_lease *seen, const char *etag)
{
    if (g_strcmp0(seen->etag, etag) == 0)
        return;
    g_free(seen->etag);
    seen->etag = g_strdup(etag);
    seen->changed_ns = leases_now_ns(leases);
    seen->read_ns = NEVER;
}

/* With the lock held. An older look than the last that has shown it says nothing new. */
static void note_row(struct leases *leases, const struct store_object *row, const struct ulid *id,
                     int64_t begun_ns)
{
    struct seen_lease *seen = g_hash_table_lookup(leases->seen, row->key);
    if (!seen) {
        seen = g_new0(struct seen_lease, 1);
        seen->id = *id;
        seen->changed_ns = leases_now_ns(leases);
        seen->read_ns = NEVER;
        g_hash_table_insert(leases->seen, g_strdup(row->key), seen);
    } else if (seen->listed_ns > begun_ns) {
        return;
    }
    seen->listed_ns = begun_ns;
    note_etag(leases, seen, row->etag);
}

static gboolean is_gone(void *key, void *value, void *begun_ns)
{
    return ((const struct seen_lease *)value)->listed_ns < *(const int64_t *)begun_ns;
}

/* Takes note of a listing; what is to be read or deleted is added to the set. */
static void note_listing(struct leases *leases, const struct store_request *listing,
                         int64_t begun_ns, struct store_set *set)
{
    LOCK_SCOPE(&leases->lock);
    for (guint i = 0; i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        struct ulid id;
        if (layout_id_of_key(row->key, listing->key, SUFFIX, &id) &&
            g_strcmp0(row->key, leases->own_key) != 0)
            note_row(leases, row, &id, begun_ns);
    }
    g_hash_table_foreach_remove(leases->seen, is_gone, &begun_ns);
    leases->listed_ns = MAX(leases->listed_ns, begun_ns);
    GHashTableIter iterator;
    void *key, *value;
    g_hash_table_iter_init(&iterator, leases->seen);
    while (g_hash_table_iter_next(&iterator, &key, &value)) {
        const struct seen_lease *seen = value;
        if (is_to_be_deleted(leases, seen))
            store_set_delete(set, key);
        else if (seen->read_ns == NEVER)
            store_set_get(set, key);
    }
}

/* An older look than the last that has shown it may have read what a newer one has seen replaced.
 */
static void note_body(struct leases *leases, const struct store_request *get, int64_t begun_ns)
{
    LOCK_SCOPE(&leases->lock);
    struct seen_lease *seen = g_hash_table_lookup(leases->seen, get->key);
    if (!seen || seen->read_ns > begun_ns)
        return;
    if (seen->listed_ns > begun_ns && g_strcmp0(seen->etag, get->answer.etag) != 0)
        return;
    note_etag(leases, seen, get->answer.etag);
    seen->read_ns = begun_ns;
    g_clear_pointer(&seen->lease, lease_free);
    seen->is_damaged = lease_parse(&seen->id, get->answer.body, &seen->lease, NULL) != 0;
}

static void note_answer(struct leases *leases, const struct store_request *request,
                        int64_t begun_ns)
{
    if (request->method == STORE_GET && request->answer.code == 0) {
        note_body(leases, request, begun_ns);
    } else if (request->answer.code == 0 || request->answer.code == ERR_NOT_FOUND) {
        LOCK_SCOPE(&leases->lock);
        g_hash_table_remove(leases->seen, request->key);
    }
}

int leases_take_listing(struct leases *leases, const struct store_request *listing,
                        int64_t begun_ns, struct operation *operation, struct error *err)
{
    if (listing->answer.code)
        return error_copy(err, &listing->answer.error);
    size_t before = leases_others(leases);
    auto_store_set struct store_set *set = store_set_new();
    note_listing(leases, listing, begun_ns, set);
    int code = store_run(leases->settings.store, set, operation, err);
    for (size_t i = 0; i < store_set_size(set); i++)
        note_answer(leases, store_set_at(set, i), begun_ns);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    if (before == 0 && leases_others(leases) > 0 && leases->settings.appeared)
        leases->settings.appeared(leases->settings.argument);
    return code;
}

int leases_refresh(struct leases *leases, struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = leases_add_listing(leases, set);
    int64_t begun_ns = leases_now_ns(leases);
    store_run(leases->settings.store, set, operation, NULL); /* the answer says more */
    int code = leases_take_listing(leases, listing, begun_ns, operation, err);
    return error_prefix(err, code, "reading the leases of the other mounts");
}

/* ---- Asking ---- */

size_t leases_others(struct leases *leases)
{
    size_t others = 0;
    GHashTableIter iterator;
    void *value;
    LOCK_SCOPE(&leases->lock);
    g_hash_table_iter_init(&iterator, leases->seen);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        others += !has_run_out(leases, value);
    return others;
}

/* With the lock held: adds a mount to a list for people. */
static void name_mount(GString *names, unsigned *count, const struct seen_lease *seen,
                       const struct ulid *fork)
{
    (*count)++;
    if (*count > MOUNTS_NAMED + 1)
        return;
    g_string_append(names, *count == 1 ? "" : ", ");
    if (*count > MOUNTS_NAMED)
        g_string_append(names, "...");
    else if (!seen->lease)
        g_string_append_printf(names, "mount %s, whose lease %s", seen->id.text,
                               seen->is_damaged ? "does not parse" : "could not be read");
    else
        g_string_append_printf(names, "pid %" G_GUINT64_FORMAT " on host %s", seen->lease->pid,
                               seen->lease->host);
    guint handles =
        seen->lease ? GPOINTER_TO_UINT(g_hash_table_lookup(seen->lease->held, fork->text)) : 0;
    if (handles > 0 && *count <= MOUNTS_NAMED)
        g_string_append_printf(names, " (%u open handle%s)", handles, handles == 1 ? "" : "s");
}

/* What cannot be understood may be a hold. */
static bool holds(const struct seen_lease *seen, const struct ulid *fork)
{
    return seen->lease ? g_hash_table_contains(seen->lease->held, fork->text) : seen->is_damaged;
}

int leases_check_held(struct leases *leases, const struct ulid *fork, struct error *err)
{
    g_autoptr(GString) names = g_string_new(NULL);
    unsigned holders = 0;
    GHashTableIter iterator;
    void *value;
    LOCK_SCOPE(&leases->lock);
    g_hash_table_iter_init(&iterator, leases->seen);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        if (!has_run_out(leases, value) && holds(value, fork))
            name_mount(names, &holders, value, fork);
    return holders == 0 ? 0
                        : error_set(err, ERR_HELD, "held by %u other mount%s: %s", holders,
                                    holders == 1 ? "" : "s", names->str);
}

/* With the lock held: whether what is known of a mount is its answer. */
static bool has_answered(const struct seen_lease *seen, const struct ulid *fork, int64_t since_ns)
{
    return seen->lease && seen->listed_ns >= since_ns && seen->read_ns != NEVER &&
           g_hash_table_contains(seen->lease->closed, fork->text);
}

static enum lease_verdict ask_leases(struct leases *leases, const struct ulid *fork,
                                     int64_t since_ns, struct error *err)
{
    g_autoptr(GString) names = g_string_new(NULL);
    unsigned open = 0;
    GHashTableIter iterator;
    void *value;
    LOCK_SCOPE(&leases->lock);
    if (leases->listed_ns < since_ns) {
        error_set(err, ERR_HELD, "the leases of the other mounts cannot be read");
        return LEASES_TO_ANSWER;
    }
    g_hash_table_iter_init(&iterator, leases->seen);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        if (!has_run_out(leases, value) && !has_answered(value, fork, since_ns))
            name_mount(names, &open, value, fork);
    if (open == 0)
        return LEASES_AGREE;
    error_set(err, ERR_HELD,
              "%u other mount%s not answered in time whether the fork is held there: %s", open,
              open == 1 ? " has" : "s have", names->str);
    return LEASES_TO_ANSWER;
}

enum lease_verdict leases_ask(struct leases *leases, const struct ulid *fork, int64_t since_ns,
                              struct error *err)
{
    struct error unanswered = {0};
    enum lease_verdict verdict = ask_leases(leases, fork, since_ns, &unanswered);
    if (leases_check_held(leases, fork, err) != 0)
        return LEASES_HOLD;
    if (verdict == LEASES_TO_ANSWER)
        error_copy(err, &unanswered);
    return verdict;
}
