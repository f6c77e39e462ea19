/*
 * Uni's data types as they stand in JSON, externally tagged: "String", {"List": T},
 * {"Vector": {"dimensions": 8}} ... Facts: docs/formats.md ("Schema overlay"). Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORMAT_DATA_TYPE_H
#define FORKFS_CATALOG_FORMAT_DATA_TYPE_H

#include <json-c/json.h>

#include "base/error.h"

/* Checks a value of a parsed document. ERR_INVALID. */
int data_type_check(struct json_object *value, struct error *err);

#endif
