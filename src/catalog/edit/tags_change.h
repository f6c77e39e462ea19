/*
 * Making and removing tags of forks (fork/tags.h).
 *
 * An intent (tag_intent.h) is on the store meanwhile, so that recovery can remove what a crash has
 * left of a tag. Any thread; waits for the store. The caller holds the fork's name lock.
 */
#ifndef FORKFS_CATALOG_EDIT_TAGS_CHANGE_H
#define FORKFS_CATALOG_EDIT_TAGS_CHANGE_H

#include "catalog/catalog_private.h"

/* Pins every branch of the fork. Nothing is written before all is known to be free: ERR_EXISTS. If
 * a put fails, those made are taken back; not so after ERR_OUTCOME_UNKNOWN. ERR_INVALID,
 * ERR_UNSUPPORTED (no datasets), ERR_CORRUPT (a branch without tip).
 *
 * Where other mounts write the catalog, it is asked whether the fork still lives when the tag refs
 * are there and before that is decided; a failure takes them back. Who drops the fork there looks
 * for tags after deciding so, and one of the two sees the other. */
int tags_create(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err);

/* Removes the tag from every branch of the fork. ERR_NOT_FOUND when the fork has no such tag. */
int tags_remove(struct catalog *catalog, const struct fork_entry *entry, const char *tag,
                struct operation *operation, struct error *err);

#endif
