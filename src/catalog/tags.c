#include "catalog/tags.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/tag_names.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

/* Time for taking back what a failed tagging made, whatever the operation has left (milliseconds).
 */
#define TAKE_BACK_MS 10000
/* How long what was read counts: nothing tells when the engine makes or removes a tag. */
#define FRESH_NS INT64_C(1000000000)

struct tags {
    struct store *store;
    const struct layout *layout;
    pthread_mutex_t lock;
    GHashTable *by_id; /* id text -> struct kept_tags */
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

struct tags *tags_new(struct store *store, const struct layout *layout)
{
    struct tags *tags = g_new0(struct tags, 1);
    tags->store = store;
    tags->layout = layout;
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
    g_hash_table_remove(tags->by_id, id->text);
}

static void keep(struct tags *tags, const struct ulid *id, const GPtrArray *list)
{
    struct kept_tags *kept = g_new0(struct kept_tags, 1);
    kept->list = copy_list(list);
    kept->read_ns = monotonic_now_ns();
    LOCK_SCOPE(&tags->lock);
    g_hash_table_replace(tags->by_id, g_strdup(id->text), kept);
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

/* Adds what one fetched tag ref says, if it is about this branch. */
static int collect(GPtrArray *list, const struct dataset_branch *pair,
                   const struct store_request *get, struct error *err)
{
    struct tag_ref *ref = NULL;
    struct error failure = {0};
    int code = tag_ref_parse(get->answer.body, &ref, &failure);
    if (code) {
        error_prefix(&failure, "tag ref %s", get->key);
        return error_copy(err, &failure);
    }
    g_autofree char *name = tag_name_of_key(get->key, pair->dataset);
    if (name && g_strcmp0(ref->branch, pair->branch) == 0) {
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

/* Fetches the refs that may be the fork's: those named "fork_<tag>_<dataset>". */
static int fetch(struct tags *tags, const struct fork_entry *entry, GPtrArray *listings,
                 struct operation *operation, GPtrArray *list, struct error *err)
{
    struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) owners = g_ptr_array_new(); /* the dataset of each request */
    for (guint i = 0; i < listings->len; i++) {
        const struct store_request *listing = g_ptr_array_index(listings, i);
        struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        for (guint j = 0; j < listing->answer.objects->len; j++) {
            const struct store_object *object = g_ptr_array_index(listing->answer.objects, j);
            g_autofree char *name = tag_name_of_key(object->key, pair->dataset);
            if (!name)
                continue;
            store_set_get(set, object->key);
            g_ptr_array_add(owners, pair);
        }
    }
    int code = store_run(tags->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    for (guint i = 0; code == 0 && i < owners->len; i++) {
        const struct store_request *get = store_set_at(set, i);
        if (get->answer.code == 0)
            code = collect(list, g_ptr_array_index(owners, i), get, err);
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
    keep(tags, &entry->id, list);
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

static int put_pins(struct tags *tags, const struct fork_entry *entry,
                    const struct pinning *pinnings, struct store_set *set,
                    struct operation *operation, struct error *err)
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
    int code = store_run(tags->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    return code == ERR_PRECONDITION
               ? error_set(err, ERR_EXISTS, "another writer made the tag at the same time")
               : code;
}

/* Deletes the tag refs that this call made, or may have made; never another writer's. */
static void take_back(struct tags *tags, struct store_set *puts, struct error *err)
{
    struct store_set *set = store_set_new();
    for (size_t i = 0; i < store_set_size(puts); i++) {
        const struct store_request *put = store_set_at(puts, i);
        if (put->answer.code == 0 || put->answer.code == ERR_OUTCOME_UNKNOWN)
            store_set_delete(set, put->key);
    }
    struct operation undoing;
    operation_init(&undoing, TAKE_BACK_MS);
    struct error problem = {0};
    int code = store_run(tags->store, set, &undoing, &problem);
    if (code == 0)
        code = store_set_failure(set, 0, &problem);
    operation_destroy(&undoing);
    store_set_unref(set);
    struct error cause = *err;
    if (code)
        error_set(err, cause.code, "%.600s; some of its refs may be left: %.350s", cause.text,
                  problem.text);
}

int tags_create(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err)
{
    struct error failure = {0};
    int code = tag_name_check(tag, entry, &failure);
    if (code)
        return error_copy(err, &failure);
    struct pinning *pinnings = g_new0(struct pinning, entry->datasets->len);
    struct store_set *looks = store_set_new();
    struct store_set *puts = store_set_new();
    code = look(tags, entry, tag, pinnings, looks, operation, &failure);
    if (code == 0) {
        code = put_pins(tags, entry, pinnings, puts, operation, &failure);
        if (code)
            take_back(tags, puts, &failure);
    }
    tags_forget(tags, &entry->id);
    store_set_unref(puts);
    store_set_unref(looks);
    pinnings_free(pinnings, entry->datasets->len);
    return code ? error_copy(err, &failure) : 0;
}

/* ---- Removing ---- */

int tags_remove(struct tags *tags, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err)
{
    tags_forget(tags, &entry->id); /* what the store holds counts */
    g_autoptr(GPtrArray) list = NULL;
    int code = tags_read(tags, entry, operation, &list, err);
    if (code)
        return code;
    struct store_set *set = store_set_new();
    for (guint i = 0; i < list->len; i++) {
        const struct fork_tag *present = g_ptr_array_index(list, i);
        for (guint j = 0; strcmp(present->name, tag) == 0 && j < present->versions->len; j++) {
            const struct tag_version *version = g_ptr_array_index(present->versions, j);
            g_autofree char *key = tag_name_key(tags->layout, tag, version->dataset);
            store_set_delete(set, key);
        }
    }
    if (store_set_size(set) == 0)
        code = error_set(err, ERR_NOT_FOUND, "the fork has no tag '%s'", tag);
    else
        code = store_run(tags->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    tags_forget(tags, &entry->id);
    store_set_unref(set);
    return code;
}
