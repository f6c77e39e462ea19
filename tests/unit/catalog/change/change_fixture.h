/*
 * A catalog without forks on a database of its own, and lists of changes, for tests of creates and
 * of what goes beyond one mkdir or rmdir.
 */
#ifndef FORKFS_UNIT_CATALOG_CHANGE_CHANGE_FIXTURE_H
#define FORKFS_UNIT_CATALOG_CHANGE_CHANGE_FIXTURE_H

#include "unit/catalog/database_fixture.h"

struct change_fixture {
    struct store *store;
    struct store *faults; /* around `store`, what the catalog uses */
    struct catalog *catalog;
};

/* cmocka's setup and teardown; *state is the fixture. A store with one thread, with four, or one on
 * disk. */
int change_set_up(void **state);
int change_set_up_wide(void **state);
int change_set_up_on_disk(void **state);
int change_tear_down(void **state);

/* Another mount, with settings (NULL: none). */
void change_fixture_reopen(struct change_fixture *fixture, const struct catalog_settings *settings);

/* Lines of a list. */
struct change create_line(const char *name, const char *parent);
struct change drop_line(const char *name);

/* Carries out a list with plenty of time, and fails the test unless the codes are these. */
void assert_changes(struct change_fixture *fixture, struct change *changes, const int *codes,
                    size_t count);
/* The same for a list of which every line succeeds. */
void assert_all_change(struct change_fixture *fixture, struct change *changes, size_t count);

/* The fork has the status, or no entry (-1). */
void assert_status(struct change_fixture *fixture, const char *name, int status);
/* The entry of a fork, as memory has it; fork_entry_unref(). */
struct fork_entry *change_fixture_entry(struct change_fixture *fixture, const char *name);

uint64_t registry_writes(struct change_fixture *fixture);

/* A list on a thread of its own. */
struct change_thread {
    struct change_fixture *fixture;
    struct change *changes;
    size_t count;
    struct operation operation;
    pthread_t thread;
};
void change_thread_start(struct change_thread *thread, struct change_fixture *fixture,
                         struct change *changes, size_t count);
void change_thread_join(struct change_thread *thread);

#endif
