/*
 * The datasets that are to be added to a fork that lives: read from what the user wrote, and what
 * the store has of their branches.
 *
 * No locks: a list of them belongs to the registration that made it.
 */
#ifndef FORKFS_CATALOG_EDIT_ADDITIONS_H
#define FORKFS_CATALOG_EDIT_ADDITIONS_H

#include "catalog/catalog_private.h"

struct addition {
    char *dataset;
    char *branch;
    bool make;                       /* written as null: it is made if it is not there */
    const struct store_request *ref; /* of the last look, with `tip`; NULL before */
    const struct store_request *tip;
    struct branch_plan *plan; /* of a branch to be made */
    size_t first, end;        /* its puts: first to end - 1 */
};

/* Reads a JSON object dataset -> branch name or null. *ret: struct addition, one for each that the
 * entry does not have; g_ptr_array_unref(). ERR_INVALID; ERR_CONFLICT: the entry has another. */
int additions_parse(const struct fork_entry *entry, const struct bytes *text, GPtrArray **ret,
                    struct error *err);

/* Looks in one wave whether the branches are there. `set`, which is empty, takes the requests and
 * must live until the next look. ERR_INVALID for a branch that is named and not there; errors of
 * the store. */
int additions_look(const GPtrArray *additions, const struct catalog *catalog, struct store_set *set,
                   struct operation *operation, struct error *err);

/* By the last look: whether the branch is still to be made; and if so, whether something of it is
 * there, the remainder of a crash that nobody registered. */
bool addition_is_to_be_made(const struct addition *addition);
bool addition_is_zombie(const struct addition *addition);

/* The first dataset whose branch is to be made; NULL: there is none. */
const char *additions_first_to_be_made(const GPtrArray *additions);

/* Those that are chosen (NULL: all) as struct dataset_branch; g_ptr_array_unref(). */
GPtrArray *additions_branches(const GPtrArray *additions, bool (*choose)(const struct addition *));

#endif
