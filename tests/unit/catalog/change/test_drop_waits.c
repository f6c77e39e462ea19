/*
 * A drop that waits for other mounts: what they do with the fork until they let go, and what is
 * done beside it.
 */
#include "unit/unit.h"

#include "base/timestamp.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/bucket_fixture.h"

#define DATASET "storage/vertices_Person.lance"

/* A drop on one mount that waits for the holder on the other. */
struct scene {
    struct mount *dropper;
    struct mount *other;
    struct ulid id;
    struct hold *hold;
    char *branch;
    struct dropping dropping;
};

/* The other mount does not look: it has answered nothing when this returns. */
static void begin(struct scene *scene, struct bucket *bucket, int64_t lease_ms)
{
    scene->dropper = bucket_mount(bucket, 0, lease_ms);
    scene->id = fixture_create(scene->dropper->catalog, "audit", NULL);
    scene->other = bucket_mount(bucket, 1, lease_ms);
    scene->hold = mount_hold(scene->other, &scene->id, 0);
    scene->branch = layout_branch_name(&scene->id, "vertices_Person");
    start_drop(&scene->dropping, scene->dropper);
    AWAIT(fixture_mentions(bucket->store, "fork_tombstones") > 0);
    /* It has listed what there is to delete, and looks at the leases for the second time. */
    unsigned looks = fault_store_total(scene->dropper->faults, STORE_LIST);
    AWAIT(fault_store_total(scene->dropper->faults, STORE_LIST) >= looks + 2);
}

static int end(struct scene *scene)
{
    mount_release(scene->other, scene->hold);
    mount_poll(scene->other);
    g_free(scene->branch);
    return join_drop(&scene->dropping);
}

static void put_at_branch(struct bucket *bucket, const struct scene *scene, const char *name)
{
    g_autofree char *key = g_strdup_printf(DATASET "/tree/%s/%s", scene->branch, name);
    fixture_put(bucket->store, key, "written by the holder");
}

static void what_the_holder_writes_until_it_lets_go_is_deleted_with_the_fork(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene;
    begin(&scene, bucket, LONG_LEASE_MS);
    put_at_branch(bucket, &scene, "data/late.lance");
    put_at_branch(bucket, &scene, "_versions/3.manifest");
    assert_int_equal(end(&scene), 0);
    assert_int_equal(fixture_status(bucket->store, "audit"), -1);
    mount_end(scene.other);
    mount_end(scene.dropper);
    assert_int_equal(fixture_mentions(bucket->store, scene.id.text), 0);
}

static void put_ref(struct bucket *bucket, const char *key, const struct bytes *body)
{
    g_autofree char *text = g_strndup(body->data, body->size);
    fixture_put(bucket->store, key, text);
}

static void assert_kept(struct bucket *bucket, struct scene *scene)
{
    struct ulid id = scene->id;
    assert_int_equal(end(scene), ERR_NOT_EMPTY);
    mount_await_status(scene->other, &id, FORK_ACTIVE);
    assert_int_equal(fixture_status(bucket->store, "audit"), FORK_ACTIVE);
    fixture_assert_whole(bucket->store);
    assert_int_equal(fixture_mentions(bucket->store, "fork_tombstones"), 0);
}

static void a_tag_that_the_holder_makes_with_the_engine_takes_the_decision_back(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene;
    begin(&scene, bucket, LONG_LEASE_MS);
    const struct tag_ref ref = {.branch = scene.branch, .version = 2, .manifest_size = 10};
    auto_bytes struct bytes *body = tag_ref_render(&ref, timestamp_now());
    put_ref(bucket, DATASET "/_refs/tags/release.json", body);
    assert_kept(bucket, &scene);
}

/* The ref of a branch made from this one. */
static struct bytes *derive(struct bucket *bucket, const char *branch)
{
    g_autofree char *key = lance_branch_ref_key(DATASET, branch);
    g_autofree char *text = fixture_read(bucket->store, key);
    auto_bytes struct bytes *body = bytes_new_text(text);
    struct branch_ref *parent = NULL, *ref = NULL;
    assert_int_equal(branch_ref_parse(body, &parent, NULL), 0);
    assert_int_equal(branch_ref_derive(parent, branch, 2, 0, 10, &ref, NULL), 0);
    struct bytes *rendered = branch_ref_render(ref);
    branch_ref_free(ref);
    branch_ref_free(parent);
    return rendered;
}

static void a_branch_that_the_holder_makes_with_the_engine_takes_the_decision_back(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene;
    begin(&scene, bucket, LONG_LEASE_MS);
    auto_bytes struct bytes *body = derive(bucket, scene.branch);
    put_ref(bucket, DATASET "/_refs/branches/experiment.json", body);
    assert_kept(bucket, &scene);
}

/* The other mount lives, but never answers. */
static void a_create_beside_it_does_not_wait_with_it(void **state)
{
    struct bucket *bucket = *state;
    struct mount *dropper = bucket_mount(bucket, 0, LONG_LEASE_MS);
    fixture_create(dropper->catalog, "audit", NULL);
    bucket_mount(bucket, 1, LONG_LEASE_MS);
    struct change changes[] = {{.kind = CHANGE_DROP, .name = "audit"},
                               {.kind = CHANGE_CREATE, .name = "fresh"}};
    mount_change_in_vain(dropper, changes, G_N_ELEMENTS(changes));
    assert_int_equal(changes[0].error.code, ERR_HELD);
    assert_int_equal(changes[1].error.code, 0);
    assert_int_equal(fixture_status(bucket->store, "fresh"), FORK_ACTIVE);
    assert_int_equal(fixture_status(bucket->store, "audit"), FORK_ACTIVE);
    fixture_assert_whole(bucket->store);
}

/* Its lease closes the fork, and nobody else is there to whom it would tell that any more. */
static void a_fork_opens_again_when_the_mount_that_dropped_it_has_gone(void **state)
{
    struct bucket *bucket = *state;
    struct scene scene;
    struct hold *again = NULL;
    begin(&scene, bucket, EVERLASTING_LEASE_MS);
    catalog_poll(scene.other->catalog, NULL, NULL, NULL, NULL);
    assert_int_equal(join_drop(&scene.dropping), ERR_HELD);
    mount_end(scene.dropper);
    mount_poll(scene.other);
    mount_await_status(scene.other, &scene.id, FORK_ACTIVE);
    AWAIT(catalog_hold(scene.other->catalog, &scene.id, true, 1, "cat", &again, NULL) == 0);
    mount_release(scene.other, again);
    mount_release(scene.other, scene.hold);
    g_free(scene.branch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bucket_set_up, bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_holder_writes_until_it_lets_go_is_deleted_with_the_fork),
        TEST(a_tag_that_the_holder_makes_with_the_engine_takes_the_decision_back),
        TEST(a_branch_that_the_holder_makes_with_the_engine_takes_the_decision_back),
        TEST(a_create_beside_it_does_not_wait_with_it),
        TEST(a_fork_opens_again_when_the_mount_that_dropped_it_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
