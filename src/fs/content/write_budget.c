#include "fs/content/write_budget.h"

#include <glib.h>
#include <stdbool.h>

struct write_budget {
    size_t limit;
    size_t used; /* atomic */
};

struct write_budget *write_budget_new(size_t limit)
{
    struct write_budget *budget = g_new0(struct write_budget, 1);
    budget->limit = limit;
    return budget;
}

void write_budget_free(struct write_budget *budget)
{
    g_free(budget);
}

int write_budget_take(struct write_budget *budget, size_t size, struct error *err)
{
    if (!budget || size == 0)
        return 0;
    size_t used = __atomic_load_n(&budget->used, __ATOMIC_RELAXED);
    do {
        if (used > budget->limit || size > budget->limit - used)
            return error_set(err, ERR_NO_SPACE,
                             "what all open files together have been written, and is not stored or "
                             "read yet, would be more than %zu MiB (write_buffer)",
                             budget->limit >> 20);
    } while (!__atomic_compare_exchange_n(&budget->used, &used, used + size, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 0;
}

void write_budget_overdraw(struct write_budget *budget, size_t size)
{
    if (budget)
        __atomic_add_fetch(&budget->used, size, __ATOMIC_RELAXED);
}

void write_budget_give_back(struct write_budget *budget, size_t size)
{
    if (budget)
        __atomic_sub_fetch(&budget->used, size, __ATOMIC_RELAXED);
}
