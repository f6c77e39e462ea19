/*
 * The states of a create and of a drop: the moves that are written over the enums are made, any
 * other ends the program.
 */
#include "unit/unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catalog/change/create.h"
#include "catalog/change/drop.h"

struct move {
    unsigned from, to;
};

static void move_create(struct move move)
{
    struct create create = {.state = move.from};
    create_move(&create, move.to);
}

static void move_drop(struct move move)
{
    struct drop drop = {.state = move.from};
    drop_move(&drop, move.to);
}

static bool is_made(void (*make)(struct move move), struct move move)
{
    const struct rlimit none = {0};
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        close(STDOUT_FILENO); /* where GLib tells of it */
        close(STDERR_FILENO);
        make(move);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGABRT);
    return WIFEXITED(status);
}

static bool is_among(struct move move, const struct move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (moves[i].from == move.from && moves[i].to == move.to)
            return true;
    return false;
}

static void assert_only(void (*make)(struct move move), unsigned states, const struct move *moves,
                        size_t count)
{
    for (unsigned from = 0; from < states; from++) {
        for (unsigned to = 0; to < states; to++) {
            const struct move move = {from, to};
            if (is_made(make, move) != is_among(move, moves, count))
                fail_msg("from state %u to %u", from, to);
        }
    }
}

static void a_create_goes_the_way_that_is_written(void **state)
{
    static const struct move moves[] = {
        {CREATE_WISHED, CREATE_PLANNED}, {CREATE_PLANNED, CREATE_ENTERED},
        {CREATE_ENTERED, CREATE_FILED},  {CREATE_FILED, CREATE_ACTIVE},
        {CREATE_ENTERED, CREATE_FENCED}, {CREATE_FILED, CREATE_FENCED},
        {CREATE_FENCED, CREATE_GONE},    {CREATE_ENTERED, CREATE_LEFT},
        {CREATE_FILED, CREATE_LEFT},     {CREATE_FENCED, CREATE_LEFT},
        {CREATE_ENTERED, CREATE_TAKEN},  {CREATE_FILED, CREATE_TAKEN},
        {CREATE_ENTERED, CREATE_ACTIVE},
    };
    assert_only(move_create, CREATE_TAKEN + 1, moves, G_N_ELEMENTS(moves));
}

static void a_drop_goes_the_way_that_is_written(void **state)
{
    static const struct move moves[] = {
        {DROP_WISHED, DROP_CLOSED},  {DROP_CLOSED, DROP_DECIDED},   {DROP_DECIDED, DROP_AGREED},
        {DROP_AGREED, DROP_DELETED}, {DROP_DELETED, DROP_GONE},     {DROP_DECIDED, DROP_REFUSED},
        {DROP_AGREED, DROP_REFUSED}, {DROP_REFUSED, DROP_RESTORED}, {DROP_REFUSED, DROP_LEFT},
    };
    assert_only(move_drop, DROP_LEFT + 1, moves, G_N_ELEMENTS(moves));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_create_goes_the_way_that_is_written),
        cmocka_unit_test(a_drop_goes_the_way_that_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
