/*
 * What a create says to write-ahead logs: a log may be there, but nothing in it may be unflushed.
 * The snapshot's mark is 9.
 */
#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fork_fixture.h"

#define MARK 9
#define SNAPSHOT_KEY "storage/catalog/manifests/" FIXTURE_SNAPSHOT ".json"

static char *fork_log(const struct fork_fixture *fixture)
{
    return g_strdup_printf("storage/wal_forks/%s/", fixture->id.text);
}

/* Refused with a text that holds `part`; nothing is written. */
static void assert_not_created(struct fork_fixture *fixture, const char *parent, const char *part)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    int code = catalog_create(fixture->catalog, "new", parent, NULL, NULL, &err);
    if (code != ERR_UNCLEAN)
        fail_msg("%s instead of UNCLEAN: %s", error_code_name(code), err.text);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void assert_refuses(struct fork_fixture *fixture, const char *part)
{
    assert_not_created(fixture, NULL, part);
}

static void assert_refuses_child(struct fork_fixture *fixture, const char *part)
{
    assert_not_created(fixture, "audit", part);
}

static void assert_made(struct fork_fixture *fixture, const char *parent)
{
    fixture_create(fixture->catalog, "new", parent);
    fixture_assert_whole(fixture->store);
    assert_int_equal(catalog_drop(fixture->catalog, "new", NULL, NULL, NULL), 0);
}

static void assert_creates(struct fork_fixture *fixture)
{
    assert_made(fixture, NULL);
}

static void assert_creates_child(struct fork_fixture *fixture)
{
    assert_made(fixture, "audit");
}

/* ---- The log of the primary graph ---- */

static void unflushed_wal_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    const char *key = "wal/00000000000000000001_x.wal";
    fixture_put(fixture->store, key, "log");
    assert_refuses(fixture, key);
    assert_refuses_child(fixture, key);
    fixture_delete(fixture->store, key);
    assert_creates(fixture);
}

static void only_segments_count_as_wal(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put(fixture->store, "wal/readme", "x");
    fixture_put(fixture->store, "wal/1.wal#7", "temporary");
    assert_creates(fixture);
    fixture_put(fixture->store, "wal/deep/1.wal", "x");
    assert_refuses(fixture, "wal/deep/1.wal");
}

/* What Uni 5 leaves at a close after a commit. */
static void a_seal_holds_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *seal = fixture_put_seal(fixture->store, "wal/", MARK + 1);
    assert_creates(fixture);
    assert_creates_child(fixture);
    assert_true(fixture_exists(fixture->store, seal));
}

static void a_commit_above_the_mark_is_unflushed(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *seal = fixture_put_seal(fixture->store, "wal/", MARK + 2);
    g_autofree char *commit = fixture_put_commit(fixture->store, "wal/", MARK + 1);
    assert_refuses(fixture, commit);
    assert_refuses(fixture, "open and close it with Uni");
    assert_refuses_child(fixture, commit);
    fixture_delete(fixture->store, commit);
    assert_creates(fixture);
}

/* As after a kill between a flush and the deletion of what was flushed. */
static void a_commit_up_to_the_mark_is_flushed(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *first = fixture_put_commit(fixture->store, "wal/", MARK - 1);
    g_autofree char *second = fixture_put_commit(fixture->store, "wal/", MARK);
    assert_creates(fixture);
    assert_creates_child(fixture);
    fixture_delete(fixture->store, "storage/catalog/latest");
    assert_refuses_child(fixture, second);
}

/* Before Uni 5 numbers begin again at 1 when the log is empty, whatever the mark is. */
static void the_number_of_an_old_commit_proves_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *commit =
        fixture_put_segment(fixture->store, "wal/", 1, "[{\"DeleteVertex\":{\"vid\":1}}]", "");
    assert_refuses(fixture, commit);
    assert_refuses_child(fixture, commit);
    fork_fixture_reopen(fixture);
    assert_refuses_child(fixture, commit);
}

static void a_torn_segment_is_refused_whatever_its_number(void **state)
{
    struct fork_fixture *fixture = *state;
    for (uint64_t number = MARK; number <= MARK + 1; number++) {
        g_autofree char *key = fixture_put_seal(fixture->store, "wal/", number);
        g_autofree char *text = fixture_read(fixture->store, key);
        text[strlen(text) - 1] = '\0';
        fixture_put(fixture->store, key, text);
        assert_refuses(fixture, key);
        assert_refuses(fixture, "checksum");
        assert_refuses_child(fixture, key);
        fixture_delete(fixture->store, key);
    }
    assert_creates(fixture);
}

/* It is not believed what was read of another segment of the same name. */
static void a_segment_that_was_replaced_is_read_again(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *seal = fixture_put_seal(fixture->store, "wal/", MARK + 1);
    assert_creates(fixture);
    g_autofree char *commit = fixture_put_commit(fixture->store, "wal/", MARK + 1);
    assert_string_equal(seal, commit);
    assert_refuses(fixture, commit);
}

static void of_many_segments_the_unflushed_one_is_found(void **state)
{
    struct fork_fixture *fixture = *state;
    for (uint64_t number = 1; number <= 30; number++)
        g_free(fixture_put_seal(fixture->store, "wal/", number));
    assert_creates(fixture);
    g_autofree char *commit = fixture_put_commit(fixture->store, "wal/", MARK + 1);
    assert_refuses(fixture, commit);
    assert_refuses_child(fixture, commit);
}

static void too_many_segments_are_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    for (uint64_t number = 1; number <= 65; number++)
        g_free(fixture_put_seal(fixture->store, "wal/", number));
    assert_refuses(fixture, "65 WAL segments");
}

static void a_segment_too_large_for_a_seal_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *blanks = g_strnfill(300 * 1024, ' ');
    g_autofree char *mutations = g_strdup_printf("[%s]", blanks);
    g_autofree char *key = fixture_put_segment(fixture->store, "wal/", MARK + 1, mutations, "");
    assert_refuses(fixture, key);
}

static void a_segment_that_cannot_be_read_is_the_stores_failure(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    g_autofree char *seal = fixture_put_seal(fixture->store, "wal/", MARK + 1);
    fault_store_match(fixture->faults, seal);
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_GET, 1, true, ERR_ACCESS);
    assert_int_equal(catalog_create(fixture->catalog, "new", NULL, NULL, NULL, &err), ERR_ACCESS);
    fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_GET, 1, true, ERR_NOT_FOUND);
    assert_int_equal(catalog_create(fixture->catalog, "new", NULL, NULL, NULL, &err),
                     ERR_CONTENDED);
    assert_non_null(strstr(err.text, "Uni is at work"));
    fault_store_disarm(fixture->faults);
    assert_creates(fixture);
}

/* ---- The log of a fork ---- */

static void unflushed_wal_of_the_parent_is_refused(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *key = g_strdup_printf("storage/wal_forks/%s/1.wal", fixture->id.text);
    fixture_put(fixture->store, key, "log");
    assert_refuses_child(fixture, key);
    assert_creates(fixture); /* the primary graph's is clean */
}

static void the_wal_of_a_fork_counts_for_its_children_only(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *log = fork_log(fixture);
    g_autofree char *commit = fixture_put_commit(fixture->store, log, 1);
    assert_creates(fixture);
    fixture_create(fixture->catalog, "other", NULL);
    assert_made(fixture, "other");
    assert_refuses_child(fixture, commit);
}

/* Closing does not flush a fork; only its own flush does. */
static void the_advice_for_a_fork_is_its_flush(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *log = fork_log(fixture);
    g_autofree char *commit = fixture_put_commit(fixture->store, log, 1);
    assert_refuses_child(fixture, "fork 'audit' was not flushed");
    assert_refuses_child(fixture, "session.fork(\"audit\").build().flush()");
}

static void without_a_snapshot_of_its_own_the_fork_has_flushed_nothing(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *log = fork_log(fixture);
    g_autofree char *seal = fixture_put_seal(fixture->store, log, 2);
    assert_creates_child(fixture);
    g_autofree char *commit = fixture_put_commit(fixture->store, log, 1);
    assert_refuses_child(fixture, commit);
}

static void the_mark_of_a_fork_is_in_its_own_snapshot(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *log = fork_log(fixture);
    fixture_put_fork_snapshot(fixture->store, &fixture->id, "first", 50, 3);
    g_autofree char *flushed = fixture_put_commit(fixture->store, log, 3);
    assert_creates_child(fixture);
    g_autofree char *unflushed = fixture_put_commit(fixture->store, log, 4);
    assert_refuses_child(fixture, unflushed);
    fixture_put_fork_snapshot(fixture->store, &fixture->id, "second", 50, 4);
    assert_creates_child(fixture);
}

/* Main's mark is 9, the fork's 3; each counts for its own log. */
static void two_logs_have_two_marks(void **state)
{
    struct fork_fixture *fixture = *state;
    fixture_put_fork_snapshot(fixture->store, &fixture->id, "first", 50, 3);
    g_autofree char *flushed = fixture_put_commit(fixture->store, "wal/", MARK);
    assert_creates_child(fixture);
    fork_fixture_reopen(fixture); /* nothing is in the cache */
    assert_creates_child(fixture);
    fixture_replace(fixture->store, SNAPSHOT_KEY, "\"wal_high_water_mark\": 9",
                    "\"wal_high_water_mark\": 8");
    fork_fixture_reopen(fixture);
    assert_refuses_child(fixture, flushed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define TEST_ON_DISK(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fork_set_up_on_disk, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unflushed_wal_is_refused),
        TEST(only_segments_count_as_wal),
        TEST(a_seal_holds_nothing),
        TEST_ON_DISK(a_seal_holds_nothing),
        TEST(a_commit_above_the_mark_is_unflushed),
        TEST(a_commit_up_to_the_mark_is_flushed),
        TEST(the_number_of_an_old_commit_proves_nothing),
        TEST(a_torn_segment_is_refused_whatever_its_number),
        TEST(a_segment_that_was_replaced_is_read_again),
        TEST(of_many_segments_the_unflushed_one_is_found),
        TEST(too_many_segments_are_refused),
        TEST(a_segment_too_large_for_a_seal_is_refused),
        TEST(a_segment_that_cannot_be_read_is_the_stores_failure),
        TEST(unflushed_wal_of_the_parent_is_refused),
        TEST(the_wal_of_a_fork_counts_for_its_children_only),
        TEST(the_advice_for_a_fork_is_its_flush),
        TEST(without_a_snapshot_of_its_own_the_fork_has_flushed_nothing),
        TEST(the_mark_of_a_fork_is_in_its_own_snapshot),
        TEST(two_logs_have_two_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
