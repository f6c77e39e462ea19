/*
 * Which branches belong to forks that a registry knows, and with their parents, as far as anybody
 * can tell without reading their refs; for whoever asks that of thousands of names.
 *
 * Thread-safe; immutable, and referenced by whoever asks.
 */
#ifndef FORKFS_CATALOG_FORK_KNOWN_FORKS_H
#define FORKFS_CATALOG_FORK_KNOWN_FORKS_H

#include <stdbool.h>

#include "catalog/registry/registry.h"

struct known_forks;

struct known_forks *known_forks_new(const struct registry *registry);
struct known_forks *known_forks_ref(struct known_forks *known);
void known_forks_unref(struct known_forks *known); /* NULL: nothing */

/* Whether a branch, by its name or its file's, which begins the same, is a fork's own:
 * "fork_<ULID of an entry>_...", and the entry has had this parent as long as it was seen. */
bool known_forks_have(const struct known_forks *known, const char *branch);

#endif
