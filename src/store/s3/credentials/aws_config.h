/*
 * The format of the files ~/.aws/config and ~/.aws/credentials: sections with settings.
 *
 *     [profile work]            # the name is "profile work", as with [profile "work"]
 *     region = eu-west-1        ; a comment: behind a blank, or on a line of its own
 *     s3 =
 *         endpoint_url = http://127.0.0.1:8000
 *
 * A line that is indented deeper than the setting above it belongs to that: the last one here is
 * the setting "s3.endpoint_url". A section may come several times.
 *
 * A reader of our own, because GKeyFile takes ';' for no comment and nested settings for top-level
 * ones, quotes the file in its errors, and leaves copies of secrets in memory. This one overwrites
 * what it has read, and its errors name the line, never what is in it.
 *
 * Pure but for reading the file; thread-safe.
 */
#ifndef FORKFS_STORE_S3_CREDENTIALS_AWS_CONFIG_H
#define FORKFS_STORE_S3_CREDENTIALS_AWS_CONFIG_H

#include "base/error.h"

/* A larger file is none of these. */
#define AWS_CONFIG_LARGEST (1024 * 1024)

/* One setting: section without brackets, key in lower case, value without blanks around it. The
 * strings live as long as the call; they may be secret. */
typedef void aws_config_visitor(void *argument, const char *section, const char *key,
                                const char *value);

/* Visits every setting of a file, in order. ERR_NOT_FOUND, ERR_ACCESS, ERR_INVALID (it does not
 * parse), ERR_IO, with the path in the text. */
int aws_config_read(const char *path, aws_config_visitor *visit, void *argument, struct error *err);

/* Reads a text like a file; the text is changed. It ends at its NUL. `path` is for messages. */
int aws_config_parse(char *text, const char *path, aws_config_visitor *visit, void *argument,
                     struct error *err);

#endif
