#include "catalog/repair/recovered.h"

#include "base/timestamp.h"
#include "catalog/format/documents.h"
#include "catalog/repair/lineage.h"
#include "catalog/repair/origin.h"

#define NAME_PREFIX "recovered-"

/* A fork that may get an entry. */
struct candidate {
    struct lineage lineage;
    GPtrArray *branches;
    bool is_done;
};

struct recovery {
    const struct registry *registry;
    struct origins *origins;
    struct operation *operation;
    GPtrArray *entries; /* made so far */
};

static const struct fork_entry *find_made(const GPtrArray *entries, const struct ulid *id)
{
    for (guint i = 0; i < entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(entries, i);
        if (ulid_equal(&entry->id, id))
            return entry;
    }
    return NULL;
}

/* False: it cannot have an entry, or not yet. */
static bool find_parent(const struct recovery *recovery, const struct lineage *lineage,
                        const struct fork_entry **ret)
{
    *ret = NULL;
    if (lineage->kind != LINEAGE_FORK)
        return lineage->kind == LINEAGE_MAIN;
    const struct fork_entry *known = registry_find_id(recovery->registry, &lineage->parent);
    *ret = known ? known : find_made(recovery->entries, &lineage->parent);
    return *ret && (*ret)->status == FORK_ACTIVE;
}

/* The first that no entry has: "recovered-<ULID>", "recovered-<ULID>-2" and so on. g_free(). */
static char *choose_name(const struct registry *registry, const struct ulid *id)
{
    char *name = g_strconcat(NAME_PREFIX, id->text, NULL);
    for (unsigned n = 2; registry_find(registry, name); n++) {
        g_free(name);
        name = g_strdup_printf(NAME_PREFIX "%s-%u", id->text, n);
    }
    return name;
}

static int make_entry(struct recovery *recovery, const struct candidate *candidate,
                      const struct fork_entry *parent, struct error *err)
{
    g_autofree char *name = choose_name(recovery->registry, &candidate->lineage.id);
    struct fork_description description = {
        .name = name,
        .id = candidate->lineage.id,
        .has_parent = parent != NULL,
        .created_at = timespec_from_ns(ulid_time_ms(&candidate->lineage.id) * NS_PER_MS),
        .datasets = candidate->branches,
    };
    if (parent)
        description.parent_id = parent->id;
    int code = origins_describe(recovery->origins, parent, &description, recovery->operation, err);
    if (code)
        return code;
    auto_entry struct fork_entry *pending = fork_entry_new(&description);
    g_ptr_array_add(recovery->entries, fork_entry_with_status(pending, FORK_ACTIVE));
    return 0;
}

/* As long as any gets one, its children may, too. */
static int make_entries(struct recovery *recovery, struct candidate *list, size_t count,
                        struct error *err)
{
    int code = 0;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; code == 0 && i < count; i++) {
            const struct fork_entry *parent;
            if (list[i].is_done || !find_parent(recovery, &list[i].lineage, &parent))
                continue;
            list[i].is_done = again = true;
            code = make_entry(recovery, &list[i], parent, err);
        }
        again = again && code == 0;
    }
    return code;
}

static int read_lineages(struct store *store, const struct layout *layout, struct candidate *list,
                         size_t count, struct operation *operation, struct error *err)
{
    g_autofree struct lineage *lineages = g_new0(struct lineage, count);
    for (size_t i = 0; i < count; i++)
        lineages[i] = list[i].lineage;
    int code = lineage_read(store, layout, lineages, count, operation, err);
    for (size_t i = 0; i < count; i++)
        list[i].lineage = lineages[i];
    return code;
}

int recovered_entries(struct store *store, const struct layout *layout,
                      const struct registry *registry, const GPtrArray *remains,
                      struct operation *operation, GPtrArray **ret, struct error *err)
{
    g_autofree struct candidate *list = g_new0(struct candidate, remains->len);
    struct recovery recovery = {
        .registry = registry,
        .origins = origins_new(store, layout),
        .operation = operation,
        .entries = g_ptr_array_new_with_free_func((GDestroyNotify)fork_entry_unref),
    };
    for (guint i = 0; i < remains->len; i++) {
        const struct remains *one = g_ptr_array_index(remains, i);
        list[i].branches = remains_branches(one, true);
        list[i].lineage = (struct lineage){.id = one->id, .branches = list[i].branches};
    }
    int code = read_lineages(store, layout, list, remains->len, operation, err);
    if (code == 0)
        code = make_entries(&recovery, list, remains->len, err);
    for (guint i = 0; i < remains->len; i++)
        g_ptr_array_unref(list[i].branches);
    origins_free(recovery.origins);
    if (code)
        g_ptr_array_unref(recovery.entries);
    else
        *ret = recovery.entries;
    return code;
}

/* Requests that put an empty overlay where `looks`, answered, have found nothing. */
static struct store_set *put_missing(struct store_set *looks)
{
    auto_bytes struct bytes *empty = overlay_empty();
    struct store_set *puts = store_set_new();
    for (size_t i = 0; i < store_set_size(looks); i++) {
        const struct store_request *look = store_set_at(looks, i);
        if (look->answer.code == ERR_NOT_FOUND)
            store_set_put(puts, look->key, empty, STORE_IF_ABSENT, NULL);
    }
    return puts;
}

/* The first failure but for what says whether and how an overlay is there. */
static int look_failure(struct store_set *looks, struct error *err)
{
    for (size_t i = 0; i < store_set_size(looks); i++) {
        const struct store_answer *answer = &store_set_at(looks, i)->answer;
        if (answer->code && answer->code != ERR_NOT_FOUND && answer->code != ERR_CORRUPT)
            return error_copy(err, &answer->error);
    }
    return 0;
}

int recovered_complete(struct store *store, const struct layout *layout, const GPtrArray *entries,
                       struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *looks = store_set_new();
    for (guint i = 0; i < entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(entries, i);
        store_set_add(looks, STORE_HEAD, layout_overlay_key(layout, &entry->id));
    }
    int code = store_run(store, looks, operation, err);
    if (code == 0)
        code = look_failure(looks, err);
    if (code == 0) {
        auto_store_set struct store_set *puts = put_missing(looks);
        code = store_run_all(store, puts, ERR_PRECONDITION, operation, err);
    }
    return error_prefix(err, code, "putting empty overlays");
}

char *recovered_text(const struct fork_entry *entry)
{
    return g_strdup_printf("fork %s of %u dataset%s, made from %s%s", entry->key_source,
                           entry->datasets->len, entry->datasets->len == 1 ? "" : "s",
                           entry->has_parent ? "fork " : "main",
                           entry->has_parent ? entry->parent_id.text : "");
}
