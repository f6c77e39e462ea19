/*
 * Uni's data types as they stand in JSON, externally tagged: "String", {"Vector": {"dimensions":
 * 8}},
 * {"List": T} ... Facts: docs/formats.md ("Schema overlay"). Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORMAT_DATA_TYPE_H
#define FORKFS_CATALOG_FORMAT_DATA_TYPE_H

#include "base/error.h"
#include "base/json_text.h"

/* Checks a value that is checked JSON. ERR_INVALID. */
int data_type_check(struct json_span value, struct error *err);

#endif
