#include "unit/unit.h"

#include "unit/catalog/bucket_fixture.h"
#include "unit/virtual_clock.h"

/* Of a drop that others do not agree to: what is left for undoing is ample. */
#define IN_VAIN_MS (5 * AMPLE_MS)
#define LEASES "storage/catalog/fork_leases/"

int bucket_set_up(void **state)
{
    struct bucket *bucket = g_new0(struct bucket, 1);
    bucket->store = fixture_database_with_jobs(8);
    *state = bucket;
    return 0;
}

int bucket_tear_down(void **state)
{
    struct bucket *bucket = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(bucket->mounts); i++)
        if (bucket->mounts[i].catalog)
            mount_end(&bucket->mounts[i]);
    store_free(bucket->store);
    g_free(bucket);
    return 0;
}

static struct mount *mount_with(struct bucket *bucket, unsigned number, int64_t lease_ms,
                                int64_t takeover_ms)
{
    struct mount *mount = &bucket->mounts[number];
    struct catalog_settings settings = {
        .shared = true, .lease_ms = lease_ms, .takeover_ms = takeover_ms};
    *mount = (struct mount){0};
    mount->catalog = fixture_open_with(bucket->store, &settings, &mount->faults);
    return mount;
}

struct mount *bucket_mount(struct bucket *bucket, unsigned number, int64_t lease_ms)
{
    return mount_with(bucket, number, lease_ms, 120000);
}

struct mount *bucket_mount_heir(struct bucket *bucket, unsigned number, int64_t lease_ms)
{
    return mount_with(bucket, number, lease_ms, 0);
}

static void *run_poller(void *argument)
{
    struct mount *mount = argument;
    while (!__atomic_load_n(&mount->ending, __ATOMIC_ACQUIRE)) {
        catalog_poll(mount->catalog, NULL, NULL, NULL, NULL);
        g_usleep(2000);
    }
    return NULL;
}

void mount_poll(struct mount *mount)
{
    __atomic_store_n(&mount->ending, false, __ATOMIC_RELEASE);
    assert_int_equal(pthread_create(&mount->poller, NULL, run_poller, mount), 0);
    mount->polls = true;
}

void mount_poll_stop(struct mount *mount)
{
    if (!mount->polls)
        return;
    __atomic_store_n(&mount->ending, true, __ATOMIC_RELEASE);
    pthread_join(mount->poller, NULL);
    mount->polls = false;
}

void mount_end(struct mount *mount)
{
    mount_poll_stop(mount);
    catalog_free(mount->catalog);
    mount->catalog = NULL;
}

void mount_kill(struct mount *mount)
{
    fault_store_arm(mount->faults, FAULT_KILL, FAULT_ALL, 1, true, ERR_UNREACHABLE);
    mount_end(mount);
}

static int status_on(struct mount *mount, const struct ulid *id)
{
    auto_registry struct registry *registry = catalog_registry(mount->catalog);
    const struct fork_entry *entry = registry_find_id(registry, id);
    return entry ? (int)entry->status : -1;
}

void mount_await_status(struct mount *mount, const struct ulid *id, int status)
{
    AWAIT(status_on(mount, id) == status);
}

static bool is_held_by_now(struct mount *mount, const struct ulid *id)
{
    leases_refresh(mount->catalog->leases, NULL, NULL);
    return leases_check_held(mount->catalog->leases, id, NULL) != 0;
}

void mount_await_held(struct mount *mount, const struct ulid *id, bool held)
{
    AWAIT(is_held_by_now(mount, id) == held);
}

static size_t others_by_now(struct mount *mount)
{
    leases_refresh(mount->catalog->leases, NULL, NULL);
    return leases_others(mount->catalog->leases);
}

void mount_await_others(struct mount *mount, size_t others)
{
    AWAIT(others_by_now(mount) == others);
}

struct hold *mount_hold(struct mount *mount, const struct ulid *id, int expected)
{
    struct hold *hold = NULL;
    assert_int_equal(catalog_hold(mount->catalog, id, true, 42, "cat", &hold, NULL), expected);
    return hold;
}

void mount_release(struct mount *mount, struct hold *hold)
{
    holders_release(catalog_holders(mount->catalog), hold);
}

int mount_drop(struct mount *mount, int64_t timeout_ms, struct error *err)
{
    struct operation operation;
    operation_init(&operation, timeout_ms);
    int code = catalog_drop(mount->catalog, "audit", NULL, &operation, err);
    operation_destroy(&operation);
    return code;
}

static void *run_drop(void *argument)
{
    struct dropping *dropping = argument;
    dropping->code = catalog_drop(dropping->mount->catalog, "audit", NULL, &dropping->operation,
                                  &dropping->error);
    return NULL;
}

void start_drop(struct dropping *dropping, struct mount *mount)
{
    dropping->mount = mount;
    operation_init(&dropping->operation, 60000);
    assert_int_equal(pthread_create(&dropping->thread, NULL, run_drop, dropping), 0);
}

int join_drop(struct dropping *dropping)
{
    pthread_join(dropping->thread, NULL);
    operation_destroy(&dropping->operation);
    return dropping->code;
}

/* What a mount has asked of the store. */
struct asked {
    unsigned waves, lists, others;
};

static struct asked asked_by(struct mount *mount)
{
    struct asked asked = {.waves = fault_store_waves(mount->faults),
                          .lists = fault_store_total(mount->faults, STORE_LIST)};
    for (int method = 0; method < STORE_METHODS; method++)
        asked.others += fault_store_total(mount->faults, (enum store_method)method);
    asked.others -= asked.lists;
    return asked;
}

/* Whether it has only listed something since, three times one thing; else begins to count anew. */
static bool only_looks(struct mount *mount, struct asked *since)
{
    struct asked now = asked_by(mount);
    unsigned lists = now.lists - since->lists;
    if (now.others != since->others || now.waves - since->waves != lists)
        *since = now;
    return lists >= 3 && since->waves != now.waves;
}

/* Changes under way on a thread of their own. */
struct changing {
    struct mount *mount;
    struct change *changes;
    size_t count;
    bool ended; /* atomic */
};

static void *run_changes(void *argument)
{
    struct changing *changing = argument;
    struct operation operation;
    operation_init(&operation, IN_VAIN_MS);
    catalog_change(changing->mount->catalog, changing->changes, changing->count, &operation);
    operation_destroy(&operation);
    __atomic_store_n(&changing->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Also when there is nothing to be hoped for any more. */
static bool is_over(struct changing *changing)
{
    return __atomic_load_n(&changing->ended, __ATOMIC_ACQUIRE) ||
           fault_store_killed(changing->mount->faults);
}

void mount_change_in_vain(struct mount *mount, struct change *changes, size_t count)
{
    struct changing changing = {.mount = mount, .changes = changes, .count = count};
    struct asked since = asked_by(mount);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_changes, &changing), 0);
    AWAIT(only_looks(mount, &since) || is_over(&changing));
    if (!fault_store_killed(mount->faults))
        virtual_clock_jump(UNTIL_UNDOING_MS(IN_VAIN_MS));
    AWAIT(is_over(&changing));
    if (fault_store_killed(mount->faults)) /* nothing is left to be undone */
        virtual_clock_jump(IN_VAIN_MS);
    pthread_join(thread, NULL);
}

int mount_drop_in_vain(struct mount *mount, struct error *err)
{
    struct change change = {.kind = CHANGE_DROP, .name = "audit"};
    mount_change_in_vain(mount, &change, 1);
    return error_copy(err, &change.error);
}

unsigned bucket_leases(struct bucket *bucket)
{
    struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, LEASES, NULL, 0);
    assert_int_equal(store_run(bucket->store, set, NULL, NULL), 0);
    unsigned leases = listing->answer.objects->len;
    store_set_unref(set);
    return leases;
}
