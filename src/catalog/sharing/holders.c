#include "catalog/sharing/holders.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "base/timestamp.h"

/* How many holders an error names; the file `holders` has them all. */
#define HOLDERS_NAMED 3

struct hold {
    struct fork_holds *fork;
    pid_t pid;
    char *command;
};

/* Exists while a fork has holds or a closed door. */
struct fork_holds {
    char id[ULID_LENGTH + 1];
    bool door_closed;
    GPtrArray *holds; /* struct hold, oldest first */
};

struct holders {
    pthread_mutex_t lock;
    pthread_cond_t released;
    GHashTable *forks; /* id text -> struct fork_holds */
    holders_observer *observer;
    void *observer_argument;
};

static void hold_free(void *pointer)
{
    struct hold *hold = pointer;
    g_free(hold->command);
    g_free(hold);
}

static void fork_holds_free(void *pointer)
{
    struct fork_holds *fork = pointer;
    g_ptr_array_unref(fork->holds);
    g_free(fork);
}

struct holders *holders_new(void)
{
    struct holders *holders = g_new0(struct holders, 1);
    pthread_mutex_init(&holders->lock, NULL);
    monotonic_cond_init(&holders->released);
    holders->forks = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, fork_holds_free);
    return holders;
}

void holders_free(struct holders *holders)
{
    if (!holders)
        return;
    g_hash_table_unref(holders->forks);
    pthread_cond_destroy(&holders->released);
    pthread_mutex_destroy(&holders->lock);
    g_free(holders);
}

static struct fork_holds *fork_holds_obtain(struct holders *holders, const struct ulid *id)
{
    struct fork_holds *fork = g_hash_table_lookup(holders->forks, id->text);
    if (fork)
        return fork;
    fork = g_new0(struct fork_holds, 1);
    memcpy(fork->id, id->text, sizeof fork->id);
    fork->holds = g_ptr_array_new_with_free_func(hold_free);
    g_hash_table_insert(holders->forks, fork->id, fork);
    return fork;
}

static void fork_holds_drop_if_idle(struct holders *holders, struct fork_holds *fork)
{
    if (!fork->door_closed && fork->holds->len == 0)
        g_hash_table_remove(holders->forks, fork->id);
}

/* A process may call itself anything; a line of `holders` must stay a line. */
static char *printable_command(const char *command)
{
    char *copy = g_strdup(command && *command ? command : "?");
    printable_replace(copy, '?');
    return copy;
}

void holders_observe(struct holders *holders, holders_observer *observer, void *argument)
{
    holders->observer = observer;
    holders->observer_argument = argument;
}

static void tell_observer(struct holders *holders)
{
    if (holders->observer)
        holders->observer(holders->observer_argument);
}

/* Adds a hold; *first: it is the fork's only one. */
static int add_hold(struct holders *holders, const struct ulid *id, struct hold *hold, bool *first,
                    struct error *err)
{
    LOCK_SCOPE(&holders->lock);
    struct fork_holds *fork = fork_holds_obtain(holders, id);
    if (fork->door_closed)
        return error_set(err, ERR_STALE, "fork %s is being dropped", id->text);
    hold->fork = fork;
    g_ptr_array_add(fork->holds, hold);
    *first = fork->holds->len == 1;
    return 0;
}

int holders_hold(struct holders *holders, const struct ulid *id, pid_t pid, const char *command,
                 struct hold **ret, struct error *err)
{
    struct hold *hold = g_new0(struct hold, 1);
    bool first = false;
    hold->pid = pid;
    hold->command = printable_command(command);
    int code = add_hold(holders, id, hold, &first, err);
    if (code) {
        hold_free(hold);
        return code;
    }
    if (first)
        tell_observer(holders);
    *ret = hold;
    return 0;
}

/* Returns whether it was the fork's last hold. */
static bool remove_hold(struct holders *holders, struct hold *hold)
{
    LOCK_SCOPE(&holders->lock);
    struct fork_holds *fork = hold->fork;
    g_ptr_array_remove(fork->holds, hold);
    bool last = fork->holds->len == 0;
    if (last)
        pthread_cond_broadcast(&holders->released);
    fork_holds_drop_if_idle(holders, fork);
    return last;
}

void holders_release(struct holders *holders, struct hold *hold)
{
    if (hold && remove_hold(holders, hold))
        tell_observer(holders);
}

static int error_held(const struct fork_holds *fork, struct error *err)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < fork->holds->len && i < HOLDERS_NAMED; i++) {
        const struct hold *hold = g_ptr_array_index(fork->holds, i);
        g_string_append_printf(names, "%s%jd %s", i ? ", " : "", (intmax_t)hold->pid,
                               hold->command);
    }
    if (fork->holds->len > HOLDERS_NAMED)
        g_string_append(names, ", ...");
    return error_set(err, ERR_HELD, "held by %u open handle%s: %s", fork->holds->len,
                     fork->holds->len == 1 ? "" : "s", names->str);
}

static int close_door_when_idle(struct holders *holders, const struct ulid *id,
                                int64_t drain_until_ns, struct operation *operation,
                                struct error *err)
{
    LOCK_SCOPE(&holders->lock);
    for (;;) {
        struct fork_holds *fork = fork_holds_obtain(holders, id);
        if (fork->holds->len == 0) {
            fork->door_closed = true;
            return 0;
        }
        int code = operation_check(operation, "waiting for the holders", err);
        if (code)
            return code;
        if (monotonic_now_ns() >= drain_until_ns)
            return error_held(fork, err);
        int64_t until_ns = drain_until_ns;
        if (operation && operation->deadline_ns < until_ns)
            until_ns = operation->deadline_ns;
        monotonic_cond_wait(&holders->released, &holders->lock, until_ns);
    }
}

int holders_close_door(struct holders *holders, const struct ulid *id, int64_t drain_ms,
                       struct operation *operation, struct error *err)
{
    int64_t drain_until_ns = monotonic_now_ns() + drain_ms * NS_PER_MS;
    operation_watch(operation, &holders->released, &holders->lock);
    int code = close_door_when_idle(holders, id, drain_until_ns, operation, err);
    operation_unwatch(operation);
    return code;
}

void holders_open_door(struct holders *holders, const struct ulid *id)
{
    LOCK_SCOPE(&holders->lock);
    struct fork_holds *fork = g_hash_table_lookup(holders->forks, id->text);
    if (!fork)
        return;
    fork->door_closed = false;
    fork_holds_drop_if_idle(holders, fork);
}

GHashTable *holders_snapshot(struct holders *holders)
{
    GHashTable *held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    LOCK_SCOPE(&holders->lock);
    GHashTableIter iterator;
    void *value;
    g_hash_table_iter_init(&iterator, holders->forks);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const struct fork_holds *fork = value;
        if (fork->holds->len > 0)
            g_hash_table_insert(held, g_strdup(fork->id), GUINT_TO_POINTER(fork->holds->len));
    }
    return held;
}

size_t holders_count(struct holders *holders, const struct ulid *id)
{
    LOCK_SCOPE(&holders->lock);
    struct fork_holds *fork = g_hash_table_lookup(holders->forks, id->text);
    return fork ? fork->holds->len : 0;
}

size_t holders_total(struct holders *holders)
{
    size_t total = 0;
    LOCK_SCOPE(&holders->lock);
    GHashTableIter iterator;
    void *fork;
    g_hash_table_iter_init(&iterator, holders->forks);
    while (g_hash_table_iter_next(&iterator, NULL, &fork))
        total += ((const struct fork_holds *)fork)->holds->len;
    return total;
}

struct bytes *holders_render(struct holders *holders, const struct ulid *id)
{
    g_autoptr(GString) text = g_string_new(NULL);
    LOCK_SCOPE(&holders->lock);
    struct fork_holds *fork = g_hash_table_lookup(holders->forks, id->text);
    for (guint i = 0; fork && i < fork->holds->len; i++) {
        const struct hold *hold = g_ptr_array_index(fork->holds, i);
        g_string_append_printf(text, "%jd %s\n", (intmax_t)hold->pid, hold->command);
    }
    return bytes_new(text->str, text->len);
}
