#include "catalog/descendants.h"

#include <string.h>

#include "base/cleanup.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"

#define FORK_BRANCH_PREFIX "fork_"
/* Refs kept; more are read again. */
#define KEPT_MAX 10000

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

/* A ref to be looked into, during a check. */
struct foreign_ref {
    const struct store_object *object; /* its row, owned by the listing */
    bool is_tag;
    struct bytes *body;        /* kept from an earlier check; else */
    struct store_request *get; /* in flight or answered */
};

/* The refs of one dataset, during a check. */
struct dataset_refs {
    char *dataset_key;
    const char *branch; /* the fork's own, owned by its entry */
    struct store_request *branches;
    struct store_request *tags;
    GPtrArray *foreign;        /* struct foreign_ref */
    struct store_request *own; /* the fork's own ref; NULL when no branch may descend from it */
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

static void foreign_ref_free(void *pointer)
{
    struct foreign_ref *ref = pointer;
    bytes_unref(ref->body);
    g_free(ref);
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
    if (g_hash_table_size(descendants->kept) >= KEPT_MAX)
        g_hash_table_remove_all(descendants->kept);
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

static void add_foreign(struct dataset_refs *refs, const struct store_object *object, bool is_tag)
{
    struct foreign_ref *ref = g_new0(struct foreign_ref, 1);
    ref->object = object;
    ref->is_tag = is_tag;
    g_ptr_array_add(refs->foreign, ref);
}

static void select_foreign(const struct registry *registry, struct dataset_refs *refs)
{
    for (guint i = 0; i < refs->branches->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(refs->branches->answer.objects, i);
        g_autofree char *branch = lance_branch_of_ref_key(refs->dataset_key, object->key);
        if (branch && strcmp(branch, refs->branch) != 0 && !belongs_to_known_fork(registry, branch))
            add_foreign(refs, object, false);
    }
    for (guint i = 0; i < refs->tags->answer.objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(refs->tags->answer.objects, i);
        if (g_str_has_suffix(object->key, ".json"))
            add_foreign(refs, object, true);
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

static int check_ref(const struct dataset_refs *refs, const struct foreign_ref *ref,
                     const struct branch_ref *own, struct error *err)
{
    const struct bytes *body = ref->body ? ref->body : ref->get->answer.body;
    if (!body)
        return 0; /* gone meanwhile */
    const char *key = ref->object->key;
    struct error failure = {0};
    int code = ref->is_tag ? check_tag(refs, key, body, &failure)
                           : check_branch(refs, key, body, own, &failure);
    if (code == ERR_CORRUPT || code == ERR_UNSUPPORTED)
        error_prefix(&failure, "ref %s", key);
    return code ? error_copy(err, &failure) : 0;
}

static struct branch_ref *own_ref(const struct dataset_refs *refs)
{
    struct branch_ref *own = NULL;
    if (refs->own && refs->own->answer.code == 0)
        branch_ref_parse(refs->own->answer.body, &own, NULL);
    return own;
}

/* ---- The check ---- */

static GPtrArray *list_refs(struct descendants *descendants, const struct fork_entry *entry,
                            struct store_set *set)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(dataset_refs_free);
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        struct dataset_refs *refs = g_new0(struct dataset_refs, 1);
        refs->dataset_key = layout_dataset_key(descendants->layout, pair->dataset);
        refs->branch = pair->branch;
        refs->branches = lance_branch_refs_request(set, refs->dataset_key);
        refs->tags = lance_tag_refs_request(set, refs->dataset_key);
        refs->foreign = g_ptr_array_new_with_free_func(foreign_ref_free);
        g_ptr_array_add(all, refs);
    }
    return all;
}

/* Adds gets for what is not kept, and for the fork's own ref where a foreign branch may descend
 * from it. */
static void fetch_foreign(struct descendants *descendants, struct dataset_refs *refs,
                          struct store_set *set)
{
    for (guint i = 0; i < refs->foreign->len; i++) {
        struct foreign_ref *ref = g_ptr_array_index(refs->foreign, i);
        ref->body = find_kept(descendants, ref->object);
        if (!ref->body)
            ref->get = store_set_get(set, ref->object->key);
        if (!ref->is_tag && !refs->own) {
            g_autofree char *key = lance_branch_ref_key(refs->dataset_key, refs->branch);
            refs->own = store_set_get(set, key);
        }
    }
}

static int check_dataset(struct descendants *descendants, const struct dataset_refs *refs,
                         struct error *err)
{
    struct branch_ref *own = own_ref(refs);
    int code = 0;
    for (guint i = 0; code == 0 && i < refs->foreign->len; i++) {
        const struct foreign_ref *ref = g_ptr_array_index(refs->foreign, i);
        if (ref->get && ref->get->answer.code == 0)
            keep(descendants, ref->get);
        code = check_ref(refs, ref, own, err);
    }
    branch_ref_free(own);
    return code;
}

static int check_listed(struct descendants *descendants, const struct registry *registry,
                        GPtrArray *all, struct operation *operation, struct error *err)
{
    struct store_set *gets = store_set_new();
    for (guint i = 0; i < all->len; i++) {
        select_foreign(registry, g_ptr_array_index(all, i));
        fetch_foreign(descendants, g_ptr_array_index(all, i), gets);
    }
    int code = store_run(descendants->store, gets, operation, err);
    if (code == 0)
        code = store_set_failure(gets, ERR_NOT_FOUND, err);
    for (guint i = 0; code == 0 && i < all->len; i++)
        code = check_dataset(descendants, g_ptr_array_index(all, i), err);
    store_set_unref(gets);
    return code;
}

int descendants_check(struct descendants *descendants, const struct registry *registry,
                      const struct fork_entry *entry, struct operation *operation,
                      struct error *err)
{
    struct store_set *set = store_set_new();
    g_autoptr(GPtrArray) all = list_refs(descendants, entry, set);
    int code = store_run(descendants->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    if (code == 0)
        code = check_listed(descendants, registry, all, operation, err);
    store_set_unref(set);
    return code;
}
