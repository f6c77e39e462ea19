#include "catalog/tags.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/tag_names.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

/* How long what was read counts: nothing tells when the engine makes or removes a tag. */
#define FRESH_NS INT64_C(1000000000)

struct tags {
    struct store *store;
    const struct layout *layout;
    struct ref_cache *cache;
    pthread_mutex_t lock;
    GHashTable *by_id; /* id text -> struct kept_tags */
    uint64_t changes;  /* counts what was forgotten */
};

struct kept_tags {
    GPtrArray *list; /* struct fork_tag */
    int64_t read_ns; /* CLOCK_MONOTONIC */
};

static void kept_tags_free(void *pointer)
{
    struct kept_tags *kept = pointer;
    g_ptr_array_unref(kept->list);
    g_free(kept);
}

struct tags *tags_new(struct store *store, const struct layout *layout, struct ref_cache *cache)
{
    struct tags *tags = g_new0(struct tags, 1);
    tags->store = store;
    tags->layout = layout;
    tags->cache = cache;
    pthread_mutex_init(&tags->lock, NULL);
    tags->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_tags_free);
    return tags;
}

void tags_free(struct tags *tags)
{
    if (!tags)
        return;
    g_hash_table_unref(tags->by_id);
    pthread_mutex_destroy(&tags->lock);
    g_free(tags);
}

static void tag_version_free(void *pointer)
{
    struct tag_version *version = pointer;
    g_free(version->dataset);
    g_free(version);
}

static void fork_tag_free(void *pointer)
{
    struct fork_tag *tag = pointer;
    g_free(tag->name);
    g_ptr_array_unref(tag->versions);
    g_free(tag);
}

/* A copy: readers may let go of theirs on any thread. */
static GPtrArray *copy_list(const GPtrArray *list)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func(fork_tag_free);
    for (guint i = 0; i < list->len; i++) {
        const struct fork_tag *from = g_ptr_array_index(list, i);
        struct fork_tag *tag = g_new0(struct fork_tag, 1);
        tag->name = g_strdup(from->name);
        tag->versions = g_ptr_array_new_with_free_func(tag_version_free);
        for (guint j = 0; j < from->versions->len; j++) {
            const struct tag_version *version = g_ptr_array_index(from->versions, j);
            struct tag_version *same = g_new0(struct tag_version, 1);
            same->dataset = g_strdup(version->dataset);
            same->version = version->version;
            g_ptr_array_add(tag->versions, same);
        }
        g_ptr_array_add(copy, tag);
    }
    return copy;
}

GPtrArray *tags_cached(struct tags *tags, const struct ulid *id)
{
    LOCK_SCOPE(&tags->lock);
    const struct kept_tags *kept = g_hash_table_lookup(tags->by_id, id->text);
    if (!kept || monotonic_now_ns() - kept->read_ns > FRESH_NS)
        return NULL;
    return copy_list(kept->list);
}

void tags_forget(struct tags *tags, const struct ulid *id)
{
    LOCK_SCOPE(&tags->lock);
    tags->changes++;
    g_hash_table_remove(tags->by_id, id->text);
}

static uint64_t count_changes(struct tags *tags)
{
    LOCK_SCOPE(&tags->lock);
    return tags->changes;
}

/* Keeps what was read, unless a tag has come or gone since `changes` was counted. */
static void keep(struct tags *tags, const struct ulid *id, const GPtrArray *list, uint64_t changes)
{
    struct kept_tags *kept = g_new0(struct kept_tags, 1);
    kept->list = copy_list(list);
    kept->read_ns = monotonic_now_ns();
    LOCK_SCOPE(&tags->lock);
    if (tags->changes == changes)
        g_hash_table_replace(tags->by_id, g_strdup(id->text), kept);
    else
        kept_tags_free(kept);
}

/* ---- Reading ---- */

static struct fork_tag *obtain(GPtrArray *list, const char *name)
{
    for (guint i = 0; i < list->len; i++) {
        struct fork_tag *tag = g_ptr_array_index(list, i);
        if (strcmp(tag->name, name) == 0)
            return tag;
    }
    struct fork_tag *tag = g_new0(struct fork_tag, 1);
    tag->name = g_strdup(name);
    tag->versions = g_ptr_array_new_with_free_func(tag_version_free);
    g_ptr_array_add(list, tag);
    return tag;
}

/* A ref that may be the fork's: one named "fork_<tag>_<dataset>". */
struct candidate {
    const struct dataset_branch *pair;
    const char *key;           /* owned by the listing */
    struct bytes *body;        /* kept from an earlier reading; else */
    struct store_request *get; /* in flight or answered */
};

static void candidate_free(void *pointer)
{
    struct candidate *candidate = pointer;
    bytes_unref(candidate->body);
    g_free(candidate);
}

/* Adds what one tag ref says, if it is about this branch. */
static int collect(GPtrArray *list, const struct candidate *candidate, struct error *err)
{
    const struct dataset_branch *pair = candidate->pair;
    struct tag_ref *ref = NULL;
    struct error failure = {0};
    int code = tag_ref_parse(candidate->body, &ref, &failure);
    if (code) {
        error_prefix(&failure, "tag ref %s", candidate->key);
        return error_copy(err, &failure);
    }
    if (g_strcmp0(ref->branch, pair->branch) == 0) {
        g_autofree char *name = tag_name_of_key(candidate->key, pair->dataset);
        struct tag_version *version = g_new0(struct tag_version, 1);
        version->dataset = g_strdup(pair->dataset);
        version->version = ref->version;
        g_ptr_array_add(obtain(list, name)->versions, version);
    }
    tag_ref_free(ref);
    return 0;
}

static int compare_tags(const void *a, const void *b)
{
    const struct fork_tag *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static GPtrArray *choose_candidates(struct tags *tags, const struct fork_entry *entry,
                                    const GPtrArray *listings, struct store_set *set)
{
    GPtrArray *candidates = g_ptr_array_new_with_free_func(candidate_free);
    for (guint i = 0; i < listings->len; i++) {
        const struct store_request *listing = g_ptr_array_index(listings, i);
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        for (guint j = 0; j < listing->answer.objects->len; j++) {
            const struct store_object *object = g_ptr_array_index(listing->answer.objects, j);
            g_autofree char *name = tag_name_of_key(object->key, pair->dataset);
            if (!name)
                continue;
            struct candidate *candidate = g_new0(struct candidate, 1);
            candidate->pair = pair;
            candidate->key = object->key;
            candidate->body = ref_cache_find(tags->cache, object);
            if (!candidate->body)
                candidate->get = store_set_get(set, object->key);
            g_ptr_array_add(candidates, candidate);
        }
    }
    return candidates;
}

static void take_answer(struct tags *tags, struct candidate *candidate)
{
    if (!candidate->get || candidate->get->answer.code)
        return; /* kept, or gone meanwhile */
    ref_cache_keep(tags->cache, candidate->get);
    candidate->body = bytes_ref(candidate->get->answer.body);
}

static int fetch(struct tags *tags, const struct fork_entry *entry, const GPtrArray *listings,
                 struct operation *operation, GPtrArray *list, struct error *err)
{
    struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) candidates = choose_candidates(tags, entry, listings, set);
    int code = store_run(tags->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    for (guint i = 0; code == 0 && i < candidates->len; i++) {
        struct candidate *candidate = g_ptr_array_index(candidates, i);
        take_answer(tags, candidate);
        if (candidate->body)
            code = collect(list, candidate, err);
    }
    store_set_unref(set);
    return code;
}

int tags_read(struct tags *tags, const struct fork_entry *entry, struct operation *operation,
              GPtrArray **ret, struct error *err)
{
    *ret = tags_cached(tags, &entry->id);
    if (*ret)
        return 0;
    uint64_t changes = count_changes(tags);
    struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) listings = g_ptr_array_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *dataset = layout_dataset_key(tags->layout, pair->dataset);
        g_ptr_array_add(listings, lance_tag_refs_request(set, dataset));
    }
    struct error failure = {0};
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(fork_tag_free);
    int code = store_run(tags->store, set, operation, &failure);
    if (code == 0)
        code = store_set_failure(set, 0, &failure);
    if (code == 0)
        code = fetch(tags, entry, listings, operation, list, &failure);
    store_set_unref(set);
    if (code) {
        error_prefix(&failure, "reading the tags of fork %s", entry->id.text);
        return error_copy(err, &failure);
    }
    g_ptr_array_sort(list, compare_tags);
    keep(tags, &entry->id, list, changes);
    *ret = g_steal_pointer(&list);
    return 0;
}

/* ---- Making ---- */

struct pinning {
    struct store_request *tip_request;
    struct store_request *taken;
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

/* One wave: the tips, and whether the names are free. */
static int look(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct pinning *pinnings, struct store_set *set, struct operation *operation,
                struct error *err)
{
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *dataset = layout_dataset_key(tags->layout, pair->dataset);
        pinnings[i].key = tag_name_key(tags->layout, tag, pair->dataset);
        /* Branches that a table with V1 names has may have them, too: list them whole. */
        pinnings[i].tip_request = lance_tip_request_all(set, dataset, pair->branch);
        pinnings[i].taken = store_set_head(set, pinnings[i].key);
    }
    int code = store_run(tags->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    for (guint i = 0; code == 0 && i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        bool again = false;
        if (pinnings[i].taken->answer.code == 0)
            return error_set(err, ERR_EXISTS, "tag ref %s exists", pinnings[i].key);
        code = lance_tip_answer(pinnings[i].tip_request, &pinnings[i].tip, &again, err);
        if (code == 0 && !pinnings[i].tip.exists)
            code = error_set(err, ERR_CORRUPT, "branch %s does not exist", pair->branch);
    }
    return code;
}

static void put_pins(struct tags *tags, const struct fork_entry *entry,
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
        store_set_put(set, pinnings[i].key, body, STORE_IF_ABSENT, NULL);
    }
    store_run(tags->store, set, operation, NULL); /* the answers say more */
}

static bool is_doubtful(const struct store_request *put)
{
    return put->answer.code == ERR_OUTCOME_UNKNOWN || put->answer.code == ERR_PRECONDITION;
}

/* What a put turned out to have done, from a look at the object. */
static void settle_put(struct store_request *put, const struct store_request *get)
{
    struct store_answer *answer = &put->answer;
    if (get->answer.code == 0 && bytes_equal(get->answer.body, put->body)) {
        answer->code = 0;
        answer->error = (struct error){0};
    } else if (get->answer.code == 0 || answer->code == ERR_PRECONDITION) {
        answer->code = error_set(&answer->error, ERR_EXISTS,
                                 "another writer made tag ref %s at the same time", put->key);
    } else if (get->answer.code == ERR_NOT_FOUND) {
        struct error cause = answer->error;
        answer->code = error_set(&answer->error, ERR_IO, "%.900s; it was not stored", cause.text);
    }
}

/* Puts whose answer was lost, or that were told that they lost, perhaps to themselves. */
static void settle_doubtful(struct tags *tags, struct store_set *puts, struct operation *undoing)
{
    struct store_set *gets = store_set_new();
    g_autoptr(GPtrArray) doubtful = g_ptr_array_new();
    for (size_t i = 0; i < store_set_size(puts); i++) {
        struct store_request *put = store_set_at(puts, i);
        if (!is_doubtful(put))
            continue;
        g_ptr_array_add(doubtful, put);
        store_set_get(gets, put->key);
    }
    store_run(tags->store, gets, undoing, NULL);
    for (guint i = 0; i < doubtful->len; i++)
        settle_put(g_ptr_array_index(doubtful, i), store_set_at(gets, i));
    store_set_unref(gets);
}

/* Deletes the tag refs that this call made; never another writer's. */
static void take_back(struct tags *tags, struct store_set *puts, struct operation *undoing,
                      struct error *err)
{
    struct store_set *set = store_set_new();
    for (size_t i = 0; i < store_set_size(puts); i++) {
        const struct store_request *put = store_set_at(puts, i);
        if (put->answer.code == 0)
            store_set_delete(set, put->key);
    }
    struct error problem = {0};
    int code = store_run(tags->store, set, undoing, &problem);
    if (code == 0)
        code = store_set_failure(set, 0, &problem);
    store_set_unref(set);
    struct error cause = *err;
    if (code)
        error_set(err, cause.code, "%.600s; some of its refs may be left: %.350s", cause.text,
                  problem.text);
}

/* All or nothing. */
static int pin(struct tags *tags, const struct fork_entry *entry, const struct pinning *pinnings,
               struct operation *operation, int64_t deadline_ns, struct error *err)
{
    struct operation undoing;
    operation_init(&undoing, -1);
    undoing.deadline_ns = deadline_ns;
    struct store_set *puts = store_set_new();
    put_pins(tags, entry, pinnings, puts, operation);
    settle_doubtful(tags, puts, &undoing);
    int code = store_set_failure(puts, 0, err);
    if (code)
        take_back(tags, puts, &undoing, err);
    store_set_unref(puts);
    operation_destroy(&undoing);
    return code;
}

int tags_create(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err)
{
    struct error failure = {0};
    int code = tag_name_check(tag, entry, &failure);
    if (code)
        return error_copy(err, &failure);
    int64_t deadline_ns = operation ? operation_reserve(operation) : INT64_MAX;
    struct pinning *pinnings = g_new0(struct pinning, entry->datasets->len);
    struct store_set *looks = store_set_new();
    code = look(tags, entry, tag, pinnings, looks, operation, &failure);
    if (code == 0)
        code = pin(tags, entry, pinnings, operation, deadline_ns, &failure);
    tags_forget(tags, &entry->id);
    store_set_unref(looks);
    pinnings_free(pinnings, entry->datasets->len);
    if (operation)
        operation->deadline_ns = deadline_ns;
    return code ? error_copy(err, &failure) : 0;
}

/* ---- Removing ---- */

static int delete_all(struct tags *tags, const GPtrArray *keys, struct operation *operation,
                      struct error *err)
{
    struct store_set *set = store_set_new();
    for (guint i = 0; i < keys->len; i++)
        store_set_delete(set, g_ptr_array_index(keys, i));
    int code = store_run(tags->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    store_set_unref(set);
    return code;
}

/* The keys of the tag's refs. */
static GPtrArray *keys_of(const struct tags *tags, const GPtrArray *list, const char *name)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < list->len; i++) {
        const struct fork_tag *tag = g_ptr_array_index(list, i);
        for (guint j = 0; strcmp(tag->name, name) == 0 && j < tag->versions->len; j++) {
            const struct tag_version *version = g_ptr_array_index(tag->versions, j);
            g_ptr_array_add(keys, tag_name_key(tags->layout, name, version->dataset));
        }
    }
    return keys;
}

int tags_remove(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err)
{
    tags_forget(tags, &entry->id); /* what the store holds counts */
    g_autoptr(GPtrArray) list = NULL;
    int code = tags_read(tags, entry, operation, &list, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) keys = keys_of(tags, list, tag);
    if (keys->len == 0)
        return error_set(err, ERR_NOT_FOUND, "the fork has no tag '%s'", tag);
    code = delete_all(tags, keys, operation, err);
    if (code == ERR_OUTCOME_UNKNOWN) /* deleting what is gone succeeds */
        code = delete_all(tags, keys, operation, err);
    tags_forget(tags, &entry->id);
    return code;
}
