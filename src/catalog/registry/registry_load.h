/*
 * Reading the registry object from the store.
 */
#ifndef FORKFS_CATALOG_REGISTRY_REGISTRY_LOAD_H
#define FORKFS_CATALOG_REGISTRY_REGISTRY_LOAD_H

#include "base/operation.h"
#include "catalog/registry/registry.h"
#include "store/store.h"

/* Reads and parses the object `key` as it is now. Only a definite "absent" is an empty registry;
 * any other failure is one; and it is ERR_AWAY when `previous` (may be NULL), with which *ret
 * shares unchanged entries, was there: nobody removes a registry, the last drop leaves an empty
 * one. ERR_CORRUPT, errors of the store. */
int registry_load(struct store *store, const char *key, const struct registry *previous,
                  struct operation *operation, struct registry **ret, struct error *err);

#endif
