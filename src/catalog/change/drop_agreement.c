/*
 * Dropping in a catalog that others have mounted, too: the decision stands only when every other
 * mount takes no new holds on the fork, and none holds it, and when nobody has tagged it meanwhile;
 * else it is taken back. docs/architecture.md ("Leases") says why this is safe.
 */
#include "base/timestamp.h"
#include "catalog/change/round.h"

/* How often to look at the leases while others are to answer. */
#define LOOK_PAUSE_NS (100 * NS_PER_MS)
/* When nobody says how long a drop may take: how many times the life of a lease. */
#define LEASES_WAITED 4
/* How long to wait until this mount takes holds again on a fork that was not dropped after all. */
#define OPEN_TIMEOUT_MS 5000

/* What an agreement in progress knows. */
struct agreement {
    struct round *round;
    struct leases *leases;
    int64_t drain_until_ns;  /* monotonic_now_ns(), as the next */
    int64_t answer_until_ns; /* leaves time for taking back */
};

/* ---- Before the decision ---- */

/* Waits for the time; earlier when the operation is cancelled. */
static void pause_until(struct operation *operation, int64_t until_ns)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t woken;
    monotonic_cond_init(&woken);
    operation_watch(operation, &woken, &lock);
    pthread_mutex_lock(&lock);
    while (operation_check(operation, "waiting for other mounts", NULL) == 0 &&
           monotonic_cond_wait(&woken, &lock, until_ns))
        continue;
    pthread_mutex_unlock(&lock);
    operation_unwatch(operation);
    pthread_cond_destroy(&woken);
    pthread_mutex_destroy(&lock);
}

int drop_await_others(struct round *round, struct task *task, int64_t drain_until_ns)
{
    struct leases *leases = round->catalog->leases;
    const struct ulid *id = &task->entry->id;
    if (!leases)
        return 0;
    for (;;) {
        int code = leases_check_held(leases, id, &task->error);
        if (code == 0 || task->change->no_drain)
            return code;
        leases_refresh(leases, round->operation, NULL);
        code = leases_check_held(leases, id, &task->error);
        if (code == 0 || monotonic_now_ns() >= drain_until_ns ||
            operation_check(round->operation, "waiting for other mounts", NULL))
            return code;
        pause_until(round->operation, MIN(drain_until_ns, monotonic_now_ns() + LOOK_PAUSE_NS));
    }
}

/* ---- After it ---- */

/* Only forks that were active can be held. */
static bool needs_agreement(const struct task *task)
{
    return task->change->kind == CHANGE_DROP && task->code == 0 && task->decided &&
           task->entry->status != FORK_PENDING && !task->agreed;
}

void drop_add_lease_listing(struct round *round, struct store_set *set)
{
    for (size_t i = 0; i < round->count && round->catalog->leases; i++) {
        if (!needs_agreement(&round->tasks[i]) || round->lease_listing)
            continue;
        round->looked_ns = leases_now_ns(round->catalog->leases);
        round->lease_listing = leases_add_listing(round->catalog->leases, set);
    }
}

/* Leaves time for taking back. */
static int64_t look_until_ns(const struct round *round)
{
    int64_t now_ns = monotonic_now_ns();
    return round->deadline_ns == INT64_MAX ? INT64_MAX
                                           : now_ns + ((round->deadline_ns - now_ns) / 4 * 3);
}

/* Before the others have agreed only mounts are looked for, which make tags by the rule that the
 * decision is looked at afterwards: what the engine makes at the same time no second look can be
 * sure of. Once nobody holds the fork any more, everything is. */
static GPtrArray *list_tasks(struct round *round, bool agreed, struct descendants_query *list)
{
    GPtrArray *tasks = g_ptr_array_new();
    for (size_t i = 0; i < round->count && round->catalog->settings.shared; i++) {
        struct task *task = &round->tasks[i];
        bool counts = agreed ? task->code == 0 && task->agreed : needs_agreement(task);
        if (!counts || task->entry->status != FORK_ACTIVE)
            continue;
        list[tasks->len] = (struct descendants_query){
            .entry = task->entry, .branches = task->entry->datasets, .tags_only = !agreed};
        g_ptr_array_add(tasks, task);
    }
    return tasks;
}

static int run_and_look(struct round *round, bool agreed, struct store_set *set,
                        struct operation *operation)
{
    struct catalog *catalog = round->catalog;
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, round->count);
    g_autoptr(GPtrArray) tasks = list_tasks(round, agreed, list);
    if (tasks->len == 0)
        return store_run(catalog->store, set, operation, NULL);
    auto_registry struct registry *registry = catalog_registry(catalog);
    struct operation looking;
    operation_init(&looking, -1);
    looking.deadline_ns = MIN(operation->deadline_ns, look_until_ns(round));
    int run_code =
        descendants_check(catalog->descendants, registry, list, tasks->len, set, &looking);
    operation_destroy(&looking);
    for (guint i = 0; i < tasks->len; i++) {
        struct task *task = g_ptr_array_index(tasks, i);
        task->code = error_copy(&task->error, &list[i].error); /* also when it was not looked */
        task->objected = task->code != 0;
    }
    return run_code;
}

int drop_run_files(struct round *round, struct store_set *set, struct operation *operation)
{
    return run_and_look(round, false, set, operation);
}

bool drop_look_at_leases(struct round *round)
{
    struct leases *leases = round->catalog->leases;
    struct operation looking;
    if (!round->lease_listing)
        return false;
    operation_init(&looking, -1);
    looking.deadline_ns = look_until_ns(round);
    int code = leases_take_listing(leases, round->lease_listing, round->looked_ns, &looking, NULL);
    operation_destroy(&looking);
    round->has_others = code || leases_others(leases) > 0;
    return round->has_others;
}

/* Why no more time is given to the others; 0: it is. */
static int check_time(const struct agreement *agreement, const struct task *task,
                      enum lease_verdict verdict, const struct error *answer, struct error *err)
{
    int64_t now_ns = monotonic_now_ns();
    int code = operation_check(agreement->round->operation, "waiting for the other mounts", err);
    if (code == ERR_INTERRUPTED)
        return code;
    int64_t until_ns = agreement->answer_until_ns;
    if (verdict == LEASES_HOLD)
        until_ns = task->change->no_drain ? 0 : MIN(until_ns, agreement->drain_until_ns);
    return now_ns < until_ns ? 0 : error_copy(err, answer);
}

/* Asks about all that wait; those whose time is over are added to `refused`. Returns how many still
 * wait. */
static unsigned ask_all(const struct agreement *agreement, GPtrArray *refused)
{
    struct round *round = agreement->round;
    unsigned waiting = 0;
    for (size_t i = 0; i < round->count; i++) {
        struct task *task = &round->tasks[i];
        struct error answer = {0};
        if (!needs_agreement(task))
            continue;
        enum lease_verdict verdict =
            leases_ask(agreement->leases, &task->entry->id, round->looked_ns, &answer);
        task->agreed = verdict == LEASES_AGREE;
        if (task->agreed)
            continue;
        task->code = check_time(agreement, task, verdict, &answer, &task->error);
        if (task->code)
            g_ptr_array_add(refused, task);
        else
            waiting++;
    }
    return waiting;
}

/* ---- Taking back ---- */

static void not_taken_back(struct task *task, const struct error *reason)
{
    struct error cause = task->error;
    error_set(&task->error, cause.code, "%.600s; the decision could not be taken back: %.350s",
              cause.text, reason->text);
}

/* The tombstones first: one beside an active fork would be a death sentence to Uni. Leaves in
 * `refused` those whose tombstones are gone. */
static void delete_tombstones(struct round *round, GPtrArray *refused, struct operation *operation)
{
    struct catalog *catalog = round->catalog;
    struct store_set *set = store_set_new();
    for (guint i = 0; i < refused->len; i++)
        store_set_delete(set, ((struct task *)g_ptr_array_index(refused, i))->tombstone_key);
    int run_code = store_run(catalog->store, set, operation, NULL);
    for (guint i = 0, at = 0; at < refused->len; i++) {
        struct task *task = g_ptr_array_index(refused, at);
        struct error failure = {0};
        if (store_answer_failure(&store_set_at(set, i)->answer, run_code, &failure) == 0) {
            tombstones_note_deleted(catalog->tombstones, task->tombstone_key);
            at++;
            continue;
        }
        not_taken_back(task, &failure);
        g_ptr_array_remove_index(refused, at);
    }
    store_set_unref(set);
}

static void restore(struct round *round, GPtrArray *refused, struct operation *operation)
{
    g_autofree struct transition *list = g_new0(struct transition, refused->len);
    for (guint i = 0; i < refused->len; i++) {
        struct task *task = g_ptr_array_index(refused, i);
        list[i] = (struct transition){.kind = TRANSITION_RESTORE,
                                      .id = &task->entry->id,
                                      .entry = task->entry,
                                      .decided_at = &round->decided_at};
    }
    transitions_commit(round->catalog->committer, list, refused->len, operation);
    for (guint i = 0; i < refused->len; i++) {
        struct task *task = g_ptr_array_index(refused, i);
        if (list[i].code)
            not_taken_back(task, &list[i].error);
        else
            task->decided = false;
    }
}

/* What an earlier call has left tombstoned may be half deleted, and stays so. */
static void keep_restorable(GPtrArray *refused)
{
    for (guint i = 0; i < refused->len;) {
        const struct task *task = g_ptr_array_index(refused, i);
        if (task->entry->status == FORK_ACTIVE)
            i++;
        else
            g_ptr_array_remove_index(refused, i);
    }
}

/* This mount, too, takes holds again only when its lease says so. */
static void await_open(struct round *round, const GPtrArray *restored)
{
    struct operation opening;
    operation_init(&opening, OPEN_TIMEOUT_MS);
    opening.deadline_ns = MIN(opening.deadline_ns, round->deadline_ns);
    for (guint i = 0; i < restored->len; i++) {
        const struct task *task = g_ptr_array_index(restored, i);
        if (!task->decided && round->catalog->keeper)
            lease_keeper_await_open(round->catalog->keeper, &task->entry->id, &opening);
    }
    operation_destroy(&opening);
}

static void take_back(struct round *round, GPtrArray *refused)
{
    struct operation undoing;
    keep_restorable(refused);
    if (refused->len == 0)
        return;
    operation_init(&undoing, -1);
    undoing.deadline_ns = round->deadline_ns;
    delete_tombstones(round, refused, &undoing);
    restore(round, refused, &undoing);
    operation_destroy(&undoing);
    await_open(round, refused);
}

/* ---- The whole ---- */

static void agreement_begin(struct agreement *agreement, struct round *round)
{
    const struct catalog_settings *settings = &round->catalog->settings;
    int64_t now_ns = monotonic_now_ns();
    int64_t lease_ms = catalog_lease_ms(round->catalog);
    *agreement = (struct agreement){.round = round, .leases = round->catalog->leases};
    agreement->drain_until_ns = now_ns + (settings->drain_timeout_ms * NS_PER_MS);
    agreement->answer_until_ns =
        MIN(now_ns + (LEASES_WAITED * lease_ms * NS_PER_MS), look_until_ns(round));
}

/* One whose tombstone may still arrive stays dropped: beside an active fork it would not do. */
static void take_back_objected(struct round *round)
{
    g_autoptr(GPtrArray) objected = g_ptr_array_new();
    for (size_t i = 0; i < round->count; i++)
        if (round->tasks[i].objected && !round->tasks[i].late_writes) {
            round->tasks[i].objected = false;
            g_ptr_array_add(objected, &round->tasks[i]);
        }
    take_back(round, objected);
}

/* What the holders wrote, tagged and branched until they let go is to be seen, too. */
static void look_again(struct round *round)
{
    struct store_set *set = store_set_new();
    drop_add_listings(round, set);
    int code = run_and_look(round, true, set, &round->finishing);
    drop_take_listings(round, set, code);
    take_back_objected(round);
}

void drop_agree(struct round *round)
{
    struct agreement agreement;
    struct operation looking;
    take_back_objected(round);
    if (!round->lease_listing)
        return;
    agreement_begin(&agreement, round);
    operation_init(&looking, -1);
    looking.deadline_ns = agreement.answer_until_ns;
    for (;;) {
        g_autoptr(GPtrArray) refused = g_ptr_array_new();
        unsigned waiting = ask_all(&agreement, refused);
        take_back(round, refused);
        if (waiting == 0)
            break;
        pause_until(round->operation, monotonic_now_ns() + LOOK_PAUSE_NS);
        leases_refresh(agreement.leases, &looking, NULL); /* else they have not answered yet */
    }
    operation_destroy(&looking);
    if (round->has_others)
        look_again(round);
}
