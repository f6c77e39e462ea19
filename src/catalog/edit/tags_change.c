/*
 * Making and removing a tag of a fork: refs in all its datasets or in none, by way of an intent.
 */
#include "catalog/edit/tags_change.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/edit/tag_intent.h"
#include "catalog/edit/tag_refs.h"
#include "catalog/fork/tag_names.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"
#include "lance/ref_catalog.h"

/* ---- Making ---- */

struct pinning {
    struct store_request *tip_request;
    struct store_request *taken;
    struct store_request *catalog;
    struct lance_tip tip;
    char *key;
};

static void pinnings_free(struct pinning *pinnings, guint count)
{
    for (guint i = 0; i < count; i++) {
        lance_tip_clear(&pinnings[i].tip);
        g_free(pinnings[i].key);
    }
    g_free(pinnings);
}

static int read_look(const struct catalog *catalog, const struct dataset_branch *pair,
                     struct pinning *pinning, struct error *err)
{
    bool again = false;
    g_autofree char *dataset = layout_dataset_key(catalog->layout, pair->dataset);
    int code = lance_ref_catalog_check(pinning->catalog, dataset, err);
    if (code)
        return code;
    if (pinning->taken->answer.code == 0)
        return error_set(err, ERR_EXISTS, "tag ref %s exists", pinning->key);
    code = lance_tip_answer(pinning->tip_request, &pinning->tip, &again, err);
    if (code == 0 && !pinning->tip.exists)
        code = error_set(err, ERR_CORRUPT, "branch %s does not exist", pair->branch);
    return code;
}

/* One wave: the tips, and whether the names are free. */
static int look_at_refs(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                        struct pinning *pinnings, struct store_set *set,
                        struct operation *operation, struct error *err)
{
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, pair->dataset);
        pinnings[i].key = tag_name_key(catalog->layout, tag, pair->dataset);
        /* Branches that a table with V1 names has may have them, too: list them whole. */
        pinnings[i].tip_request = lance_tip_request_all(set, dataset, pair->branch);
        pinnings[i].taken = store_set_head(set, pinnings[i].key);
        pinnings[i].catalog = lance_ref_catalog_request(set, dataset);
        lance_expect_branches(pinnings[i].catalog, dataset, entry->status == FORK_ACTIVE);
        lance_expect_tags(pinnings[i].catalog, dataset);
    }
    int code = store_run_all(catalog->store, set, ERR_NOT_FOUND, operation, err);
    for (guint i = 0; code == 0 && i < entry->datasets->len; i++)
        code = read_look(catalog, g_ptr_array_index(entry->datasets, i), &pinnings[i], err);
    return code;
}

/* Puts the tag's refs. */
static void put_pins(struct catalog *catalog, const struct fork_entry *entry,
                     const struct pinning *pinnings, struct store_set *set,
                     struct operation *operation)
{
    struct timespec now = timestamp_now();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        const struct tag_ref ref = {.branch = pair->branch,
                                    .version = pinnings[i].tip.version,
                                    .manifest_size = pinnings[i].tip.size};
        auto_bytes struct bytes *body = tag_ref_render(&ref, now);
        g_autofree char *dataset = layout_dataset_key(catalog->layout, pair->dataset);
        struct store_request *put =
            store_set_put(set, pinnings[i].key, body, STORE_IF_ABSENT, NULL);
        lance_expect_tags(put, dataset);
    }
    store_run(catalog->store, set, operation, NULL); /* the answers say more */
}

static bool is_doubtful(const struct store_request *put)
{
    return put->answer.code == ERR_OUTCOME_UNKNOWN || put->answer.code == ERR_PRECONDITION;
}

/* What a put turned out to have done, from a look at the object. One that was given up and is not
 * there may still arrive. Where what is there need not be durable the tag is not made. */
static void settle_put(struct catalog *catalog, struct store_request *put,
                       const struct store_request *get)
{
    struct store_answer *answer = &put->answer;
    const bool is_there = get->answer.code == 0 && bytes_equal(get->answer.body, put->body);
    if (is_there && store_has_to_settle(catalog->store)) {
        struct error cause = answer->error;
        answer->code = error_set(&answer->error, ERR_NOT_DURABLE, "%s", cause.text);
    } else if (is_there) {
        answer->code = 0;
        answer->error = (struct error){0};
    } else if (get->answer.code == 0 || answer->code == ERR_PRECONDITION) {
        answer->code = error_set(&answer->error, ERR_EXISTS,
                                 "another writer made tag ref %s at the same time", put->key);
    } else if (get->answer.code == ERR_NOT_FOUND && !answer->late) {
        struct error cause = answer->error;
        answer->code = error_set(&answer->error, ERR_IO, "%.900s; it was not stored", cause.text);
    }
}

/* Puts whose answer was lost, or that were told that they lost, perhaps to themselves. */
static void settle_doubtful(struct catalog *catalog, struct store_set *puts,
                            struct operation *undoing)
{
    auto_store_set struct store_set *gets = store_set_new();
    g_autoptr(GPtrArray) doubtful = g_ptr_array_new();
    for (size_t i = 0; i < store_set_size(puts); i++) {
        struct store_request *put = store_set_at(puts, i);
        if (!is_doubtful(put))
            continue;
        g_ptr_array_add(doubtful, put);
        store_set_get(gets, put->key);
    }
    store_run(catalog->store, gets, undoing, NULL);
    for (guint i = 0; i < doubtful->len; i++)
        settle_put(catalog, g_ptr_array_index(doubtful, i), store_set_at(gets, i));
}

/* Deletes the tag refs that this call made; never another writer's. False when some may be left:
 * then the intent has to stay. */
static bool take_pins_back(struct catalog *catalog, struct store_set *puts,
                           struct operation *undoing, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    bool unknown = false;
    for (size_t i = 0; i < store_set_size(puts); i++) {
        const struct store_request *put = store_set_at(puts, i);
        if (put->answer.code == 0 || put->answer.code == ERR_NOT_DURABLE)
            store_request_expect_as(store_set_delete(set, put->key), put);
        unknown = unknown || put->answer.code == ERR_OUTCOME_UNKNOWN;
    }
    struct error problem = {0};
    int code = store_run_all(catalog->store, set, 0, undoing, &problem);
    struct error cause = *err;
    if (code)
        error_set(err, cause.code, "%.600s; some of its refs may be left: %.350s", cause.text,
                  problem.text);
    return code == 0 && !unknown;
}

/* What was put, and then the intent. Whether nothing is left. */
static bool take_tag_back(struct catalog *catalog, const struct fork_entry *entry,
                          struct store_set *puts, const struct bytes *intent,
                          const struct operation *operation, struct error *err)
{
    auto_operation struct operation undoing;
    catalog_init_undoing(catalog, &undoing, operation);
    return take_pins_back(catalog, puts, &undoing, err) &&
           tag_intent_delete(catalog, &entry->id, intent, &undoing, &undoing, NULL) == 0;
}

/* Puts that were given up may arrive when the tag is not there (any more). */
static void note_late(struct catalog *catalog, const struct fork_entry *entry,
                      struct store_set *puts, bool is_removed)
{
    for (size_t i = 0; i < store_set_size(puts); i++) {
        const struct store_request *put = store_set_at(puts, i);
        if (!put->answer.late)
            continue;
        late_tags_add(catalog->late_tags, put->key, &entry->id, put->body, monotonic_now_ns());
        if (is_removed)
            late_tags_note_removed(catalog->late_tags, put->key);
    }
}

/* Between the intent and its deletion, which decides: nothing is taken back unless the intent is
 * there for sure. If it comes back in a power failure, recovery finds the tag whole. */
static int pin_decided(struct catalog *catalog, const struct fork_entry *entry,
                       const struct pinning *pinnings, struct bytes *intent,
                       struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *puts = store_set_new();
    bool undecided = false, is_deleted = false;
    put_pins(catalog, entry, pinnings, puts, operation);
    const bool late = !store_set_await_late(catalog->store, puts, STORE_ABANDONED_MS);
    auto_operation struct operation undoing;
    catalog_init_undoing(catalog, &undoing, operation);
    settle_doubtful(catalog, puts, &undoing);
    int code = store_set_failure(puts, 0, err);
    if (code == 0 && catalog_is_shared(catalog))
        code = catalog_confirm_active(catalog, entry, operation, err);
    if (code == 0) {
        code = tag_intent_delete(catalog, &entry->id, intent, operation, &undoing, err);
        is_deleted = code == 0 || code == ERR_NOT_DURABLE;
        code = is_deleted ? 0 : code;
        undecided = code == ERR_OUTCOME_UNKNOWN;
    }
    if (code && !undecided)
        is_deleted = take_tag_back(catalog, entry, puts, intent, operation, err);
    if (!is_deleted)
        intent_leave(catalog, &tag_intents, &entry->id, intent, late || undecided);
    if (late)
        note_late(catalog, entry, puts, code && !undecided);
    return code;
}

/* Pins all branches, or none. */
static int pin_branches(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                        const struct pinning *pinnings, struct operation *operation,
                        struct error *err)
{
    auto_bytes struct bytes *intent = NULL;
    int code =
        tag_intent_put(catalog, &entry->id, tag, entry->datasets->len, operation, &intent, err);
    if (code == 0)
        code = pin_decided(catalog, entry, pinnings, intent, operation, err);
    return code;
}

int tags_create(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err)
{
    struct error failure = {0};
    int code = tag_name_check(tag, entry, &failure);
    if (code)
        return error_copy(err, &failure);
    int64_t deadline_ns = operation ? operation_reserve(operation) : INT64_MAX;
    operation_give_up_early(operation);
    struct pinning *pinnings = g_new0(struct pinning, entry->datasets->len);
    auto_store_set struct store_set *looks = store_set_new();
    code = look_at_refs(catalog, entry, tag, pinnings, looks, operation, &failure);
    if (code == 0)
        code = pin_branches(catalog, entry, tag, pinnings, operation, &failure);
    tags_forget(catalog->tags, &entry->id);
    pinnings_free(pinnings, entry->datasets->len);
    if (operation)
        operation->deadline_ns = deadline_ns;
    return code ? error_copy(err, &failure) : 0;
}

/* ---- Removing ---- */

int tags_remove(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) keys = NULL;
    auto_bytes struct bytes *intent = NULL;
    operation_give_up_early(operation);
    int code = tag_refs_find(catalog, entry, tag, operation, &keys, err);
    if (code == 0)
        code = tag_intent_put(catalog, &entry->id, tag, keys->len, operation, &intent, err);
    if (code)
        return code;
    code = tag_refs_delete(catalog, entry, keys, operation, err);
    for (guint i = 0; code == 0 && i < keys->len; i++)
        late_tags_note_removed(catalog->late_tags, g_ptr_array_index(keys, i));
    /* If the tag is gone, recovery of an intent that is left finds nothing to do. */
    if (code || tag_intent_delete(catalog, &entry->id, intent, operation, operation, NULL))
        intent_leave(catalog, &tag_intents, &entry->id, intent, false);
    return code;
}
