/*
 * Requests that arrive late, for forks that are gone by then; in a bucket that several mounts
 * write, and in one that has a single writer.
 */
#include "unit/unit.h"

#include <string.h>

#include "base/timestamp.h"
#include "catalog/catalog_private.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/database_fixture.h"
#include "unit/virtual_clock.h"

#define REFS "_refs/branches/"
#define TAKEOVER_MS 120000
#define LATE_MS (STORE_LATE_NS / NS_PER_MS + 1)
#define DATASET "storage/vertices_Person.lance"

struct bucket {
    bool shared;
    struct store *store;
    struct store *faults; /* what the catalog uses */
    struct catalog *catalog;
};

static struct catalog *open_mount(struct bucket *bucket, int64_t takeover_ms, struct store **faults)
{
    const struct catalog_settings settings = {
        .shared = bucket->shared, .takeover_ms = takeover_ms, .lease_ms = -1};
    struct layout *layout = NULL;
    struct catalog *catalog = NULL;
    struct error err;
    *faults = fault_store_new(bucket->store, false);
    if (layout_new("", "storage/", "s3://bucket/storage", &layout, &err) ||
        catalog_open(*faults, layout, &settings, NULL, &catalog, &err))
        fail_msg("%s", err.text);
    return catalog;
}

static int set_up(void **state, bool shared)
{
    struct bucket *bucket = g_new0(struct bucket, 1);
    bucket->shared = shared;
    bucket->store = fixture_database_with_jobs(4);
    bucket->catalog = open_mount(bucket, TAKEOVER_MS, &bucket->faults);
    *state = bucket;
    return 0;
}

static int set_up_shared(void **state)
{
    return set_up(state, true);
}

static int set_up_single(void **state)
{
    return set_up(state, false);
}

static int tear_down(void **state)
{
    struct bucket *bucket = *state;
    catalog_free(bucket->catalog);
    store_free(bucket->store);
    g_free(bucket);
    return 0;
}

/* Another process on the same bucket, as after a crash: it knows nothing. */
static void mount_again(struct bucket *bucket)
{
    catalog_free(bucket->catalog);
    bucket->catalog = open_mount(bucket, TAKEOVER_MS, &bucket->faults);
}

/* Puts of such keys will arrive once more, or only then. */
static void hold(struct bucket *bucket, enum fault_kind kind, const char *keys)
{
    fault_store_match(bucket->faults, keys);
    fault_store_arm(bucket->faults, kind, 1u << STORE_PUT, 1, true, 0);
}

static void recover(struct bucket *bucket)
{
    struct error problem;
    fixture_recover_due(bucket->catalog, &problem);
    if (problem.code)
        fail_msg("%s", problem.text);
}

static void recover_with_problem(struct bucket *bucket, const char *part)
{
    struct error problem;
    fixture_recover_due(bucket->catalog, &problem);
    assert_int_not_equal(problem.code, 0);
    if (!strstr(problem.text, part))
        fail_msg("\"%s\" does not say \"%s\"", problem.text, part);
}

/* Once now, so that it is watched, and once when that has lasted long enough. */
static void watch_and_recover(struct bucket *bucket)
{
    recover(bucket);
    virtual_clock_jump(TAKEOVER_MS + 1);
    recover(bucket);
}

static void drop(struct bucket *bucket, const char *name)
{
    struct error err;
    if (catalog_drop(bucket->catalog, name, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

/* A fork that is made, with the puts of its refs sent twice, and dropped before they have arrived
 * twice. What is left of it. */
static struct ulid make_and_drop(struct bucket *bucket, const char *parent)
{
    hold(bucket, FAULT_LATE_AGAIN, REFS);
    struct ulid id = fixture_create(bucket->catalog, "child", parent);
    fault_store_disarm(bucket->faults);
    drop(bucket, "child");
    assert_int_equal(fixture_mentions(bucket->store, id.text), 0);
    return id;
}

static struct ulid leave_remnant(struct bucket *bucket, const char *parent)
{
    struct ulid id = make_and_drop(bucket, parent);
    assert_int_equal(fault_store_arrive(bucket->faults), FIXTURE_DATASETS);
    assert_int_not_equal(fixture_mentions(bucket->store, id.text), 0);
    return id;
}

/* ---- This mount's own ---- */

static void what_arrives_after_a_drop_goes_when_no_more_can_come(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = leave_remnant(bucket, NULL);
    recover(bucket);
    assert_int_not_equal(fixture_mentions(bucket->store, id.text), 0);
    virtual_clock_jump(LATE_MS);
    recover(bucket);
    assert_int_equal(fixture_mentions(bucket->store, id.text), 0);
    fixture_assert_clean(bucket->store);
}

static void a_fork_that_lives_keeps_what_arrives_twice(void **state)
{
    struct bucket *bucket = *state;
    hold(bucket, FAULT_LATE_AGAIN, "");
    fixture_create(bucket->catalog, "a", NULL);
    fault_store_disarm(bucket->faults);
    g_autofree char *before = fixture_dump(bucket->store, NULL);
    assert_int_equal(fault_store_arrive(bucket->faults), 0);
    virtual_clock_jump(LATE_MS);
    watch_and_recover(bucket);
    g_autofree char *after = fixture_dump(bucket->store, NULL);
    assert_string_equal(before, after);
}

/* Its maker has been told that it failed, and made another of the name. */
static void a_fork_that_could_not_be_made_leaves_its_name_and_nothing_else(void **state)
{
    struct bucket *bucket = *state;
    struct error err;
    hold(bucket, FAULT_LATE, REFS);
    assert_int_equal(catalog_create(bucket->catalog, "a", NULL, NULL, NULL, &err), ERR_IO);
    fault_store_disarm(bucket->faults);
    fixture_create(bucket->catalog, "a", NULL);
    fixture_assert_whole(bucket->store);
    g_autofree char *before = fixture_dump(bucket->store, NULL);
    assert_int_equal(fault_store_arrive(bucket->faults), FIXTURE_DATASETS);
    virtual_clock_jump(LATE_MS);
    recover(bucket);
    g_autofree char *after = fixture_dump(bucket->store, NULL);
    assert_string_equal(before, after);
}

static void a_tombstone_that_arrives_after_the_drop_goes(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = fixture_create(bucket->catalog, "a", NULL);
    hold(bucket, FAULT_LATE_AGAIN, "fork_tombstones");
    drop(bucket, "a");
    fault_store_disarm(bucket->faults);
    assert_int_equal(fault_store_arrive(bucket->faults), 1);
    virtual_clock_jump(LATE_MS);
    recover(bucket);
    assert_int_equal(fixture_mentions(bucket->store, id.text), 0);
}

/* The store fails; the next time it is done. */
static void what_could_not_be_removed_is_not_forgotten(void **state)
{
    struct bucket *bucket = *state;
    struct recovery_report report;
    struct ulid id = leave_remnant(bucket, NULL);
    virtual_clock_jump(LATE_MS);
    fault_store_match(bucket->faults, REFS);
    fault_store_arm(bucket->faults, FAULT_FAIL, 1u << STORE_DELETE, 1, false, ERR_UNREACHABLE);
    assert_int_equal(catalog_recover_due(bucket->catalog, NULL, &report, NULL), ERR_UNREACHABLE);
    recovery_report_clear(&report);
    recover(bucket);
    assert_int_equal(fixture_mentions(bucket->store, id.text), 0);
}

/* ---- What others have left ---- */

static void what_a_dead_mount_has_left_goes_when_it_has_been_watched(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = leave_remnant(bucket, NULL);
    mount_again(bucket);
    recover(bucket);
    virtual_clock_jump(TAKEOVER_MS - 1000);
    recover(bucket);
    assert_int_not_equal(fixture_mentions(bucket->store, id.text), 0);
    virtual_clock_jump(1001);
    recover(bucket);
    assert_int_equal(fixture_mentions(bucket->store, id.text), 0);
    fixture_assert_clean(bucket->store);
}

static void watching_begins_anew_when_more_arrives(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = leave_remnant(bucket, NULL);
    g_autofree char *branch = layout_branch_name(&id, "vertices_Person");
    g_autofree char *ref = lance_branch_ref_key(DATASET, branch);
    g_autofree char *text = fixture_read(bucket->store, ref);
    fixture_delete(bucket->store, ref);
    mount_again(bucket);
    recover(bucket);
    fixture_put(bucket->store, ref, text);
    virtual_clock_jump(TAKEOVER_MS + 1);
    recover(bucket);
    assert_true(fixture_exists(bucket->store, ref));
    virtual_clock_jump(TAKEOVER_MS + 1);
    recover(bucket);
    assert_int_equal(fixture_mentions(bucket->store, id.text), 0);
}

static void all_of_a_catalog_is_looked_at_once_in_an_hour(void **state)
{
    struct bucket *bucket = *state;
    recover(bucket);
    fault_store_match(bucket->faults, REFS);
    fault_store_arm(bucket->faults, FAULT_NONE, 1u << STORE_LIST, 1, false, 0);
    virtual_clock_jump(TAKEOVER_MS + 1);
    recover(bucket);
    assert_int_equal(fault_store_count(bucket->faults), 0);
    virtual_clock_jump(3600000);
    recover(bucket);
    assert_int_equal(fault_store_count(bucket->faults), FIXTURE_DATASETS);
}

static void a_parent_says_what_it_waits_for_and_can_then_be_dropped(void **state)
{
    struct bucket *bucket = *state;
    struct error err;
    fixture_create(bucket->catalog, "parent", NULL);
    make_and_drop(bucket, "parent");
    recover(bucket); /* from here on an hour passes until the next look at everything */
    assert_int_equal(fault_store_arrive(bucket->faults), FIXTURE_DATASETS);
    assert_int_equal(catalog_drop(bucket->catalog, "parent", NULL, NULL, &err), ERR_NOT_EMPTY);
    assert_non_null(strstr(err.text, "left of a dropped fork"));
    assert_non_null(strstr(err.text, "removed by recovery"));
    watch_and_recover(bucket);
    drop(bucket, "parent");
    fixture_assert_clean(bucket->store);
}

/* ---- What stays ---- */

static void assert_stays(struct bucket *bucket, const char *part)
{
    g_autofree char *before = fixture_dump(bucket->store, "fork_leases");
    mount_again(bucket);
    recover(bucket);
    virtual_clock_jump(TAKEOVER_MS + 1);
    recover_with_problem(bucket, part);
    g_autofree char *after = fixture_dump(bucket->store, "fork_leases");
    assert_string_equal(before, after);
}

/* Its entry was lost, as when the registry of yesterday is put back. */
static void a_whole_fork_without_entry_stays(void **state)
{
    struct bucket *bucket = *state;
    fixture_create(bucket->catalog, "a", NULL);
    fixture_put(bucket->store, FIXTURE_REGISTRY, "{\"forks\": {}}");
    assert_stays(bucket, "all that a fork has is there");
}

static void data_of_a_fork_without_entry_stays(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = leave_remnant(bucket, NULL);
    g_autofree char *branch = layout_branch_name(&id, "vertices_Person");
    g_autofree char *data = g_strconcat(DATASET "/tree/", branch, "/data/1.lance", NULL);
    fixture_put(bucket->store, data, "rows");
    assert_stays(bucket, "data of its own");
}

/* A file that somebody has written below one of the prefixes of a remnant's own. */
static void assert_written_file_stays(struct bucket *bucket,
                                      char *(*prefix)(const struct layout *, const struct ulid *),
                                      const char *name)
{
    struct ulid id = leave_remnant(bucket, NULL);
    g_autofree char *own = prefix(bucket->catalog->layout, &id);
    g_autofree char *key = g_strconcat(own, name, NULL);
    fixture_put(bucket->store, key, "{}");
    assert_stays(bucket, key);
}

static void log_of_a_fork_without_entry_stays(void **state)
{
    assert_written_file_stays(*state, layout_fork_wal_prefix, "00000000000000000001_0.wal");
}

static void snapshots_of_a_fork_without_entry_stay(void **state)
{
    assert_written_file_stays(*state, layout_fork_prefix, "manifests/1.json");
}

static void what_a_tag_points_at_stays(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = leave_remnant(bucket, NULL);
    g_autofree char *branch = layout_branch_name(&id, "vertices_Person");
    const struct tag_ref ref = {.branch = branch, .version = 2, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&ref, timestamp_now());
    g_autofree char *text = g_strndup(body->data, body->size);
    fixture_put(bucket->store, DATASET "/_refs/tags/kept.json", text);
    assert_stays(bucket, "kept");
}

static void nothing_is_removed_without_a_registry(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = leave_remnant(bucket, NULL);
    fixture_delete(bucket->store, FIXTURE_REGISTRY);
    mount_again(bucket);
    watch_and_recover(bucket);
    assert_int_not_equal(fixture_mentions(bucket->store, id.text), 0);
}

/* ---- A fork that is made while branches are looked at ---- */

static struct catalog *maker;
static struct ulid made;

static void make_fork(int64_t unused)
{
    if (!maker)
        return;
    struct catalog *other = g_steal_pointer(&maker);
    made = fixture_create(other, "made meanwhile", NULL);
    maker = other;
}

static void a_fork_that_is_made_meanwhile_is_never_taken_for_a_remnant(void **state)
{
    struct bucket *bucket = *state;
    struct store *other_faults, *faults;
    maker = open_mount(bucket, TAKEOVER_MS, &other_faults);
    struct catalog *hasty = open_mount(bucket, 0, &faults);
    struct recovery_report report;
    fault_store_match(faults, REFS);
    fault_store_set_delay(faults, 0);
    fault_store_when_fired(faults, make_fork, 0);
    fault_store_arm(faults, FAULT_DELAY, 1u << STORE_LIST, 2, false, 0);
    assert_int_equal(catalog_recover_due(hasty, NULL, &report, NULL), 0);
    recovery_report_clear(&report);
    assert_true(fault_store_fired(faults));
    assert_int_not_equal(fixture_mentions(bucket->store, made.text), 0);
    fixture_assert_whole(bucket->store);
    catalog_free(hasty);
    catalog_free(maker);
    maker = NULL;
}

/* ---- The registry ---- */

/* A change and its reversal would bring the first version back, and with it the condition on which
 * the change was put. */
static void a_change_that_arrives_late_brings_no_old_registry_back(void **state)
{
    struct bucket *bucket = *state;
    struct ulid id = fixture_create(bucket->catalog, "a", NULL);
    hold(bucket, FAULT_LATE_AGAIN, FIXTURE_REGISTRY);
    assert_int_equal(catalog_set_ttl(bucket->catalog, &id, true, 3600, NULL, NULL), 0);
    fault_store_disarm(bucket->faults);
    assert_int_equal(catalog_set_ttl(bucket->catalog, &id, false, 0, NULL, NULL), 0);
    assert_int_equal(fault_store_arrive(bucket->faults), 0);
}

static void a_create_that_arrives_late_brings_no_entry_back(void **state)
{
    struct bucket *bucket = *state;
    fixture_create(bucket->catalog, "neighbour", NULL);
    hold(bucket, FAULT_LATE_AGAIN, FIXTURE_REGISTRY);
    fixture_create(bucket->catalog, "a", NULL);
    fault_store_disarm(bucket->faults);
    drop(bucket, "a");
    assert_int_equal(fault_store_arrive(bucket->faults), 0);
    assert_int_equal(fixture_status(bucket->store, "a"), -1);
}

int main(void)
{
#define TEST(function)                                                                             \
    {"shared: " #function, function, set_up_shared, tear_down, NULL},                              \
    {                                                                                              \
        "single writer: " #function, function, set_up_single, tear_down, NULL                      \
    }
    const struct CMUnitTest tests[] = {
        TEST(what_arrives_after_a_drop_goes_when_no_more_can_come),
        TEST(a_fork_that_lives_keeps_what_arrives_twice),
        TEST(a_fork_that_could_not_be_made_leaves_its_name_and_nothing_else),
        TEST(a_tombstone_that_arrives_after_the_drop_goes),
        TEST(what_could_not_be_removed_is_not_forgotten),
        TEST(what_a_dead_mount_has_left_goes_when_it_has_been_watched),
        TEST(watching_begins_anew_when_more_arrives),
        TEST(all_of_a_catalog_is_looked_at_once_in_an_hour),
        TEST(a_parent_says_what_it_waits_for_and_can_then_be_dropped),
        TEST(a_whole_fork_without_entry_stays),
        TEST(data_of_a_fork_without_entry_stays),
        TEST(log_of_a_fork_without_entry_stays),
        TEST(snapshots_of_a_fork_without_entry_stay),
        TEST(what_a_tag_points_at_stays),
        TEST(nothing_is_removed_without_a_registry),
        TEST(a_fork_that_is_made_meanwhile_is_never_taken_for_a_remnant),
        TEST(a_change_that_arrives_late_brings_no_old_registry_back),
        TEST(a_create_that_arrives_late_brings_no_entry_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
