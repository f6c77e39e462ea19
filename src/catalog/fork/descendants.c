#include "catalog/fork/descendants.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/fork/kept_reason.h"
#include "catalog/fork/known_forks.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"
#include "lance/ref_catalog.h"

struct descendants {
    struct store *store;
    const struct layout *layout;
    struct ref_cache *cache;
    bool has_met_remnant; /* atomic */
};

/* A ref to be looked into. */
struct foreign_ref {
    const struct store_object *object; /* its row, owned by the listing */
    struct bytes *body;                /* kept from an earlier check; else */
    struct store_request *get;         /* in flight or answered */
    char *name;                        /* of a branch; NULL: a tag */
    struct branch_ref *branch;         /* of a branch, once it was read */
    struct error problem;              /* why it does not parse */
};

/* The refs of one dataset, for all forks that have it. */
struct dataset_refs {
    char *dataset;
    char *key;                  /* of the dataset */
    struct store_request *all;  /* a listing of all of its refs, or else */
    struct store_request *tags; /* of its tag refs */
    GPtrArray *foreign;         /* struct foreign_ref */
    GPtrArray *unreadable;      /* those of them that do not parse */
    GHashTable *tagged;         /* branch -> key of a tag that points at it */
    GHashTable *branched;       /* branch -> name of a foreign one made from it */
    bool any_branch;
    bool has_catalog;     /* of refs, lance/ref_catalog.h; `problem` says so */
    struct error problem; /* why nobody can tell */
};

/* One branch of one fork of the list. */
struct dependence {
    struct descendants *descendants;
    struct descendants_query *query;
    struct dataset_refs *refs;
    const char *branch;        /* owned by the query */
    struct store_request *own; /* its ref; NULL when no branch may descend from it */
};

/* A check in progress. */
struct check {
    struct descendants *descendants;
    const struct registry *registry;
    struct known_forks *known; /* known_of() */
    GHashTable *datasets;      /* name -> struct dataset_refs */
    GPtrArray *dependences;    /* struct dependence */
};

struct descendants *descendants_new(struct store *store, const struct layout *layout,
                                    struct ref_cache *cache)
{
    struct descendants *descendants = g_new0(struct descendants, 1);
    descendants->store = store;
    descendants->layout = layout;
    descendants->cache = cache;
    return descendants;
}

void descendants_free(struct descendants *descendants)
{
    g_free(descendants);
}

static void foreign_ref_free(void *pointer)
{
    struct foreign_ref *ref = pointer;
    bytes_unref(ref->body);
    g_free(ref->name);
    branch_ref_free(ref->branch);
    g_free(ref);
}

static void dataset_refs_free(void *pointer)
{
    struct dataset_refs *refs = pointer;
    g_free(refs->dataset);
    g_free(refs->key);
    g_ptr_array_unref(refs->unreadable);
    g_ptr_array_unref(refs->foreign);
    g_hash_table_unref(refs->tagged);
    g_hash_table_unref(refs->branched);
    g_free(refs);
}

/* ---- First wave: the listings ---- */

static struct dataset_refs *obtain_dataset(struct check *check, const char *dataset)
{
    struct dataset_refs *refs = g_hash_table_lookup(check->datasets, dataset);
    if (refs)
        return refs;
    refs = g_new0(struct dataset_refs, 1);
    refs->dataset = g_strdup(dataset);
    refs->key = layout_dataset_key(check->descendants->layout, dataset);
    refs->foreign = g_ptr_array_new_with_free_func(foreign_ref_free);
    refs->unreadable = g_ptr_array_new();
    refs->tagged = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    refs->branched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert(check->datasets, refs->dataset, refs);
    return refs;
}

/* Made when something asks. */
static struct known_forks *known_of(struct check *check)
{
    if (!check->known)
        check->known = known_forks_new(check->registry);
    return check->known;
}

/* What the registry vouches for, of a listing of thousands of forks' refs. */
struct vouched_for {
    struct known_forks *known;
    char *branches; /* key of the directory of branch refs */
};

static bool is_vouched_for(const char *directory, const char *name, const void *argument)
{
    const struct vouched_for *vouched = argument;
    return strcmp(directory, vouched->branches) == 0 && known_forks_have(vouched->known, name);
}

static void vouched_for_free(void *pointer)
{
    struct vouched_for *vouched = pointer;
    known_forks_unref(vouched->known);
    g_free(vouched->branches);
    g_free(vouched);
}

static void request_listing(struct check *check, struct dataset_refs *refs, struct store_set *set,
                            bool tags_only)
{
    if (!tags_only && !refs->all) {
        struct vouched_for *vouched = g_new0(struct vouched_for, 1);
        vouched->known = known_forks_ref(known_of(check));
        vouched->branches = lance_branch_refs_prefix(refs->key);
        refs->all = lance_refs_request(set, refs->key);
        store_request_leave_out(refs->all, is_vouched_for, vouched, vouched_for_free,
                                check->registry->since_ns);
        lance_expect_tags(refs->all, refs->key);
    }
    if (!refs->all && !refs->tags) {
        refs->tags = lance_tag_refs_request(set, refs->key);
        lance_expect_tags(refs->tags, refs->key);
    }
}

static void add_query(struct check *check, struct store_set *set, struct descendants_query *query)
{
    for (guint i = 0; i < query->branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(query->branches, i);
        if (query->entry &&
            registry_protects_branch(check->registry, &query->entry->id, pair->branch))
            continue;
        struct dependence *dependence = g_new0(struct dependence, 1);
        dependence->descendants = check->descendants;
        dependence->query = query;
        dependence->refs = obtain_dataset(check, pair->dataset);
        request_listing(check, dependence->refs, set, query->tags_only);
        if (query->entry && query->entry->status == FORK_ACTIVE && dependence->refs->all)
            lance_expect_branches(dependence->refs->all, dependence->refs->key, true);
        dependence->branch = pair->branch;
        g_ptr_array_add(check->dependences, dependence);
    }
}

/* ---- Second wave: the refs that matter ---- */

/* branch: its name, which is taken over; NULL: a tag. */
static void add_foreign(struct check *check, struct dataset_refs *refs,
                        const struct store_object *object, char *branch, struct store_set *set)
{
    struct foreign_ref *ref = g_new0(struct foreign_ref, 1);
    ref->object = object;
    ref->name = branch;
    ref->body = ref_cache_find(check->descendants->cache, object);
    if (!ref->body)
        ref->get = store_set_get(set, object->key);
    refs->any_branch = refs->any_branch || branch;
    g_ptr_array_add(refs->foreign, ref);
}

/* A listing may be one of thousands of forks' refs. */
static void request_listed(struct check *check, struct dataset_refs *refs, const GPtrArray *objects,
                           struct store_set *set)
{
    g_autofree char *branches = lance_branch_refs_prefix(refs->key);
    g_autofree char *tags = lance_tag_refs_prefix(refs->key);
    size_t length = strlen(branches);
    for (guint i = 0; i < objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(objects, i);
        bool is_tag = g_str_has_prefix(object->key, tags);
        if (!is_tag && (!g_str_has_prefix(object->key, branches) ||
                        known_forks_have(known_of(check), object->key + length)))
            continue;
        g_autofree char *branch = lance_branch_of_ref_key(refs->key, object->key);
        if (branch && !known_forks_have(known_of(check), branch))
            add_foreign(check, refs, object, g_steal_pointer(&branch), set);
        else if (is_tag && g_str_has_suffix(object->key, ".json"))
            add_foreign(check, refs, object, NULL, set);
    }
}

static void request_foreign(struct check *check, struct dataset_refs *refs, struct store_set *set)
{
    const struct store_request *listing = refs->all ? refs->all : refs->tags;
    if (lance_ref_catalog_check(listing, refs->key, &refs->problem)) {
        refs->has_catalog = listing->answer.code == 0;
        return;
    }
    request_listed(check, refs, listing->answer.objects, set);
}

static void request_own(struct dependence *dependence, struct store_set *set)
{
    if (!dependence->refs->any_branch)
        return;
    g_autofree char *key = lance_branch_ref_key(dependence->refs->key, dependence->branch);
    dependence->own = store_set_get(set, key);
}

/* ---- What they say ---- */

static int read_body(struct check *check, struct dataset_refs *refs, struct foreign_ref *ref)
{
    const struct store_request *get = ref->get;
    if (!get)
        return 0;
    if (get->answer.code == ERR_NOT_FOUND)
        return 0; /* gone meanwhile */
    if (get->answer.code)
        return error_copy(&refs->problem, &get->answer.error);
    ref_cache_keep(check->descendants->cache, get);
    ref->body = bytes_ref(get->answer.body);
    return 0;
}

static int parse_tag(struct dataset_refs *refs, struct foreign_ref *ref)
{
    struct tag_ref *tag = NULL;
    int code = tag_ref_parse(ref->body, &tag, &ref->problem);
    if (code == 0 && tag->branch)
        g_hash_table_replace(refs->tagged, g_strdup(tag->branch), ref->object->key);
    tag_ref_free(tag);
    return code;
}

static int parse_branch(struct dataset_refs *refs, struct foreign_ref *ref)
{
    int code = branch_ref_parse(ref->body, &ref->branch, &ref->problem);
    if (code == 0 && ref->branch->parent_branch)
        g_hash_table_replace(refs->branched, g_strdup(ref->branch->parent_branch), ref->name);
    return code;
}

static void read_dataset(struct check *check, struct dataset_refs *refs)
{
    for (guint i = 0; refs->problem.code == 0 && i < refs->foreign->len; i++) {
        struct foreign_ref *ref = g_ptr_array_index(refs->foreign, i);
        if (read_body(check, refs, ref) || !ref->body)
            continue;
        if ((ref->name ? parse_branch : parse_tag)(refs, ref)) {
            error_prefix(&ref->problem, ref->problem.code, "ref %s", ref->object->key);
            g_ptr_array_add(refs->unreadable, ref);
        }
    }
}

static int error_descends(const struct check *check, const struct dependence *dependence,
                          const char *branch, struct error *err)
{
    struct ulid id;
    if (!layout_id_of_branch(branch, &id))
        return kept_by_branch(dependence->query->entry, dependence->refs->dataset,
                              dependence->branch, branch, err);
    const struct fork_entry *child = registry_find_id(check->registry, &id);
    if (child)
        return kept_by_fork(dependence->query->entry, dependence->refs->dataset, dependence->branch,
                            child, err);
    __atomic_store_n(&dependence->descendants->has_met_remnant, true, __ATOMIC_RELAXED);
    return kept_by_remnant(dependence->query->entry, dependence->refs->dataset, dependence->branch,
                           branch, layout_is_remote(dependence->descendants->layout), err);
}

bool descendants_take_remnants(struct descendants *descendants)
{
    return __atomic_exchange_n(&descendants->has_met_remnant, false, __ATOMIC_RELAXED);
}

/* A branch that was made from a branch of the fork which is gone shows its descent in its lineage.
 */
static int check_lineage(const struct check *check, const struct dependence *dependence,
                         struct error *err)
{
    const struct store_answer *answer = &dependence->own->answer;
    if (answer->code == ERR_NOT_FOUND)
        return 0;
    if (answer->code)
        return error_copy(err, &answer->error);
    struct branch_ref *own = NULL;
    if (branch_ref_parse(answer->body, &own, NULL))
        return 0; /* damaged; nothing says that it has descendants, and it can still be dropped */
    int code = 0;
    for (guint i = 0; code == 0 && i < dependence->refs->foreign->len; i++) {
        const struct foreign_ref *ref = g_ptr_array_index(dependence->refs->foreign, i);
        if (ref->branch && branch_ref_descends(ref->branch, own))
            code = error_descends(check, dependence, ref->name, err);
    }
    branch_ref_free(own);
    return code;
}

/* A ref that does not parse leaves nobody able to tell; but for the fork's own, which goes. */
static int check_readable(const struct dependence *dependence, struct error *err)
{
    const GPtrArray *unreadable = dependence->refs->unreadable;
    for (guint i = 0; i < unreadable->len; i++) {
        const struct foreign_ref *ref = g_ptr_array_index(unreadable, i);
        if (g_strcmp0(ref->name, dependence->branch) != 0)
            return kept_by_doubt(dependence->query->entry, &ref->problem, err);
    }
    return 0;
}

/* That a dataset has a catalog of refs is no reason to keep a fork that may have nothing there. */
static bool is_left_to_deletion(const struct dependence *dependence)
{
    const struct fork_entry *entry = dependence->query->entry;
    return dependence->refs->has_catalog && (!entry || entry->status != FORK_ACTIVE);
}

static int check_dependence(const struct check *check, const struct dependence *dependence,
                            struct error *err)
{
    const struct dataset_refs *refs = dependence->refs;
    if (is_left_to_deletion(dependence))
        return 0;
    if (refs->problem.code)
        return error_copy(err, &refs->problem);
    const char *found = g_hash_table_lookup(refs->tagged, dependence->branch);
    if (found)
        return kept_by_tag(dependence->query->entry, refs->dataset, dependence->branch, found, err);
    found = g_hash_table_lookup(refs->branched, dependence->branch);
    if (found)
        return error_descends(check, dependence, found, err);
    int code = check_readable(dependence, err);
    return code == 0 && dependence->own ? check_lineage(check, dependence, err) : code;
}

static int compare_key(const void *key, const void *element)
{
    return strcmp(key, (*(const struct store_object *const *)element)->key);
}

/* Rows are in the order of their keys. */
static bool has_row(const struct store_request *listing, const char *key)
{
    const GPtrArray *rows = listing->answer.objects;
    return rows && rows->len > 0 &&
           bsearch(key, rows->pdata, rows->len, sizeof rows->pdata[0], compare_key);
}

static void note_ref(const struct dependence *dependence)
{
    g_autofree char *key = lance_branch_ref_key(dependence->refs->key, dependence->branch);
    if (dependence->refs->all && has_row(dependence->refs->all, key))
        dependence->query->has_refs = true;
}

/* ---- The check ---- */

static int list_refs(struct check *check, struct descendants_query *list, size_t count,
                     struct store_set *set, struct operation *operation)
{
    for (size_t i = 0; i < count; i++)
        add_query(check, set, &list[i]);
    return store_run(check->descendants->store, set, operation, NULL);
}

static struct store_set *get_refs(struct check *check, struct operation *operation)
{
    struct store_set *set = store_set_new();
    GHashTableIter iterator;
    void *refs;
    g_hash_table_iter_init(&iterator, check->datasets);
    while (g_hash_table_iter_next(&iterator, NULL, &refs))
        request_foreign(check, refs, set);
    for (guint i = 0; i < check->dependences->len; i++)
        request_own(g_ptr_array_index(check->dependences, i), set);
    store_run(check->descendants->store, set, operation, NULL);
    g_hash_table_iter_init(&iterator, check->datasets);
    while (g_hash_table_iter_next(&iterator, NULL, &refs))
        read_dataset(check, refs);
    return set;
}

int descendants_check(struct descendants *descendants, const struct registry *registry,
                      struct descendants_query *list, size_t count, struct store_set *first,
                      struct operation *operation)
{
    g_autoptr(GHashTable) datasets =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, dataset_refs_free);
    g_autoptr(GPtrArray) dependences = g_ptr_array_new_with_free_func(g_free);
    struct check check = {.descendants = descendants,
                          .registry = registry,
                          .datasets = datasets,
                          .dependences = dependences};
    auto_store_set struct store_set *own = first ? NULL : store_set_new();
    int run_code = list_refs(&check, list, count, first ? first : own, operation);
    auto_store_set struct store_set *gets = get_refs(&check, operation);
    for (guint i = 0; i < dependences->len; i++) {
        const struct dependence *dependence = g_ptr_array_index(dependences, i);
        note_ref(dependence);
        if (dependence->query->err->code == 0)
            check_dependence(&check, dependence, dependence->query->err);
    }
    known_forks_unref(check.known);
    return run_code;
}
