/*
 * The check of a catalog: branches, and the tags that keep them.
 */
#include "unit/unit.h"

#include <string.h>

#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"
#include "lance/manifest.h"
#include "unit/catalog/fsck/fsck_fixture.h"

static void a_branch_without_ref_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    delete_key(fixture, ref);
    assert_findings(fixture, "which has no ref");
}

static void a_branch_without_manifest_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *versions = lance_versions_prefix("storage/vertices.lance", fixture->branch);
    struct store_set *set = store_set_new();
    struct store_request *listing = store_set_list(set, versions, NULL, 0);
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(listing->answer.objects->len, 1);
    delete_key(fixture, ((struct store_object *)listing->answer.objects->pdata[0])->key);
    store_set_unref(set);
    assert_findings(fixture, "has a ref but no manifest");
}

static void a_missing_branch_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    struct store_set *set = store_set_new();
    struct store_request *listing =
        lance_branch_tree_request(set, "storage/vertices.lance", fixture->branch);
    struct store_set *deletes = store_set_new();
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    lance_branch_delete_requests(deletes, "storage/vertices.lance", fixture->branch, listing);
    assert_int_equal(store_run(fixture->store, deletes, NULL, NULL), 0);
    store_set_unref(deletes);
    store_set_unref(set);
    assert_findings(fixture, "is missing");
}

static void a_missing_dataset_is_found(void **state)
{
    edit_registry(*state, "\"vertices\":", "\"vertices_Gone\":");
    assert_findings(*state, "dataset 'vertices_Gone' is missing", "is not in the entry");
}

static void branches_of_unknown_forks_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    g_autofree char *text = read_text(fixture, ref);
    put_text(fixture, "storage/vertices.lance/_refs/branches/fork_" UNKNOWN "_vertices.json", text);
    put_text(fixture, "storage/edges.lance/tree/fork_" UNKNOWN "_edges/data/1.lance", "x");
    assert_findings(fixture, "branch 'fork_" UNKNOWN "_vertices' of an unknown fork",
                    "branch 'fork_" UNKNOWN "_vertices' has a ref but no manifest",
                    "branch 'fork_" UNKNOWN "_edges' of an unknown fork",
                    "files of branch 'fork_" UNKNOWN "_edges', which has no ref");
}

static void damaged_refs_and_manifests_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    g_autofree char *edges = layout_branch_name(&fixture->id, "edges");
    put_text(fixture, ref, "{");
    g_autofree char *newest = lance_manifest_key("storage/edges.lance", edges, 999);
    put_text(fixture, newest, "truncated");
    assert_findings(fixture, ref, newest);
}

static void a_foreign_branch_is_no_finding_but_stray_files_are(void **state)
{
    struct fsck_fixture *fixture = *state;
    auto_bytes struct bytes *manifest = NULL;
    g_autofree char *own_ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    g_autofree char *ref = read_text(fixture, own_ref);
    struct manifest_branching branching = {
        .branch = "team/x", .parent_uri = "/db/storage/vertices.lance", .version = 1};
    struct store_set *set = store_set_new();
    struct store_request *main_tip = lance_tip_request(set, "storage/vertices.lance", NULL);
    struct lance_tip tip = {0};
    auto_bytes struct bytes *parent = NULL;
    bool again;
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(lance_tip_answer(main_tip, &tip, &again, NULL), 0);
    assert_int_equal(store_get(fixture->store, tip.manifest_key, NULL, &parent, NULL, NULL), 0);
    branching.version = tip.version;
    assert_int_equal(manifest_branch(parent, &branching, &manifest, NULL), 0);
    g_autofree char *key = lance_manifest_key("storage/vertices.lance", "team/x", tip.version);
    assert_int_equal(store_put(fixture->store, key, manifest, STORE_ALWAYS, NULL, NULL, NULL, NULL),
                     0);
    put_text(fixture, "storage/vertices.lance/_refs/branches/team%2Fx.json", ref);
    lance_tip_clear(&tip);
    store_set_unref(set);
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_int_equal(findings->len, 0);
    put_text(fixture, "storage/vertices.lance/tree/team/x/_blobs/1.blob", "x");
    put_text(fixture, "storage/vertices.lance/tree/team/x/_fri/u/stable_partition.lance", "x");
    g_autoptr(GPtrArray) new_findings = findings_of(fixture);
    assert_int_equal(new_findings->len, 0);
    put_text(fixture, "storage/vertices.lance/tree/loose", "x");
    put_text(fixture, "storage/vertices.lance/_refs/branches/.tmpAbC", "x");
    assert_findings(fixture, "tree/loose: belongs to no branch", ".tmpAbC: is no ref file");
}

/* ---- Tags ---- */

/* A tag of dataset vertices. branch NULL: of main. */
static void put_tag(struct fsck_fixture *fixture, const char *name, const char *branch,
                    uint64_t version)
{
    struct tag_ref ref = {.branch = (char *)branch, .version = version, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&ref, (struct timespec){.tv_sec = 1});
    g_autofree char *key = g_strdup_printf("storage/vertices.lance/_refs/tags/%s.json", name);
    put_text(fixture, key, body->data);
}

/* Version of the only manifest that the fixture's main and the fork's branch have. */
static uint64_t version_of_fixture(struct fsck_fixture *fixture)
{
    struct store_set *set = store_set_new();
    const struct store_request *tip =
        store_set_list(set, "storage/vertices.lance/_versions/", NULL, 0);
    uint64_t version = 0;
    assert_int_equal(store_run(fixture->store, set, NULL, NULL), 0);
    assert_int_equal(tip->answer.objects->len, 1);
    assert_true(lance_manifest_version(((struct store_object *)tip->answer.objects->pdata[0])->key,
                                       &version, NULL));
    store_set_unref(set);
    return version;
}

static void tags_that_pin_something_are_no_findings(void **state)
{
    struct fsck_fixture *fixture = *state;
    uint64_t version = version_of_fixture(fixture);
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    put_tag(fixture, "mine", fixture->branch, version);
    put_tag(fixture, "main", NULL, version);
    put_tag(fixture, "old", NULL, 1);
    put_text(fixture, "storage/vertices.lance/_versions/1.manifest", "named as it used to be");
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_int_equal(findings->len, 0);
}

static void tags_that_pin_nothing_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_tag(fixture, "lost", "gone", 1);
    put_tag(fixture, "late", fixture->branch, 99);
    put_tag(fixture, "main", NULL, 98);
    put_text(fixture, "storage/edges.lance/_refs/tags/odd.json", "{");
    put_text(fixture, "storage/edges.lance/_refs/tags/v2.json#7", "{");
    g_autofree char *late =
        g_strdup_printf("tag 'late' points at version 99 of %s, whose", fixture->branch);
    assert_findings(fixture, "storage/vertices.lance: tag 'lost' points at branch 'gone', which is",
                    late, "tag 'main' points at version 98 of main, whose manifest is gone",
                    "storage/edges.lance/_refs/tags/odd.json: ", "v2.json#7: temporary");
}

/* What Uni leaves that could not delete a tagged branch and forgot the fork all the same. */
static void a_tag_that_keeps_a_branch_which_nobody_knows_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_tag(fixture, "fork_v1_vertices", fixture->branch, version_of_fixture(fixture));
    g_autofree char *overlay = layout_overlay_key(fixture->layout, &fixture->id);
    g_autofree char *allocator = layout_fork_allocator_key(fixture->layout, &fixture->id);
    delete_key(fixture, overlay);
    delete_key(fixture, allocator);
    put_text(fixture, "catalog/fork_registry.json", "{\"forks\": {}}");
    g_autofree char *tag =
        g_strdup_printf("storage/vertices.lance: tag 'fork_v1_vertices' keeps branch '%s' of an "
                        "unknown fork; delete the tag, then the branch",
                        fixture->branch);
    assert_findings(fixture, tag, "branch 'fork_", "edges.lance: branch 'fork_");
}

static void what_keeps_a_tombstoned_fork_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    edit_registry(fixture, "\"active\"", "\"tombstoned\"");
    assert_findings(fixture, "fork \"audit\": tombstoned",
                    "fork \"audit\": it stays tombstoned: the tag tags/v1 points at its branch");
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_non_null(
        strstr(finding_at(findings, 1)->text, "rmdir forks/audit/tags/v1, then rmdir forks/audit"));
    /* The entry need not name the branch. */
    edit_registry(fixture, fixture->branch, "unrelated");
    put_text(fixture, "storage/edges.lance/_refs/tags/fork_v1_edges.json",
             "{\"branch\": null, \"version\": 1, \"manifestSize\": 1}");
    g_autoptr(GPtrArray) again = findings_of(fixture);
    assert_non_null(
        strstr(finding_at(again, 1)->text, "the Lance tag 'fork_v1_vertices' of dataset vertices"));
}

static void what_keeps_a_fork_of_which_only_the_tombstone_is_left_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(registry, "audit"));
    g_autofree char *key = layout_tombstone_key(fixture->layout, &fixture->id);
    put_tag(fixture, "release", fixture->branch, version_of_fixture(fixture));
    put_text(fixture, key, document->data);
    put_text(fixture, "catalog/fork_registry.json", "{\"forks\": {}}");
    g_autofree char *kept = g_strdup_printf("fork %s, of which only a tombstone is left: it stays: "
                                            "the Lance tag 'release' of dataset vertices",
                                            fixture->id.text);
    assert_findings(fixture, "tombstone of an unknown fork", kept, "overlay of an unknown fork",
                    "file of an unknown fork", "storage/vertices.lance: branch 'fork_",
                    "tag 'release' keeps branch", "storage/edges.lance: branch 'fork_");
}

static void a_ref_that_leaves_nobody_able_to_tell_is_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_text(fixture, "storage/edges.lance/_refs/tags/odd.json", "{");
    edit_registry(fixture, "\"active\"", "\"pending\"");
    assert_findings(fixture, "fork \"audit\": pending", "fork \"audit\": it stays pending: ref",
                    "storage/edges.lance/_refs/tags/odd.json: ");
}

/* A failing read is an error, or of something that no longer matters. */
static void a_failing_look_at_tags_hides_nothing(void **state)
{
    struct fsck_fixture *fixture = *state;
    bool fired = true;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    edit_registry(fixture, "\"active\"", "\"tombstoned\"");
    for (unsigned n = 1; fired; n++) {
        GPtrArray *findings = NULL;
        fault_store_arm(fixture->store, FAULT_FAIL, FAULT_ALL, n, false, ERR_UNREACHABLE);
        int code = catalog_fsck(fixture->store, fixture->layout, NULL, &findings, NULL);
        fired = fault_store_fired(fixture->store);
        fault_store_disarm(fixture->store);
        if (code == 0) {
            assert_int_equal(findings->len, 2);
            g_ptr_array_unref(findings);
        } else {
            assert_int_equal(code, ERR_UNREACHABLE);
        }
    }
}

/* ---- Where branches look for what they inherit ---- */

/* Puts a newer manifest of the fork's branch, as it was made of a dataset at `uri`. */
static void put_manifest_of(struct fsck_fixture *fixture, const char *uri)
{
    uint64_t version = version_of_fixture(fixture);
    g_autofree char *main = lance_manifest_key("storage/vertices.lance", NULL, version);
    g_autofree char *key = lance_manifest_key("storage/vertices.lance", fixture->branch, version);
    const struct manifest_branching branching = {
        .branch = fixture->branch, .parent_uri = uri, .version = version};
    auto_bytes struct bytes *parent = NULL;
    auto_bytes struct bytes *manifest = NULL;
    assert_int_equal(store_get(fixture->store, main, NULL, &parent, NULL, NULL), 0);
    assert_int_equal(manifest_branch(parent, &branching, &manifest, NULL), 0);
    assert_int_equal(store_put(fixture->store, key, manifest, STORE_ALWAYS, NULL, NULL, NULL, NULL),
                     0);
}

static void base_paths_that_lead_elsewhere_are_found(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_manifest_of(fixture, "/old/place/vertices.lance");
    assert_findings(fixture, "fork \"audit\": 1 branch looks for inherited files below /old/place, "
                             "where nothing is; this database is at /db/storage");
    put_manifest_of(fixture, "s3://bucket/vertices.lance/tree/fork_" UNKNOWN "_vertices");
    assert_findings(fixture, "inherited files below s3://bucket, ");
}

static void base_paths_that_are_spelt_otherwise_are_no_findings(void **state)
{
    struct fsck_fixture *fixture = *state;
    put_manifest_of(fixture, "file:///db/st%6Frage/vertices.lance");
    assert_findings_of(fixture, (const char *const[]){NULL});
    put_manifest_of(fixture, "/db/storage/vertices.lance/tree/fork_" UNKNOWN "_vertices");
    assert_findings_of(fixture, (const char *const[]){NULL});
    /* A dataset that was cloned from another one has that from main. */
    put_manifest_of(fixture, "/elsewhere/original.lance");
    assert_findings_of(fixture, (const char *const[]){NULL});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fsck_set_up, fsck_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_branch_without_ref_is_found),
        TEST(a_branch_without_manifest_is_found),
        TEST(a_missing_branch_is_found),
        TEST(a_missing_dataset_is_found),
        TEST(branches_of_unknown_forks_are_found),
        TEST(damaged_refs_and_manifests_are_found),
        TEST(a_foreign_branch_is_no_finding_but_stray_files_are),
        TEST(tags_that_pin_something_are_no_findings),
        TEST(tags_that_pin_nothing_are_found),
        TEST(a_tag_that_keeps_a_branch_which_nobody_knows_is_found),
        TEST(what_keeps_a_tombstoned_fork_is_found),
        TEST(what_keeps_a_fork_of_which_only_the_tombstone_is_left_is_found),
        TEST(a_ref_that_leaves_nobody_able_to_tell_is_found),
        TEST(a_failing_look_at_tags_hides_nothing),
        TEST(base_paths_that_lead_elsewhere_are_found),
        TEST(base_paths_that_are_spelt_otherwise_are_no_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
