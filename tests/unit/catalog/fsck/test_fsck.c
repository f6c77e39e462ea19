#include "unit/unit.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/fsck/fsck.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "lance/dataset.h"
#include "lance/manifest.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"

#define UNKNOWN "01ARZ3NDEKTSV4RRFFQ69G5FAV"

/* A database in memory with two datasets and the fork "audit", made by the catalog itself. */
struct fixture {
    struct store *store; /* a fault store around the memory store */
    struct layout *layout;
    struct catalog *catalog;
    struct ulid id;
    char *branch; /* of dataset vertices */
};

static void put_text(struct fixture *fixture, const char *key, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    assert_int_equal(store_put(fixture->store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static void put_dataset(struct fixture *fixture, const char *dataset)
{
    const char *top = getenv("srcdir");
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/manifests/plain.manifest", top ? top : ".");
    g_autofree char *data = NULL;
    gsize size;
    struct manifest_summary summary;
    assert_true(g_file_get_contents(path, &data, &size, NULL));
    auto_bytes struct bytes *body = bytes_new(data, size);
    assert_int_equal(manifest_summarize(body, &summary, NULL), 0);
    g_autofree char *root = layout_dataset_key(fixture->layout, dataset);
    g_autofree char *key = lance_manifest_key(root, NULL, summary.version);
    assert_int_equal(store_put(fixture->store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    const struct catalog_settings settings = {0};
    struct layout *layout;
    struct error err;
    *state = fixture;
    fixture->store = fault_store_new(memory_store_new(1), true);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &fixture->layout, NULL), 0);
    assert_int_equal(layout_new("", "storage/", "/db/storage", &layout, NULL), 0);
    put_text(fixture, "catalog/schema.json",
             "{\"schema_version\": 1, \"labels\": {}, \"edge_types\": {}, \"properties\": {}}");
    put_text(fixture, "id_allocator.json", "{\"next_vid_batch\": 10, \"next_eid_batch\": 20}");
    put_text(fixture, "storage/catalog/latest", "s1");
    put_text(fixture, "storage/catalog/manifests/s1.json",
             "{\"snapshot_id\": \"s1\", \"name\": null, \"created_at\": \"2026-08-01T12:00:00Z\", "
             "\"parent_snapshot\": null, \"schema_version\": 1, \"version_high_water_mark\": 4, "
             "\"wal_high_water_mark\": 0, \"vertices\": {}, \"edges\": {}}");
    put_dataset(fixture, "vertices");
    put_dataset(fixture, "edges");
    if (catalog_open(fixture->store, layout, &settings, NULL, &fixture->catalog, &err) != 0 ||
        catalog_create(fixture->catalog, "audit", NULL, NULL, &fixture->id, &err) != 0)
        fail_msg("%s", err.text);
    fixture->branch = layout_branch_name(&fixture->id, "vertices");
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    catalog_free(fixture->catalog);
    layout_free(fixture->layout);
    g_free(fixture->branch);
    g_free(fixture);
    return 0;
}

static GPtrArray *findings_of(struct fixture *fixture)
{
    GPtrArray *findings = NULL;
    struct error err;
    if (catalog_fsck(fixture->store, fixture->layout, NULL, &findings, &err) != 0)
        fail_msg("%s", err.text);
    return findings;
}

/* Exactly these findings, each given by a part of its text, in any order. */
static void assert_findings_of(struct fixture *fixture, const char *const *parts)
{
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    guint expected = 0;
    for (; parts[expected]; expected++) {
        bool found = false;
        for (guint i = 0; i < findings->len; i++)
            found = found || strstr(findings->pdata[i], parts[expected]);
        if (!found)
            fail_msg("missing finding: %s (first of %u: %s)", parts[expected], findings->len,
                     findings->len > 0 ? (const char *)findings->pdata[0] : "none");
    }
    if (findings->len != expected) {
        g_ptr_array_add(findings, NULL);
        g_autofree char *all = g_strjoinv("\n", (char **)findings->pdata);
        fail_msg("%u findings, not %u:\n%s", findings->len - 1, expected, all);
    }
}

#define assert_findings(fixture, ...)                                                              \
    assert_findings_of(fixture, (const char *const[]){__VA_ARGS__, NULL})

static void delete_key(struct fixture *fixture, const char *key)
{
    assert_int_equal(store_delete(fixture->store, key, NULL, NULL), 0);
}

static char *read_text(struct fixture *fixture, const char *key)
{
    auto_bytes struct bytes *body = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, NULL, NULL), 0);
    return g_strndup(body->data, body->size);
}

/* Replaces every `from` in the registry. */
static void edit_registry(struct fixture *fixture, const char *from, const char *to)
{
    g_autofree char *text = read_text(fixture, "catalog/fork_registry.json");
    assert_non_null(strstr(text, from));
    g_auto(GStrv) parts = g_strsplit(text, from, -1);
    g_autofree char *edited = g_strjoinv(to, parts);
    put_text(fixture, "catalog/fork_registry.json", edited);
}

static void a_sound_catalog_has_no_findings(void **state)
{
    g_autoptr(GPtrArray) findings = findings_of(*state);
    assert_int_equal(findings->len, 0);
}

static void a_dropped_fork_leaves_no_findings(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, NULL), 0);
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_int_equal(findings->len, 0);
}

static void an_unparsable_registry_is_the_only_finding(void **state)
{
    put_text(*state, "catalog/fork_registry.json", "{");
    assert_findings(*state, "catalog/fork_registry.json");
}

static void no_database_is_an_error(void **state)
{
    struct store *store = memory_store_new(1);
    struct fixture *fixture = *state;
    GPtrArray *findings;
    assert_int_equal(catalog_fsck(store, fixture->layout, NULL, &findings, NULL), ERR_NOT_FOUND);
    store_free(store);
}

static void every_failing_read_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    unsigned n = 0;
    bool fired = true;
    while (fired) {
        GPtrArray *findings = NULL;
        fault_store_arm(fixture->store, FAULT_FAIL, FAULT_ALL, ++n, false, ERR_UNREACHABLE);
        int code = catalog_fsck(fixture->store, fixture->layout, NULL, &findings, NULL);
        fired = fault_store_fired(fixture->store);
        fault_store_disarm(fixture->store);
        assert_int_equal(code, fired ? ERR_UNREACHABLE : 0);
        if (findings)
            g_ptr_array_unref(findings);
    }
    assert_true(n > 20);
}

static void forks_half_made_or_half_dropped_are_found(void **state)
{
    edit_registry(*state, "\"active\"", "\"pending\"");
    assert_findings(*state, "fork \"audit\": pending");
    edit_registry(*state, "\"pending\"", "\"tombstoned\"");
    assert_findings(*state, "fork \"audit\": tombstoned");
}

static void names_that_break_rules_are_found(void **state)
{
    edit_registry(*state, "\"audit\"", "\"au\\ndit\"");
    assert_findings(*state, "breaks the rule for names");
}

static void an_entry_under_a_wrong_key_is_found(void **state)
{
    edit_registry(*state, "\"audit\": {", "\"other\": {");
    assert_findings(*state, "own name differs");
}

static void a_missing_parent_is_found(void **state)
{
    edit_registry(*state, "\"parent_fork_id\": null", "\"parent_fork_id\": \"" UNKNOWN "\"");
    assert_findings(*state, "no parent fork " UNKNOWN);
}

static void a_double_id_is_found_at_both_entries(void **state)
{
    struct fixture *fixture = *state;
    auto_registry struct registry *before = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(before, "audit"));
    g_auto(GStrv) parts = g_strsplit(document->data, "\"audit\"", -1);
    g_autofree char *twin = g_strjoinv("\"twin\"", parts);
    g_autofree char *registry =
        g_strdup_printf("{\"forks\": {\"audit\": %s, \"twin\": %s}}", document->data, twin);
    put_text(fixture, "catalog/fork_registry.json", registry);
    assert_findings(fixture, "fork \"audit\": another entry", "fork \"twin\": another entry");
}

static void names_that_cannot_be_keys_are_found(void **state)
{
    edit_registry(*state, "\"vertices\":", "\"../vertices\":");
    assert_findings(*state, "dataset name '../vertices'", "dataset '../vertices' is missing",
                    "is not in the entry");
}

static void a_branch_of_another_fork_is_found(void **state)
{
    struct fixture *fixture = *state;
    edit_registry(fixture, fixture->branch, "fork_" UNKNOWN "_vertices");
    assert_findings(fixture, "belongs to another fork", "is missing", "is not in the entry");
}

static void a_missing_overlay_or_allocator_is_found(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *overlay = layout_overlay_key(fixture->layout, &fixture->id);
    g_autofree char *allocator = layout_fork_allocator_key(fixture->layout, &fixture->id);
    delete_key(fixture, overlay);
    delete_key(fixture, allocator);
    assert_findings(fixture, "the overlay catalog/", "the allocator storage/");
}

static void an_unparsable_overlay_or_allocator_is_found(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *overlay = layout_overlay_key(fixture->layout, &fixture->id);
    g_autofree char *allocator = layout_fork_allocator_key(fixture->layout, &fixture->id);
    put_text(fixture, overlay, "{\"added_labels\": 3}");
    put_text(fixture, allocator, "");
    assert_findings(fixture, "overlay catalog/", "allocator storage/");
    put_text(fixture, overlay, "[]");
    assert_findings(fixture, "overlay catalog/", "allocator storage/");
}

static void an_allocator_of_the_primary_must_parse_if_there_is_one(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, "id_allocator.json", "{\"next_vid_batch\": 1}");
    assert_findings(fixture, "the allocator id_allocator.json does not parse");
    delete_key(fixture, "id_allocator.json");
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_int_equal(findings->len, 0);
}

static void files_of_unknown_forks_are_found(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, "catalog/fork_schemas/" UNKNOWN ".json", "{}");
    put_text(fixture, "storage/catalog/forks/" UNKNOWN "/id_allocator.json", "{}");
    put_text(fixture, "storage/wal_forks/" UNKNOWN "/1.wal", "x");
    put_text(fixture, "catalog/fork_schemas/readme", "x");
    put_text(fixture, "catalog/fork_tombstones/readme", "x");
    put_text(fixture, "storage/catalog/forks/loose", "x");
    assert_findings(fixture, "fork_schemas/" UNKNOWN ".json: overlay of an unknown fork",
                    UNKNOWN "/id_allocator.json: file of an unknown fork",
                    UNKNOWN "/1.wal: file of an unknown fork", "fork_schemas/readme: is no overlay",
                    "fork_tombstones/readme: is no tombstone", "forks/loose: belongs to no fork");
}

static void tombstones_that_fit_no_drop_are_found(void **state)
{
    struct fixture *fixture = *state;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(registry, "audit"));
    g_autofree char *key = layout_tombstone_key(fixture->layout, &fixture->id);
    put_text(fixture, key, document->data);
    put_text(fixture, "catalog/fork_tombstones/" UNKNOWN ".json", document->data);
    assert_findings(fixture, "tombstone of the active fork \"audit\"", "tombstone is that of fork");
    put_text(fixture, "catalog/fork_tombstones/" UNKNOWN ".json", "{}");
    assert_findings(fixture, "tombstone of the active fork \"audit\"", "does not parse");
}

static void a_tombstone_of_an_unknown_fork_is_found(void **state)
{
    struct fixture *fixture = *state;
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    auto_bytes struct bytes *document = fork_entry_document(registry_find(registry, "audit"));
    g_autofree char *key = layout_tombstone_key(fixture->layout, &fixture->id);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, NULL), 0);
    put_text(fixture, key, document->data);
    assert_findings(fixture, "tombstone of an unknown fork");
}

static void a_branch_without_ref_is_found(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    delete_key(fixture, ref);
    assert_findings(fixture, "which has no ref");
}

static void a_branch_without_manifest_is_found(void **state)
{
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    g_autofree char *edges = layout_branch_name(&fixture->id, "edges");
    put_text(fixture, ref, "{");
    g_autofree char *newest = lance_manifest_key("storage/edges.lance", edges, 999);
    put_text(fixture, newest, "truncated");
    assert_findings(fixture, ref, newest);
}

static void a_foreign_branch_is_no_finding_but_stray_files_are(void **state)
{
    struct fixture *fixture = *state;
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
static void put_tag(struct fixture *fixture, const char *name, const char *branch, uint64_t version)
{
    struct tag_ref ref = {.branch = (char *)branch, .version = version, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&ref, (struct timespec){.tv_sec = 1});
    g_autofree char *key = g_strdup_printf("storage/vertices.lance/_refs/tags/%s.json", name);
    put_text(fixture, key, body->data);
}

/* Version of the only manifest that the fixture's main and the fork's branch have. */
static uint64_t version_of_fixture(struct fixture *fixture)
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
    assert_int_equal(catalog_tag(fixture->catalog, &fixture->id, "v1", NULL, NULL), 0);
    edit_registry(fixture, "\"active\"", "\"tombstoned\"");
    assert_findings(fixture, "fork \"audit\": tombstoned",
                    "fork \"audit\": it stays tombstoned: the tag tags/v1 points at its branch");
    g_autoptr(GPtrArray) findings = findings_of(fixture);
    assert_non_null(
        strstr(findings->pdata[1], "rmdir forks/audit/tags/v1, then rmdir forks/audit"));
    /* The entry need not name the branch. */
    edit_registry(fixture, fixture->branch, "unrelated");
    put_text(fixture, "storage/edges.lance/_refs/tags/fork_v1_edges.json",
             "{\"branch\": null, \"version\": 1, \"manifestSize\": 1}");
    g_autoptr(GPtrArray) again = findings_of(fixture);
    assert_non_null(
        strstr(again->pdata[1], "the Lance tag 'fork_v1_vertices' of dataset vertices"));
}

static void what_keeps_a_fork_of_which_only_the_tombstone_is_left_is_found(void **state)
{
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
    put_text(fixture, "storage/edges.lance/_refs/tags/odd.json", "{");
    edit_registry(fixture, "\"active\"", "\"pending\"");
    assert_findings(fixture, "fork \"audit\": pending", "fork \"audit\": it stays pending: ref",
                    "storage/edges.lance/_refs/tags/odd.json: ");
}

/* A failing read is an error, or of something that no longer matters. */
static void a_failing_look_at_tags_hides_nothing(void **state)
{
    struct fixture *fixture = *state;
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

static void temporary_files_are_found(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *ref = lance_branch_ref_key("storage/vertices.lance", fixture->branch);
    g_autofree char *ref_temporary = g_strconcat(ref, "#3", NULL);
    g_autofree char *tree = lance_branch_tree_prefix("storage/vertices.lance", fixture->branch);
    g_autofree char *tree_temporary = g_strconcat(tree, "_versions/1.manifest#4", NULL);
    put_text(fixture, "catalog/fork_registry.json#1", "x");
    put_text(fixture, "catalog/fork_schemas/" UNKNOWN ".json#2", "x");
    put_text(fixture, "storage/wal_forks/" UNKNOWN "/1.wal#5", "x");
    put_text(fixture, ref_temporary, "x");
    put_text(fixture, tree_temporary, "x");
    assert_findings(fixture, "fork_registry.json#1: temporary", ".json#2: temporary", ref_temporary,
                    tree_temporary, "1.wal#5: temporary");
}

static void a_finding_is_one_line_of_text(void **state)
{
    put_text(*state, "catalog/fork_schemas/a\nb\x7f", "x");
    assert_findings(*state, "fork_schemas/a\\x0ab\\x7f: is no overlay");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_catalog_has_no_findings),
        TEST(a_dropped_fork_leaves_no_findings),
        TEST(an_unparsable_registry_is_the_only_finding),
        TEST(no_database_is_an_error),
        TEST(every_failing_read_is_an_error),
        TEST(forks_half_made_or_half_dropped_are_found),
        TEST(names_that_break_rules_are_found),
        TEST(an_entry_under_a_wrong_key_is_found),
        TEST(a_missing_parent_is_found),
        TEST(a_double_id_is_found_at_both_entries),
        TEST(names_that_cannot_be_keys_are_found),
        TEST(a_branch_of_another_fork_is_found),
        TEST(a_missing_overlay_or_allocator_is_found),
        TEST(an_unparsable_overlay_or_allocator_is_found),
        TEST(an_allocator_of_the_primary_must_parse_if_there_is_one),
        TEST(files_of_unknown_forks_are_found),
        TEST(tombstones_that_fit_no_drop_are_found),
        TEST(a_tombstone_of_an_unknown_fork_is_found),
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
        TEST(temporary_files_are_found),
        TEST(a_finding_is_one_line_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
