#include "unit/unit.h"

#include <string.h>

#include "catalog/catalog.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/catalog/fork_fixture.h"

static int tag(struct fork_fixture *fixture, const char *name)
{
    return catalog_tag(fixture->catalog, &fixture->id, name, NULL, NULL);
}

static int untag(struct fork_fixture *fixture, const char *name)
{
    return catalog_untag(fixture->catalog, &fixture->id, name, NULL, NULL);
}

static GPtrArray *list(struct fork_fixture *fixture)
{
    GPtrArray *tags = NULL;
    struct error err = {0};
    if (catalog_tags(fixture->catalog, &fixture->id, NULL, &tags, &err))
        fail_msg("%s", err.text);
    return tags;
}

/* The names with the number of versions of each: "v1:3 v2:3". */
static void assert_tags(struct fork_fixture *fixture, const char *expected)
{
    g_autoptr(GPtrArray) tags = list(fixture);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < tags->len; i++) {
        const struct fork_tag *tag = g_ptr_array_index(tags, i);
        g_string_append_printf(text, "%s%s:%u", i ? " " : "", tag->name, tag->versions->len);
    }
    assert_string_equal(text->str, expected);
}

/* Another mount reads everything again. */
static void assert_tags_stored(struct fork_fixture *fixture, const char *expected)
{
    fork_fixture_reopen(fixture);
    assert_tags(fixture, expected);
}

static char *tag_key(const char *name, const char *dataset)
{
    return g_strdup_printf("storage/%s.lance/_refs/tags/fork_%s_%s.json", dataset, name, dataset);
}

/* A change that is refused must not have written anything. */
static void assert_tag_refused(struct fork_fixture *fixture, const char *name, int code)
{
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(tag(fixture, name), code);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

/* ---- Making and removing ---- */

static void a_tag_pins_the_tip_of_every_branch(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(tag(fixture, "v1"), 0);
    g_autofree char *key = tag_key("v1", "vertices_Person");
    auto_bytes struct bytes *body = NULL;
    struct tag_ref *ref = NULL;
    assert_int_equal(store_get(fixture->store, key, NULL, &body, NULL, NULL), 0);
    assert_int_equal(tag_ref_parse(body, &ref, NULL), 0);
    assert_string_equal(ref->branch, fixture->branch);
    assert_int_equal(ref->version, 2);
    assert_true(ref->manifest_size > 0);
    tag_ref_free(ref);
    g_autoptr(GPtrArray) tags = list(fixture);
    assert_int_equal(tags->len, 1);
    const struct fork_tag *only = g_ptr_array_index(tags, 0);
    const struct tag_version *first = g_ptr_array_index(only->versions, 0);
    const struct tag_version *second = g_ptr_array_index(only->versions, 1);
    assert_string_equal(first->dataset, "edges");
    assert_int_equal(first->version, 2);
    assert_string_equal(second->dataset, "vertices");
    assert_int_equal(second->version, 4);
    fixture_assert_clean(fixture->store);
}

static void tags_come_and_go(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_tags(fixture, "");
    assert_int_equal(tag(fixture, "v2"), 0);
    assert_int_equal(tag(fixture, "v1.0-rc_1"), 0);
    assert_tags(fixture, "v1.0-rc_1:3 v2:3");
    assert_int_equal(untag(fixture, "v2"), 0);
    assert_tags(fixture, "v1.0-rc_1:3");
    assert_int_equal(untag(fixture, "v1.0-rc_1"), 0);
    assert_tags_stored(fixture, "");
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void tagging_takes_four_waves_and_listing_two(void **state)
{
    struct fork_fixture *fixture = *state;
    unsigned waves = fault_store_waves(fixture->faults);
    assert_int_equal(tag(fixture, "v1"), 0);
    assert_int_equal(fault_store_waves(fixture->faults) - waves, 4); /* two are the intent's */
    fork_fixture_reopen(fixture);
    waves = fault_store_waves(fixture->faults);
    assert_tags(fixture, "v1:3");
    assert_tags(fixture, "v1:3"); /* from memory */
    assert_int_equal(fault_store_waves(fixture->faults) - waves, 2);
    g_autoptr(GPtrArray) cached = catalog_tags_cached(fixture->catalog, &fixture->id);
    assert_non_null(cached);
}

static void a_name_is_taken_once_whatever_the_fork(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    assert_int_equal(tag(fixture, "v1"), 0);
    assert_tag_refused(fixture, "v1", ERR_EXISTS);
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_tag(fixture->catalog, &other, "v1", NULL, NULL), ERR_EXISTS);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    assert_int_equal(catalog_untag(fixture->catalog, &other, "v1", NULL, NULL), ERR_NOT_FOUND);
    assert_tags(fixture, "v1:3");
}

static void one_taken_ref_is_enough(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *key = tag_key("v1", "vertices");
    fixture_put(fixture->store, key, "{\"branch\": null, \"version\": 4, \"manifestSize\": 1}");
    assert_tag_refused(fixture, "v1", ERR_EXISTS);
}

static void names_that_lance_does_not_take_are_refused(void **state)
{
    static const char *const names[] = {"", "a b", "a/b", "a..b", "\xc3\xa9", "a\n"};
    struct fork_fixture *fixture = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_tag_refused(fixture, names[i], ERR_INVALID);
    g_autofree char *long_name = g_strnfill(200, 'x');
    assert_tag_refused(fixture, long_name, ERR_NAME_TOO_LONG);
}

static void a_fork_without_datasets_cannot_be_tagged(void **state)
{
    struct fork_fixture *fixture = *state;
    fork_fixture_forget_datasets(fixture);
    assert_tag_refused(fixture, "v1", ERR_UNSUPPORTED);
    assert_tags(fixture, "");
}

static void a_branch_that_is_missing_cannot_be_tagged(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *manifest = lance_manifest_key(FORK_DATASET, fixture->branch, 2);
    fixture_delete(fixture->store, manifest);
    assert_tag_refused(fixture, "v1", ERR_CORRUPT);
}

static void forks_that_are_not_active_are_not_tagged(void **state)
{
    struct fork_fixture *fixture = *state;
    struct ulid nobody = ulid_new();
    assert_int_equal(catalog_tag(fixture->catalog, &nobody, "v1", NULL, NULL), ERR_STALE);
    assert_int_equal(catalog_untag(fixture->catalog, &nobody, "v1", NULL, NULL), ERR_STALE);
    fork_fixture_set_status(fixture, &fixture->id, "pending");
    assert_int_equal(tag(fixture, "v1"), ERR_PENDING);
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
    assert_int_equal(tag(fixture, "v1"), ERR_STALE);
}

static void an_unknown_tag_is_not_found(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(tag(fixture, "v1"), 0);
    assert_int_equal(untag(fixture, "v"), ERR_NOT_FOUND);
    assert_int_equal(untag(fixture, "v1_vertices"), ERR_NOT_FOUND);
    assert_tags(fixture, "v1:3");
}

static void a_tagged_fork_is_not_dropped(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(tag(fixture, "v1"), 0);
    assert_refused(fixture, ERR_NOT_EMPTY, "rmdir forks/audit/tags/v1, then rmdir forks/audit");
    assert_int_equal(untag(fixture, "v1"), 0);
    assert_drops(fixture);
}

static void tags_of_others_are_not_shown(void **state)
{
    struct fork_fixture *fixture = *state;
    g_autofree char *main_tag = tag_key("main", "vertices");
    fixture_put(fixture->store, main_tag,
                "{\"branch\": null, \"version\": 4, \"manifestSize\": 1}");
    fixture_put(fixture->store, "storage/vertices.lance/_refs/tags/release.json",
                "{\"branch\": null, \"version\": 4, \"manifestSize\": 1}");
    struct ulid other = fixture_create(fixture->catalog, "other", NULL);
    assert_int_equal(catalog_tag(fixture->catalog, &other, "v1", NULL, NULL), 0);
    assert_tags(fixture, "");
}

static void a_ref_that_does_not_parse_is_told(void **state)
{
    struct fork_fixture *fixture = *state;
    struct error err = {0};
    GPtrArray *tags = NULL;
    g_autofree char *key = tag_key("v1", "vertices");
    fixture_put(fixture->store, key, "{");
    assert_int_equal(catalog_tags(fixture->catalog, &fixture->id, NULL, &tags, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, key));
}

/* ---- Halves ---- */

/* What a crash leaves: fewer versions than the fork has datasets. */
static void half_a_tag_is_shown_and_can_be_removed(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(tag(fixture, "v1"), 0);
    g_autofree char *key = tag_key("v1", "vertices");
    fixture_delete(fixture->store, key);
    assert_tags_stored(fixture, "v1:2");
    assert_tag_refused(fixture, "v1", ERR_EXISTS);
    assert_int_equal(untag(fixture, "v1"), 0);
    assert_tags_stored(fixture, "");
    assert_drops(fixture);
}

static void a_ref_that_cannot_be_written_takes_the_others_back(void **state)
{
    struct fork_fixture *fixture = *state;
    for (unsigned n = 1; n <= FIXTURE_DATASETS; n++) {
        g_autofree char *before = fixture_dump(fixture->store, NULL);
        fault_store_arm(fixture->faults, FAULT_FAIL, 1u << STORE_PUT, n, false, ERR_NO_SPACE);
        assert_int_equal(tag(fixture, "v1"), ERR_NO_SPACE);
        g_autofree char *after = fixture_dump(fixture->store, NULL);
        assert_string_equal(before, after);
        assert_tags(fixture, "");
    }
}

static void a_lost_answer_does_not_matter(void **state)
{
    struct fork_fixture *fixture = *state;
    fault_store_arm(fixture->faults, FAULT_LOSE_ANSWER, 1u << STORE_PUT, 1, true, 0);
    assert_int_equal(tag(fixture, "v1"), 0);
    fault_store_arm(fixture->faults, FAULT_LOSE_ANSWER, 1u << STORE_DELETE, 1, false, 0);
    assert_int_equal(untag(fixture, "v1"), 0);
    assert_tags_stored(fixture, "");
}

/* A thread that tags, held up at its n-th put. */
struct tagger {
    struct fork_fixture *fixture;
    struct operation operation;
    pthread_t thread;
    int code;
};

static void *run_tagger(void *argument)
{
    struct tagger *tagger = argument;
    tagger->code =
        catalog_tag(tagger->fixture->catalog, &tagger->fixture->id, "v1", &tagger->operation, NULL);
    return NULL;
}

static void start_held_tagger(struct tagger *tagger, struct fork_fixture *fixture, unsigned mask)
{
    *tagger = (struct tagger){.fixture = fixture};
    operation_init(&tagger->operation, 60000);
    fault_store_arm(fixture->faults, FAULT_DELAY, mask, 1, false, 0);
    assert_int_equal(pthread_create(&tagger->thread, NULL, run_tagger, tagger), 0);
    fault_store_wait_held(fixture->faults);
}

static int finish_tagger(struct tagger *tagger)
{
    fault_store_release(tagger->fixture->faults);
    pthread_join(tagger->thread, NULL);
    operation_destroy(&tagger->operation);
    return tagger->code;
}

/* The engine makes a tag of the same name between the look and the puts. */
static void the_tag_of_another_writer_stays(void **state)
{
    static const char others[] = "{\"branch\": null, \"version\": 4, \"manifestSize\": 1}";
    struct fork_fixture *fixture = *state;
    struct tagger tagger;
    g_autofree char *key = tag_key("v1", "vertices_Person");
    start_held_tagger(&tagger, fixture, 1u << STORE_PUT);
    fixture_put(fixture->store, key, others);
    assert_int_equal(finish_tagger(&tagger), ERR_EXISTS);
    g_autofree char *text = fixture_read(fixture->store, key);
    assert_string_equal(text, others);
    assert_tags(fixture, "");
    g_autofree char *own = tag_key("v1", "edges");
    assert_false(fixture_exists(fixture->store, own));
}

static void an_interrupt_leaves_no_tag(void **state)
{
    struct fork_fixture *fixture = *state;
    struct tagger tagger;
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    start_held_tagger(&tagger, fixture, 1u << STORE_PUT);
    operation_cancel(&tagger.operation);
    assert_int_equal(finish_tagger(&tagger), ERR_INTERRUPTED);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

static void a_fork_is_not_dropped_while_it_is_tagged(void **state)
{
    struct fork_fixture *fixture = *state;
    struct tagger tagger;
    struct operation hurry;
    start_held_tagger(&tagger, fixture, 1u << STORE_PUT);
    operation_init(&hurry, 0);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, &hurry, NULL), ERR_DEADLINE);
    operation_destroy(&hurry);
    assert_int_equal(finish_tagger(&tagger), 0);
    assert_refused(fixture, ERR_NOT_EMPTY, "the tag tags/v1");
}

/* ---- Memory ---- */

struct reader {
    struct fork_fixture *fixture;
    pthread_t thread;
};

static void *run_reader(void *argument)
{
    struct reader *reader = argument;
    g_autoptr(GPtrArray) tags = list(reader->fixture);
    return NULL;
}

static void a_slow_reading_does_not_hide_a_tag_made_meanwhile(void **state)
{
    struct fork_fixture *fixture = *state;
    struct reader reader = {.fixture = fixture};
    assert_int_equal(tag(fixture, "v1"), 0);
    fault_store_arm(fixture->faults, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    assert_int_equal(pthread_create(&reader.thread, NULL, run_reader, &reader), 0);
    fault_store_wait_held(fixture->faults);
    assert_int_equal(tag(fixture, "v2"), 0);
    fault_store_release(fixture->faults);
    pthread_join(reader.thread, NULL);
    assert_tags(fixture, "v1:3 v2:3");
}

static void refs_that_did_not_change_are_not_fetched_again(void **state)
{
    struct fork_fixture *fixture = *state;
    assert_int_equal(tag(fixture, "v1"), 0);
    assert_tags(fixture, "v1:3");
    assert_int_equal(tag(fixture, "v2"), 0); /* forgets the list */
    unsigned gets = fault_store_total(fixture->faults, STORE_GET);
    assert_tags(fixture, "v1:3 v2:3");
    assert_int_equal(fault_store_total(fixture->faults, STORE_GET) - gets, FIXTURE_DATASETS);
}

static int set_up_wide(void **state)
{
    return fork_set_up_on(state, fixture_database_with_jobs(4));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fork_set_up, fork_tear_down)
#define WIDE(name) cmocka_unit_test_setup_teardown(name, set_up_wide, fork_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tag_pins_the_tip_of_every_branch),
        TEST(tags_come_and_go),
        TEST(tagging_takes_four_waves_and_listing_two),
        TEST(a_name_is_taken_once_whatever_the_fork),
        TEST(one_taken_ref_is_enough),
        TEST(names_that_lance_does_not_take_are_refused),
        TEST(a_fork_without_datasets_cannot_be_tagged),
        TEST(a_branch_that_is_missing_cannot_be_tagged),
        TEST(forks_that_are_not_active_are_not_tagged),
        TEST(an_unknown_tag_is_not_found),
        TEST(a_tagged_fork_is_not_dropped),
        TEST(tags_of_others_are_not_shown),
        TEST(a_ref_that_does_not_parse_is_told),
        TEST(half_a_tag_is_shown_and_can_be_removed),
        TEST(a_ref_that_cannot_be_written_takes_the_others_back),
        TEST(a_lost_answer_does_not_matter),
        TEST(the_tag_of_another_writer_stays),
        TEST(an_interrupt_leaves_no_tag),
        WIDE(a_fork_is_not_dropped_while_it_is_tagged),
        WIDE(a_slow_reading_does_not_hide_a_tag_made_meanwhile),
        TEST(refs_that_did_not_change_are_not_fetched_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
