/*
 * Every object store, for the tests of what they all promise.
 */
#ifndef FORKFS_UNIT_STORE_CONTRACT_FIXTURE_H
#define FORKFS_UNIT_STORE_CONTRACT_FIXTURE_H

#include "store/store.h"

int set_up_memory(void **state);
int set_up_local(void **state);
int set_up_wrapped(void **state); /* local, behind the fault wrapper */
int set_up_routed(void **state);  /* local, with a route to another directory that is never taken */
int set_up_preview(void **state); /* over an empty local one */
int set_up_s3(void **state);      /* a server in memory: small pages, If-Match without quotes */
int tear_down_store(void **state);

struct store *store_of(void **state);

/* For arrays of struct CMUnitTest. Versions of clang-format do not agree on braces in a macro. */
/* clang-format off */
#define ON(kind, test) {#kind ": " #test, test, set_up_##kind, tear_down_store, NULL}
/* clang-format on */
#define ON_EACH(test)                                                                              \
    ON(memory, test), ON(local, test), ON(wrapped, test), ON(routed, test), ON(preview, test),     \
        ON(s3, test)

#endif
