#include "unit/unit.h"

#include "unit/catalog/shared_fixture.h"

struct catalog *shared_open(struct store *store, int64_t takeover_ms, struct store **ret_faults)
{
    const struct catalog_settings settings = {
        .shared = true, .takeover_ms = takeover_ms, .lease_ms = -1};
    return fixture_open_with(store, &settings, ret_faults);
}

int shared_set_up(void **state)
{
    struct shared_fixture *fixture = g_new0(struct shared_fixture, 1);
    fixture->store = fixture_database_with_jobs(4);
    for (int i = 0; i < SHARED_MOUNTS; i++)
        fixture->catalogs[i] = shared_open(fixture->store, SHARED_TAKEOVER_MS, &fixture->faults[i]);
    *state = fixture;
    return 0;
}

int shared_tear_down(void **state)
{
    struct shared_fixture *fixture = *state;
    for (int i = 0; i < SHARED_MOUNTS; i++)
        catalog_free(fixture->catalogs[i]);
    store_free(fixture->store);
    g_free(fixture);
    return 0;
}

static void count_overlay(void *argument, const struct ulid *fork)
{
    unsigned *count = argument;
    ++*count;
}

unsigned shared_poll(struct catalog *catalog)
{
    struct error err = {0};
    unsigned overlays = 0;
    if (catalog_poll(catalog, NULL, count_overlay, &overlays, &err))
        fail_msg("%s", err.text);
    return overlays;
}

unsigned shared_recover(struct catalog *catalog)
{
    struct error problem;
    unsigned done = fixture_recover_due(catalog, &problem);
    if (problem.code)
        fail_msg("%s", problem.text);
    return done;
}

int shared_status(struct catalog *catalog, const char *name)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, name);
    return entry ? (int)entry->status : -1;
}
