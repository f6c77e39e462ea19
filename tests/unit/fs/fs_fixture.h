/*
 * Registries for tests of the adapter.
 */
#ifndef FORKFS_UNIT_FS_FS_FIXTURE_H
#define FORKFS_UNIT_FS_FS_FIXTURE_H

#include "catalog/registry/registry.h"

#define ID_A "01KYYN40FVQ2D7R9S4TAX6BCE3"
#define ID_B "01KYYN40FVQ2D7R9S4TAX6BCE4"
#define ID_C "01KYYN40FVQ2D7R9S4TAX6BCE5"
#define ID_D "01KYYN40FVQ2D7R9S4TAX6BCE6"

/* A fork of a registry to be made. */
struct fixture_fork {
    const char *key_source; /* as in JSON, without the quotes */
    const char *id;
    const char *status;
    const char *parent; /* id; NULL: none */
};

/* The registry object was modified at second 1 000 000 000; forks are created at 2026-08-01
 * 12:34:56.5 UTC. registry_unref(). */
struct registry *fixture_registry(const struct fixture_fork *forks, size_t count);

struct ulid fixture_id(const char *text);

#endif
