#include "catalog/registry/transitions.h"

#include <string.h>

#include "base/timestamp.h"

/* How many children an error names. */
#define CHILDREN_NAMED 3

/* Takes over the changed entry. */
static int replace_entry(struct registry_edit *edit, struct fork_entry *changed)
{
    registry_edit_replace(edit, changed);
    fork_entry_unref(changed);
    return 0;
}

static bool has_status(const struct registry *registry, const struct ulid *id,
                       enum fork_status status)
{
    const struct fork_entry *entry = registry_find_id(registry, id);
    return entry && entry->status == status;
}

/* ---- Insert ---- */

int transition_refuse_parent(const struct fork_entry *parent, bool shared, struct error *err)
{
    const char *name = fork_entry_name(parent);
    if (parent->status == FORK_PENDING)
        return error_set(err, ERR_PENDING, "parent fork '%s' is pending", name);
    return error_set(err, shared ? ERR_HELD : ERR_STALE, "parent fork '%s' is being dropped%s",
                     name, shared ? ", which may be taken back" : "");
}

static int apply_insert(struct registry_edit *edit, struct transition *transition,
                        struct error *err)
{
    struct fork_entry *entry = transition->entry;
    const struct registry *state = edit->state;
    const struct fork_entry *present = registry_find(state, entry->key);
    if (present)
        return error_set(err, ERR_EXISTS, "the fork exists (%s, %s)", present->id.text,
                         fork_status_name(present->status));
    if (entry->has_parent) {
        const struct fork_entry *parent = registry_find_id(state, &entry->parent_id);
        if (!parent)
            return error_set(err, ERR_NOT_FOUND, "parent fork %s is gone", entry->parent_id.text);
        if (parent->status != FORK_ACTIVE)
            return transition_refuse_parent(parent, transition->decided_at != NULL, err);
        if (transition->parent && !fork_entry_same_datasets(transition->parent, parent))
            return error_set(err, ERR_CHANGED, "parent fork '%s' has other datasets by now",
                             fork_entry_name(parent));
    }
    if (transition->max_forks > 0 && state->entries->len >= transition->max_forks)
        return error_set(err, ERR_BUDGET, "the budget of %zu forks is used up",
                         transition->max_forks);
    registry_edit_insert(edit, entry);
    return 0;
}

static bool insert_landed(const struct registry *registry, const struct transition *transition)
{
    return registry_find_id(registry, &transition->entry->id) != NULL;
}

/* ---- Activate ---- */

static int apply_activate(struct registry_edit *edit, struct transition *transition,
                          struct error *err)
{
    const struct ulid *id = transition->id;
    const struct fork_entry *entry = registry_find_id(edit->state, id);
    if (!entry || entry->status != FORK_PENDING)
        return error_set(err, ERR_STALE, "the entry is %s: another process has taken it over",
                         entry ? fork_status_name(entry->status) : "gone");
    return replace_entry(edit, fork_entry_with_status(entry, FORK_ACTIVE));
}

static bool activate_landed(const struct registry *registry, const struct transition *transition)
{
    return has_status(registry, transition->id, FORK_ACTIVE);
}

/* ---- Tombstone ---- */

static int entomb(struct registry_edit *edit, const struct fork_entry *entry,
                  const struct timespec *decided_at)
{
    auto_entry struct fork_entry *decided =
        decided_at ? fork_entry_with_expiry(entry, decided_at) : NULL;
    return replace_entry(edit, fork_entry_with_status(decided ? decided : entry, FORK_TOMBSTONED));
}

/* Whether the entry is tombstoned by the decision of that time. */
static bool is_decision(const struct fork_entry *entry, const struct timespec *decided_at)
{
    return entry->status == FORK_TOMBSTONED && entry->has_expiry &&
           entry->expires_at.tv_sec == decided_at->tv_sec &&
           entry->expires_at.tv_nsec == decided_at->tv_nsec;
}

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
        g_string_append_printf(names, "%s%s", i ? ", " : "", fork_entry_name(child));
    }
    return error_set(err, ERR_NOT_EMPTY, "the fork has %zu child fork%s: %s%s", count,
                     count == 1 ? "" : "s", names->str, count > CHILDREN_NAMED ? ", ..." : "");
}

/* Somebody may have given it more time since it was found expired. */
static int check_expired(const struct registry *state, const struct ulid *id, struct error *err)
{
    const struct fork_entry *entry = registry_find_id(state, id);
    if (entry && fork_entry_is_expired(entry, timestamp_now()))
        return 0;
    return error_set(err, ERR_STALE, "fork %s has not expired any more", id->text);
}

static int apply_tombstone(struct registry_edit *edit, struct transition *transition,
                           struct error *err)
{
    const struct ulid *id = transition->id;
    const struct registry *state = edit->state;
    const struct fork_entry *entry = registry_find_id(state, id);
    if (!entry || entry->status != FORK_ACTIVE)
        return error_set(err, ERR_STALE, "the fork is %s",
                         entry ? fork_status_name(entry->status) : "gone");
    int code = transition_check_childless(state, id, err);
    if (code == 0 && transition->expired)
        code = check_expired(state, transition->expired, err);
    if (code)
        return code;
    if (transition->ret_before) {
        fork_entry_unref(*transition->ret_before);
        *transition->ret_before = fork_entry_ref((struct fork_entry *)entry);
    }
    return entomb(edit, entry, transition->decided_at);
}

/* Gone counts too: only a drop that saw it tombstoned removes it. But among several writers it may
 * be another one's. */
static bool tombstone_landed(const struct registry *registry, const struct transition *transition)
{
    const struct fork_entry *entry = registry_find_id(registry, transition->id);
    if (transition->decided_at)
        return entry && is_decision(entry, transition->decided_at);
    return !entry || entry->status == FORK_TOMBSTONED;
}

/* ---- Restore ---- */

static int apply_restore(struct registry_edit *edit, struct transition *transition,
                         struct error *err)
{
    const struct fork_entry *entry = registry_find_id(edit->state, transition->id);
    if (!entry || !is_decision(entry, transition->decided_at))
        return error_set(err, ERR_STALE, "another process has taken the drop over");
    const struct fork_entry *before = transition->entry;
    auto_entry struct fork_entry *active = fork_entry_with_status(entry, FORK_ACTIVE);
    return replace_entry(
        edit, fork_entry_with_expiry(active, before->has_expiry ? &before->expires_at : NULL));
}

/* ---- Fence ---- */

/* Whoever expects no particular entry has made the fork: of that, only a pending entry is its own,
 * and a tombstone may be taken back by whom it is. */
static bool is_decided_by_another(const struct fork_entry *entry,
                                  const struct transition *transition)
{
    if (!transition->decided_at)
        return false;
    if (transition->entry)
        return strcmp(entry->text, transition->entry->text) != 0;
    return entry->status == FORK_TOMBSTONED && !is_decision(entry, transition->decided_at);
}

static int apply_fence(struct registry_edit *edit, struct transition *transition, struct error *err)
{
    const struct ulid *id = transition->id;
    const struct fork_entry *entry = registry_find_id(edit->state, id);
    const bool is_active = entry && entry->status == FORK_ACTIVE;
    if (transition->ret_active)
        *transition->ret_active = is_active;
    if (!entry || (entry->status == FORK_TOMBSTONED && !transition->decided_at))
        return 0;
    if (is_active)
        return transition->ret_active ? 0 : error_set(err, ERR_EXISTS, "the fork is active");
    if (is_decided_by_another(entry, transition))
        return error_set(err, ERR_STALE, "another process works on it");
    return entomb(edit, entry, transition->decided_at);
}

/* ---- Remove ---- */

static int apply_remove(struct registry_edit *edit, struct transition *transition,
                        struct error *err)
{
    const struct ulid *id = transition->id;
    const struct fork_entry *entry = registry_find_id(edit->state, id);
    if (!entry)
        return 0;
    if (entry->status != FORK_TOMBSTONED)
        return error_set(err, ERR_STALE, "the entry is %s", fork_status_name(entry->status));
    registry_edit_remove(edit, entry);
    return 0;
}

static bool remove_landed(const struct registry *registry, const struct transition *transition)
{
    return registry_find_id(registry, transition->id) == NULL;
}

/* ---- Changes of one member ---- */

static const struct fork_entry *find_active(const struct registry *state, const struct ulid *id,
                                            struct error *err)
{
    const struct fork_entry *entry = registry_find_id(state, id);
    if (entry && entry->status == FORK_ACTIVE)
        return entry;
    error_set(err, ERR_STALE, "the fork is %s", entry ? fork_status_name(entry->status) : "gone");
    return NULL;
}

static int apply_expiry(struct registry_edit *edit, struct transition *transition,
                        struct error *err)
{
    const struct fork_entry *entry = find_active(edit->state, transition->id, err);
    if (!entry)
        return ERR_STALE;
    return replace_entry(edit, fork_entry_with_expiry(entry, transition->expires_at));
}

static bool expiry_landed(const struct registry *registry, const struct transition *transition)
{
    const struct fork_entry *entry = registry_find_id(registry, transition->id);
    if (!entry || entry->has_expiry != (transition->expires_at != NULL))
        return false;
    return !entry->has_expiry || (entry->expires_at.tv_sec == transition->expires_at->tv_sec &&
                                  entry->expires_at.tv_nsec == transition->expires_at->tv_nsec);
}

static int merge_datasets(const struct registry *state, const struct fork_entry *entry,
                          const GPtrArray *added, GPtrArray *all, struct error *err)
{
    for (guint i = 0; i < entry->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(entry->datasets, i);
        g_ptr_array_add(all, dataset_branch_new(pair->dataset, pair->branch));
    }
    for (guint i = 0; i < added->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(added, i);
        const char *present = fork_entry_branch(entry, pair->dataset);
        if (present && strcmp(present, pair->branch) != 0)
            return error_set(err, ERR_CONFLICT, "dataset %s is mapped to branch %s already",
                             pair->dataset, present);
        if (!present && registry_protects_branch(state, &entry->id, pair->branch))
            return error_set(err, ERR_CONFLICT, "branch %s of dataset %s is another fork's",
                             pair->branch, pair->dataset);
        if (!present)
            g_ptr_array_add(all, dataset_branch_new(pair->dataset, pair->branch));
    }
    return 0;
}

static int apply_datasets(struct registry_edit *edit, struct transition *transition,
                          struct error *err)
{
    const struct registry *state = edit->state;
    const struct fork_entry *entry = find_active(state, transition->id, err);
    if (!entry)
        return ERR_STALE;
    g_autoptr(GPtrArray) all = dataset_branches_new();
    int code = merge_datasets(state, entry, transition->datasets, all, err);
    if (code || all->len == entry->datasets->len)
        return code;
    return replace_entry(edit, fork_entry_with_datasets(entry, all));
}

static bool datasets_landed(const struct registry *registry, const struct transition *transition)
{
    const struct fork_entry *entry = registry_find_id(registry, transition->id);
    for (guint i = 0; entry && i < transition->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(transition->datasets, i);
        if (g_strcmp0(fork_entry_branch(entry, pair->dataset), pair->branch) != 0)
            return false;
    }
    return entry != NULL;
}

/* ---- Correcting a parent ---- */

static int apply_parent(struct registry_edit *edit, struct transition *transition,
                        struct error *err)
{
    const struct fork_entry *entry = registry_find_id(edit->state, transition->id);
    if (!entry || !fork_entry_same_text(entry, transition->entry))
        return error_set(err, ERR_STALE, "the entry has %s", entry ? "changed" : "gone");
    if (transition->new_parent && !registry_find_id(edit->state, transition->new_parent))
        return error_set(err, ERR_NOT_FOUND, "parent fork %s is gone",
                         transition->new_parent->text);
    return replace_entry(edit, fork_entry_with_parent(entry, transition->new_parent));
}

static bool parent_landed(const struct registry *registry, const struct transition *transition)
{
    const struct fork_entry *entry = registry_find_id(registry, transition->id);
    const struct ulid *parent = transition->new_parent;
    return entry && entry->has_parent == (parent != NULL) &&
           (!parent || ulid_equal(&entry->parent_id, parent));
}

/* ---- Committing ---- */

static const struct {
    const char *stage;
    int (*apply)(struct registry_edit *, struct transition *, struct error *);
    bool (*landed)(const struct registry *, const struct transition *);
    bool makes_room; /* see struct commit_request */
} kinds[] = {
    [TRANSITION_INSERT] = {"entering as pending", apply_insert, insert_landed, false},
    [TRANSITION_ACTIVATE] = {"activating", apply_activate, activate_landed, false},
    [TRANSITION_TOMBSTONE] = {"marking as tombstoned", apply_tombstone, tombstone_landed, true},
    [TRANSITION_RESTORE] = {"taking back the drop of", apply_restore, activate_landed, false},
    [TRANSITION_FENCE] = {"fencing", apply_fence, tombstone_landed, true},
    [TRANSITION_REMOVE] = {"removing the entry of", apply_remove, remove_landed, true},
    [TRANSITION_EXPIRY] = {"setting the expiry of", apply_expiry, expiry_landed, false},
    [TRANSITION_DATASETS] = {"registering datasets of", apply_datasets, datasets_landed, false},
    [TRANSITION_PARENT] = {"correcting the parent of", apply_parent, parent_landed, false},
};

static int apply(struct registry_edit *edit, void *argument, struct error *err)
{
    struct transition *transition = argument;
    return kinds[transition->kind].apply(edit, transition, err);
}

static bool landed(const struct registry *registry, void *argument)
{
    const struct transition *transition = argument;
    return kinds[transition->kind].landed(registry, transition);
}

void transitions_commit(struct committer *committer, struct transition *list, size_t count,
                        struct operation *operation)
{
    g_autofree struct commit_request *requests = g_new0(struct commit_request, count);
    for (size_t i = 0; i < count; i++)
        requests[i] = (struct commit_request){.apply = apply,
                                              .landed = landed,
                                              .argument = &list[i],
                                              .makes_room = kinds[list[i].kind].makes_room,
                                              .err = list[i].err};
    committer_commit_all(committer, requests, count, operation);
    for (size_t i = 0; i < count; i++) {
        const struct transition *transition = &list[i];
        const struct ulid *id = transition->id ? transition->id : &transition->entry->id;
        if (transition->err->code)
            error_prefix(transition->err, transition->err->code, "%s fork %s",
                         kinds[transition->kind].stage, id->text);
    }
}

int transition_commit(struct committer *committer, struct transition transition,
                      struct operation *operation, struct error *err)
{
    struct error failure = {0};
    transition.err = &failure;
    transitions_commit(committer, &transition, 1, operation);
    return failure.code ? error_copy(err, &failure) : 0;
}
