/*
 * What a drop in a directory costs beside few and beside many other forks: it reads each
 * dataset's refs once, and nothing else that grows.
 */
#include "unit/unit.h"

#include "unit/catalog/database_fixture.h"
#include "unit/store/local/directory_reads.h"
#include "unit/stores/failing_sync.h"

#define FEW 10
#define MANY 100

static void make_forks(struct catalog *catalog, const char *prefix, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", prefix, i);
        fixture_create(catalog, name, NULL);
    }
}

static struct directory_reads cost_of_drop(struct catalog *catalog, const char *name)
{
    struct error err = {0};
    directory_reads_take();
    if (catalog_drop(catalog, name, NULL, NULL, &err))
        fail_msg("%s", err.text);
    return directory_reads_take();
}

/* As at a mount. */
static struct catalog *open_recovered(struct store *store)
{
    struct catalog *catalog = fixture_open(store, NULL);
    assert_int_equal(fixture_recover(catalog, NULL), 0);
    return catalog;
}

static void a_drop_beside_many_forks_reads_but_the_refs_of_each_dataset(void **state)
{
    struct store *store = fixture_database_on_disk();
    struct catalog *catalog = fixture_open(store, NULL);
    make_forks(catalog, "few", FEW);
    catalog_free(catalog);
    catalog = open_recovered(store);
    const struct directory_reads few = cost_of_drop(catalog, "few0");
    make_forks(catalog, "many", MANY);
    const struct directory_reads many = cost_of_drop(catalog, "few1");
    assert_int_equal(many.directories, few.directories);
    assert_int_equal(many.files, few.files);
    assert_int_equal(many.entries, few.entries + FIXTURE_DATASETS * (MANY - 1));
    catalog_free(catalog);
    fixture_assert_clean(store);
    store_free(store);
}

/* More than the store takes the trouble for (local_memory.c). */
static void beside_very_many_forks_drops_read_no_more_than_beside_few(void **state)
{
    struct store *store = fixture_database_on_disk();
    struct catalog *catalog = open_recovered(store);
    make_forks(catalog, "few", FEW);
    const struct directory_reads few = cost_of_drop(catalog, "few0");
    make_forks(catalog, "many", 2 * MANY);
    for (unsigned i = 1; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("few%u", i);
        cost_of_drop(catalog, name);
    }
    make_forks(catalog, "more", FEW);
    const struct directory_reads many = cost_of_drop(catalog, "few3");
    assert_int_equal(many.directories, few.directories - FIXTURE_DATASETS);
    assert_true(many.entries < few.entries);
    assert_int_equal(many.files, few.files);
    catalog_free(catalog);
    fixture_assert_clean(store);
    store_free(store);
}

static void forks_that_are_dropped_together_read_it_once(void **state)
{
    struct store *store = fixture_database_on_disk();
    struct catalog *catalog = open_recovered(store);
    struct change changes[FEW] = {0};
    make_forks(catalog, "few", FEW + 1);
    const struct directory_reads one = cost_of_drop(catalog, "few10");
    for (unsigned i = 0; i < FEW; i++)
        changes[i] = (struct change){.kind = CHANGE_DROP, .name = g_strdup_printf("few%u", i)};
    directory_reads_take();
    catalog_change(catalog, changes, FEW, NULL);
    const struct directory_reads all = directory_reads_take();
    for (unsigned i = 0; i < FEW; i++) {
        assert_int_equal(changes[i].error.code, 0);
        g_free((char *)changes[i].name);
    }
    assert_true(all.entries < one.entries * FEW);
    assert_int_equal(fixture_status(store, "few0"), -1);
    catalog_free(catalog);
    store_free(store);
}

static void what_a_crash_left_beside_a_fork_goes_with_it(void **state)
{
    struct store *store = fixture_database_on_disk();
    struct catalog *catalog = open_recovered(store);
    struct ulid id = fixture_create(catalog, "a", NULL);
    g_autofree char *temporary =
        g_strdup_printf("storage/vertices.lance/_refs/branches/fork_%s_vertices.json#7", id.text);
    fixture_create(catalog, "b", NULL);
    cost_of_drop(catalog, "b");
    fixture_put(store, temporary, "half");
    cost_of_drop(catalog, "a");
    assert_int_equal(fixture_mentions(store, id.text), 0);
    catalog_free(catalog);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drop_beside_many_forks_reads_but_the_refs_of_each_dataset),
        cmocka_unit_test(beside_very_many_forks_drops_read_no_more_than_beside_few),
        cmocka_unit_test(forks_that_are_dropped_together_read_it_once),
        cmocka_unit_test(what_a_crash_left_beside_a_fork_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
