/*
 * What operations cost on a store far away: rounds of requests one after the other, and requests.
 * D is the number of datasets, K that of forks in a batch.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "unit/catalog/database_fixture.h"
#include "unit/stores/latency_store.h"

/* As many in flight as by default in the program. */
#define JOBS 192

struct fixture {
    const struct catalog_settings *settings;
    struct store *store;
    struct store *latency; /* around `store`, what the catalog uses */
    struct catalog *catalog;
    unsigned datasets;
};

static char *label(unsigned index)
{
    return g_strdup_printf("L%02u", index);
}

/* The fixture's database, with that number of datasets, all of labels of the schema. */
static struct store *database_new(unsigned datasets)
{
    struct store *store = fixture_database_with_jobs(JOBS);
    static const char *const others[FIXTURE_DATASETS] = {"edges", "vertices", "vertices_Person"};
    for (unsigned i = 0; i < FIXTURE_DATASETS; i++) {
        g_autofree char *root = g_strdup_printf("storage/%s.lance", others[i]);
        g_autofree char *key =
            lance_manifest_key(root, NULL, strcmp(others[i], "vertices") == 0 ? 4 : 2);
        fixture_delete(store, key);
    }
    g_autoptr(GString) labels = g_string_new(NULL);
    for (unsigned i = 0; i < datasets; i++) {
        g_autofree char *name = label(i), *dataset = g_strdup_printf("vertices_%s", name);
        g_string_append_printf(labels, "%s\"%s\": {\"id\": %u}", i ? ", " : "", name, i + 1);
        fixture_put_dataset(store, dataset, "plain", 2);
    }
    g_autofree char *schema =
        g_strdup_printf("{\"schema_version\": 4, \"labels\": {%s}, \"edge_types\": {}, "
                        "\"properties\": {}}",
                        labels->str);
    fixture_put(store, "catalog/schema.json", schema);
    return store;
}

/* A lease of that length is not renewed while a test runs. */
static const struct catalog_settings unshared = {0}, shared = {.shared = true, .lease_ms = 3600000};

/* Sets up all but the settings. */
static void fixture_begin(struct fixture *fixture, unsigned datasets)
{
    fixture->datasets = datasets;
    fixture->store = database_new(datasets);
    fixture->latency = latency_store_new(fixture->store, false, JOBS);
    fixture->catalog = fixture_open_with(fixture->latency, fixture->settings, NULL);
}

static void fixture_end(struct fixture *fixture)
{
    catalog_free(fixture->catalog);
    store_free(fixture->latency);
    store_free(fixture->store);
}

static struct latency_cost cost_of(struct fixture *fixture,
                                   void (*operation)(struct fixture *fixture))
{
    struct latency_cost before = latency_store_cost(fixture->latency);
    operation(fixture);
    struct latency_cost now = latency_store_cost(fixture->latency);
    return latency_cost_since(&before, &now);
}

static uint64_t registry_writes(struct fixture *fixture)
{
    struct catalog_counts counts;
    catalog_counts(fixture->catalog, &counts);
    return counts.commits;
}

/* In a catalog that this mount has for itself, and in one that others may have mounted, too. */
static void for_few_and_many_datasets(void (*check)(struct fixture *fixture))
{
    static const unsigned counts[] = {1, 8, 64};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(counts); i++) {
        struct fixture fixture = {.settings = i % 2 ? &shared : &unshared};
        fixture_begin(&fixture, counts[i / 2]);
        check(&fixture);
        fixture_end(&fixture);
    }
}

/* ---- mkdir ---- */

static void create_one(struct fixture *fixture)
{
    fixture_create(fixture->catalog, "one", NULL);
}

static void drop_one(struct fixture *fixture)
{
    struct error err = {0};
    if (catalog_drop(fixture->catalog, "one", NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static void create_child(struct fixture *fixture)
{
    fixture_create(fixture->catalog, "child", "one");
}

static void check_cold_create(struct fixture *fixture)
{
    struct latency_cost cost = cost_of(fixture, create_one);
    assert_in_range(cost.rounds, 4, 6);
    /* Each manifest, whether its dataset has a catalog of refs, and the snapshot's manifest more.
     */
    assert_int_equal(latency_cost_requests(&cost), 5 * fixture->datasets + 12);
}

static void a_cold_create_takes_at_most_six_rounds(void **state)
{
    for_few_and_many_datasets(check_cold_create);
}

/* A listing and two puts per dataset; allocator, overlay, the registry twice; WAL, intent,
 * datasets, schema in both places, snapshot pointer, allocator. */
static void check_warm_create(struct fixture *fixture)
{
    fixture_create(fixture->catalog, "warm", NULL);
    uint64_t writes = registry_writes(fixture);
    struct latency_cost cost = cost_of(fixture, create_one);
    assert_int_equal(cost.rounds, 4);
    assert_int_equal(registry_writes(fixture) - writes, 2);
    assert_int_equal(cost.requests[STORE_PUT], 2 * fixture->datasets + 4);
    assert_int_equal(cost.requests[STORE_LIST], fixture->datasets + 2);
    assert_int_equal(latency_cost_requests(&cost), 3 * fixture->datasets + 11);
}

static void a_warm_create_takes_four_rounds(void **state)
{
    for_few_and_many_datasets(check_warm_create);
}

/* What Uni 5 leaves behind in the log: read once, in the wave of the manifests. */
static void check_create_beside_a_seal(struct fixture *fixture)
{
    g_free(fixture_put_seal(fixture->store, "wal/", 1));
    struct latency_cost cold = cost_of(fixture, create_one);
    assert_in_range(cold.rounds, 4, 6);
    drop_one(fixture);
    struct latency_cost warm = cost_of(fixture, create_one);
    assert_int_equal(warm.rounds, 4);
    assert_int_equal(latency_cost_requests(&warm), 3 * fixture->datasets + 11);
}

static void a_seal_costs_one_request_once(void **state)
{
    for_few_and_many_datasets(check_create_beside_a_seal);
}

static void fail_to_create_one(struct fixture *fixture)
{
    assert_int_equal(catalog_create(fixture->catalog, "one", NULL, NULL, NULL, NULL), ERR_UNCLEAN);
}

/* Four, however many there are. What a create reads besides: intent, schema in both places,
 * pointer, allocator, the snapshot, and a manifest. */
static void of_many_unflushed_segments_only_the_newest_are_read(void **state)
{
    struct fixture fixture = {.settings = &unshared};
    fixture_begin(&fixture, 1);
    for (uint64_t number = 101; number <= 160; number++)
        g_free(fixture_put_commit(fixture.store, "wal/", number));
    struct latency_cost cold = cost_of(&fixture, fail_to_create_one);
    assert_in_range(cold.requests[STORE_GET], 5, 7 + 4);
    struct latency_cost again = cost_of(&fixture, fail_to_create_one);
    assert_in_range(again.requests[STORE_GET], 5, 7);
    fixture_end(&fixture);
}

/* The parent's manifests and refs are read, too. */
static void check_nested_create(struct fixture *fixture)
{
    create_one(fixture);
    struct latency_cost cost = cost_of(fixture, create_child);
    assert_in_range(cost.rounds, 4, 5);
    assert_int_equal(latency_cost_requests(&cost), 5 * fixture->datasets + 13);
}

static void a_create_below_a_parent_of_an_earlier_mount_looks_at_all_refs(void **state)
{
    struct fixture fixture = {.settings = &unshared};
    fixture_begin(&fixture, 8);
    create_one(&fixture);
    catalog_free(fixture.catalog);
    fixture.catalog = fixture_open_with(fixture.latency, fixture.settings, NULL);
    struct latency_cost cost = cost_of(&fixture, create_child);
    assert_in_range(cost.rounds, 4, 5);
    assert_int_equal(cost.requests[STORE_LIST], 2 * 8 + 3);
    fixture_end(&fixture);
}

/* Of the parent's snapshots all are read, once; then the pointer only tells that there is no new
 * one. */
static void check_create_below_a_flushed_parent(struct fixture *fixture)
{
    struct ulid id = fixture_create(fixture->catalog, "one", NULL);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *snapshot = g_strdup_printf("snapshot-%u", i);
        fixture_put_fork_snapshot(fixture->store, &id, snapshot, 50, 0);
    }
    struct latency_cost cold = cost_of(fixture, create_child);
    assert_in_range(cold.rounds, 4, 6);
    assert_int_equal(catalog_drop(fixture->catalog, "child", NULL, NULL, NULL), 0);
    struct latency_cost warm = cost_of(fixture, create_child);
    assert_in_range(warm.rounds, 4, 5);
    assert_int_equal(latency_cost_requests(&warm), 5 * fixture->datasets + 13);
}

static void a_create_below_a_flushed_parent_takes_at_most_five_rounds_and_six_at_first(void **state)
{
    for_few_and_many_datasets(check_create_below_a_flushed_parent);
}

static void a_create_below_a_parent_takes_at_most_five_rounds(void **state)
{
    for_few_and_many_datasets(check_nested_create);
}

/* ---- rmdir ---- */

/* Puts a second version with a data file on every branch of the fork, as a writer would. */
static void write_data(struct fixture *fixture, const struct ulid *id)
{
    for (unsigned i = 0; i < fixture->datasets; i++) {
        g_autofree char *name = label(i), *dataset = g_strdup_printf("vertices_%s", name);
        g_autofree char *branch = layout_branch_name(id, dataset);
        g_autofree char *root = g_strdup_printf("storage/%s.lance", dataset);
        g_autofree char *manifest = lance_manifest_key(root, branch, 3);
        g_autofree char *data = g_strdup_printf("%s/tree/%s/data/1.lance", root, branch);
        fixture_put(fixture->store, manifest, "a manifest");
        fixture_put(fixture->store, data, "rows");
    }
}

/* Where others may write, tags are looked for once more after the decision. */
static unsigned drop_bound(const struct fixture *fixture, unsigned per_dataset)
{
    return (per_dataset + (fixture->settings->shared ? 1 : 0)) * fixture->datasets + 11;
}

static void check_drop(struct fixture *fixture)
{
    create_one(fixture);
    uint64_t writes = registry_writes(fixture);
    struct latency_cost cost = cost_of(fixture, drop_one);
    assert_in_range(cost.rounds, 5, 6);
    assert_int_equal(registry_writes(fixture) - writes, 2);
    assert_in_range(latency_cost_requests(&cost), 0, drop_bound(fixture, 4));
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
}

static void a_drop_takes_at_most_six_rounds(void **state)
{
    for_few_and_many_datasets(check_drop);
}

static void check_drop_with_data(struct fixture *fixture)
{
    struct ulid id = fixture_create(fixture->catalog, "one", NULL);
    write_data(fixture, &id);
    struct latency_cost cost = cost_of(fixture, drop_one);
    assert_in_range(cost.rounds, 6, 7);
    assert_in_range(latency_cost_requests(&cost), 0, drop_bound(fixture, 6));
    assert_int_equal(fixture_mentions(fixture->store, "fork_0"), 0);
}

static void a_drop_of_branches_with_data_takes_at_most_seven_rounds(void **state)
{
    for_few_and_many_datasets(check_drop_with_data);
}

/* Their refs are listed, but not read. */
static void other_forks_make_no_drop_dearer(void **state)
{
    struct fixture fixture = {.settings = &shared};
    fixture_begin(&fixture, 8);
    create_one(&fixture);
    struct latency_cost alone = cost_of(&fixture, drop_one);
    for (unsigned i = 0; i < 30; i++) {
        g_autofree char *name = g_strdup_printf("other-%02u", i);
        fixture_create(fixture.catalog, name, NULL);
    }
    create_one(&fixture);
    struct latency_cost among = cost_of(&fixture, drop_one);
    assert_int_equal(among.rounds, alone.rounds);
    assert_int_equal(latency_cost_requests(&among), latency_cost_requests(&alone));
    fixture_end(&fixture);
}

/* ---- Many at a time ---- */

static struct change create_line(unsigned index, const char *parent)
{
    return (struct change){
        .kind = CHANGE_CREATE, .name = g_strdup_printf("batch-%03u", index), .parent = parent};
}

/* Carries the lines out and frees their names. */
static struct latency_cost cost_of_lines(struct fixture *fixture, struct change *lines,
                                         unsigned count)
{
    struct latency_cost before = latency_store_cost(fixture->latency);
    catalog_change(fixture->catalog, lines, count, NULL);
    struct latency_cost now = latency_store_cost(fixture->latency);
    for (unsigned i = 0; i < count; i++) {
        if (lines[i].error.code)
            fail_msg("%s", lines[i].error.text);
        g_free((char *)lines[i].name);
    }
    return latency_cost_since(&before, &now);
}

static void a_batch_of_creates_takes_four_to_six_rounds_for_all(void **state)
{
    static const unsigned counts[] = {1, 8, 100};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        struct fixture fixture = {.settings = &shared};
        struct change lines[100];
        unsigned count = counts[i];
        fixture_begin(&fixture, 1);
        fixture_create(fixture.catalog, "warm", NULL);
        for (unsigned j = 0; j < count; j++)
            lines[j] = create_line(j, NULL);
        uint64_t writes = registry_writes(&fixture);
        struct latency_cost cost = cost_of_lines(&fixture, lines, count);
        assert_in_range(cost.rounds, 4, 6);
        assert_int_equal(registry_writes(&fixture) - writes, 2);
        /* Manifest, ref, allocator and overlay of each; the fork point is read once. */
        assert_int_equal(cost.requests[STORE_PUT], 4 * count + 2);
        assert_int_equal(latency_cost_requests(&cost), 4 * count + 2 + 8);
        fixture_end(&fixture);
    }
}

static void children_of_many_parents_are_made_in_as_many_rounds_as_of_one(void **state)
{
    enum { PARENTS = 8 };
    struct fixture fixture = {.settings = &shared};
    struct change lines[PARENTS + 1];
    char *parents[PARENTS];
    fixture_begin(&fixture, 8);
    for (unsigned i = 0; i < PARENTS; i++) {
        parents[i] = g_strdup_printf("parent-%u", i);
        fixture_create(fixture.catalog, parents[i], NULL);
        lines[i] = create_line(i, parents[i]);
    }
    lines[PARENTS] = create_line(PARENTS, NULL);
    struct latency_cost one = cost_of_lines(&fixture, lines, 1);
    lines[0] = create_line(PARENTS + 1, parents[0]);
    struct latency_cost many = cost_of_lines(&fixture, lines, PARENTS + 1);
    assert_in_range(one.rounds, 4, 6);
    assert_int_equal(many.rounds, one.rounds);
    for (unsigned i = 0; i < PARENTS; i++)
        g_free(parents[i]);
    fixture_end(&fixture);
}

/* ---- Mounting ---- */

static void open_again(struct fixture *fixture)
{
    fixture->catalog = fixture_open_with(fixture->latency, fixture->settings, NULL);
}

static void check_open(struct fixture *fixture)
{
    create_one(fixture);
    catalog_free(fixture->catalog);
    struct latency_cost cost = cost_of(fixture, open_again);
    bool has_lease = fixture->settings->shared;
    assert_int_equal(cost.rounds, has_lease ? 3 : 2);
    /* The state of the database, as for a create; tombstones; registry; a lease. */
    assert_int_equal(latency_cost_requests(&cost), 7 + 1 + 1 + (has_lease ? 1 : 0));
}

static void opening_takes_at_most_three_rounds(void **state)
{
    for_few_and_many_datasets(check_open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cold_create_takes_at_most_six_rounds),
        cmocka_unit_test(a_warm_create_takes_four_rounds),
        cmocka_unit_test(a_seal_costs_one_request_once),
        cmocka_unit_test(of_many_unflushed_segments_only_the_newest_are_read),
        cmocka_unit_test(a_create_below_a_parent_takes_at_most_five_rounds),
        cmocka_unit_test(a_create_below_a_parent_of_an_earlier_mount_looks_at_all_refs),
        cmocka_unit_test(
            a_create_below_a_flushed_parent_takes_at_most_five_rounds_and_six_at_first),
        cmocka_unit_test(a_drop_takes_at_most_six_rounds),
        cmocka_unit_test(a_drop_of_branches_with_data_takes_at_most_seven_rounds),
        cmocka_unit_test(other_forks_make_no_drop_dearer),
        cmocka_unit_test(a_batch_of_creates_takes_four_to_six_rounds_for_all),
        cmocka_unit_test(children_of_many_parents_are_made_in_as_many_rounds_as_of_one),
        cmocka_unit_test(opening_takes_at_most_three_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
