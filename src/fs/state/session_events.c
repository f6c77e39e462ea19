/*
 * What the session is told from below: the registry has changed, the caretaker has done or seen
 * something. The kernel hears of it, and so do the files `events` and `errors`.
 */
#include <string.h>

#include "base/timestamp.h"
#include "fs/state/session_state.h"
#include "fs/tree/entry_name.h"

static void forget_changed(const struct fork_entry *was, const struct fork_entry *is, void *session)
{
    if (was)
        forget_attributes(session, &was->id);
}

void session_registry_changed(void *argument, const struct registry *before,
                              const struct registry *after)
{
    struct session *session = argument;
    forget_attributes(session, NULL);
    registry_compare(before, after, forget_changed, session);
    bool sweeping = __atomic_load_n(&session->sweeping, __ATOMIC_RELAXED);
    if (events_compare(session->events, timestamp_now(), before, after, sweeping))
        pollers_wake(session->pollers, session->notifier);
}

void session_sweeping(void *argument, bool begins)
{
    struct session *session = argument;
    __atomic_store_n(&session->sweeping, begins, __ATOMIC_RELAXED);
}

void session_recovered(void *argument, const struct recovery_report *report,
                       const struct error *failure)
{
    struct session *session = argument;
    if (report->rolled_back + report->finished + report->orphans > 0)
        log_info(session->log,
                 "recovery: %u half-made forks removed, %u drops finished, %u orphans removed",
                 report->rolled_back, report->finished, report->orphans);
    for (guint i = 0; i < report->problems->len; i++)
        session_note_failure(session, "recover", "forks", report->problems->pdata[i]);
    if (failure)
        session_note_failure(session, "recover", "forks", failure);
}

/* The fork that the sweeper calls so: by key, or by id when its key is no C string. */
static struct fork_entry *find_swept(const struct registry *registry, const char *fork)
{
    struct ulid id;
    struct fork_entry *entry = registry_find(registry, fork);
    if (!entry && ulid_parse(fork, strlen(fork), &id))
        entry = registry_find_id(registry, &id);
    return entry;
}

void session_care_failed(void *argument, const char *fork, const struct error *failure)
{
    struct session *session = argument;
    if (!fork) {
        session_note_failure(session, "refresh", "registry.json", failure);
        return;
    }
    auto_registry struct registry *registry = catalog_registry(session->catalog);
    const struct fork_entry *entry = find_swept(registry, fork);
    if (!entry)
        return; /* somebody else has dropped it */
    char name[ENTRY_NAME_SIZE];
    entry_name_of(entry, name);
    g_autofree char *path = g_strconcat("forks/", name, NULL);
    session_note_failure(session, "sweep", path, failure);
    events_add_sweep_failure(session->events, timestamp_now(), entry, failure);
    pollers_wake(session->pollers, session->notifier);
}

void session_overlay_changed(void *argument, const struct ulid *fork)
{
    struct session *session = argument;
    auto_registry struct registry *registry = catalog_registry(session->catalog);
    const struct fork_entry *entry = registry_find_id(registry, fork);
    if (!entry)
        return;
    events_add_overlay(session->events, timestamp_now(), entry);
    pollers_wake(session->pollers, session->notifier);
}
