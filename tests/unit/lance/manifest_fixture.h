/*
 * Manifests that the engine wrote (tests/data/manifests), and manifests taken apart and put
 * together with the same messages that src/lance uses. What does not parse fails the test.
 */
#ifndef FORKFS_UNIT_LANCE_MANIFEST_FIXTURE_H
#define FORKFS_UNIT_LANCE_MANIFEST_FIXTURE_H

#include "base/bytes.h"
#include "lance/manifest.pb-c.h"

/* Bytes of a manifest file's end. */
#define MANIFEST_FOOTER_SIZE 16

/* NAME.manifest, by tests/engine/make-manifests*. bytes_unref(). */
struct bytes *manifest_sample(const char *name);

/* lance__manifest__free_unpacked(), lance__index_section__free_unpacked(). */
Lance__Manifest *manifest_unpacked(const struct bytes *file);
Lance__IndexSection *indices_unpacked(const struct bytes *file);

/* A manifest file of this message alone, without index section. */
struct bytes *manifest_file(const Lance__Manifest *manifest);
struct bytes *manifest_file_of(const void *message, size_t length); /* packed already */

/* The messages without what two makers of the same branch may differ in. */
struct bytes *manifest_comparable(const struct bytes *file);
struct bytes *indices_comparable(const struct bytes *file);

#endif
