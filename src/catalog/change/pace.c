#include "catalog/change/pace.h"

#include "base/timestamp.h"

/* Of the first round. */
#define REQUESTS_FIRST 4096
/* Which part of the time a round should take. */
#define TIME_PARTS 8
/* By how much the next may differ from the one before; and after one that was too long. */
#define FACTOR_LARGEST 4
#define FACTOR_TOO_LONG 8
/* Rounds in a row that may be too long, each smaller than the one before. */
#define VAIN_MAX 3

void pace_begin(struct pace *pace, struct operation *operation)
{
    bool is_limited = operation->deadline_ns != INT64_MAX;
    *pace =
        (struct pace){.operation = operation, .requests = is_limited ? REQUESTS_FIRST : SIZE_MAX};
}

void pace_begin_round(struct pace *pace)
{
    if (pace->renews)
        operation_renew(pace->operation);
    pace->renews = false;
    pace->taken = 0;
    pace->began_ns = monotonic_now_ns();
}

/* About how many requests a change makes in its largest wave. */
static size_t cost_of(struct catalog *catalog, const struct change *change)
{
    const bool creates = change->kind == CHANGE_CREATE;
    const char *name = creates ? change->parent : change->name;
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = name ? registry_find(registry, name) : NULL;
    if (!creates && !name)
        entry = registry_find_id(registry, change->expected_id);
    size_t datasets = entry ? entry->datasets->len : 0;
    if (creates && !name)
        datasets = fork_point_datasets_known(catalog->fork_points);
    return 2 * datasets + 2;
}

bool pace_admits(struct pace *pace, struct catalog *catalog, const struct change *change)
{
    size_t cost = cost_of(catalog, change);
    if (pace->taken > 0 && (cost > pace->requests || pace->taken > pace->requests - cost))
        return false;
    pace->taken += cost;
    return true;
}

bool pace_is_late(const struct change *change)
{
    return change->error.code == ERR_DEADLINE && (!change->left || change->kind == CHANGE_DROP);
}

/* How many have succeeded; *ret_late: how many ran out of time. */
static guint count_done(const GPtrArray *round, guint *ret_late)
{
    guint done = 0;
    *ret_late = 0;
    for (guint i = 0; i < round->len; i++) {
        const struct change *change = g_ptr_array_index(round, i);
        done += change->error.code == 0;
        *ret_late += change->error.code == ERR_DEADLINE;
    }
    return done;
}

static void adapt(struct pace *pace, bool was_too_long)
{
    int64_t aim_ns = pace->operation->timeout_ms * NS_PER_MS / TIME_PARTS;
    int64_t took_ns = MAX(1, monotonic_now_ns() - pace->began_ns);
    double factor = (double)aim_ns / (double)took_ns;
    if (was_too_long)
        pace->requests = pace->taken / FACTOR_TOO_LONG;
    else if (factor < 1)
        pace->requests = (size_t)((double)pace->taken * MAX(factor, 1.0 / FACTOR_LARGEST));
    else if (pace->taken > pace->requests / 2) /* else it says little about a larger one */
        pace->requests = (size_t)((double)pace->requests * MIN(factor, FACTOR_LARGEST));
}

bool pace_end_round(struct pace *pace, const GPtrArray *round)
{
    guint late = 0, done = count_done(round, &late);
    if (pace->requests == SIZE_MAX) /* there is time without end */
        return true;
    pace->vain = late > 0 && done == 0 ? pace->vain + 1 : 0;
    if (pace->vain > 0 && (round->len == 1 || pace->vain > VAIN_MAX))
        return false;
    adapt(pace, late > 0);
    pace->renews = done > 0 || late > 0;
    return true;
}
