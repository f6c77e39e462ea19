#include "catalog/fork/tags.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/fork/ref_cache.h"
#include "catalog/fork/tag_names.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

/* How long what was read counts: nothing tells when the engine makes or removes a tag. */
#define FRESH_NS NS_PER_SECOND

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

struct tags {
    struct store *store;
    const struct layout *layout;
    struct ref_cache *cache;
    pthread_mutex_t lock; /* guards all below */
    GHashTable *by_id;    /* id text -> struct kept_tags */
    uint64_t changes;     /* counts what was forgotten */
};

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
static void keep_tags(struct tags *tags, const struct ulid *id, const GPtrArray *list,
                      uint64_t changes)
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

static struct fork_tag *obtain_tag(GPtrArray *list, const char *name)
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
static int collect_version(GPtrArray *list, const struct candidate *candidate, struct error *err)
{
    const struct dataset_branch *pair = candidate->pair;
    struct tag_ref *ref = NULL;
    int code = tag_ref_parse(candidate->body, &ref, err);
    if (code)
        return error_prefix(err, code, "tag ref %s", candidate->key);
    if (g_strcmp0(ref->branch, pair->branch) == 0) {
        g_autofree char *name = tag_name_of_key(candidate->key, pair->dataset);
        struct tag_version *version = g_new0(struct tag_version, 1);
        version->dataset = g_strdup(pair->dataset);
        version->version = ref->version;
        g_ptr_array_add(obtain_tag(list, name)->versions, version);
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

static int fetch_refs(struct tags *tags, const struct fork_entry *entry, const GPtrArray *listings,
                      struct operation *operation, GPtrArray *list, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) candidates = choose_candidates(tags, entry, listings, set);
    int code = store_run_all(tags->store, set, ERR_NOT_FOUND, operation, err);
    for (guint i = 0; code == 0 && i < candidates->len; i++) {
        struct candidate *candidate = g_ptr_array_index(candidates, i);
        take_answer(tags, candidate);
        if (candidate->body)
            code = collect_version(list, candidate, err);
    }
    return code;
}

int tags_read(struct tags *tags, const struct fork_entry *entry, struct operation *operation,
              GPtrArray **ret, struct error *err)
{
    *ret = tags_cached(tags, &entry->id);
    if (*ret)
        return 0;
    uint64_t changes = count_changes(tags);
    auto_store_set struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) listings = g_ptr_array_new();
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_autofree char *dataset = layout_dataset_key(tags->layout, pair->dataset);
        struct store_request *listing = lance_tag_refs_request(set, dataset);
        store_request_remember(listing); /* what is read goes on; who changes tags misses them */
        g_ptr_array_add(listings, listing);
    }
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(fork_tag_free);
    int code = store_run_all(tags->store, set, 0, operation, err);
    if (code == 0)
        code = fetch_refs(tags, entry, listings, operation, list, err);
    if (code)
        return error_prefix(err, code, "reading the tags of fork %s", entry->id.text);
    g_ptr_array_sort(list, compare_tags);
    keep_tags(tags, &entry->id, list, changes);
    *ret = g_steal_pointer(&list);
    return 0;
}
