/*
 * Parents that cannot be: a fork that descends from itself, or whose parent has no entry.
 */
#include "catalog/fork/deletion_branches.h"
#include "catalog/registry/transitions.h"
#include "catalog/repair/lineage.h"
#include "catalog/repair/repair_private.h"

/* The entries (borrowed) whose parents cannot be, and that are beyond doubt themselves. */
static GPtrArray *list_wrong(const struct registry *registry)
{
    g_autoptr(GHashTable) circular = registry_circular_entries(registry);
    GPtrArray *list = g_ptr_array_new();
    for (guint i = 0; i < registry->entries->len; i++) {
        struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        bool is_wrong = g_hash_table_contains(circular, entry) ||
                        (entry->has_parent && !registry_parent(registry, entry));
        if (is_wrong && !registry_id_is_ambiguous(registry, &entry->id) &&
            deletion_check_names(entry->datasets, NULL) == 0)
            g_ptr_array_add(list, entry);
    }
    return list;
}

static bool is_told(const struct registry *registry, const struct fork_entry *entry,
                    const struct lineage *lineage)
{
    if (lineage->kind == LINEAGE_MAIN)
        return true;
    return lineage->kind == LINEAGE_FORK && registry_find_id(registry, &lineage->parent) &&
           !(entry->has_parent && ulid_equal(&entry->parent_id, &lineage->parent));
}

/* The registry as it would be with the parent that the lineage tells. */
static void correct(struct registry_edit *edit, const struct fork_entry *entry,
                    const struct lineage *lineage)
{
    auto_entry struct fork_entry *corrected =
        fork_entry_with_parent(entry, lineage->kind == LINEAGE_FORK ? &lineage->parent : NULL);
    registry_edit_replace(edit, corrected);
}

/* A lineage that goes round in a circle, too, is none. */
static bool ends_the_circle(const struct registry *corrected, const struct fork_entry *entry)
{
    g_autoptr(GHashTable) circular = registry_circular_entries(corrected);
    return !g_hash_table_contains(circular, registry_find_id(corrected, &entry->id));
}

static int commit_parent(struct repair *repair, const struct fork_entry *entry,
                         const struct lineage *lineage, struct error *err)
{
    const struct ulid *parent = lineage->kind == LINEAGE_FORK ? &lineage->parent : NULL;
    const struct transition transition = {.kind = TRANSITION_PARENT,
                                          .id = &entry->id,
                                          .entry = (struct fork_entry *)entry,
                                          .new_parent = parent};
    int code = transition_commit(repair->catalog->committer, transition, repair->operation, err);
    if (code == 0)
        repair_did(repair, "correct the parent of fork %s: its branches were made from %s%s",
                   entry->key_source, parent ? "fork " : "main", parent ? parent->text : "");
    return code;
}

static int correct_all(struct repair *repair, const struct registry *registry,
                       const GPtrArray *wrong, const struct lineage *lineages, struct error *err)
{
    struct registry_edit *edit = registry_edit_new((struct registry *)registry);
    for (guint i = 0; i < wrong->len; i++)
        if (is_told(registry, g_ptr_array_index(wrong, i), &lineages[i]))
            correct(edit, g_ptr_array_index(wrong, i), &lineages[i]);
    auto_registry struct registry *corrected = registry_edit_finish(edit);
    int code = 0;
    for (guint i = 0; code == 0 && i < wrong->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(wrong, i);
        if (is_told(registry, entry, &lineages[i]) && ends_the_circle(corrected, entry))
            code = commit_parent(repair, entry, &lineages[i], err);
    }
    return code;
}

int repair_parents(struct repair *repair, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    g_autoptr(GPtrArray) wrong = list_wrong(registry);
    if (wrong->len == 0)
        return 0;
    g_autofree struct lineage *lineages = g_new0(struct lineage, wrong->len);
    for (guint i = 0; i < wrong->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(wrong, i);
        lineages[i] = (struct lineage){.id = entry->id, .branches = entry->datasets};
    }
    int code =
        lineage_read(repair->store, repair->layout, lineages, wrong->len, repair->operation, err);
    return code ? code : correct_all(repair, registry, wrong, lineages, err);
}
