#include "unit/unit.h"

#include "unit/catalog/change/change_fixture.h"

#define PLENTY_MS 60000

static int set_up_on(void **state, struct store *store)
{
    struct change_fixture *fixture = g_new0(struct change_fixture, 1);
    fixture->store = store;
    fixture->catalog = fixture_open(store, &fixture->faults);
    *state = fixture;
    return 0;
}

int change_set_up(void **state)
{
    return set_up_on(state, fixture_database());
}

int change_set_up_wide(void **state)
{
    return set_up_on(state, fixture_database_with_jobs(4));
}

int change_set_up_on_disk(void **state)
{
    return set_up_on(state, fixture_database_on_disk());
}

int change_tear_down(void **state)
{
    struct change_fixture *fixture = *state;
    catalog_free(fixture->catalog);
    store_free(fixture->store);
    g_free(fixture);
    return 0;
}

void change_fixture_reopen(struct change_fixture *fixture, const struct catalog_settings *settings)
{
    static const struct catalog_settings none = {0};
    catalog_free(fixture->catalog);
    fixture->catalog =
        fixture_open_with(fixture->store, settings ? settings : &none, &fixture->faults);
}

struct change create_line(const char *name, const char *parent)
{
    return (struct change){.kind = CHANGE_CREATE, .name = name, .parent = parent};
}

struct change drop_line(const char *name)
{
    return (struct change){.kind = CHANGE_DROP, .name = name};
}

void assert_changes(struct change_fixture *fixture, struct change *changes, const int *codes,
                    size_t count)
{
    struct operation operation;
    operation_init(&operation, PLENTY_MS);
    int64_t deadline_ns = operation.deadline_ns;
    catalog_change(fixture->catalog, changes, count, &operation);
    assert_true(operation.deadline_ns >= deadline_ns);
    operation_destroy(&operation);
    for (size_t i = 0; i < count; i++) {
        if (changes[i].error.code != (codes ? codes[i] : 0))
            fail_msg("line %zu: %s (%s)", i, error_code_name(changes[i].error.code),
                     changes[i].error.text);
    }
}

void assert_all_change(struct change_fixture *fixture, struct change *changes, size_t count)
{
    assert_changes(fixture, changes, NULL, count);
}

void assert_status(struct change_fixture *fixture, const char *name, int status)
{
    assert_int_equal(fixture_status(fixture->store, name), status);
}

struct fork_entry *change_fixture_entry(struct change_fixture *fixture, const char *name)
{
    auto_registry struct registry *registry = catalog_registry(fixture->catalog);
    struct fork_entry *entry = registry_find(registry, name);
    assert_non_null(entry);
    return fork_entry_ref(entry);
}

uint64_t registry_writes(struct change_fixture *fixture)
{
    struct catalog_counts counts;
    catalog_counts(fixture->catalog, &counts);
    return counts.commits;
}

static void *run(void *argument)
{
    struct change_thread *thread = argument;
    catalog_change(thread->fixture->catalog, thread->changes, thread->count, &thread->operation);
    return NULL;
}

void change_thread_start(struct change_thread *thread, struct change_fixture *fixture,
                         struct change *changes, size_t count)
{
    *thread = (struct change_thread){.fixture = fixture, .changes = changes, .count = count};
    operation_init(&thread->operation, PLENTY_MS);
    assert_int_equal(pthread_create(&thread->thread, NULL, run, thread), 0);
}

void change_thread_join(struct change_thread *thread)
{
    pthread_join(thread->thread, NULL);
    operation_destroy(&thread->operation);
}
