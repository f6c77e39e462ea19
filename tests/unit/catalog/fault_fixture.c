#include "unit/unit.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "unit/catalog/fault_fixture.h"
#include "unit/stores/power_store.h"
#include "unit/virtual_clock.h"

const struct fault faults[FAULTS] = {
    [FAULT_FAIL_ONCE] = {"fail once", FAULT_FAIL, false, ERR_IO},
    [FAULT_FAIL_ON] = {"fail from then on", FAULT_FAIL, true, ERR_UNREACHABLE},
    [FAULT_NO_SPACE] = {"no space once", FAULT_FAIL, false, ERR_NO_SPACE},
    [FAULT_FULL] = {"no space from then on", FAULT_FAIL, true, ERR_NO_SPACE},
    [FAULT_LOST] = {"lose the answer once", FAULT_LOSE_ANSWER, false, ERR_IO},
    [FAULT_KILLED] = {"kill before", FAULT_KILL, true, ERR_IO},
    [FAULT_KILLED_AFTER] = {"kill after", FAULT_KILL_AFTER, true, ERR_IO},
    [FAULT_POWER_LOSES_ALL] = {"power, all lost", FAULT_POWER, true, ERR_IO},
    [FAULT_POWER_LOSES_SOME] = {"power, some lost", FAULT_POWER, true, ERR_IO},
};

/* The store that a group of tests runs on. */
static struct store *(*database)(void) = fixture_database;

void fault_fixture_use(struct store *(*make_database)(void))
{
    database = make_database;
}

struct store *fault_database(void)
{
    struct store *store = database();
    struct catalog *catalog = fixture_open(store, NULL);
    struct error err = {0};
    if (catalog_create(catalog, "neighbour", NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    g_autofree char *text = fixture_read(store, "catalog/fork_registry.json");
    char *status = strstr(text, "\"status\": \"active\"");
    assert_non_null(status);
    g_autofree char *head = g_strndup(text, (size_t)(status - text));
    g_autofree char *extended = g_strdup_printf("%s\"colour\": 1e400,\n      %s", head, status);
    fixture_put(store, "catalog/fork_registry.json", extended);
    return store;
}

struct store *fault_database_after(change_function *prepare)
{
    struct store *store = fault_database();
    struct error err = {0};
    fixture_put_dataset(store, FAULT_GHOST, "plain", 2);
    if (!prepare)
        return store;
    struct catalog *catalog = fixture_open(store, NULL);
    if (prepare(catalog, NULL, &err))
        fail_msg("%s", err.text);
    catalog_free(catalog);
    return store;
}

/* Of every operation. A store that fails for good cannot be waited for without end: with each of
 * its first failures a part of the time passes. */
#define TIME_MS 120000
#define PARTS 4

/* How often what was left may be gone on with until nothing is. */
#define LEFT_TRIES_MAX 10

static int parts_left; /* atomic: a part more than there are, of the change and of its undoing */

static void pass_part(int64_t ms)
{
    if (__atomic_fetch_sub(&parts_left, 1, __ATOMIC_RELAXED) > 0)
        virtual_clock_jump(ms);
}

void pass_time_with_faults(struct store *wrapper)
{
    __atomic_store_n(&parts_left, 2 * (PARTS + 1), __ATOMIC_RELAXED);
    fault_store_when_fired(wrapper, pass_part, TIME_MS / PARTS);
}

int run_change(struct catalog *catalog, change_function *change, struct error *err)
{
    struct operation operation;
    operation_init(&operation, TIME_MS);
    int code = change(catalog, &operation, err);
    operation_destroy(&operation);
    return code;
}

static uint32_t power_seed(const struct fault *fault, unsigned n)
{
    const char *given = getenv("FORKFS_POWER_SEED");
    uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 10) : 1;
    return fault == &faults[FAULT_POWER_LOSES_SOME] ? seed * FAULT_STEPS_MAX + n : POWER_LOSE_ALL;
}

struct catalog *fault_open(struct store *store, const struct fault *fault, unsigned n,
                           struct store **ret_wrapper)
{
    static const struct catalog_settings settings = {0};
    if (fault->kind != FAULT_POWER)
        return fixture_open(store, ret_wrapper);
    struct store *power = power_store_new(store, false, power_seed(fault, n));
    *ret_wrapper = fault_store_new(power, true);
    return fixture_open_on(*ret_wrapper, &settings);
}

/* A full store still answers what needs no room. */
static unsigned mask_of(const struct fault *fault)
{
    return fault == &faults[FAULT_FULL] ? 1u << STORE_PUT : FAULT_ALL;
}

void arm_fault(struct store *wrapper, const struct fault *fault, unsigned n)
{
    if (fault->persistent)
        pass_time_with_faults(wrapper);
    fault_store_arm(wrapper, fault->kind, mask_of(fault), n, fault->persistent, fault->code);
}

void assert_neighbour_unharmed(struct store *store)
{
    g_autofree char *text = fixture_read(store, "catalog/fork_registry.json");
    assert_non_null(strstr(text, "\"colour\": 1e400"));
    assert_int_equal(fixture_status(store, "neighbour"), FORK_ACTIVE);
    fixture_assert_whole(store);
}

void assert_memory_equals_store(struct catalog *catalog, struct store *store)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    g_autofree char *text = fixture_read(store, "catalog/fork_registry.json");
    g_strchomp(text); /* of several writers: the line that sets versions apart */
    assert_int_equal(registry->text->size, strlen(text));
    assert_memory_equal(registry->text->data, text, registry->text->size);
}

bool outlives_fault(const struct fault *fault)
{
    return fault->kind == FAULT_FAIL || fault->kind == FAULT_LOSE_ANSWER;
}

void finish_leftovers(struct catalog *catalog, struct store *store, const struct fault *fault,
                      unsigned n)
{
    for (unsigned tries = 0; catalog_left_due_ns(catalog) != INT64_MAX; tries++) {
        struct recovery_report report = {0};
        struct error err = {0};
        virtual_clock_jump(TIME_MS);
        if (catalog_recover_left(catalog, NULL, &report, &err) || report.problems->len > 0)
            fail_msg("%s, n %u: %s", fault->name, n, err.text);
        recovery_report_clear(&report);
        assert_true(tries < LEFT_TRIES_MAX);
    }
    assert_memory_equals_store(catalog, store);
    catalog_free(catalog);
    catalog = fixture_open(store, NULL);
    unsigned problems = 0, done = fixture_recover(catalog, &problems);
    if (done + problems > 0)
        fail_msg("%s, n %u: not finished by the mount itself: %u done, %u left alone", fault->name,
                 n, done, problems);
    catalog_free(catalog);
}

void recover_completely(struct store *store)
{
    struct catalog *catalog = fixture_open(store, NULL);
    unsigned problems = 0;
    fixture_recover(catalog, &problems);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_recover(catalog, &problems), 0);
    assert_int_equal(problems, 0);
    assert_memory_equals_store(catalog, store);
    catalog_free(catalog);
    fixture_assert_clean(store);
}

bool recover_meeting_fault(struct store *store, const struct fault *fault, unsigned n)
{
    struct store *wrapper;
    struct catalog *catalog = fault_open(store, fault, n, &wrapper);
    arm_fault(wrapper, fault, n);
    struct operation operation;
    operation_init(&operation, TIME_MS);
    struct recovery_report report = {0};
    catalog_recover(catalog, &operation, &report, NULL);
    recovery_report_clear(&report);
    operation_destroy(&operation);
    bool fired = fault_store_fired(wrapper);
    catalog_free(catalog);
    assert_neighbour_unharmed(store);
    recover_completely(store);
    assert_neighbour_unharmed(store);
    return fired;
}

int fault_fixture_on_one_processor(void **state)
{
    cpu_set_t one;
    (void)state;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one); /* else it takes longer */
    return 0;
}

void sweep_faults(bool (*attempt)(const struct fault *, unsigned), unsigned least)
{
    for (size_t i = 0; i < FAULTS; i++) {
        /* Of a directory more than objects can be lost. */
        if (faults[i].kind == FAULT_POWER && database != fixture_database)
            continue;
        unsigned n = 1 + (unsigned)i % FAULT_STRIDE;
        while (attempt(&faults[i], n)) {
            n += FAULT_STRIDE;
            assert_true(n < FAULT_STEPS_MAX);
        }
        assert_true(n > (i == FAULT_FULL ? 1 : least));
    }
}

struct ulid neighbour_of(struct catalog *catalog)
{
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find(registry, "neighbour");
    assert_non_null(entry);
    return entry->id;
}

int tag_fork(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct ulid id = neighbour_of(catalog);
    return catalog_tag(catalog, &id, "v1", operation, err);
}

int untag_fork(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct ulid id = neighbour_of(catalog);
    return catalog_untag(catalog, &id, "v1", operation, err);
}

int make_what_if(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_create(catalog, "what_if", NULL, operation, NULL, err);
}

int drop_what_if(struct catalog *catalog, struct operation *operation, struct error *err)
{
    return catalog_drop(catalog, "what_if", NULL, operation, err);
}

int expire_neighbour(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct ulid id = neighbour_of(catalog);
    return catalog_set_ttl(catalog, &id, true, 3600, operation, err);
}

int overlay_neighbour(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct ulid id = neighbour_of(catalog);
    struct overlay *seen = NULL;
    int code = catalog_overlay(catalog, &id, operation, &seen, err);
    if (code)
        return code;
    auto_bytes struct bytes *text = bytes_new_text(FAULT_OVERLAY);
    g_autofree char *version = NULL;
    code = catalog_write_overlay(catalog, &id, text, seen->version, operation, &version, err);
    overlay_free(seen);
    return code;
}

int enroll_ghost(struct catalog *catalog, struct operation *operation, struct error *err)
{
    struct ulid id = neighbour_of(catalog);
    auto_bytes struct bytes *text = bytes_new_text("{\"" FAULT_GHOST "\": null}");
    return catalog_register_datasets(catalog, &id, text, operation, err);
}
