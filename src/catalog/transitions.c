#include "catalog/transitions.h"

/* How many children an error names. */
#define CHILDREN_NAMED 3

static int commit(struct committer *committer,
                  int (*apply)(struct registry_edit *, void *, struct error *),
                  bool (*landed)(const struct registry *, void *), const void *argument,
                  const char *stage, const char *object, struct operation *operation,
                  struct error *err)
{
    struct error failure = {0};
    const struct commit_request request = {
        .apply = apply, .landed = landed, .argument = (void *)argument};
    int code = committer_commit(committer, &request, operation, &failure);
    if (code) {
        error_prefix(&failure, "%s %s", stage, object);
        error_copy(err, &failure);
    }
    return code;
}

static void replace_status(struct registry_edit *edit, const struct fork_entry *entry,
                           enum fork_status status)
{
    struct fork_entry *changed = fork_entry_with_status(entry, status);
    registry_edit_replace(edit, changed);
    fork_entry_unref(changed);
}

static bool has_status(const struct registry *registry, const struct ulid *id,
                       enum fork_status status)
{
    const struct fork_entry *entry = registry_find_id(registry, id);
    return entry && entry->status == status;
}

/* ---- Insert ---- */

static int apply_insert(struct registry_edit *edit, void *argument, struct error *err)
{
    struct fork_entry *entry = argument;
    const struct registry *state = registry_edit_state(edit);
    const struct fork_entry *present = registry_find(state, entry->key);
    if (present)
        return error_set(err, ERR_EXISTS, "the fork exists (%s, %s)", present->id.text,
                         fork_status_name(present->status));
    if (entry->has_parent) {
        const struct fork_entry *parent = registry_find_id(state, &entry->parent_id);
        if (!parent)
            return error_set(err, ERR_NOT_FOUND, "parent fork %s is gone", entry->parent_id.text);
        if (parent->status != FORK_ACTIVE)
            return error_set(err, ERR_STALE, "parent fork %s is %s", parent->key,
                             fork_status_name(parent->status));
    }
    registry_edit_insert(edit, entry);
    return 0;
}

static bool insert_landed(const struct registry *registry, void *argument)
{
    return registry_find_id(registry, &((const struct fork_entry *)argument)->id) != NULL;
}

int transition_insert(struct committer *committer, struct fork_entry *entry,
                      struct operation *operation, struct error *err)
{
    return commit(committer, apply_insert, insert_landed, entry, "entering as pending",
                  entry->id.text, operation, err);
}

/* ---- Activate ---- */

static int apply_activate(struct registry_edit *edit, void *argument, struct error *err)
{
    const struct ulid *id = argument;
    const struct fork_entry *entry = registry_find_id(registry_edit_state(edit), id);
    if (!entry || entry->status != FORK_PENDING)
        return error_set(err, ERR_STALE, "the entry is %s: another process has taken it over",
                         entry ? fork_status_name(entry->status) : "gone");
    replace_status(edit, entry, FORK_ACTIVE);
    return 0;
}

static bool activate_landed(const struct registry *registry, void *argument)
{
    return has_status(registry, argument, FORK_ACTIVE);
}

int transition_activate(struct committer *committer, const struct ulid *id,
                        struct operation *operation, struct error *err)
{
    return commit(committer, apply_activate, activate_landed, id, "activating", id->text, operation,
                  err);
}

/* ---- Tombstone ---- */

int transition_check_childless(const struct registry *state, const struct ulid *id,
                               struct error *err)
{
    size_t first = 0;
    size_t count = registry_children(state, id, &first);
    if (count == 0)
        return 0;
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < count && i < CHILDREN_NAMED; i++) {
        const struct fork_entry *child = g_ptr_array_index(state->by_parent, first + i);
        g_string_append_printf(names, "%s%s", i ? ", " : "",
                               child->key ? child->key : child->id.text);
    }
    return error_set(err, ERR_NOT_EMPTY, "the fork has %zu child fork%s: %s%s", count,
                     count == 1 ? "" : "s", names->str, count > CHILDREN_NAMED ? ", ..." : "");
}

static int apply_tombstone(struct registry_edit *edit, void *argument, struct error *err)
{
    const struct ulid *id = argument;
    const struct registry *state = registry_edit_state(edit);
    const struct fork_entry *entry = registry_find_id(state, id);
    if (!entry || entry->status != FORK_ACTIVE)
        return error_set(err, ERR_STALE, "the fork is %s",
                         entry ? fork_status_name(entry->status) : "gone");
    int code = transition_check_childless(state, id, err);
    if (code == 0)
        replace_status(edit, entry, FORK_TOMBSTONED);
    return code;
}

/* Gone counts too: only a drop that saw it tombstoned removes it. */
static bool tombstone_landed(const struct registry *registry, void *argument)
{
    const struct fork_entry *entry = registry_find_id(registry, argument);
    return !entry || entry->status == FORK_TOMBSTONED;
}

int transition_tombstone(struct committer *committer, const struct ulid *id,
                         struct operation *operation, struct error *err)
{
    return commit(committer, apply_tombstone, tombstone_landed, id, "marking as tombstoned",
                  id->text, operation, err);
}

/* ---- Fence ---- */

static int apply_fence(struct registry_edit *edit, void *argument, struct error *err)
{
    const struct ulid *id = argument;
    const struct fork_entry *entry = registry_find_id(registry_edit_state(edit), id);
    if (!entry || entry->status == FORK_TOMBSTONED)
        return 0;
    if (entry->status == FORK_ACTIVE)
        return error_set(err, ERR_EXISTS, "the fork is active");
    replace_status(edit, entry, FORK_TOMBSTONED);
    return 0;
}

int transition_fence(struct committer *committer, const struct ulid *id,
                     struct operation *operation, struct error *err)
{
    return commit(committer, apply_fence, tombstone_landed, id, "fencing", id->text, operation,
                  err);
}

/* ---- Remove ---- */

static int apply_remove(struct registry_edit *edit, void *argument, struct error *err)
{
    const struct ulid *id = argument;
    const struct fork_entry *entry = registry_find_id(registry_edit_state(edit), id);
    if (!entry)
        return 0;
    if (entry->status != FORK_TOMBSTONED)
        return error_set(err, ERR_STALE, "the entry is %s", fork_status_name(entry->status));
    registry_edit_remove(edit, entry);
    return 0;
}

static bool remove_landed(const struct registry *registry, void *argument)
{
    return registry_find_id(registry, argument) == NULL;
}

int transition_remove(struct committer *committer, const struct ulid *id,
                      struct operation *operation, struct error *err)
{
    return commit(committer, apply_remove, remove_landed, id, "removing the entry of", id->text,
                  operation, err);
}
