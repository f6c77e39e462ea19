#include "fs/operations/entries.h"

#include <string.h>

double entries_attribute_timeout(enum node_kind kind)
{
    return node_rules(kind)->cached ? ENTRY_TIMEOUT_SECONDS : 0;
}

void entries_attributes(const struct view *view, const struct tree_child *child,
                        const struct document *document, struct stat *ret)
{
    const struct attribute_settings *settings = &view->session->attributes;
    if (node_kind_is_file(child->kind))
        attributes_of_file(settings, child, document, ret);
    else
        attributes_of_node(settings, view->registry, child, ret);
}

void entries_enter(const struct view *view, const struct tree_child *child,
                   const struct document *document, struct fuse_entry_param *ret)
{
    auto_node struct node *node =
        node_table_enter(view->session->nodes, view->node, child->kind, child->name,
                         child->entry ? &child->entry->id : NULL);
    memset(ret, 0, sizeof *ret);
    ret->ino = node->id;
    ret->entry_timeout = ENTRY_TIMEOUT_SECONDS;
    ret->attr_timeout = entries_attribute_timeout(child->kind);
    entries_attributes(view, child, document, &ret->attr);
}

void entries_reply(const struct view *view, fuse_req_t request, const struct tree_child *child,
                   const struct document *document)
{
    struct fuse_entry_param entry;
    struct node_table *nodes = view->session->nodes;
    entries_enter(view, child, document, &entry);
    if (fuse_reply_entry(request, &entry) != 0)
        node_table_forget(nodes, entry.ino, 1);
}
