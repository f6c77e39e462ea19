/*
 * The check of the registry's entries and of the documents and files that belong to one fork each.
 */
#include <string.h>

#include "catalog/format/documents.h"
#include "catalog/format/fork_name.h"
#include "catalog/format/overlay_document.h"
#include "catalog/fsck/fsck_private.h"
#include "lance/branch_name.h"

/* How many ancestors a finding names. */
#define CIRCLE_NAMED 5

/* ---- Entries ---- */

static void check_entry_names(struct fsck *fsck, const struct fork_entry *entry)
{
    struct error problem;
    if (!entry->key || fork_name_check(entry->key, &problem) != 0)
        fsck_find(fsck, FSCK_ERROR, "fork %s: the name breaks the rule for names",
                  entry->key_source);
    if (g_strcmp0(entry->key, entry->name) != 0)
        fsck_find(fsck, FSCK_ERROR, "fork %s: the entry's own name differs", entry->key_source);
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = entry->datasets->pdata[i];
        if (!layout_dataset_name_is_safe(pair->dataset))
            fsck_find(fsck, FSCK_ERROR, "fork %s: dataset name '%s' cannot be used",
                      entry->key_source, pair->dataset);
        if (lance_branch_name_check(pair->branch, &problem) != 0)
            fsck_find(fsck, FSCK_ERROR, "fork %s: branch name '%s' cannot be used",
                      entry->key_source, pair->branch);
        else if (!registry_id_is_ambiguous(fsck->registry, &entry->id) &&
                 registry_protects_branch(fsck->registry, &entry->id, pair->branch))
            fsck_find(fsck, FSCK_ERROR, "fork %s: branch '%s' belongs to another fork",
                      entry->key_source, pair->branch);
    }
}

/* Lists the ancestors of a fork that is one of them. */
static char *circle_text(const struct fsck *fsck, const struct fork_entry *entry)
{
    GString *text = g_string_new(NULL);
    const struct fork_entry *at = registry_parent(fsck->registry, entry);
    for (unsigned i = 0; at != entry && i < CIRCLE_NAMED; i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", at->key_source);
        at = registry_parent(fsck->registry, at);
    }
    if (at != entry)
        g_string_append(text, ", ...");
    return g_string_free(text, FALSE);
}

static void check_parent(struct fsck *fsck, const struct fork_entry *entry, GHashTable *circular)
{
    const struct fork_entry *parent = registry_parent(fsck->registry, entry);
    if (entry->has_parent && !parent) {
        fsck_find(fsck, FSCK_ERROR, "fork %s: there is no parent fork %s", entry->key_source,
                  entry->parent_id.text);
    } else if (parent == entry) {
        fsck_find(fsck, FSCK_ERROR, "fork %s: it is its own parent", entry->key_source);
    } else if (g_hash_table_contains(circular, entry)) {
        g_autofree char *circle = circle_text(fsck, entry);
        fsck_find(fsck, FSCK_ERROR, "fork %s: it descends from itself, by way of %s",
                  entry->key_source, circle);
    }
}

static void check_entry(struct fsck *fsck, const struct fork_entry *entry, GHashTable *circular)
{
    if (entry->status != FORK_ACTIVE)
        fsck_find(fsck, FSCK_UNFINISHED, "fork %s: %s", entry->key_source,
                  fork_status_name(entry->status));
    check_parent(fsck, entry, circular);
    if (registry_id_is_ambiguous(fsck->registry, &entry->id))
        fsck_find(fsck, FSCK_ERROR, "fork %s: another entry has the same id %s", entry->key_source,
                  entry->id.text);
    check_entry_names(fsck, entry);
}

void fsck_check_entries(struct fsck *fsck)
{
    g_autoptr(GHashTable) circular = registry_circular_entries(fsck->registry);
    for (guint i = 0; i < fsck->registry->entries->len; i++)
        check_entry(fsck, fsck->registry->entries->pdata[i], circular);
}

/* ---- Overlay and allocator of each active fork ---- */

static void check_fork_document(struct fsck *fsck, const struct fork_entry *entry,
                                const struct store_request *request, bool is_overlay)
{
    const char *what = is_overlay ? "overlay" : "allocator";
    struct allocator allocator;
    struct error problem;
    if (request->answer.code == ERR_NOT_FOUND)
        fsck_find(fsck, FSCK_ERROR, "fork %s: the %s %s is missing", entry->key_source, what,
                  request->key);
    else if ((is_overlay ? overlay_document_check_lists(request->answer.body, &problem)
                         : allocator_parse(request->answer.body, &allocator, &problem)) != 0)
        fsck_find(fsck, FSCK_ERROR, "fork %s: the %s %s does not parse: %s", entry->key_source,
                  what, request->key, problem.text);
}

int fsck_check_fork_documents(struct fsck *fsck, struct error *err)
{
    const GPtrArray *entries = fsck->registry->entries;
    auto_store_set struct store_set *set = store_set_new();
    for (guint i = 0; i < entries->len; i++) {
        const struct fork_entry *entry = entries->pdata[i];
        store_set_add(set, STORE_GET, layout_overlay_key(fsck->layout, &entry->id));
        store_set_add(set, STORE_GET, layout_fork_allocator_key(fsck->layout, &entry->id));
    }
    int code = fsck_read(fsck, set, "reading the overlays and allocators", err);
    for (guint i = 0; code == 0 && i < entries->len; i++) {
        const struct fork_entry *entry = entries->pdata[i];
        if (entry->status != FORK_ACTIVE)
            continue;
        check_fork_document(fsck, entry, store_set_at(set, 2 * i), true);
        check_fork_document(fsck, entry, store_set_at(set, 2 * i + 1), false);
    }
    return code;
}

/* ---- Files named by fork ids ---- */

/* Rows that are no temporary files; those are reported. */
static GPtrArray *report_temporary(struct fsck *fsck, const GPtrArray *rows)
{
    GPtrArray *others = g_ptr_array_new();
    fsck_check_temporary(fsck, rows);
    for (guint i = 0; i < rows->len; i++) {
        struct store_object *row = rows->pdata[i];
        if (!store_name_is_temporary(strrchr(row->key, '/') + 1))
            g_ptr_array_add(others, row);
    }
    return others;
}

void fsck_check_overlays(struct fsck *fsck, const GPtrArray *rows)
{
    g_autofree char *prefix = layout_overlays_prefix(fsck->layout);
    g_autoptr(GPtrArray) others = report_temporary(fsck, rows);
    for (guint i = 0; i < others->len; i++) {
        const struct store_object *row = others->pdata[i];
        struct ulid id;
        if (!layout_id_of_key(row->key, prefix, ".json", &id))
            fsck_find(fsck, FSCK_LEFTOVER, "%s: is no overlay", row->key);
        else if (!registry_find_id(fsck->registry, &id))
            fsck_find(fsck, FSCK_LEFTOVER, "%s: overlay of an unknown fork", row->key);
    }
}

void fsck_check_fork_files(struct fsck *fsck, const char *prefix, const GPtrArray *rows)
{
    g_autoptr(GPtrArray) others = report_temporary(fsck, rows);
    for (guint i = 0; i < others->len; i++) {
        const struct store_object *row = others->pdata[i];
        struct ulid id;
        if (!layout_id_of_file(row->key, prefix, &id))
            fsck_find(fsck, FSCK_LEFTOVER, "%s: belongs to no fork", row->key);
        else if (!registry_find_id(fsck->registry, &id))
            fsck_find(fsck, FSCK_LEFTOVER, "%s: file of an unknown fork", row->key);
    }
}

/* ---- Tombstones ---- */

/* A tombstone beside a tombstoned entry is a drop under way, which the entry already tells. */
static void check_tombstone(struct fsck *fsck, const struct ulid *id,
                            const struct store_request *request)
{
    auto_entry struct fork_entry *tombstone = NULL;
    struct error problem;
    const struct fork_entry *entry = registry_find_id(fsck->registry, id);
    if (fork_entry_parse_document(request->answer.body, &tombstone, &problem) != 0)
        fsck_find(fsck, FSCK_ERROR, "%s: the tombstone does not parse: %s", request->key,
                  problem.text);
    else if (!ulid_equal(&tombstone->id, id))
        fsck_find(fsck, FSCK_ERROR, "%s: the tombstone is that of fork %s", request->key,
                  tombstone->id.text);
    else if (!entry) {
        fsck_find(fsck, FSCK_UNFINISHED, "%s: tombstone of an unknown fork", request->key);
        g_ptr_array_add(fsck->lost, fork_entry_ref(tombstone));
    } else if (entry->status != FORK_TOMBSTONED)
        fsck_find(fsck, FSCK_UNFINISHED, "%s: tombstone of the %s fork %s", request->key,
                  fork_status_name(entry->status), entry->key_source);
}

int fsck_check_tombstones(struct fsck *fsck, const GPtrArray *rows, struct error *err)
{
    g_autofree char *prefix = layout_tombstones_prefix(fsck->layout);
    g_autoptr(GPtrArray) others = report_temporary(fsck, rows);
    auto_store_set struct store_set *set = store_set_new();
    struct ulid id;
    for (guint i = 0; i < others->len; i++) {
        const struct store_object *row = others->pdata[i];
        if (layout_id_of_key(row->key, prefix, ".json", &id))
            store_set_get(set, row->key);
        else
            fsck_find(fsck, FSCK_ERROR, "%s: is no tombstone", row->key);
    }
    int code = fsck_read(fsck, set, "reading the tombstones", err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *request = store_set_at(set, i);
        if (request->answer.code == 0 && layout_id_of_key(request->key, prefix, ".json", &id))
            check_tombstone(fsck, &id, request);
    }
    return code;
}
