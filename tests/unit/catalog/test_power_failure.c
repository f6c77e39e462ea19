/*
 * Changes in a directory at each sync of which the power may go: what is left then is rebuilt from
 * what had been synced, and any part of the rest, and recovered by a new mount.
 */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/local/local_store.h"
#include "unit/catalog/fault_fixture.h"
#include "unit/stores/losing_disk.h"

/* What a power failure may leave, besides the least. */
#define CHOICES 2

struct mutation {
    const char *name;
    change_function *prepare; /* NULL: nothing */
    change_function *change;
    bool (*is_done)(struct store *store);
};

/* ---- The changes ---- */

static bool has_fork(struct store *store)
{
    return fixture_status(store, "what_if") == FORK_ACTIVE;
}

static bool has_no_fork(struct store *store)
{
    return fixture_status(store, "what_if") < 0 && fixture_status(store, "one") < 0;
}

static bool has_family(struct store *store)
{
    return has_fork(store) && fixture_status(store, "child") == FORK_ACTIVE;
}

static bool has_expiry(struct store *store)
{
    g_autofree char *text = fixture_read(store, FIXTURE_REGISTRY);
    return strstr(text, "\"ttl_expires_at\": \"") != NULL;
}

static bool has_overlay(struct store *store)
{
    return fixture_mentions(store, "Draft") == 1;
}

static bool has_enrolled(struct store *store)
{
    g_autofree char *text = fixture_read(store, FIXTURE_REGISTRY);
    return strstr(text, FAULT_GHOST) != NULL;
}

static bool is_tagged(struct store *store)
{
    return fixture_exists(store, "storage/edges.lance/_refs/tags/fork_v1_edges.json");
}

static bool is_untagged(struct store *store)
{
    return !is_tagged(store);
}

static int change_list(struct catalog *catalog, struct change *changes, size_t count,
                       struct operation *operation, struct error *err)
{
    int code = 0;
    catalog_change(catalog, changes, count, operation);
    for (size_t i = 0; i < count && code == 0; i++)
        code = error_copy(err, &changes[i].error);
    return code;
}

static int make_family(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct change changes[] = {
        {.kind = CHANGE_CREATE, .name = "what_if"},
        {.kind = CHANGE_CREATE, .name = "child", .parent = "what_if"},
    };
    return change_list(catalog, changes, G_N_ELEMENTS(changes), operation, err);
}

static int make_two(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct change changes[] = {{.kind = CHANGE_CREATE, .name = "what_if"},
                               {.kind = CHANGE_CREATE, .name = "one"}};
    return change_list(catalog, changes, G_N_ELEMENTS(changes), operation, err);
}

static int drop_two(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct change changes[] = {{.kind = CHANGE_DROP, .name = "what_if"},
                               {.kind = CHANGE_DROP, .name = "one"}};
    return change_list(catalog, changes, G_N_ELEMENTS(changes), operation, err);
}

static const struct mutation mutations[] = {
    {"mkdir", NULL, make_what_if, has_fork},
    {"rmdir", make_what_if, drop_what_if, has_no_fork},
    {"a batch of creates", NULL, make_family, has_family},
    {"a batch of drops", make_two, drop_two, has_no_fork},
    {"ttl", NULL, expire_neighbour, has_expiry},
    {"schema.json", NULL, overlay_neighbour, has_overlay},
    {"datasets", NULL, enroll_ghost, has_enrolled},
    {"tag", NULL, tag_fork, is_tagged},
    {"untag", tag_fork, untag_fork, is_untagged},
};

/* ---- What is left ---- */

/* What the power may leave, each once. */
struct remains {
    GPtrArray *images;
    GHashTable *seen; /* the texts of these */
    uint32_t seed;
};

static struct remains *collecting;

static void add_image(struct remains *remains, uint32_t seed)
{
    struct disk_image *image = losing_disk_image(seed);
    if (g_hash_table_contains(remains->seen, disk_image_text(image))) {
        disk_image_free(image);
        return;
    }
    g_hash_table_add(remains->seen, (void *)disk_image_text(image));
    g_ptr_array_add(remains->images, image);
}

/* Directories are synced several at a time. */
static void collect(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    LOCK_SCOPE(&lock);
    add_image(collecting, DISK_LOSES_ALL);
    for (int i = 0; i < CHOICES; i++)
        add_image(collecting, collecting->seed++);
}

static void free_image(void *image)
{
    disk_image_free(image);
}

static void remains_begin(struct remains *remains, const char *path)
{
    const char *given = getenv("FORKFS_POWER_SEED");
    remains->images = g_ptr_array_new_with_free_func(free_image);
    remains->seen = g_hash_table_new(g_str_hash, g_str_equal);
    remains->seed = given ? (uint32_t)strtoul(given, NULL, 10) * 100000 + 1 : 1;
    collecting = remains;
    losing_disk_watch(path);
    losing_disk_when_syncing(collect);
}

/* From now on nothing is collected. */
static void remains_end(struct remains *remains)
{
    losing_disk_when_syncing(NULL);
    losing_disk_forget();
}

static void remains_clear(struct remains *remains)
{
    g_hash_table_unref(remains->seen);
    g_ptr_array_unref(remains->images);
}

/* As the next mount finds it, which knows nothing of what was there before. store_free(). */
static struct store *store_at(const char *path)
{
    struct store *store = NULL;
    assert_int_equal(local_store_open(path, 1, &store, NULL), 0);
    return store;
}

static struct store *restored(const struct disk_image *image, const char *path)
{
    disk_image_restore(image, path);
    return store_at(path);
}

/* ---- The power goes during a change ---- */

static void assert_settled(struct store *store, const struct mutation *mutation, bool was_done,
                           bool is_answered)
{
    assert_neighbour_unharmed(store);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    if (is_answered && !mutation->is_done(store))
        fail_msg("%s: 0, and it is not done after a power failure", mutation->name);
    if (was_done)
        assert_true(mutation->is_done(store));
}

/* Runs the change, and collects what a power failure may leave of it: the first *ret_before at a
 * time when it had not been answered. */
static void change_collecting(const struct mutation *mutation, struct store *store,
                              struct remains *remains, guint *ret_before)
{
    struct error err = {0};
    struct catalog *catalog = fixture_open(store, NULL);
    remains_begin(remains, fixture_path_on_disk(store));
    if (run_change(catalog, mutation->change, &err))
        fail_msg("%s: %s", mutation->name, err.text);
    *ret_before = remains->images->len;
    g_hash_table_remove_all(remains->seen);
    collect();
    catalog_free(catalog);
    collect();
    remains_end(remains);
}

static void lose_power_during(const struct mutation *mutation)
{
    struct store *store = fault_database_after(mutation->prepare);
    const char *path = fixture_path_on_disk(store);
    struct remains remains;
    guint before;
    change_collecting(mutation, store, &remains, &before);
    assert_true(before > 0); /* equal ones count once, so how many more is up to the seed */
    for (guint i = 0; i < remains.images->len; i += FAULT_STRIDE) {
        struct store *left = restored(remains.images->pdata[i], path);
        assert_settled(left, mutation, false, i >= before);
        store_free(left);
    }
    remains_clear(&remains);
    store_free(store);
}

static void power_that_goes_at_any_sync_leaves_all_or_nothing(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mutations); i++)
        lose_power_during(&mutations[i]);
}

/* ---- And again during the recovery ---- */

static void lose_power_again(const struct mutation *mutation, const struct disk_image *image,
                             const char *path, uint32_t *seed)
{
    struct remains remains;
    struct store *store = restored(image, path);
    struct catalog *catalog = fixture_open(store, NULL);
    remains_begin(&remains, path);
    remains.seed = *seed;
    fixture_recover(catalog, NULL);
    bool is_done = mutation->is_done(store);
    remains_end(&remains);
    catalog_free(catalog);
    store_free(store);
    *seed = remains.seed;
    for (guint i = 0; i < remains.images->len; i += FAULT_STRIDE) {
        store = restored(remains.images->pdata[i], path);
        assert_settled(store, mutation, is_done, false);
        store_free(store);
    }
    remains_clear(&remains);
}

static void power_that_goes_again_during_recovery_leaves_all_or_nothing(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mutations); i++) {
        struct store *store = fault_database_after(mutations[i].prepare);
        const char *path = fixture_path_on_disk(store);
        struct remains remains;
        guint before;
        change_collecting(&mutations[i], store, &remains, &before);
        uint32_t seed = remains.seed;
        for (guint j = 0; j < before; j += 8)
            lose_power_again(&mutations[i], remains.images->pdata[j], path, &seed);
        remains_clear(&remains);
        store_free(store);
    }
}

/* ---- The model itself ---- */

/* Whether something of a mkdir that answered 0 is lost, when syncs are left out. */
static bool is_lost_without(const char *part)
{
    struct store *store = fault_database();
    const char *path = fixture_path_on_disk(store);
    struct catalog *catalog = fixture_open(store, NULL);
    losing_disk_watch(path);
    losing_disk_ignore(part);
    assert_int_equal(run_change(catalog, make_what_if, NULL), 0);
    losing_disk_ignore(NULL);
    struct disk_image *least = losing_disk_image(DISK_LOSES_ALL);
    losing_disk_forget();
    losing_disk_watch(path);
    struct disk_image *all = losing_disk_image(DISK_LOSES_ALL);
    losing_disk_forget();
    bool is_lost = strcmp(disk_image_text(least), disk_image_text(all)) != 0;
    disk_image_free(least);
    disk_image_free(all);
    catalog_free(catalog);
    store_free(store);
    return is_lost;
}

static void a_sync_that_is_left_out_is_found(void **state)
{
    static const char *const needed[] = {
        "/catalog/fork_registry.json#", /* contents */
        ".manifest#",
        "_refs/branches/fork_",
        "/id_allocator.json#",
        "/storage/catalog/forks/", /* directories, too */
        "/edges.lance/_refs",
        "/edges.lance/tree",
        "_versions",
        "/fork_schemas",
        "/catalog",
    };
    assert_false(is_lost_without(NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!is_lost_without(needed[i]))
            fail_msg("%s need not be synced", needed[i]);
}

static int use_disk(void **state)
{
    fault_fixture_use(fixture_database_on_disk);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_that_goes_at_any_sync_leaves_all_or_nothing),
        cmocka_unit_test(power_that_goes_again_during_recovery_leaves_all_or_nothing),
        cmocka_unit_test(a_sync_that_is_left_out_is_found),
    };
    return cmocka_run_group_tests(tests, use_disk, NULL);
}
