#include "unit/unit.h"

#include <pthread.h>
#include <string.h>

#include "catalog/format/lease.h"
#include "catalog/sharing/leases.h"
#include "unit/stores/fault_store.h"
#include "unit/stores/memory_store.h"

#define LEASE_MS 1000
#define DELETE_MS 10000

/* ---- A clock of our own ---- */

static int64_t now_ms;

static int64_t test_clock(void)
{
    return now_ms * 1000000;
}

/* ---- Fixture ---- */

struct fixture {
    struct store *store; /* over `inner` */
    struct store *inner;
    struct layout *layout;
    struct leases *leases;
    struct ulid fork;
    struct ulid mount;
    char *key; /* of its lease */
    unsigned appeared;
};

static void count_appeared(void *argument)
{
    ((struct fixture *)argument)->appeared++;
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    now_ms = 5000000;
    fixture->inner = fault_store_new(memory_store_new(1), true);
    fixture->store = fault_store_new(fixture->inner, true);
    assert_int_equal(layout_new("", "storage/", "/x", &fixture->layout, NULL), 0);
    struct leases_settings settings = {.store = fixture->store,
                                       .layout = fixture->layout,
                                       .lease_ms = LEASE_MS,
                                       .delete_ms = DELETE_MS,
                                       .now_ns = test_clock,
                                       .appeared = count_appeared,
                                       .argument = fixture};
    fixture->leases = leases_new(&settings);
    fixture->fork = ulid_new();
    fixture->mount = ulid_new();
    fixture->key = layout_lease_key(fixture->layout, &fixture->mount);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    leases_free(fixture->leases);
    store_free(fixture->store);
    layout_free(fixture->layout);
    g_free(fixture->key);
    g_free(fixture);
    return 0;
}

static void put_text(struct fixture *fixture, const char *key, const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    assert_int_equal(store_put(fixture->store, key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
}

/* The other mount stores its lease (anew). */
static void put_lease(struct fixture *fixture, bool holds, bool closed)
{
    static uint64_t sequence;
    struct lease *lease = lease_new(&fixture->mount, "alpha", 77);
    lease->sequence = ++sequence;
    if (holds)
        g_hash_table_insert(lease->held, g_strdup(fixture->fork.text), GUINT_TO_POINTER(2));
    if (closed)
        g_hash_table_add(lease->closed, g_strdup(fixture->fork.text));
    auto_bytes struct bytes *body = lease_render(lease);
    assert_int_equal(
        store_put(fixture->store, fixture->key, body, STORE_ALWAYS, NULL, NULL, NULL, NULL), 0);
    lease_free(lease);
}

static void look(struct fixture *fixture)
{
    assert_int_equal(leases_refresh(fixture->leases, NULL, NULL), 0);
}

static void look_after(struct fixture *fixture, int64_t ms)
{
    now_ms += ms;
    look(fixture);
}

static enum lease_verdict ask(struct fixture *fixture)
{
    return leases_ask(fixture->leases, &fixture->fork, test_clock(), NULL);
}

/* ---- Documents ---- */

static void a_lease_is_a_document_as_the_others(void **state)
{
    struct ulid id, fork;
    assert_true(ulid_parse("01JAAAAAAAAAAAAAAAAAAAAAAA", ULID_LENGTH, &id));
    assert_true(ulid_parse("01JBBBBBBBBBBBBBBBBBBBBBBB", ULID_LENGTH, &fork));
    struct lease *lease = lease_new(&id, "alpha", 77);
    lease->sequence = 3;
    auto_bytes struct bytes *empty = lease_render(lease);
    assert_string_equal(empty->data, "{\n  \"mount\": \"01JAAAAAAAAAAAAAAAAAAAAAAA\",\n"
                                     "  \"host\": \"alpha\",\n  \"pid\": 77,\n  \"sequence\": 3,\n"
                                     "  \"held\": {},\n  \"closed\": []\n}");
    g_hash_table_insert(lease->held, g_strdup(fork.text), GUINT_TO_POINTER(2));
    g_hash_table_add(lease->closed, g_strdup(id.text));
    auto_bytes struct bytes *body = lease_render(lease);
    struct lease *read = NULL;
    assert_int_equal(lease_parse(&id, body, &read, NULL), 0);
    assert_true(lease_says_the_same(lease, read));
    assert_string_equal(read->host, "alpha");
    assert_int_equal(read->pid, 77);
    assert_int_equal(read->sequence, 3);
    assert_int_equal(GPOINTER_TO_UINT(g_hash_table_lookup(read->held, fork.text)), 2);
    g_hash_table_remove_all(read->held);
    assert_false(lease_says_the_same(lease, read));
    lease_free(read);
    lease_free(lease);
}

static int parse(const char *text, char **ret_host)
{
    struct ulid id;
    struct lease *lease = NULL;
    auto_bytes struct bytes *body = bytes_new_text(text);
    assert_true(ulid_parse("01JAAAAAAAAAAAAAAAAAAAAAAA", ULID_LENGTH, &id));
    int code = lease_parse(&id, body, &lease, NULL);
    if (code == 0 && ret_host)
        *ret_host = g_strdup(lease->host);
    if (code == 0)
        lease_free(lease);
    return code;
}

#define MOUNT "\"mount\": \"01JAAAAAAAAAAAAAAAAAAAAAAA\", "
#define HOST "\"host\": \"a\", "
#define REST "\"pid\": 1, \"sequence\": 1, "
#define SETS "\"held\": {}, \"closed\": []"

static void hostile_leases_do_not_parse(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{" MOUNT HOST REST "\"held\": {}}",
        "{" MOUNT HOST REST "\"held\": {\"x\": 1}, \"closed\": []}",
        "{" MOUNT HOST REST "\"held\": {\"01JAAAAAAAAAAAAAAAAAAAAAAA\": -1}, \"closed\": []}",
        "{" MOUNT HOST REST "\"held\": [], \"closed\": []}",
        "{" MOUNT HOST REST "\"held\": {}, \"closed\": [1]}",
        "{" MOUNT HOST REST "\"held\": {}, \"closed\": {}}",
        "{" MOUNT "\"host\": 1, " REST SETS "}",
        "{" MOUNT HOST "\"pid\": -1, \"sequence\": 1, " SETS "}",
        "{\"mount\": \"01JBBBBBBBBBBBBBBBBBBBBBBB\", " HOST REST SETS "}",
        "{" MOUNT HOST REST SETS "} x",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (parse(texts[i], NULL) != ERR_CORRUPT)
            fail_msg("parsed: %s", texts[i]);
}

static void what_later_versions_add_is_ignored(void **state)
{
    g_autofree char *host = NULL;
    assert_int_equal(parse("{\"new\": [1], " MOUNT "\"host\": \"a\\nb\", " REST SETS "}", &host),
                     0);
    assert_string_equal(host, "a?b"); /* a line stays a line */
}

/* ---- Holds ---- */

static void without_other_mounts_all_agree(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture), LEASES_TO_ANSWER); /* nobody has looked */
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_AGREE);
    assert_int_equal(leases_others(fixture->leases), 0);
    assert_int_equal(fixture->appeared, 0);
}

static void a_hold_elsewhere_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    put_lease(fixture, true, false);
    look(fixture);
    assert_int_equal(fixture->appeared, 1);
    assert_int_equal(leases_check_held(fixture->leases, &fixture->fork, &err), ERR_HELD);
    assert_non_null(strstr(err.text, "pid 77 on host alpha (2 open handles)"));
    assert_int_equal(ask(fixture), LEASES_HOLD);
    put_lease(fixture, false, true);
    look(fixture);
    assert_int_equal(leases_check_held(fixture->leases, &fixture->fork, NULL), 0);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void a_mount_that_has_not_closed_the_fork_has_not_answered(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    put_lease(fixture, false, false);
    look(fixture);
    assert_int_equal(leases_ask(fixture->leases, &fixture->fork, test_clock(), &err),
                     LEASES_TO_ANSWER);
    assert_non_null(strstr(err.text, "pid 77 on host alpha"));
}

static void an_answer_from_before_the_question_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, false, true);
    look(fixture);
    now_ms++;
    assert_int_equal(ask(fixture), LEASES_TO_ANSWER);
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void an_answer_that_has_changed_since_and_cannot_be_read_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, false, true);
    look(fixture);
    put_lease(fixture, false, false);
    fault_store_arm(fixture->store, FAULT_FAIL, 1u << STORE_GET, 1, true, ERR_IO);
    assert_int_equal(leases_refresh(fixture->leases, NULL, NULL), ERR_IO);
    assert_int_equal(ask(fixture), LEASES_TO_ANSWER);
    fault_store_disarm(fixture->store);
}

static void *look_in_a_thread(void *fixture)
{
    look(fixture);
    return NULL;
}

static void an_older_look_does_not_replace_what_a_newer_one_has_listed(void **state)
{
    struct fixture *fixture = *state;
    pthread_t older;
    put_lease(fixture, false, false);
    fault_store_arm(fixture->store, FAULT_DELAY, 1u << STORE_GET, 1, false, 0);
    assert_int_equal(pthread_create(&older, NULL, look_in_a_thread, fixture), 0);
    fault_store_wait_held(fixture->store);
    now_ms++;
    put_lease(fixture, false, false);
    fault_store_arm(fixture->inner, FAULT_FAIL, 1u << STORE_GET, 1, false, ERR_IO);
    assert_int_equal(leases_refresh(fixture->leases, NULL, NULL), ERR_IO); /* listed, not read */
    put_lease(fixture, false, true);
    fault_store_release(fixture->store);
    pthread_join(older, NULL);
    assert_int_equal(ask(fixture), LEASES_TO_ANSWER);
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void the_own_lease_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, true, false);
    leases_set_own(fixture->leases, &fixture->mount);
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void other_objects_are_no_leases(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, "storage/catalog/fork_leases/readme.txt", "x");
    put_text(fixture, "storage/catalog/fork_leases/01jaaaaaaaaaaaaaaaaaaaaaaa.json", "x");
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void a_lease_that_does_not_parse_holds_everything_until_it_runs_out(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    put_text(fixture, fixture->key, "{}");
    look(fixture);
    assert_int_equal(leases_check_held(fixture->leases, &fixture->fork, &err), ERR_HELD);
    assert_non_null(strstr(err.text, "does not parse"));
    assert_int_equal(ask(fixture), LEASES_HOLD);
    look_after(fixture, 2 * LEASE_MS);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

/* ---- Time ---- */

static void a_lease_that_does_not_change_runs_out(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, true, false);
    look(fixture);
    look_after(fixture, LEASE_MS);
    assert_int_equal(ask(fixture), LEASES_HOLD);
    assert_int_equal(leases_others(fixture->leases), 1);
    look_after(fixture, LEASE_MS / 5);
    assert_int_equal(ask(fixture), LEASES_AGREE);
    assert_int_equal(leases_others(fixture->leases), 0);
    put_lease(fixture, true, false); /* it is back */
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_HOLD);
    assert_int_equal(fixture->appeared, 2);
}

static void a_lease_that_is_renewed_does_not_run_out(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 5; i++) {
        put_lease(fixture, true, false);
        look_after(fixture, LEASE_MS / 2);
    }
    assert_int_equal(ask(fixture), LEASES_HOLD);
}

/* A mount that was asleep itself has to look before it believes that others are dead. */
static void time_alone_lets_no_lease_run_out(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, true, false);
    look(fixture);
    now_ms += INT64_C(100) * LEASE_MS;
    assert_int_equal(leases_check_held(fixture->leases, &fixture->fork, NULL), ERR_HELD);
    put_lease(fixture, true, false);
    look(fixture);
    assert_int_equal(ask(fixture), LEASES_HOLD);
}

static void a_lease_that_ran_out_long_ago_is_deleted(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, true, false);
    look(fixture);
    look_after(fixture, DELETE_MS);
    look_after(fixture, 1);
    auto_bytes struct bytes *body = NULL;
    assert_int_equal(store_get(fixture->store, fixture->key, NULL, &body, NULL, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void a_lease_that_was_deleted_is_nobodys(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, true, false);
    look(fixture);
    assert_int_equal(store_delete(fixture->store, fixture->key, NULL, NULL), 0);
    look_after(fixture, 1);
    assert_int_equal(ask(fixture), LEASES_AGREE);
}

static void a_lease_is_read_again_only_when_it_has_changed(void **state)
{
    struct fixture *fixture = *state;
    put_lease(fixture, false, false);
    look(fixture);
    unsigned gets = fault_store_total(fixture->store, STORE_GET);
    look_after(fixture, 1);
    look_after(fixture, 1);
    assert_int_equal(fault_store_total(fixture->store, STORE_GET), gets);
    put_lease(fixture, false, false);
    look_after(fixture, 1);
    assert_int_equal(fault_store_total(fixture->store, STORE_GET), gets + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_a_document_as_the_others),
        cmocka_unit_test(hostile_leases_do_not_parse),
        cmocka_unit_test(what_later_versions_add_is_ignored),
        TEST(without_other_mounts_all_agree),
        TEST(a_hold_elsewhere_is_named),
        TEST(a_mount_that_has_not_closed_the_fork_has_not_answered),
        TEST(an_answer_from_before_the_question_does_not_count),
        TEST(an_answer_that_has_changed_since_and_cannot_be_read_does_not_count),
        TEST(an_older_look_does_not_replace_what_a_newer_one_has_listed),
        TEST(the_own_lease_is_left_out),
        TEST(other_objects_are_no_leases),
        TEST(a_lease_that_does_not_parse_holds_everything_until_it_runs_out),
        TEST(a_lease_that_does_not_change_runs_out),
        TEST(a_lease_that_is_renewed_does_not_run_out),
        TEST(time_alone_lets_no_lease_run_out),
        TEST(a_lease_that_ran_out_long_ago_is_deleted),
        TEST(a_lease_that_was_deleted_is_nobodys),
        TEST(a_lease_is_read_again_only_when_it_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
