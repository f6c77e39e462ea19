#include "catalog/descendants.h"

#include <string.h>

#include "base/cleanup.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

#define FORK_BRANCH_PREFIX "fork_"

struct kept_ref {
    char *etag;
    struct bytes *body;
};

struct descendants {
    struct store *store;
    const struct layout *layout;
    pthread_mutex_t lock;
    GHashTable *kept; /* ref key -> struct kept_ref */
};

/* The refs of one dataset, during a check. */
struct dataset_refs {
    char *dataset_key;
    const char *branch; /* the fork's own, owned by its entry */
    struct store_request *branches;
    struct store_request *tags;
    GPtrArray *foreign; /* struct store_object: refs to look into, owned by the listings */
    bool any_foreign_branch;
    struct descendants_query *query;
};

static void kept_ref_free(void *pointer)
{
    struct kept_ref *kept = pointer;
    g_free(kept->etag);
    bytes_unref(kept->body);
    g_free(kept);
}

struct descendants *descendants_new(struct store *store, const struct layout *layout)
{
    struct descendants *descendants = g_new0(struct descendants, 1);
    descendants->store = store;
    descendants->layout = layout;
    pthread_mutex_init(&descendants->lock, NULL);
    descendants->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_ref_free);
    return descendants;
}

void descendants_free(struct descendants *descendants)
{
    if (!descendants)
        return;
    g_hash_table_unref(descendants->kept);
    pthread_mutex_destroy(&descendants->lock);
    g_free(descendants);
}

static void dataset_refs_free(void *pointer)
{
    struct dataset_refs *refs = pointer;
    g_free(refs->dataset_key);
    g_ptr_array_unref(refs->foreign);
    g_free(refs);
}

/* ---- Kept bodies ---- */

static struct bytes *find_kept(struct descendants *descendants, const struct store_object *object)
{
    LOCK_SCOPE(&descendants->lock);
    const struct kept_ref *kept = g_hash_table_lookup(descendants->kept, object->key);
    if (!kept || !object->etag || g_strcmp0(kept->etag, object->etag) != 0)
        return NULL;
    return bytes_ref(kept->body);
}

static void keep(struct descendants *descendants, const struct store_request *get)
{
    struct kept_ref *kept = g_new0(struct kept_ref, 1);
    kept->etag = g_strdup(get->answer.etag);
    kept->body = bytes_ref(get->answer.body);
    LOCK_SCOPE(&descendants->lock);
    g_hash_table_replace(descendants->kept, g_strdup(get->key), kept);
}

/* ---- Which refs matter ---- */

/* Whether a branch is a fork's own: "fork_<ULID of an entry>_...". */
static bool belongs_to_known_fork(const struct registry *registry, const char *branch)
{
    struct ulid id;
    size_t prefix = strlen(FORK_BRANCH_PREFIX);
    return g_str_has_prefix(branch, FORK_BRANCH_PREFIX) && strlen(branch) > prefix + ULID_LENGTH &&
           branch[prefix + ULID_LENGTH] == '_' && ulid_parse(branch + prefix, ULID_LENGTH, &id) &&
           registry_find_id(registry, &id);
}

static void select_foreign(const struct registry *registry, struct dataset_refs *refs)
{
    for (guint i = 0; i < refs->branches->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(refs->branches->answer.objects, i);
        g_autofree char *branch = lance_branch_of_ref_key(refs->dataset_key, object->key);
        if (!branch || strcmp(branch, refs->branch) == 0 || belongs_to_known_fork(registry, branch))
            continue;
        g_ptr_array_add(refs->foreign, (void *)object);
        refs->any_foreign_branch = true;
    }
    for (guint i = 0; i < refs->tags->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(refs->tags->answer.objects, i);
        if (g_str_has_suffix(object->key, ".json"))
            g_ptr_array_add(refs->foreign, (void *)object);
    }
}

/* ---- Looking into one ref ---- */

static int check_branch(const struct dataset_refs *refs, const char *key, const struct bytes *body,
                        const struct branch_ref *own, struct error *err)
{
    struct branch_ref *ref = NULL;
    int code = branch_ref_parse(body, &ref, err);
    if (code == 0 && (g_strcmp0(ref->parent_branch, refs->branch) == 0 ||
                      (own && branch_ref_descends(ref, own))))
        code = error_set(err, ERR_NOT_EMPTY,
                         "the branch of ref %s, which is no fork's, descends from it", key);
    branch_ref_free(ref);
    return code;
}

static int check_tag(const struct dataset_refs *refs, const char *key, const struct bytes *body,
                     struct error *err)
{
    struct tag_ref *tag = NULL;
    int code = tag_ref_parse(body, &tag, err);
    if (code == 0 && g_strcmp0(tag->branch, refs->branch) == 0)
        code = error_set(err, ERR_NOT_EMPTY, "the tag of ref %s points at its branch %s", key,
                         refs->branch);
    tag_ref_free(tag);
    return code;
}

static int check_ref(struct descendants *descendants, const struct dataset_refs *refs,
                     const struct store_object *object, GHashTable *fetched,
                     const struct branch_ref *own, struct error *err)
{
    auto_bytes struct bytes *body = find_kept(descendants, object);
    const struct store_request *get = g_hash_table_lookup(fetched, object->key);
    if (get && get->answer.code == 0) {
        bytes_unref(body);
        body = bytes_ref(get->answer.body);
        keep(descendants, get);
    }
    if (!body)
        return 0; /* gone meanwhile */
    struct error failure = {0};
    int code = g_str_has_prefix(object->key, refs->tags->key)
                   ? check_tag(refs, object->key, body, &failure)
                   : check_branch(refs, object->key, body, own, &failure);
    if (code == ERR_CORRUPT || code == ERR_UNSUPPORTED)
        error_prefix(&failure, "ref %s", object->key);
    return code ? error_copy(err, &failure) : 0;
}

static struct branch_ref *own_ref(const struct dataset_refs *refs, GHashTable *fetched)
{
    g_autofree char *key = lance_branch_ref_key(refs->dataset_key, refs->branch);
    const struct store_request *get = g_hash_table_lookup(fetched, key);
    struct branch_ref *own = NULL;
    if (get && get->answer.code == 0)
        branch_ref_parse(get->answer.body, &own, NULL);
    return own;
}

/* ---- The check ---- */

static void list_refs(struct descendants *descendants, struct descendants_query *query,
                      struct store_set *set, GPtrArray *all)
{
    for (guint i = 0; i < query->entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(query->entry->datasets, i);
        struct dataset_refs *refs = g_new0(struct dataset_refs, 1);
        refs->dataset_key = layout_dataset_key(descendants->layout, pair->dataset);
        refs->branch = pair->branch;
        refs->branches = lance_branch_refs_request(set, refs->dataset_key);
        refs->tags = lance_tag_refs_request(set, refs->dataset_key);
        refs->foreign = g_ptr_array_new();
        refs->query = query;
        g_ptr_array_add(all, refs);
    }
}

static void fetch_once(GHashTable *fetched, struct store_set *set, const char *key)
{
    if (g_hash_table_contains(fetched, key))
        return;
    struct store_request *get = store_set_get(set, key);
    g_hash_table_insert(fetched, get->key, get);
}

/* Gets for what is not kept, and for the fork's own ref where a foreign branch may descend from it.
 * The requests by key. */
static GHashTable *fetch_foreign(struct descendants *descendants, GPtrArray *all,
                                 struct store_set *set)
{
    GHashTable *fetched = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < all->len; i++) {
        const struct dataset_refs *refs = g_ptr_array_index(all, i);
        for (guint j = 0; j < refs->foreign->len; j++) {
            const struct store_object *object = g_ptr_array_index(refs->foreign, j);
            auto_bytes struct bytes *kept = find_kept(descendants, object);
            if (!kept)
                fetch_once(fetched, set, object->key);
        }
        if (refs->any_foreign_branch) {
            g_autofree char *key = lance_branch_ref_key(refs->dataset_key, refs->branch);
            fetch_once(fetched, set, key);
        }
    }
    return fetched;
}

static int check_dataset(struct descendants *descendants, const struct dataset_refs *refs,
                         GHashTable *fetched, struct error *err)
{
    struct branch_ref *own = own_ref(refs, fetched);
    int code = 0;
    for (guint i = 0; code == 0 && i < refs->foreign->len; i++)
        code = check_ref(descendants, refs, g_ptr_array_index(refs->foreign, i), fetched, own, err);
    branch_ref_free(own);
    return code;
}

static int check_listed(struct descendants *descendants, const struct registry *registry,
                        GPtrArray *all, struct operation *operation, struct error *err)
{
    for (guint i = 0; i < all->len; i++)
        select_foreign(registry, g_ptr_array_index(all, i));
    struct store_set *gets = store_set_new();
    g_autoptr(GHashTable) fetched = fetch_foreign(descendants, all, gets);
    int code = store_run(descendants->store, gets, operation, err);
    if (code == 0)
        code = store_set_failure(gets, ERR_NOT_FOUND, err);
    for (guint i = 0; code == 0 && i < all->len; i++) {
        const struct dataset_refs *refs = g_ptr_array_index(all, i);
        struct descendants_query *query = refs->query;
        if (query->code == 0)
            query->code = check_dataset(descendants, refs, fetched, &query->error);
    }
    store_set_unref(gets);
    return code;
}

void descendants_check(struct descendants *descendants, const struct registry *registry,
                       struct descendants_query *list, size_t count, struct operation *operation)
{
    struct error failure = {0};
    struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(dataset_refs_free);
    for (size_t i = 0; i < count; i++) {
        list[i].code = 0;
        list[i].error = (struct error){0};
        list_refs(descendants, &list[i], set, all);
    }
    int code = store_run(descendants->store, set, operation, &failure);
    if (code == 0)
        code = store_set_failure(set, 0, &failure);
    if (code == 0)
        code = check_listed(descendants, registry, all, operation, &failure);
    for (size_t i = 0; code && i < count; i++)
        if (list[i].code == 0)
            list[i].code = error_copy(&list[i].error, &failure);
    store_set_unref(set);
}
