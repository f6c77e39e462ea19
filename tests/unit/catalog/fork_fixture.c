#include "unit/unit.h"

#include <string.h>

#include "unit/catalog/fork_fixture.h"

static void open_fixture(struct fork_fixture *fixture)
{
    fixture->catalog = fixture_open(fixture->store, &fixture->faults);
}

int fork_set_up_on(void **state, struct store *store)
{
    struct fork_fixture *fixture = g_new0(struct fork_fixture, 1);
    fixture->store = store;
    open_fixture(fixture);
    fixture->id = fixture_create(fixture->catalog, "audit", NULL);
    fixture->branch = layout_branch_name(&fixture->id, "vertices_Person");
    *state = fixture;
    return 0;
}

int fork_set_up(void **state)
{
    return fork_set_up_on(state, fixture_database());
}

int fork_set_up_on_disk(void **state)
{
    return fork_set_up_on(state, fixture_database_on_disk());
}

int fork_tear_down(void **state)
{
    struct fork_fixture *fixture = *state;
    catalog_free(fixture->catalog);
    store_free(fixture->store);
    g_free(fixture->branch);
    g_free(fixture);
    return 0;
}

void fork_fixture_reopen(struct fork_fixture *fixture)
{
    catalog_free(fixture->catalog);
    open_fixture(fixture);
}

int drop(struct fork_fixture *fixture)
{
    return catalog_drop(fixture->catalog, "audit", NULL, NULL, NULL);
}

void assert_drops(struct fork_fixture *fixture)
{
    struct error err = {0};
    if (catalog_drop(fixture->catalog, "audit", NULL, NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    fixture_assert_clean(fixture->store);
}

void assert_refused(struct fork_fixture *fixture, int code, const char *part)
{
    struct error err = {0};
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_int_equal(catalog_drop(fixture->catalog, "audit", NULL, NULL, &err), code);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

void fork_fixture_set_status(struct fork_fixture *fixture, const struct ulid *id,
                             const char *status)
{
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    g_autofree char *member = g_strdup_printf("\"id\": \"%s\"", id->text);
    char *entry = strstr(text, member);
    assert_non_null(entry);
    char *value = strstr(entry, "\"status\": \"");
    char *end = strchr(value + strlen("\"status\": \""), '"');
    g_autofree char *head = g_strndup(text, (size_t)(value - text));
    g_autofree char *changed = g_strconcat(head, "\"status\": \"", status, end, NULL);
    fixture_put(fixture->store, FIXTURE_REGISTRY, changed);
    fork_fixture_reopen(fixture);
}

void fork_fixture_forget_datasets(struct fork_fixture *fixture)
{
    g_autofree char *text = fixture_read(fixture->store, FIXTURE_REGISTRY);
    char *start = strstr(text, "\"datasets\": {"), *end = strchr(start, '}');
    g_autofree char *head = g_strndup(text, (size_t)(start - text));
    g_autofree char *emptied = g_strconcat(head, "\"datasets\": {", end, NULL);
    fixture_put(fixture->store, FIXTURE_REGISTRY, emptied);
    fork_fixture_reopen(fixture);
}
