/*
 * Parents that cannot be: a fork that descends from itself, or whose parent has no entry; and those
 * of forks whose branches were made from another fork's, which is none of their ancestors.
 */
#include "catalog/fork/deletion_branches.h"
#include "catalog/registry/transitions.h"
#include "catalog/repair/lineage.h"
#include "catalog/repair/repair_private.h"

/* How many forks' refs are read at a time. */
#define PORTION 256

/* What is wrong, and what their lineages tell. */
struct corrections {
    GPtrArray *entries;     /* struct fork_entry, borrowed from the registry */
    GArray *lineages;       /* struct lineage, one for each */
    GHashTable *impossible; /* entries (borrowed) whose parents cannot be at all */
};

static void corrections_free(struct corrections *corrections)
{
    g_ptr_array_unref(corrections->entries);
    g_array_unref(corrections->lineages);
    g_hash_table_unref(corrections->impossible);
}

/* Those that descend from themselves, or from none that exists. */
static GHashTable *list_impossible(const struct registry *registry)
{
    GHashTable *impossible = registry_circular_entries(registry);
    for (guint i = 0; i < registry->entries->len; i++) {
        struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (entry->has_parent && !registry_parent(registry, entry))
            g_hash_table_add(impossible, entry);
    }
    return impossible;
}

/* Whether the lineage tells a parent, and another one than the entry. That branches are of main
 * says nothing against a parent: that may not have had the datasets. */
static bool is_told(const struct registry *registry, const struct fork_entry *entry,
                    const struct lineage *lineage, bool is_impossible)
{
    if (lineage->kind == LINEAGE_MAIN)
        return is_impossible;
    return lineage->kind == LINEAGE_FORK && registry_find_id(registry, &lineage->parent) &&
           (is_impossible ? !(entry->has_parent && ulid_equal(&entry->parent_id, &lineage->parent))
                          : !registry_is_ancestor(registry, &lineage->parent, entry));
}

/* Entries [from, to) that are beyond doubt themselves. */
static int read_portion(struct repair *repair, const struct registry *registry, guint from,
                        guint to, struct corrections *corrections, struct error *err)
{
    g_autofree struct lineage *lineages = g_new0(struct lineage, PORTION);
    const struct fork_entry *entries[PORTION];
    size_t count = 0;
    for (guint i = from; i < to; i++) {
        const struct fork_entry *entry = g_ptr_array_index(registry->entries, i);
        if (registry_id_is_ambiguous(registry, &entry->id) ||
            deletion_check_names(entry->datasets, NULL))
            continue;
        entries[count] = entry;
        lineages[count++] = (struct lineage){.id = entry->id, .branches = entry->datasets};
    }
    int code = lineage_read(repair->store, repair->layout, lineages, count, repair->operation, err);
    for (size_t i = 0; code == 0 && i < count; i++) {
        bool is_impossible = g_hash_table_contains(corrections->impossible, entries[i]);
        if (!is_told(registry, entries[i], &lineages[i], is_impossible))
            continue;
        g_ptr_array_add(corrections->entries, (struct fork_entry *)entries[i]);
        g_array_append_val(corrections->lineages, lineages[i]);
    }
    return code;
}

static int find_corrections(struct repair *repair, const struct registry *registry,
                            struct corrections *ret, struct error *err)
{
    const guint count = registry->entries->len;
    int code = 0;
    ret->entries = g_ptr_array_new();
    ret->lineages = g_array_new(FALSE, FALSE, sizeof(struct lineage));
    ret->impossible = list_impossible(registry);
    for (guint from = 0; code == 0 && from < count; from += PORTION)
        code = read_portion(repair, registry, from, MIN(from + PORTION, count), ret, err);
    return code;
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
                       const struct corrections *corrections, struct error *err)
{
    struct registry_edit *edit = registry_edit_new((struct registry *)registry);
    for (guint i = 0; i < corrections->entries->len; i++)
        correct(edit, g_ptr_array_index(corrections->entries, i),
                &g_array_index(corrections->lineages, struct lineage, i));
    auto_registry struct registry *corrected = registry_edit_finish(edit);
    int code = 0;
    for (guint i = 0; code == 0 && i < corrections->entries->len; i++) {
        const struct fork_entry *entry = g_ptr_array_index(corrections->entries, i);
        if (ends_the_circle(corrected, entry))
            code = commit_parent(repair, entry,
                                 &g_array_index(corrections->lineages, struct lineage, i), err);
    }
    return code;
}

int repair_parents(struct repair *repair, struct error *err)
{
    auto_registry struct registry *registry = catalog_registry(repair->catalog);
    struct corrections corrections;
    int code = find_corrections(repair, registry, &corrections, err);
    if (code == 0 && corrections.entries->len > 0)
        code = correct_all(repair, registry, &corrections, err);
    corrections_free(&corrections);
    return code;
}
