/*
 * A lease: what one writable mount of a shared catalog says about itself to the others, as an
 * object of its own below layout_leases_prefix(). Format: docs/formats.md.
 *
 * Values without threads of their own; see leases.h (those of others) and lease_keeper.h (ours).
 */
#ifndef FORKFS_CATALOG_FORMAT_LEASE_H
#define FORKFS_CATALOG_FORMAT_LEASE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ulid.h"

struct lease {
    struct ulid id;     /* of the lease, which is its name on the store */
    char *host;         /* where the mount is, for people */
    uint64_t pid;       /* of the mount's process there */
    uint64_t sequence;  /* goes up with every put, so that every put is seen */
    GHashTable *held;   /* id text -> GUINT_TO_POINTER(number of open handles) */
    GHashTable *closed; /* set of id texts: forks on which the mount takes no new holds */
};

struct lease *lease_new(const struct ulid *id, const char *host, uint64_t pid);
void lease_free(struct lease *lease); /* NULL: nothing */

struct bytes *lease_render(const struct lease *lease);

/* `id`: from the object's name, which the document must repeat. Unknown members are ignored.
 * ERR_CORRUPT. */
int lease_parse(const struct ulid *id, const struct bytes *body, struct lease **ret,
                struct error *err);

/* Whether two leases hold and close the same forks, whatever the number of handles. */
bool lease_says_the_same(const struct lease *a, const struct lease *b);

#endif
