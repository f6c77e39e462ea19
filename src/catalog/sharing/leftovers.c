#include "catalog/sharing/leftovers.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

/* The pause before the first try; doubles up to the longest one. */
#define PAUSE_SHORTEST_NS NS_PER_SECOND
#define PAUSE_LONGEST_NS (60 * NS_PER_SECOND)
#define PAUSE_RESTING_NS (120 * NS_PER_SECOND)

struct leftovers {
    pthread_mutex_t lock;
    GHashTable *kinds[LEFTOVER_KINDS]; /* id -> struct leftover */
    uint64_t added;
    int wake; /* eventfd; -1: there could be none */
};

static void leftover_free(void *pointer)
{
    struct leftover *leftover = pointer;
    bytes_unref(leftover->intent);
    g_free(leftover);
}

struct leftovers *leftovers_new(void)
{
    struct leftovers *leftovers = g_new0(struct leftovers, 1);
    pthread_mutex_init(&leftovers->lock, NULL);
    for (int kind = 0; kind < LEFTOVER_KINDS; kind++)
        leftovers->kinds[kind] =
            g_hash_table_new_full(g_str_hash, g_str_equal, NULL, leftover_free);
    leftovers->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return leftovers;
}

void leftovers_free(struct leftovers *leftovers)
{
    if (!leftovers)
        return;
    if (leftovers->wake >= 0)
        close(leftovers->wake);
    for (int kind = 0; kind < LEFTOVER_KINDS; kind++)
        g_hash_table_unref(leftovers->kinds[kind]);
    pthread_mutex_destroy(&leftovers->lock);
    g_free(leftovers);
}

/* Calls `visit` for each, with the lock held. */
static void visit_all(const struct leftovers *leftovers,
                      void (*visit)(struct leftover *leftover, void *argument), void *argument)
{
    for (int kind = 0; kind < LEFTOVER_KINDS; kind++) {
        GHashTableIter iterator;
        void *leftover;
        g_hash_table_iter_init(&iterator, leftovers->kinds[kind]);
        while (g_hash_table_iter_next(&iterator, NULL, &leftover))
            visit(leftover, argument);
    }
}

void leftovers_add(struct leftovers *leftovers, const struct leftover *left, int64_t not_before_ns)
{
    LOCK_SCOPE(&leftovers->lock);
    GHashTable *kind = leftovers->kinds[left->kind];
    struct leftover *leftover = g_hash_table_lookup(kind, left->id.text);
    if (!leftover) {
        leftover = g_new0(struct leftover, 1);
        leftover->kind = left->kind;
        leftover->id = left->id;
        g_hash_table_insert(kind, leftover->id.text, leftover);
    }
    bytes_unref(leftover->intent);
    leftover->intent = left->intent ? bytes_ref(left->intent) : NULL;
    leftover->until_ns = MAX(leftover->until_ns, left->until_ns);
    leftover->pause_ns = PAUSE_SHORTEST_NS;
    leftover->due_ns = MAX(monotonic_now_ns() + PAUSE_SHORTEST_NS, not_before_ns);
    leftover->serial = ++leftovers->added;
    if (leftovers->wake >= 0)
        eventfd_write(leftovers->wake, 1);
}

bool leftovers_has(struct leftovers *leftovers, enum leftover_kind kind, const struct ulid *id)
{
    LOCK_SCOPE(&leftovers->lock);
    return g_hash_table_contains(leftovers->kinds[kind], id->text);
}

int leftovers_fd(const struct leftovers *leftovers)
{
    return leftovers->wake;
}

static void take_earlier(struct leftover *leftover, void *argument)
{
    int64_t *due_ns = argument;
    *due_ns = MIN(*due_ns, leftover->due_ns);
}

int64_t leftovers_due_ns(struct leftovers *leftovers)
{
    eventfd_t count;
    int64_t due_ns = INT64_MAX;
    LOCK_SCOPE(&leftovers->lock);
    if (leftovers->wake >= 0)
        eventfd_read(leftovers->wake, &count);
    visit_all(leftovers, take_earlier, &due_ns);
    return due_ns;
}

struct due {
    GPtrArray *list;
    int64_t now_ns;
};

static void copy_if_due(struct leftover *leftover, void *argument)
{
    struct due *due = argument;
    if (due->now_ns < leftover->due_ns)
        return;
    struct leftover *copy = g_memdup2(leftover, sizeof *leftover);
    if (copy->intent)
        bytes_ref(copy->intent);
    g_ptr_array_add(due->list, copy);
}

GPtrArray *leftovers_due(struct leftovers *leftovers, int64_t now_ns)
{
    struct due due = {g_ptr_array_new_with_free_func(leftover_free), now_ns};
    LOCK_SCOPE(&leftovers->lock);
    visit_all(leftovers, copy_if_due, &due);
    return due.list;
}

/* With the lock held; NULL: it has been added anew since, or was ended. */
static struct leftover *find_same(const struct leftovers *leftovers, const struct leftover *due)
{
    struct leftover *leftover = g_hash_table_lookup(leftovers->kinds[due->kind], due->id.text);
    return leftover && leftover->serial == due->serial ? leftover : NULL;
}

void leftovers_end(struct leftovers *leftovers, const struct leftover *due)
{
    LOCK_SCOPE(&leftovers->lock);
    struct leftover *leftover = find_same(leftovers, due);
    if (leftover)
        g_hash_table_remove(leftovers->kinds[due->kind], due->id.text);
}

void leftovers_again(struct leftovers *leftovers, const struct leftover *due, bool rests,
                     int64_t now_ns)
{
    LOCK_SCOPE(&leftovers->lock);
    struct leftover *leftover = find_same(leftovers, due);
    if (!leftover)
        return;
    leftover->pause_ns = rests ? PAUSE_RESTING_NS : MIN(2 * leftover->pause_ns, PAUSE_LONGEST_NS);
    leftover->due_ns = now_ns + leftover->pause_ns;
}
