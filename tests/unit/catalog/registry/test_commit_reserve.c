/*
 * The room that is kept for the registry, on a store that gets full.
 */
#include "unit/unit.h"

#include "catalog/registry/transitions.h"
#include "unit/catalog/registry/committer_fixture.h"

/* A store that may be full: then nothing is put but by its reserve. */
struct small_store {
    struct store base;
    bool is_full; /* atomic */
    bool has_reserve;
    bool is_vain;      /* it is of no use */
    unsigned reserves; /* how often one was asked for */
    uint64_t size;     /* the last time */
};

struct fixture {
    struct small_store *small;
    struct store *memory;
    struct committer *committer;
};

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct small_store *store = (struct small_store *)base;
    const bool is_full = __atomic_load_n(&store->is_full, __ATOMIC_ACQUIRE);
    if (request->method == STORE_RESERVE) {
        store->reserves++;
        store->size = request->size;
        store->has_reserve |= !is_full;
        if (is_full && !store->has_reserve)
            store_answer_fail(answer, ERR_NO_SPACE, "reserve %s: full", request->key);
        else
            answer->size = request->size;
        return;
    }
    if (request->method == STORE_PUT && is_full) {
        if (!request->reserve || !store->has_reserve) {
            store_answer_fail(answer, ERR_NO_SPACE, "put %s: full", request->key);
            return;
        }
        answer->took_reserve = true;
        store->has_reserve = false;
        if (store->is_vain) {
            store_answer_fail(answer, ERR_NO_SPACE, "put %s: still full", request->key);
            return;
        }
    }
    base->wrapped->operations->perform(base->wrapped, request, operation, answer);
}

static void destroy(struct store *base)
{
}

static void set_full(struct fixture *fixture, bool is_full)
{
    __atomic_store_n(&fixture->small->is_full, is_full, __ATOMIC_RELEASE);
}

static int set_up(void **state)
{
    static const struct store_operations operations = {.perform = perform, .destroy = destroy};
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->memory = memory_store_new(1);
    fixture->small = g_new0(struct small_store, 1);
    store_initialize_wrapper(&fixture->small->base, &operations, fixture->memory);
    const struct committer_settings settings = {
        .store = &fixture->small->base, .key = REGISTRY_KEY, .reserve = RESERVE_KEY};
    assert_int_equal(committer_new(&settings, NULL, &fixture->committer, NULL), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    committer_free(fixture->committer);
    store_free(&fixture->small->base);
    store_free(fixture->memory);
    g_free(fixture);
    return 0;
}

static struct ulid id_of(struct fixture *fixture, const char *name)
{
    auto_registry struct registry *registry = committer_registry(fixture->committer);
    const struct fork_entry *entry = registry_find(registry, name);
    assert_non_null(entry);
    return entry->id;
}

static int change(struct fixture *fixture, enum transition_kind kind, const char *name)
{
    const struct ulid id = id_of(fixture, name);
    return transition_commit(fixture->committer, (struct transition){.kind = kind, .id = &id}, NULL,
                             NULL);
}

static uint64_t registry_size(struct fixture *fixture)
{
    auto_registry struct registry *registry = committer_registry(fixture->committer);
    return registry->text->size;
}

static void room_is_kept_for_a_registry_that_is_there(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), 0);
    assert_int_equal(fixture->small->reserves, 0);
    assert_int_equal(insert(fixture->committer, "a", NULL), 0);
    assert_int_equal(fixture->small->reserves, 1);
    assert_true(fixture->small->size > registry_size(fixture));
    assert_int_equal(committer_check_reserve(fixture->committer, NULL), 0);
}

static void a_mount_keeps_room_when_it_first_reads_the_registry_again(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(insert(fixture->committer, "a", NULL), 0);
    const struct committer_settings settings = {
        .store = &fixture->small->base, .key = REGISTRY_KEY, .reserve = RESERVE_KEY};
    struct committer *next = NULL;
    assert_int_equal(committer_new(&settings, NULL, &next, NULL), 0);
    assert_int_equal(fixture->small->reserves, 1);
    assert_int_equal(committer_reload(next, NULL, NULL), 0);
    assert_int_equal(fixture->small->reserves, 2);
    committer_free(next);
}

static void room_grows_with_the_registry_but_not_at_each_commit(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *name = g_strdup_printf("f%u", i);
        assert_int_equal(insert(fixture->committer, name, NULL), 0);
        assert_true(fixture->small->size > registry_size(fixture));
    }
    assert_in_range(fixture->small->reserves, 2, 20);
}

static void only_what_makes_room_is_put_when_there_is_none(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(insert(fixture->committer, "a", NULL), 0);
    set_full(fixture, true);
    assert_int_equal(insert(fixture->committer, "b", NULL), ERR_NO_SPACE);
    assert_int_equal(change(fixture, TRANSITION_ACTIVATE, "a"), ERR_NO_SPACE);
    assert_int_equal(change(fixture, TRANSITION_FENCE, "a"), 0);
    assert_false(fixture->small->has_reserve);
    assert_int_equal(committer_check_reserve(fixture->committer, NULL), ERR_NO_SPACE);
}

static void who_takes_the_room_gets_it_back_before_the_answer(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(insert(fixture->committer, "a", NULL), 0);
    const uint64_t size = fixture->small->size;
    set_full(fixture, true);
    assert_int_equal(change(fixture, TRANSITION_FENCE, "a"), 0);
    assert_int_equal(fixture->small->size, size); /* and no more */
    set_full(fixture, false);
    assert_int_equal(change(fixture, TRANSITION_REMOVE, "a"), 0);
    assert_true(fixture->small->has_reserve);
    assert_int_equal(committer_check_reserve(fixture->committer, NULL), 0);
}

static void room_that_was_taken_in_vain_is_kept_again(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(insert(fixture->committer, "a", NULL), 0);
    set_full(fixture, true);
    fixture->small->is_vain = true;
    assert_int_equal(change(fixture, TRANSITION_FENCE, "a"), ERR_NO_SPACE);
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), 0);
    assert_int_equal(committer_check_reserve(fixture->committer, NULL), ERR_NO_SPACE);
    set_full(fixture, false);
    assert_int_equal(committer_reload(fixture->committer, NULL, NULL), 0);
    assert_true(fixture->small->has_reserve);
}

static void what_makes_room_does_not_fail_with_what_needs_it(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(insert(fixture->committer, "a", NULL), 0);
    const struct ulid id = id_of(fixture, "a");
    auto_entry struct fork_entry *entry = make_entry("b");
    struct error errors[2] = {0};
    struct transition list[] = {
        {.kind = TRANSITION_INSERT, .entry = entry, .err = &errors[0]},
        {.kind = TRANSITION_FENCE, .id = &id, .err = &errors[1]},
    };
    set_full(fixture, true);
    transitions_commit(fixture->committer, list, 2, NULL);
    assert_int_equal(errors[0].code, ERR_NO_SPACE);
    assert_int_equal(errors[1].code, 0);
    assert_false(in_memory(fixture->committer, "b"));
}

int main(void)
{
#define SMALL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SMALL(room_is_kept_for_a_registry_that_is_there),
        SMALL(a_mount_keeps_room_when_it_first_reads_the_registry_again),
        SMALL(room_grows_with_the_registry_but_not_at_each_commit),
        SMALL(only_what_makes_room_is_put_when_there_is_none),
        SMALL(who_takes_the_room_gets_it_back_before_the_answer),
        SMALL(room_that_was_taken_in_vain_is_kept_again),
        SMALL(what_makes_room_does_not_fail_with_what_needs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
