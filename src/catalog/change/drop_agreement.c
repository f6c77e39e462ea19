/*
 * Dropping in a catalog that others have mounted, too: the decision stands only when every other
 * mount takes no new holds on the fork, and none holds it, and when nobody has tagged it meanwhile;
 * else it is taken back. docs/architecture.md ("Leases") says why this is safe.
 */
#include "catalog/change/drop.h"

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

static void await_holders(struct round *round, const struct drop *drop)
{
    struct leases *leases = round->catalog->leases;
    const struct ulid *id = &drop->entry->id;
    struct error held;
    for (;;) {
        held = (struct error){0};
        if (leases_check_held(leases, id, &held) == 0 || drop->task.change->no_drain)
            break;
        leases_refresh(leases, round->operation, NULL);
        held = (struct error){0};
        if (leases_check_held(leases, id, &held) == 0 ||
            monotonic_now_ns() >= round->drain_until_ns ||
            operation_check(round->operation, "waiting for other mounts", NULL))
            break;
        pause_until(round->operation,
                    MIN(round->drain_until_ns, monotonic_now_ns() + LOOK_PAUSE_NS));
    }
    error_copy(drop->task.err, &held);
}

void drop_await_holders(struct round *round)
{
    for (guint i = 0; round->catalog->leases && i < round->drops->len; i++) {
        const struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task) && drop->entry->status == FORK_ACTIVE)
            await_holders(round, drop);
    }
}

/* ---- After it ---- */

/* Only forks that were active can be held. */
static bool needs_agreement(const struct drop *drop)
{
    return task_is_well(&drop->task) && drop->state == DROP_DECIDED &&
           drop->entry->status != FORK_PENDING;
}

static void add_lease_listing(struct round *round, struct store_set *set)
{
    for (guint i = 0; round->catalog->leases && i < round->drops->len; i++) {
        if (!needs_agreement(g_ptr_array_index(round->drops, i)) || round->lease_listing)
            continue;
        round->looked_ns = leases_now_ns(round->catalog->leases);
        round->lease_listing = leases_add_listing(round->catalog->leases, set);
    }
}

/* Until when others are looked for: leaves time for taking decisions back. */
static int64_t look_until_ns(const struct round *round)
{
    int64_t now_ns = monotonic_now_ns();
    return round->deadline_ns == INT64_MAX ? INT64_MAX
                                           : now_ns + ((round->deadline_ns - now_ns) / 4 * 3);
}

/* Before the others have agreed only mounts are looked for, which make tags by the rule that the
 * decision is looked at afterwards: what the engine makes at the same time no second look can be
 * sure of. Once nobody holds the fork any more, everything is. */
static GPtrArray *list_looks(const struct round *round, struct descendants_query *list)
{
    GPtrArray *looked_at = g_ptr_array_new();
    for (guint i = 0; catalog_is_shared(round->catalog) && i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (!task_is_well(&drop->task) || drop->entry->status != FORK_ACTIVE)
            continue;
        list[looked_at->len] = (struct descendants_query){.entry = drop->entry,
                                                          .branches = drop->entry->datasets,
                                                          .tags_only = drop->state != DROP_AGREED,
                                                          .err = drop->task.err};
        g_ptr_array_add(looked_at, drop);
    }
    return looked_at;
}

int drop_run_and_look(struct round *round, struct store_set *set, struct operation *operation)
{
    struct catalog *catalog = round->catalog;
    g_autofree struct descendants_query *list = g_new0(struct descendants_query, round->drops->len);
    g_autoptr(GPtrArray) looked_at = list_looks(round, list);
    add_lease_listing(round, set);
    if (looked_at->len == 0)
        return store_run(catalog->store, set, operation, NULL);
    auto_registry struct registry *registry = catalog_registry(catalog);
    auto_operation struct operation looking;
    operation_init(&looking, -1);
    looking.deadline_ns = MIN(operation->deadline_ns, look_until_ns(round));
    int run_code =
        descendants_check(catalog->descendants, registry, list, looked_at->len, set, &looking);
    for (guint i = 0; i < looked_at->len; i++) {
        struct drop *drop = g_ptr_array_index(looked_at, i);
        if (!task_is_well(&drop->task)) /* also when it was not looked */
            drop_move(drop, DROP_REFUSED);
    }
    return run_code;
}

void drop_look_at_leases(struct round *round)
{
    struct leases *leases = round->catalog->leases;
    if (!round->lease_listing)
        return;
    auto_operation struct operation looking;
    operation_init(&looking, -1);
    looking.deadline_ns = look_until_ns(round);
    int code = leases_take_listing(leases, round->lease_listing, round->looked_ns, &looking, NULL);
    round->has_others = code || leases_others(leases) > 0;
}

/* Why no more time is given to the others; 0: it is. */
static int check_time(const struct agreement *agreement, const struct drop *drop,
                      enum lease_verdict verdict, const struct error *answer)
{
    int64_t now_ns = monotonic_now_ns();
    int64_t until_ns = agreement->answer_until_ns;
    struct error interruption = {0};
    if (operation_check(agreement->round->operation, "waiting for the other mounts",
                        &interruption) == ERR_INTERRUPTED)
        return error_copy(drop->task.err, &interruption);
    if (verdict == LEASES_HOLD)
        until_ns = drop->task.change->no_drain ? 0 : MIN(until_ns, agreement->drain_until_ns);
    return now_ns < until_ns ? 0 : error_copy(drop->task.err, answer);
}

/* Asks about all that wait; those whose time is over are refused. Returns how many still wait. */
static unsigned ask_all(const struct agreement *agreement)
{
    struct round *round = agreement->round;
    unsigned waiting = 0;
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        struct error answer = {0};
        if (!needs_agreement(drop))
            continue;
        enum lease_verdict verdict =
            leases_ask(agreement->leases, &drop->entry->id, round->looked_ns, &answer);
        if (verdict == LEASES_AGREE)
            drop_move(drop, DROP_AGREED);
        else if (check_time(agreement, drop, verdict, &answer))
            drop_move(drop, DROP_REFUSED);
        else
            waiting++;
    }
    return waiting;
}

/* Drops that nobody has to be asked about (any more). */
static void agree_unasked(struct round *round)
{
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (task_is_well(&drop->task) && drop->state == DROP_DECIDED)
            drop_move(drop, DROP_AGREED);
    }
}

/* ---- Taking back ---- */

static void not_taken_back(struct drop *drop, const struct error *reason)
{
    const struct error cause = *drop->task.err;
    error_set(drop->task.err, cause.code, "%.600s; the decision could not be taken back: %.350s",
              cause.text, reason->text);
    drop_move(drop, DROP_LEFT);
}

/* The tombstones first: one beside an active fork would be a death sentence to Uni. Leaves in
 * `refused` those whose tombstones are gone. */
static void delete_tombstones(struct round *round, GPtrArray *refused, struct operation *operation)
{
    struct catalog *catalog = round->catalog;
    struct store_set *set = store_set_new();
    g_ptr_array_add(round->sets, set);
    for (guint i = 0; i < refused->len; i++)
        store_request_expect_around(
            store_set_delete(set, ((struct drop *)g_ptr_array_index(refused, i))->tombstone_key));
    int run_code = store_run(catalog->store, set, operation, NULL);
    for (guint i = refused->len; i > 0; i--) {
        struct drop *drop = g_ptr_array_index(refused, i - 1);
        struct error failure = {0};
        if (store_answer_failure(&store_set_at(set, i - 1)->answer, run_code, &failure) == 0) {
            tombstones_note_deleted(catalog->tombstones, drop->tombstone_key);
            continue;
        }
        not_taken_back(drop, &failure);
        g_ptr_array_remove_index(refused, i - 1);
    }
}

static void restore_forks(struct round *round, const GPtrArray *refused,
                          struct operation *operation)
{
    g_autofree struct transition *list = g_new0(struct transition, refused->len);
    g_autofree struct error *failures = g_new0(struct error, refused->len);
    for (guint i = 0; i < refused->len; i++) {
        const struct drop *drop = g_ptr_array_index(refused, i);
        list[i] = (struct transition){.kind = TRANSITION_RESTORE,
                                      .id = &drop->entry->id,
                                      .entry = drop->entry,
                                      .decided_at = &round->decided_at,
                                      .err = &failures[i]};
    }
    transitions_commit(round->catalog->committer, list, refused->len, operation);
    for (guint i = 0; i < refused->len; i++) {
        struct drop *drop = g_ptr_array_index(refused, i);
        if (failures[i].code)
            not_taken_back(drop, &failures[i]);
        else
            drop_move(drop, DROP_RESTORED);
    }
}

/* What an earlier call has left tombstoned may be half deleted, and stays so. One whose tombstone
 * may still arrive stays dropped: beside an active fork it would not do. */
static GPtrArray *list_refused(struct round *round)
{
    GPtrArray *refused = g_ptr_array_new();
    for (guint i = 0; i < round->drops->len; i++) {
        struct drop *drop = g_ptr_array_index(round->drops, i);
        if (drop->state != DROP_REFUSED)
            continue;
        if (drop->entry->status == FORK_ACTIVE && !drop->task.late_writes)
            g_ptr_array_add(refused, drop);
        else
            drop_move(drop, DROP_LEFT);
    }
    return refused;
}

/* This mount, too, takes holds again only when its lease says so. */
static void await_open(struct round *round, const GPtrArray *restored)
{
    auto_operation struct operation opening;
    operation_init(&opening, OPEN_TIMEOUT_MS);
    opening.deadline_ns = MIN(opening.deadline_ns, round->deadline_ns);
    for (guint i = 0; round->catalog->keeper && i < restored->len; i++) {
        const struct drop *drop = g_ptr_array_index(restored, i);
        if (drop->state == DROP_RESTORED)
            lease_keeper_await_open(round->catalog->keeper, &drop->entry->id, &opening);
    }
}

void drop_take_back(struct round *round)
{
    g_autoptr(GPtrArray) refused = list_refused(round);
    if (refused->len == 0)
        return;
    auto_operation struct operation undoing;
    catalog_init_undoing(round->catalog, &undoing, round->operation);
    delete_tombstones(round, refused, &undoing);
    restore_forks(round, refused, &undoing);
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

/* Asks until all have answered; those that are refused meanwhile are restored at once. */
static void ask_others(struct round *round)
{
    struct agreement agreement;
    auto_operation struct operation looking;
    agreement_begin(&agreement, round);
    operation_init(&looking, -1);
    looking.deadline_ns = agreement.answer_until_ns;
    for (;;) {
        unsigned waiting = ask_all(&agreement);
        drop_take_back(round);
        if (waiting == 0)
            break;
        pause_until(round->operation, monotonic_now_ns() + LOOK_PAUSE_NS);
        leases_refresh(agreement.leases, &looking, NULL); /* else they have not answered yet */
    }
}

void drop_agree(struct round *round)
{
    drop_take_back(round);
    if (round->lease_listing)
        ask_others(round);
    agree_unasked(round);
}
