/*
 * The options that say where a catalog is and how to get at it: what forkfs and forkfs-fsck have in
 * common.
 *
 * Values; touches neither file system nor network.
 */
#ifndef FORKFS_PROGRAM_CATALOG_OPTIONS_H
#define FORKFS_PROGRAM_CATALOG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "program/option_table.h"
#include "store/s3/s3_store.h"

struct catalog_options {
    char *metadata; /* key prefix, "" or ending in '/' */
    char *storage;  /* the same; NULL: the catalog's default */
    uint64_t jobs;

    /* On S3 only; NULL: environment and profile say. */
    char *endpoint;
    char *region;
    char *profile;
    char *ca_file;
    char *local_metadata; /* as given; NULL: none */
    bool path_style;
    enum s3_client client;
};

/* Their rows of an option table, for a structure with a member of that type. */
/* clang-format off */
#define CATALOG_OPTION_ROWS(type, member) \
    {"jobs", OPTION_NUMBER, 1, 1024, offsetof(type, member.jobs), "N", \
     "requests to the store at a time (1 to 1024, default: 192)"}, \
    {"metadata", OPTION_PREFIX, 0, 0, offsetof(type, member.metadata), "PREFIX", \
     "where registry, schema and log lie (default: the top)"}, \
    {"storage", OPTION_PREFIX, 0, 0, offsetof(type, member.storage), "PREFIX", \
     "where all else lies (default: storage/; S3: datasets at URL)"}, \
    {"endpoint", OPTION_TEXT, 0, 0, offsetof(type, member.endpoint), "URL", \
     "S3: server (default: AWS), http[s]://HOST[:PORT]"}, \
    {"region", OPTION_TEXT, 0, 0, offsetof(type, member.region), "NAME", \
     "S3: region of the bucket (default: us-east-1)"}, \
    {"profile", OPTION_TEXT, 0, 0, offsetof(type, member.profile), "NAME", \
     "S3: profile in the files of AWS tools to take keys from"}, \
    {"path_style", OPTION_SET, 0, 0, offsetof(type, member.path_style), NULL, \
     "S3: the bucket is part of the path, not of the host name"}, \
    {"ca_file", OPTION_TEXT, 0, 0, offsetof(type, member.ca_file), "FILE", \
     "S3: certificates to trust instead of the system's (PEM)"}, \
    {"s3_client", OPTION_S3_CLIENT, 0, 0, offsetof(type, member.client), "NAME", \
     "S3: libs3 or curl for reads (default: what fits)"}, \
    {"local_metadata", OPTION_TEXT, 0, 0, offsetof(type, member.local_metadata), "DIR", \
     "S3: hybrid mode: where id_allocator.json and wal/ are"}
/* clang-format on */

void catalog_options_init(struct catalog_options *options);
void catalog_options_clear(struct catalog_options *options);

/* Whether they fit the catalog, as given on the command line: ERR_INVALID for a URL that cannot be
 * one, and for S3 options with a local directory. */
int catalog_options_check(const struct catalog_options *options, const char *catalog,
                          struct error *err);
/* Whether one option may be given: 0 on S3. `given`: whether it was. */
int catalog_option_needs_s3(const char *catalog, const char *option, bool given, struct error *err);

#endif
