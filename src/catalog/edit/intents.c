#include "catalog/edit/intents.h"

#include "base/json_text.h"
#include "base/timestamp.h"
#include "catalog/format/unique_body.h"

#define SUFFIX ".json"

/* How often to look after a deletion whose outcome is unknown. */
#define DELETE_REPEATS 3

/* ---- Writing ---- */

/* A put that lost may have lost to itself: its answer was lost, and it was repeated. Nothing is
 * there for sure: its outcome stays unknown. */
static int check_present(struct store *store, const char *key, struct bytes *body,
                         const struct error *failure, struct operation *operation,
                         struct error *err)
{
    auto_bytes struct bytes *present = NULL;
    g_autofree char *etag = NULL;
    g_autofree char *confirmed = NULL;
    struct error unseen = {0};
    int code = store_get(store, key, operation, &present, &etag, &unseen);
    if (code == 0 && bytes_equal(present, body))
        return store_confirm_put(store, key, body, etag, operation, &confirmed, err);
    if (code && failure->code == ERR_OUTCOME_UNKNOWN)
        return error_copy(err, code == ERR_NOT_FOUND ? failure : &unseen);
    return error_set(err, ERR_HELD,
                     "%s is there: the same is being done to the fork elsewhere, or "
                     "was not finished",
                     key);
}

/* Ours is there, and may be lost: nothing has been done by it yet. What is left is left for
 * recovery. */
static void give_up(struct store *store, const char *key, struct operation *operation)
{
    store_delete(store, key, operation, NULL);
}

void intent_leave(struct catalog *catalog, const struct intent_kind *kind, const struct ulid *id,
                  struct bytes *body, bool late)
{
    const int64_t late_ns = late ? monotonic_now_ns() + STORE_LATE_NS : 0;
    const struct leftover left = {
        .kind = kind->leftover, .id = *id, .intent = body, .until_ns = late_ns};
    leftovers_add(catalog->leftovers, &left, late_ns);
}

int intent_put(struct catalog *catalog, const struct intent_kind *kind, const struct ulid *id,
               struct bytes *body, struct operation *operation, struct error *err)
{
    struct store *store = catalog->store;
    struct error failure = {0};
    g_autofree char *key = kind->key(catalog->layout, id);
    int code = store_put(store, key, body, STORE_IF_ABSENT, NULL, operation, NULL, &failure);
    bool may_be_there = store_code_has_effect(code);
    if (code == ERR_OUTCOME_UNKNOWN || code == ERR_PRECONDITION)
        code = check_present(store, key, body, &failure, operation, &failure);
    if (code == ERR_NOT_DURABLE)
        give_up(store, key, operation);
    if (code && code != ERR_HELD && may_be_there)
        intent_leave(catalog, kind, id, body, code == ERR_OUTCOME_UNKNOWN);
    return code ? error_copy(err, &failure) : 0;
}

/* After a deletion that may have had an effect, or may have one yet. What is there and not ours may
 * belong to another mount. */
static int delete_again(struct store *store, const char *key, const struct bytes *body,
                        struct operation *operation, struct error *err)
{
    auto_bytes struct bytes *present = NULL;
    struct error failure = {0};
    int code = store_get(store, key, operation, &present, NULL, &failure);
    if (code == ERR_NOT_FOUND)
        return 0;
    if (code == 0 && !bytes_equal(present, body))
        error_set(&failure, ERR_HELD, "another mount has written it anew");
    else if (code == 0 && store_delete(store, key, operation, &failure) == 0)
        return 0;
    return error_set(err, ERR_OUTCOME_UNKNOWN, "whether %s was deleted is not known: %.800s", key,
                     failure.text);
}

int intent_delete(struct store *store, const char *key, const struct bytes *body,
                  struct operation *operation, struct operation *undoing, struct error *err)
{
    int code = store_delete(store, key, operation, err);
    if (code && code != ERR_OUTCOME_UNKNOWN) /* it is there, or may come back */
        code = store_delete(store, key, operation, err);
    for (int i = 0; code == ERR_OUTCOME_UNKNOWN && i < DELETE_REPEATS; i++)
        code = delete_again(store, key, body, undoing, err);
    return code;
}

/* ---- Recovering ---- */

/* The text of the intent as another version of the object. */
static struct bytes *claimed_body(const struct bytes *body)
{
    struct json_span document = json_trim((struct json_span){body->data, body->size});
    auto_bytes struct bytes *text = bytes_new(document.text, document.length);
    return unique_body(text);
}

/* Of several mounts that found it due only one goes on; and as it stays there, nobody begins the
 * same anew meanwhile. If it is ours and we do not know, it is watched once more, as it is after
 * any failure from here on: what was abandoned has arrived by then. */
static int claim_intent(struct catalog *catalog, const char *key, const struct store_answer *found,
                        struct operation *operation, struct error *err)
{
    if (!catalog_is_shared(catalog))
        return 0;
    auto_bytes struct bytes *body = claimed_body(found->body);
    int code =
        store_put(catalog->store, key, body, STORE_IF_MATCH, found->etag, operation, NULL, err);
    if (code == ERR_PRECONDITION || code == ERR_NOT_FOUND || code == ERR_OUTCOME_UNKNOWN)
        return error_prefix(err, ERR_HELD, "another mount may have just taken %s over", key);
    return code;
}

/* Recovers an intent, with its fork's name locked. ERR_HELD: another mount may be at it. */
static int recover_one(struct catalog *catalog, const struct intent_kind *kind,
                       const struct ulid *id, const struct store_answer *found, const char *key,
                       struct operation *operation, struct error *err)
{
    int code = kind->check(id, found->body, err);
    if (code == 0)
        code = claim_intent(catalog, key, found, operation, err);
    if (code == 0)
        code = committer_reload(catalog->committer, operation, err);
    if (code == 0) /* nothing is decided by what a power failure may take back */
        code = committer_settle(catalog->committer, operation, err);
    if (code)
        return code;
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    code = kind->recover(catalog, id, entry, found->body, operation, err);
    if (code == 0)
        code = store_delete(catalog->store, key, operation, err);
    if (code == 0)
        takeover_forget(catalog->takeover, kind->takeover, key);
    return code;
}

static int clear_found(struct catalog *catalog, const struct intent_kind *kind,
                       const struct ulid *id, const struct store_request *get,
                       struct operation *operation, struct error *err)
{
    int64_t wait_ms = takeover_wait_ms(catalog->takeover, kind->takeover, get->key,
                                       get->answer.etag, monotonic_now_ns());
    if (wait_ms > 0)
        return error_set(err, ERR_HELD,
                         "another mount may still be at work on the fork (%s is there); that can "
                         "be taken over in %" PRId64 " s, unless it changes",
                         get->key, (wait_ms + 999) / 1000);
    return recover_one(catalog, kind, id, &get->answer, get->key, operation, err);
}

int intent_clear(struct catalog *catalog, const struct intent_kind *kind, const struct ulid *id,
                 struct operation *operation, struct error *err)
{
    g_autofree char *key = kind->key(catalog->layout, id);
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    store_request_expect_around(get);
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    if (code == 0 && get->answer.code == 0)
        code = clear_found(catalog, kind, id, get, operation, err);
    return code;
}

/* Whoever works on the fork in this mount has its name. NULL when it is taken; g_free(). */
static char *lock_fork(struct catalog *catalog, const struct ulid *id)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    const char *name = entry ? fork_entry_name(entry) : id->text;
    return name_locks_try(catalog->names, name) ? g_strdup(name) : NULL;
}

static int recover_found(struct catalog *catalog, const struct intent_kind *kind,
                         const struct store_request *get, struct operation *operation,
                         struct recovery_report *report, struct error *err)
{
    struct error problem = {0};
    struct ulid id;
    g_autofree char *prefix = kind->prefix(catalog->layout);
    if (!layout_id_of_key(get->key, prefix, SUFFIX, &id)) {
        error_set(&problem, ERR_CORRUPT, "its name is no fork's id");
        recovery_report_problem(report, &problem, kind->what, get->key);
        return 0;
    }
    g_autofree char *locked = lock_fork(catalog, &id);
    if (!locked)
        return 0;
    int code = recover_one(catalog, kind, &id, &get->answer, get->key, operation, &problem);
    name_locks_release(catalog->names, locked);
    if (code == 0)
        report->orphans++;
    else if (code == ERR_HELD)
        return 0;
    else if (code == ERR_CORRUPT || code == ERR_IO || code == ERR_NOT_DURABLE ||
             code == ERR_ACCESS || code == ERR_READ_ONLY || code == ERR_AWAY)
        recovery_report_problem(report, &problem, kind->what, get->key);
    else
        return error_copy(err, &problem);
    return 0;
}

int intent_recover_left(struct catalog *catalog, const struct intent_kind *kind,
                        const struct leftover *left, struct operation *operation,
                        struct recovery_report *report, bool *ret_ends, struct error *err)
{
    g_autofree char *key = kind->key(catalog->layout, &left->id);
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    store_request_expect_around(get);
    unsigned before = report->orphans;
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    *ret_ends = false;
    if (code)
        return code;
    if (get->answer.code)
        *ret_ends = monotonic_now_ns() >= left->until_ns;
    else if (left->intent && !bytes_equal(get->answer.body, left->intent))
        *ret_ends = true; /* another's, or claimed: watched as any other */
    else
        code = recover_found(catalog, kind, get, operation, report, err);
    *ret_ends = *ret_ends || report->orphans > before;
    return code;
}

/* A get of each that may be taken over; the others are watched. */
static struct store_set *get_due(struct catalog *catalog, const struct intent_kind *kind,
                                 const GPtrArray *objects, GPtrArray *due)
{
    struct store_set *set = store_set_new();
    takeover_begin_look(catalog->takeover, kind->takeover);
    for (guint i = 0; i < objects->len; i++) {
        struct store_object *object = g_ptr_array_index(objects, i);
        if (takeover_wait_ms(catalog->takeover, kind->takeover, object->key, object->etag,
                             monotonic_now_ns()) > 0)
            continue;
        store_set_get(set, object->key);
        g_ptr_array_add(due, object);
    }
    takeover_end_look(catalog->takeover, kind->takeover, monotonic_now_ns());
    return set;
}

/* Where recovery does not come by from time to time the caretaker goes on with it. */
static void leave_found(struct catalog *catalog, const struct intent_kind *kind, const char *key)
{
    struct leftover left = {.kind = kind->leftover};
    g_autofree char *prefix = kind->prefix(catalog->layout);
    if (!catalog_is_shared(catalog) && layout_id_of_key(key, prefix, SUFFIX, &left.id))
        leftovers_add(catalog->leftovers, &left, 0);
}

static int recover_listed(struct catalog *catalog, const struct intent_kind *kind,
                          const GPtrArray *objects, struct operation *operation,
                          struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) due = g_ptr_array_new();
    auto_store_set struct store_set *set = get_due(catalog, kind, objects, due);
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *get = store_set_at(set, i);
        const struct store_object *object = g_ptr_array_index(due, i);
        if (get->answer.code || g_strcmp0(get->answer.etag, object->etag) != 0)
            continue; /* gone meanwhile, or another */
        unsigned before = report->orphans;
        code = recover_found(catalog, kind, get, operation, report, err);
        if (report->orphans == before)
            leave_found(catalog, kind, get->key);
    }
    return code;
}

int intents_recover(struct catalog *catalog, const struct intent_kind *kind,
                    struct operation *operation, struct recovery_report *report, struct error *err)
{
    g_autofree char *prefix = kind->prefix(catalog->layout);
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    int code = store_run_all(catalog->store, set, 0, operation, err);
    if (code == 0)
        code = recover_listed(catalog, kind, listing->answer.objects, operation, report, err);
    return code;
}
