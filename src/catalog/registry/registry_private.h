/*
 * What the making of images and of edits share: the three orders in which a registry keeps its
 * entries, and the assembly of its text. For registry*.c only.
 */
#ifndef FORKFS_CATALOG_REGISTRY_REGISTRY_PRIVATE_H
#define FORKFS_CATALOG_REGISTRY_REGISTRY_PRIVATE_H

#include <glib.h>

#include "catalog/registry/fork_entry.h"
#include "catalog/registry/registry.h"

typedef int entry_order(const struct fork_entry *a, const struct fork_entry *b);

/* By decoded key, bytewise; keys that hold U+0000 come last, by source. */
entry_order order_by_key;
/* By id or parent id alone (for ranges), and with the key as tie-breaker (for places). */
entry_order order_by_id;
entry_order order_by_id_and_key;
entry_order order_by_parent;
entry_order order_by_parent_and_key;

/* The first index whose entry is not before `probe`. Logarithmic. */
guint order_lower_bound(const GPtrArray *entries, entry_order *order,
                        const struct fork_entry *probe);

/* Sorts an array of struct fork_entry. */
void order_sort(GPtrArray *entries, entry_order *order);

/* An image without text, etag and entries; the arrays are ready. References head and tail. */
struct registry *registry_allocate(struct bytes *head, struct bytes *tail);

/* Assembles registry->text from head, entries and tail. */
void registry_assemble(struct registry *registry);

#endif
