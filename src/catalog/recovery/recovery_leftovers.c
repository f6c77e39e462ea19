/*
 * What changes of this mount have left: finished while it is mounted, by the caretaker.
 */
#include "base/timestamp.h"
#include "catalog/edit/registration_intent.h"
#include "catalog/edit/tag_intent.h"
#include "catalog/recovery/recovery_private.h"

/* How many datasets of forks at a time: so many that it is worth a wave, so few that it fits into
 * the time of one recovery. */
#define DATASETS_AT_A_TIME 2048

static void keep(struct catalog *catalog, const struct leftover *left, bool rests)
{
    leftovers_again(catalog->leftovers, left, rests, monotonic_now_ns());
}

/* ---- Intents ---- */

static const struct intent_kind *kind_of(const struct leftover *left)
{
    return left->kind == LEFTOVER_TAGGING ? &tag_intents : &registration_intents;
}

static int recover_intent(struct catalog *catalog, const struct leftover *left,
                          struct operation *operation, struct recovery_report *report,
                          struct error *err)
{
    bool ends = false;
    int code = intent_recover_left(catalog, kind_of(left), left, operation, report, &ends, err);
    if (ends)
        leftovers_end(catalog->leftovers, left);
    else
        keep(catalog, left, false);
    return code;
}

/* All are tried, so that none waits for one that fails; the first failure is told. Those of tags
 * first, as they keep their forks. */
static int recover_intents(struct catalog *catalog, const GPtrArray *due,
                           struct operation *operation, struct recovery_report *report,
                           struct error *err)
{
    int code = 0;
    for (guint i = 0; i < due->len; i++) {
        const struct leftover *left = g_ptr_array_index(due, i);
        struct error failure = {0};
        if (left->kind != LEFTOVER_ENTRY &&
            recover_intent(catalog, left, operation, report, &failure) && code == 0)
            code = error_copy(err, &failure);
    }
    return code;
}

/* ---- Entries ---- */

/* Those that are taken together: struct leftover, and the ids of their forks. */
static void choose_entries(struct catalog *catalog, const GPtrArray *due, GPtrArray *chosen,
                           GPtrArray *ids)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    size_t datasets = 0;
    for (guint i = 0; i < due->len && datasets < DATASETS_AT_A_TIME; i++) {
        struct leftover *left = g_ptr_array_index(due, i);
        if (left->kind != LEFTOVER_ENTRY)
            continue;
        const struct fork_entry *entry = registry_find_id(registry, &left->id);
        datasets += entry ? entry->datasets->len : 0;
        g_ptr_array_add(chosen, left);
        g_ptr_array_add(ids, &left->id);
    }
}

/* What has come of one. A fork that lives, or is gone, is no longer left once that is durable, and
 * once no put of it can arrive any more. */
static void judge_entry(struct catalog *catalog, const struct leftover *left, bool is_durable)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, &left->id);
    const bool is_settled = !entry || entry->status == FORK_ACTIVE;
    if (is_settled && is_durable && monotonic_now_ns() >= left->until_ns)
        leftovers_end(catalog->leftovers, left);
    else
        keep(catalog, left, !is_settled && kept_forks_rests(catalog->kept, &left->id));
}

static int recover_entries(struct catalog *catalog, const GPtrArray *due,
                           struct operation *operation, struct recovery_report *report,
                           struct error *err)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    choose_entries(catalog, due, chosen, ids);
    if (chosen->len == 0)
        return 0;
    int code = committer_reload(catalog->committer, operation, err);
    if (code == 0)
        code = recovery_of_some_entries(catalog, ids, operation, report, err);
    if (code == 0)
        code = committer_settle(catalog->committer, operation, err);
    for (guint i = 0; i < chosen->len; i++)
        judge_entry(catalog, g_ptr_array_index(chosen, i), code == 0);
    return code;
}

/* ---- The whole ---- */

int recovery_of_leftovers(struct catalog *catalog, struct operation *operation,
                          struct recovery_report *report, struct error *err)
{
    g_autoptr(GPtrArray) due = leftovers_due(catalog->leftovers, monotonic_now_ns());
    struct error failure = {0};
    int code = recover_intents(catalog, due, operation, report, err);
    int left = recover_entries(catalog, due, operation, report, &failure);
    return code || left == 0 ? code : error_copy(err, &failure);
}
