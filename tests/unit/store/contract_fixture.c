#include "unit/store/contract_fixture.h"

#include "store/local/local_store.h"
#include "store/local/routed_store.h"
#include "store/preview_store.h"
#include "unit/store/s3/fake_s3.h"
#include "unit/store/store_bench.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"
#include "unit/unit.h"

struct fixture {
    struct store *store;
    char *root;             /* NULL: none */
    char *elsewhere;        /* NULL: none */
    struct fake_s3 *server; /* NULL: none */
};

int set_up_memory(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->store = memory_store_new(8);
    *state = fixture;
    return 0;
}

int set_up_local(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->root = scratch_directory_new();
    assert_int_equal(local_store_open(fixture->root, 8, &fixture->store, NULL), 0);
    *state = fixture;
    return 0;
}

int set_up_wrapped(void **state)
{
    set_up_local(state);
    struct fixture *fixture = *state;
    fixture->store = fault_store_new(fixture->store, true);
    return 0;
}

int set_up_routed(void **state)
{
    set_up_local(state);
    struct fixture *fixture = *state;
    fixture->elsewhere = scratch_directory_new();
    static const char *const keys[] = {"elsewhere/", NULL};
    const struct store_routing routing = {fixture->elsewhere, "", keys};
    struct store *inner = fixture->store;
    assert_int_equal(routed_store_new(inner, &routing, &fixture->store, NULL), 0);
    return 0;
}

int set_up_preview(void **state)
{
    set_up_local(state);
    struct fixture *fixture = *state;
    fixture->store = preview_store_new(fixture->store);
    return 0;
}

int set_up_s3(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->server = fake_s3_new();
    fixture->server->match = FAKE_S3_MATCH_BARE;
    fixture->server->page = 7;
    fixture->store = fake_s3_store(fixture->server, 8);
    *state = fixture;
    return 0;
}

int tear_down_store(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    if (fixture->root)
        scratch_directory_free(fixture->root);
    if (fixture->elsewhere)
        scratch_directory_free(fixture->elsewhere);
    if (fixture->server)
        fake_s3_free(fixture->server);
    g_free(fixture);
    return 0;
}

struct store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}
