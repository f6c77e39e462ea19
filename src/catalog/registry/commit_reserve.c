/*
 * The reserve of the registry: so that an image can be put that leads to less on the store although
 * the store is full.
 */
#include "base/cleanup.h"
#include "catalog/registry/committer_private.h"

/* How much more than is needed now, so that not every commit has to ask for more. */
#define ROOM_AHEAD (UINT64_C(32) << 10)
#define BLOCK 4096

/* For the next image that only makes room: a few bytes more for each entry that it marks. */
static uint64_t room_needed(uint64_t size)
{
    return size + (size / 64) + BLOCK;
}

void commit_reserve_offer(const struct committer *committer, struct store_request *put)
{
    if (committer->reserve && put->precondition != STORE_IF_ABSENT)
        store_request_use_reserve(put, committer->reserve);
}

static void note_failure(struct committer *committer, const struct error *failure)
{
    LOCK_SCOPE(&committer->lock);
    committer->unreserved = *failure;
}

static void ask_for(struct committer *committer, uint64_t wanted, uint64_t needed,
                    struct operation *attempt)
{
    struct error failure = {0};
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *request =
        store_set_reserve(set, committer->key, committer->reserve, wanted);
    store_run_all(committer->store, set, 0, attempt, &failure);
    committer->reserved = failure.code ? request->answer.size : wanted;
    if (committer->reserved >= needed)
        failure = (struct error){0};
    note_failure(committer, &failure);
}

/* Who has taken it gets back as much, and no more: what was free is to stay so. */
void commit_reserve_keep(struct committer *committer, bool was_taken, struct operation *attempt)
{
    auto_registry struct registry *registry = registry_image_get(&committer->image);
    if (!committer->reserve || !registry->etag)
        return;
    uint64_t needed = room_needed(registry->text->size);
    if (was_taken)
        ask_for(committer, committer->reserved > 0 ? committer->reserved : needed, needed, attempt);
    else if (committer->reserved < needed)
        ask_for(committer, needed + ROOM_AHEAD, needed, attempt);
}
