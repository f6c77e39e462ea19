/*
 * A changed image from a base: entries put in, taken out and replaced, all orders kept.
 */
#include "base/timestamp.h"
#include "catalog/registry/registry_private.h"

struct registry_edit *registry_edit_new(struct registry *base)
{
    struct registry_edit *edit = g_new0(struct registry_edit, 1);
    edit->base = registry_ref(base);
    edit->state = registry_allocate(base->head, base->tail);
    edit->state->since_ns = base->by_foreign->len > 0 ? monotonic_now_ns() : base->since_ns;
    for (guint i = 0; i < base->entries->len; i++)
        g_ptr_array_add(edit->state->entries, fork_entry_ref(base->entries->pdata[i]));
    g_ptr_array_extend(edit->state->by_id, base->by_id, NULL, NULL);
    g_ptr_array_extend(edit->state->by_parent, base->by_parent, NULL, NULL);
    g_ptr_array_extend(edit->state->by_foreign, base->by_foreign, NULL, NULL);
    return edit;
}

void registry_edit_free(struct registry_edit *edit)
{
    if (!edit)
        return;
    registry_unref(edit->state);
    registry_unref(edit->base);
    g_free(edit);
}

static void insert_into(GPtrArray *entries, entry_order *order, struct fork_entry *entry)
{
    guint at = order_lower_bound(entries, order, entry);
    g_ptr_array_insert(entries, (gint)at, entry);
}

static void remove_from(GPtrArray *entries, entry_order *order, const struct fork_entry *entry)
{
    guint at = order_lower_bound(entries, order, entry);
    g_assert(at < entries->len && entries->pdata[at] == entry);
    g_ptr_array_remove_index(entries, at);
}

void registry_edit_insert(struct registry_edit *edit, struct fork_entry *entry)
{
    GPtrArray *entries = edit->state->entries;
    guint at = order_lower_bound(entries, order_by_key, entry);
    g_assert(at == entries->len || order_by_key(entries->pdata[at], entry) != 0);

    g_ptr_array_insert(entries, (gint)at, fork_entry_ref(entry));
    insert_into(edit->state->by_id, order_by_id_and_key, entry);
    if (entry->has_parent)
        insert_into(edit->state->by_parent, order_by_parent_and_key, entry);
    if (entry->has_foreign_branch)
        insert_into(edit->state->by_foreign, order_by_id_and_key, entry);
    edit->is_changed = true;
}

void registry_edit_remove(struct registry_edit *edit, const struct fork_entry *entry)
{
    GPtrArray *entries = edit->state->entries;
    guint at = order_lower_bound(entries, order_by_key, entry);
    g_assert(at < entries->len);
    const struct fork_entry *present = entries->pdata[at];
    g_assert(order_by_id_and_key(present, entry) == 0);

    if (present->has_parent)
        remove_from(edit->state->by_parent, order_by_parent_and_key, present);
    if (present->has_foreign_branch)
        remove_from(edit->state->by_foreign, order_by_id_and_key, present);
    remove_from(edit->state->by_id, order_by_id_and_key, present);
    g_ptr_array_remove_index(entries, at);
    edit->is_changed = true;
}

void registry_edit_replace(struct registry_edit *edit, struct fork_entry *entry)
{
    fork_entry_ref(entry); /* it may be the very entry that is there */
    registry_edit_remove(edit, entry);
    registry_edit_insert(edit, entry);
    fork_entry_unref(entry);
}

struct registry *registry_edit_finish(struct registry_edit *edit)
{
    struct registry *image = g_steal_pointer(&edit->state);
    registry_assemble(image);
    registry_edit_free(edit);
    return image;
}
