/*
 * A sweep over what is moved away in a directory, and comes back: at any request of a change, for
 * that one request, until the change has ended, or for every other request from then on. Whatever
 * the change answers, it has happened or it has not, once the mount has finished what it left.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "catalog/fsck/fsck.h"
#include "unit/catalog/fault_fixture.h"
#include "unit/virtual_clock.h"

/* A stride of 1 was tried once. */
#define STRIDE (2 + FAULT_STRIDE)

static const char *const directories[] = {
    "storage/edges.lance",
    "storage/edges.lance/_refs",
    "storage/edges.lance/tree",
    "storage/edges.lance/_refs/branches",
    "catalog/fork_schemas",
    "catalog/forks",
    "catalog",
    "storage",
};

enum span { TO_THE_END, FOR_ONE_REQUEST, FOR_EVERY_OTHER, SPANS };
static const char *const span_names[SPANS] = {"to the end", "for one request", "for every other"};

/* What the change at hand meets; one at a time. */
static struct {
    char *path, *elsewhere;
    enum span span;
    bool is_registry; /* it holds that */
    bool is_away;
    bool is_made_anew; /* by the change, in its place */
    unsigned moves;
} move;

static void move_back(void)
{
    if (move.is_away && rename(move.elsewhere, move.path) != 0)
        move.is_made_anew = true;
    move.is_away = false;
}

/* Called at each request from the n-th on. Without the registry a commit is tried again until the
 * time is over, which passes with the requests. */
static void move_on(int64_t unused)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    LOCK_SCOPE(&lock);
    if (move.is_registry && move.moves > 0)
        virtual_clock_jump(AMPLE_MS);
    if (move.is_away && move.span != TO_THE_END)
        move_back();
    else if (move.moves++ == 0 || move.span == FOR_EVERY_OTHER)
        move.is_away = rename(move.path, move.elsewhere) == 0;
}

/* ---- The changes ---- */

struct swept {
    const char *name;
    change_function *prepare; /* NULL: nothing */
    change_function *change;
};

static const struct swept create = {"create", NULL, make_what_if};
static const struct swept drop = {"drop", make_what_if, drop_what_if};
static const struct swept tagging = {"tag", NULL, tag_fork};
static const struct swept untagging = {"untag", tag_fork, untag_fork};
static const struct swept enrolling = {"registration of a dataset", NULL, enroll_ghost};

/* So that the mount has seen all directories that there are of forks. */
static void see_all(struct catalog *catalog)
{
    struct error err = {0};
    if (make_what_if(catalog, NULL, &err) || tag_fork(catalog, NULL, &err) ||
        untag_fork(catalog, NULL, &err) || drop_what_if(catalog, NULL, &err))
        fail_msg("%s", err.text);
}

static void run_prepare(const struct swept *swept, struct catalog *catalog)
{
    struct error err = {0};
    see_all(catalog);
    if (swept->prepare && swept->prepare(catalog, NULL, &err))
        fail_msg("%s", err.text);
}

static void assert_nothing_is_left(const struct swept *swept, struct store *store, unsigned n)
{
    g_autoptr(GPtrArray) findings = NULL;
    struct layout *layout = NULL;
    struct error err = {0};
    assert_int_equal(layout_new("", "storage/", "/srv/graph/storage", &layout, NULL), 0);
    if (catalog_fsck(store, layout, NULL, &findings, &err))
        fail_msg("%s", err.text);
    for (guint i = 0; i < findings->len; i++) {
        const struct fsck_finding *finding = g_ptr_array_index(findings, i);
        print_error("%s, %s away at request %u, %s: %s\n", swept->name, move.path, n,
                    span_names[move.span], finding->text);
    }
    layout_free(layout);
    assert_int_equal(findings->len, 0);
}

/* Returns whether there was an n-th request. */
static bool meet_move(const struct swept *swept, const char *directory, unsigned n)
{
    static const struct fault moving = {.name = "moved away"};
    struct store *store = fault_database_after(NULL), *wrapper;
    struct catalog *catalog = fixture_open(store, &wrapper);
    struct error err = {0};
    move.path = g_strdup_printf("%s/%s", fixture_path_on_disk(store), directory);
    move.elsewhere = g_strconcat(move.path, ".away", NULL);
    move.moves = 0;
    move.is_made_anew = false;
    move.is_registry = strcmp(directory, "catalog") == 0;
    run_prepare(swept, catalog);
    fault_store_set_delay(wrapper, 0);
    fault_store_when_fired(wrapper, move_on, 0);
    fault_store_arm(wrapper, FAULT_DELAY, FAULT_ALL, n, true, 0);
    run_change(catalog, swept->change, &err);
    fault_store_disarm(wrapper);
    bool fired = fault_store_fired(wrapper);
    move_back();
    if (move.is_made_anew)
        fail_msg("%s: %s was made anew at request %u, %s", swept->name, move.path, n,
                 span_names[move.span]);
    finish_leftovers(catalog, store, &moving, n);
    assert_neighbour_unharmed(store);
    assert_nothing_is_left(swept, store, n);
    store_free(store);
    g_free(move.path);
    g_free(move.elsewhere);
    return fired;
}

static void sweep(const struct swept *swept)
{
    for (size_t i = 0; i < G_N_ELEMENTS(directories); i++) {
        for (unsigned span = 0; span < SPANS; span++) {
            unsigned n = 1 + (unsigned)(i + span) % STRIDE;
            move.span = span;
            while (meet_move(swept, directories[i], n)) {
                n += STRIDE;
                assert_true(n < FAULT_STEPS_MAX);
            }
        }
    }
}

static void a_create_during_which_a_directory_is_moved_leaves_nothing_or_all(void **state)
{
    sweep(&create);
}

static void a_drop_during_which_a_directory_is_moved_leaves_nothing_or_all(void **state)
{
    sweep(&drop);
}

static void a_tag_during_which_a_directory_is_moved_is_whole_or_none(void **state)
{
    sweep(&tagging);
}

static void an_untag_during_which_a_directory_is_moved_leaves_all_or_nothing(void **state)
{
    sweep(&untagging);
}

static void a_registration_during_which_a_directory_is_moved_leaves_no_branch_behind(void **state)
{
    sweep(&enrolling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_create_during_which_a_directory_is_moved_leaves_nothing_or_all),
        cmocka_unit_test(a_drop_during_which_a_directory_is_moved_leaves_nothing_or_all),
        cmocka_unit_test(a_tag_during_which_a_directory_is_moved_is_whole_or_none),
        cmocka_unit_test(an_untag_during_which_a_directory_is_moved_leaves_all_or_nothing),
        cmocka_unit_test(a_registration_during_which_a_directory_is_moved_leaves_no_branch_behind),
    };
    fault_fixture_use(fixture_database_on_disk);
    return cmocka_run_group_tests(tests, fault_fixture_on_one_processor, NULL);
}
