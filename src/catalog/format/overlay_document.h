/*
 * The rules of a schema overlay (Uni's SchemaDelta): added labels, edge types, properties, and
 * names of edge types without declaration.
 *
 * What is written must be what Uni reads: each element is checked as serde would. Members that we
 * do not know are kept. Facts: docs/formats.md ("Schema overlay"). Pure, thread-safe.
 */
#ifndef FORKFS_CATALOG_FORMAT_OVERLAY_DOCUMENT_H
#define FORKFS_CATALOG_FORMAT_OVERLAY_DOCUMENT_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

/* Checks a whole document and gives it in pretty form, without newline at the end. ERR_INVALID says
 * which element breaks which rule. *ret: bytes_unref(). */
int overlay_document_check(const struct bytes *text, struct bytes **ret, struct error *err);

/* The normal form of an overlay that is stored, whatever its elements are: ERR_CORRUPT when it is
 * no object. */
int overlay_document_normalise(const struct bytes *body, struct bytes **ret, struct error *err);

/* Whether one that is stored is an object and what it adds are lists; ERR_CORRUPT. */
int overlay_document_check_lists(const struct bytes *body, struct error *err);

/* Whether somebody has added something to the overlay of a fork since that was made: what it was
 * made with does not count. One that does not parse counts as written. */
bool overlay_document_is_written(const struct bytes *body);

/* Checks one of Uni's data types as it stands in JSON, externally tagged: "String", {"List": T},
 * {"Vector": {"dimensions": 8}} ... ERR_INVALID. */
int overlay_check_data_type(struct json_object *value, struct error *err);

/* Appends copies of those that are not there yet to `names` (char *, owned). Linear: there may be
 * as many as fit into a document. */
void overlay_document_add_names(GPtrArray *names, const GPtrArray *added);
/* Appends to `names` (char *, owned) the edge types without declaration that an overlay names and
 * that are not there yet. body NULL: absent, none. ERR_CORRUPT when it does not parse. */
int overlay_document_add_schemaless_types(const struct bytes *body, GPtrArray *names,
                                          struct error *err);

#endif
