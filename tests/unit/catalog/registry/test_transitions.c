#include "unit/unit.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/registry/transitions.h"
#include "unit/catalog/registry/committer_fixture.h"

static int insert_entry(struct committer_fixture *fixture, struct fork_entry *entry,
                        struct error *err)
{
    return transition_commit(fixture->committer,
                             (struct transition){.kind = TRANSITION_INSERT, .entry = entry}, NULL,
                             err);
}

static int commit(struct committer_fixture *fixture, enum transition_kind kind,
                  const struct ulid *id, struct error *err)
{
    return transition_commit(fixture->committer, (struct transition){.kind = kind, .id = id}, NULL,
                             err);
}

/* Enters a fork, and brings it to the status. */
static struct ulid enter(struct committer_fixture *fixture, const char *name,
                         enum fork_status status)
{
    struct fork_entry *entry = make_entry(name);
    struct ulid id = entry->id;
    assert_int_equal(insert_entry(fixture, entry, NULL), 0);
    if (status != FORK_PENDING)
        assert_int_equal(commit(fixture, TRANSITION_ACTIVATE, &id, NULL), 0);
    if (status == FORK_TOMBSTONED)
        assert_int_equal(commit(fixture, TRANSITION_TOMBSTONE, &id, NULL), 0);
    fork_entry_unref(entry);
    return id;
}

/* decided_at: not NULL in a shared catalog. */
static int enter_child(struct committer_fixture *fixture, const struct ulid *parent,
                       const struct timespec *decided_at, struct error *err)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    const struct fork_description description = {.name = "child",
                                                 .id = ulid_new(),
                                                 .has_parent = true,
                                                 .parent_id = *parent,
                                                 .parent_snapshot_id = "uninitialized",
                                                 .datasets = datasets};
    struct fork_entry *entry = fork_entry_new(&description);
    struct transition insert = {
        .kind = TRANSITION_INSERT, .entry = entry, .decided_at = decided_at};
    int code = transition_commit(fixture->committer, insert, NULL, err);
    fork_entry_unref(entry);
    return code;
}

/* -1: no entry. */
static int status_of(struct committer_fixture *fixture, const struct ulid *id)
{
    auto_registry struct registry *registry = committer_registry(fixture->committer);
    const struct fork_entry *entry = registry_find_id(registry, id);
    return entry ? (int)entry->status : -1;
}

static void a_fork_goes_from_pending_to_active_to_tombstoned_to_gone(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid id = enter(fixture, "audit", FORK_PENDING);
    assert_int_equal(status_of(fixture, &id), FORK_PENDING);
    assert_int_equal(commit(fixture, TRANSITION_ACTIVATE, &id, NULL), 0);
    assert_int_equal(status_of(fixture, &id), FORK_ACTIVE);
    assert_int_equal(commit(fixture, TRANSITION_TOMBSTONE, &id, NULL), 0);
    assert_int_equal(status_of(fixture, &id), FORK_TOMBSTONED);
    assert_int_equal(commit(fixture, TRANSITION_REMOVE, &id, NULL), 0);
    assert_int_equal(status_of(fixture, &id), -1);
    assert_int_equal(commit(fixture, TRANSITION_REMOVE, &id, NULL), 0);
}

static void only_a_pending_fork_is_activated(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid active = enter(fixture, "active", FORK_ACTIVE), nobody = ulid_new();
    struct ulid tombstoned = enter(fixture, "tombstoned", FORK_TOMBSTONED);
    assert_int_equal(commit(fixture, TRANSITION_ACTIVATE, &active, NULL), ERR_STALE);
    assert_int_equal(commit(fixture, TRANSITION_ACTIVATE, &tombstoned, NULL), ERR_STALE);
    assert_int_equal(commit(fixture, TRANSITION_ACTIVATE, &nobody, NULL), ERR_STALE);
}

static void only_an_active_fork_is_dropped(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid pending = enter(fixture, "pending", FORK_PENDING), nobody = ulid_new();
    struct ulid tombstoned = enter(fixture, "tombstoned", FORK_TOMBSTONED);
    assert_int_equal(commit(fixture, TRANSITION_TOMBSTONE, &pending, NULL), ERR_STALE);
    assert_int_equal(commit(fixture, TRANSITION_TOMBSTONE, &tombstoned, NULL), ERR_STALE);
    assert_int_equal(commit(fixture, TRANSITION_TOMBSTONE, &nobody, NULL), ERR_STALE);
}

static void a_fence_stops_whoever_makes_the_fork(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid id = enter(fixture, "audit", FORK_PENDING), nobody = ulid_new();
    struct ulid active = enter(fixture, "active", FORK_ACTIVE);
    assert_int_equal(commit(fixture, TRANSITION_FENCE, &id, NULL), 0);
    assert_int_equal(status_of(fixture, &id), FORK_TOMBSTONED);
    assert_int_equal(commit(fixture, TRANSITION_ACTIVATE, &id, NULL), ERR_STALE);
    assert_int_equal(commit(fixture, TRANSITION_FENCE, &id, NULL), 0);
    assert_int_equal(commit(fixture, TRANSITION_FENCE, &nobody, NULL), 0);
    assert_int_equal(commit(fixture, TRANSITION_FENCE, &active, NULL), ERR_EXISTS);
    assert_int_equal(status_of(fixture, &active), FORK_ACTIVE);
}

static void only_a_tombstoned_fork_is_removed(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid pending = enter(fixture, "pending", FORK_PENDING);
    struct ulid active = enter(fixture, "active", FORK_ACTIVE);
    assert_int_equal(commit(fixture, TRANSITION_REMOVE, &pending, NULL), ERR_STALE);
    assert_int_equal(commit(fixture, TRANSITION_REMOVE, &active, NULL), ERR_STALE);
    assert_int_equal(status_of(fixture, &active), FORK_ACTIVE);
}

static void a_name_is_entered_once(void **state)
{
    struct committer_fixture *fixture = *state;
    enter(fixture, "audit", FORK_TOMBSTONED);
    assert_int_equal(insert(fixture->committer, "audit", NULL), ERR_EXISTS);
}

/* The parent may be dropped after the child was planned. */
static void a_child_is_entered_under_an_active_parent_only(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid nobody = ulid_new(), pending = enter(fixture, "pending", FORK_PENDING);
    struct ulid tombstoned = enter(fixture, "tombstoned", FORK_TOMBSTONED);
    assert_int_equal(enter_child(fixture, &nobody, NULL, NULL), ERR_NOT_FOUND);
    assert_int_equal(enter_child(fixture, &pending, NULL, NULL), ERR_PENDING);
    assert_int_equal(enter_child(fixture, &tombstoned, NULL, NULL), ERR_STALE);
    struct timespec now = timestamp_now();
    assert_int_equal(enter_child(fixture, &tombstoned, &now, NULL), ERR_HELD);
    assert_false(on_store(fixture, "child"));
}

static void a_parent_is_not_dropped(void **state)
{
    struct committer_fixture *fixture = *state;
    struct error err = {0};
    struct ulid parent = enter(fixture, "parent", FORK_ACTIVE);
    assert_int_equal(enter_child(fixture, &parent, NULL, NULL), 0); /* pending */
    assert_int_equal(commit(fixture, TRANSITION_TOMBSTONE, &parent, &err), ERR_NOT_EMPTY);
    assert_non_null(strstr(err.text, "1 child fork: child"));
    assert_int_equal(status_of(fixture, &parent), FORK_ACTIVE);
}

static int correct_parent(struct committer_fixture *fixture, struct fork_entry *entry,
                          const struct ulid *parent)
{
    const struct transition transition = {
        .kind = TRANSITION_PARENT, .id = &entry->id, .entry = entry, .new_parent = parent};
    return transition_commit(fixture->committer, transition, NULL, NULL);
}

static void a_parent_is_corrected_in_the_entry_that_was_seen_only(void **state)
{
    struct committer_fixture *fixture = *state;
    struct ulid id = enter(fixture, "audit", FORK_ACTIVE), nobody = ulid_new();
    struct ulid parent = enter(fixture, "parent", FORK_ACTIVE);
    auto_registry struct registry *registry = committer_registry(fixture->committer);
    struct fork_entry *seen = registry_find(registry, "audit");
    assert_int_equal(correct_parent(fixture, seen, &nobody), ERR_NOT_FOUND);
    assert_int_equal(correct_parent(fixture, seen, &parent), 0);
    assert_int_equal(correct_parent(fixture, seen, NULL), ERR_STALE);
    auto_registry struct registry *after = committer_registry(fixture->committer);
    struct fork_entry *corrected = registry_find_id(after, &id);
    assert_true(corrected->has_parent && ulid_equal(&corrected->parent_id, &parent));
    fault_store_arm(fixture->outer, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, true, 0);
    assert_int_equal(correct_parent(fixture, corrected, NULL), 0);
}

static void each_transition_survives_a_lost_answer(void **state)
{
    struct committer_fixture *fixture = *state;
    fault_store_arm(fixture->outer, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, true, 0);
    struct ulid id = enter(fixture, "audit", FORK_TOMBSTONED);
    assert_int_equal(commit(fixture, TRANSITION_REMOVE, &id, NULL), 0);
    assert_false(on_store(fixture, "audit"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, committer_set_up, committer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fork_goes_from_pending_to_active_to_tombstoned_to_gone),
        TEST(only_a_pending_fork_is_activated),
        TEST(only_an_active_fork_is_dropped),
        TEST(a_fence_stops_whoever_makes_the_fork),
        TEST(only_a_tombstoned_fork_is_removed),
        TEST(a_name_is_entered_once),
        TEST(a_child_is_entered_under_an_active_parent_only),
        TEST(a_parent_is_not_dropped),
        TEST(a_parent_is_corrected_in_the_entry_that_was_seen_only),
        TEST(each_transition_survives_a_lost_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
