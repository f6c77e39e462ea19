/*
 * What must be true of a manifest file that somebody has written, whatever is in it: shared by the
 * target that takes whole files and the one that takes messages.
 */
#ifndef FORKFS_FUZZ_MANIFEST_PROPERTIES_H
#define FORKFS_FUZZ_MANIFEST_PROPERTIES_H

#include "base/bytes.h"

/* Claims that a branch of the file, if one can be made, is a branch of it, and can be branched. */
void manifest_check_properties(const struct bytes *file);

#endif
