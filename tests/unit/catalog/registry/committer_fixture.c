#include "unit/unit.h"

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "catalog/registry/registry_load.h"
#include "catalog/registry/transitions.h"
#include "unit/catalog/registry/committer_fixture.h"

static struct registry *load(struct committer_fixture *fixture)
{
    struct registry *registry = NULL;
    struct error err = {0};
    if (registry_load(fixture->memory, REGISTRY_KEY, NULL, NULL, &registry, &err))
        fail_msg("%s", err.text);
    return registry;
}

/* Every change is looked up on the store: memory must not be ahead of it. */
static void observe(void *argument, const struct registry *before, const struct registry *after)
{
    struct committer_fixture *fixture = argument;
    LOCK_SCOPE(&fixture->lock);
    if (!fixture->others_write) {
        auto_registry struct registry *stored = load(fixture);
        fixture->ahead |= !bytes_equal(stored->text, after->text);
    }
    fixture->ahead |= before == after;
    fixture->observed++;
    registry_unref(fixture->latest);
    fixture->latest = registry_ref((struct registry *)after);
}

static int set_up(void **state, unsigned jobs)
{
    struct committer_fixture *fixture = g_new0(struct committer_fixture, 1);
    struct error err = {0};
    fixture->memory = memory_store_new(jobs);
    fixture->inner = fault_store_new(fixture->memory, false);
    fixture->outer = fault_store_new(fixture->inner, false);
    pthread_mutex_init(&fixture->lock, NULL);
    const struct committer_settings settings = {.store = fixture->outer,
                                                .key = REGISTRY_KEY,
                                                .reserve = RESERVE_KEY,
                                                .observer = observe,
                                                .observer_argument = fixture};
    if (committer_new(&settings, NULL, &fixture->committer, &err))
        fail_msg("%s", err.text);
    *state = fixture;
    return 0;
}

int committer_set_up(void **state)
{
    return set_up(state, 1);
}

int committer_set_up_wide(void **state)
{
    return set_up(state, 4);
}

int committer_tear_down(void **state)
{
    struct committer_fixture *fixture = *state;
    committer_free(fixture->committer);
    store_free(fixture->outer);
    store_free(fixture->inner);
    store_free(fixture->memory);
    registry_unref(fixture->latest);
    pthread_mutex_destroy(&fixture->lock);
    bool ahead = fixture->ahead;
    g_free(fixture);
    return ahead ? -1 : 0;
}

struct committer *committer_on(struct store *store)
{
    const struct committer_settings settings = {.store = store, .key = REGISTRY_KEY};
    struct committer *committer = NULL;
    assert_int_equal(committer_new(&settings, NULL, &committer, NULL), 0);
    return committer;
}

struct committer *committer_fixture_other(struct committer_fixture *fixture)
{
    fixture->others_write = true;
    return committer_on(fixture->memory);
}

static bool were_told(struct committer_fixture *fixture, const char *name)
{
    LOCK_SCOPE(&fixture->lock);
    return fixture->latest && registry_find(fixture->latest, name);
}

void committer_fixture_await(struct committer_fixture *fixture, const char *name)
{
    AWAIT(were_told(fixture, name));
}

struct fork_entry *make_entry(const char *name)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    const struct fork_description description = {.name = name,
                                                 .id = ulid_new(),
                                                 .parent_snapshot_id = "uninitialized",
                                                 .created_at = timestamp_now(),
                                                 .schema_version = 1,
                                                 .datasets = datasets};
    return fork_entry_new(&description);
}

int insert(struct committer *committer, const char *name, struct operation *operation)
{
    struct fork_entry *entry = make_entry(name);
    int code = transition_commit(
        committer, (struct transition){.kind = TRANSITION_INSERT, .entry = entry}, operation, NULL);
    fork_entry_unref(entry);
    return code;
}

bool in_memory(struct committer *committer, const char *name)
{
    auto_registry struct registry *registry = committer_registry(committer);
    return registry_find(registry, name) != NULL;
}

bool on_store(struct committer_fixture *fixture, const char *name)
{
    auto_registry struct registry *registry = load(fixture);
    return registry_find(registry, name) != NULL;
}

unsigned puts_so_far(struct committer_fixture *fixture)
{
    return fault_store_total(fixture->outer, STORE_PUT);
}

void overwrite(struct committer_fixture *fixture, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    fixture->others_write = true;
    assert_int_equal(
        store_put(fixture->memory, REGISTRY_KEY, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

static void *run(void *argument)
{
    struct caller *caller = argument;
    caller->code = caller->name ? insert(caller->committer, caller->name, &caller->operation)
                                : committer_reload(caller->committer, &caller->operation, NULL);
    return NULL;
}

void caller_start(struct caller *caller, struct committer *committer, const char *name,
                  int64_t timeout_ms)
{
    *caller = (struct caller){.committer = committer, .name = name};
    operation_init(&caller->operation, timeout_ms);
    assert_int_equal(pthread_create(&caller->thread, NULL, run, caller), 0);
}

static bool is_watched(struct operation *operation)
{
    LOCK_SCOPE(&operation->lock);
    return operation->watched_cond != NULL;
}

void operation_await_watched(struct operation *operation)
{
    AWAIT(is_watched(operation));
}

int caller_join(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
    operation_destroy(&caller->operation);
    return caller->code;
}
