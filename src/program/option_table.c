#include "program/option_table.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/s3/s3_store.h"

static void *field_of(const struct option_row *row, void *target)
{
    return (char *)target + row->field;
}

static bool row_matches(const struct option_row *row, const char *name)
{
    size_t length = strlen(row->name);
    if (row->name[length - 1] == '*')
        return strncmp(row->name, name, length - 1) == 0;
    return strcmp(row->name, name) == 0;
}

static int parse_number(const struct option_row *row, const char *value, void *target,
                        struct error *err)
{
    bool octal = row->kind == OPTION_OCTAL;
    const char *digits = octal ? "01234567" : "0123456789";
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(value, &end, octal ? 8 : 10);
    if (value[0] == '\0' || strchr(digits, value[0]) == NULL || *end != '\0')
        return error_set(err, ERR_INVALID, "option '%s': '%s' is no %s number", row->name, value,
                         octal ? "octal" : "whole");
    if (errno == ERANGE || number < row->minimum || number > row->maximum)
        return error_set(err, ERR_INVALID,
                         octal ? "option '%s': %s is not between %#" PRIo64 " and %#" PRIo64
                               : "option '%s': %s is not between %" PRIu64 " and %" PRIu64,
                         row->name, value, row->minimum, row->maximum);
    *(uint64_t *)field_of(row, target) = number;
    return 0;
}

/* How much getpwnam_r() and getgrnam_r() may need; a group may have many members. */
#define NAME_BUFFER 1048576

static int find_user(const char *name, char *buffer, uint64_t *ret)
{
    struct passwd entry, *found = NULL;
    int number = getpwnam_r(name, &entry, buffer, NAME_BUFFER, &found);
    if (found)
        *ret = found->pw_uid;
    return found ? 0 : number != 0 ? number : ENOENT;
}

static int find_group(const char *name, char *buffer, uint64_t *ret)
{
    struct group entry, *found = NULL;
    int number = getgrnam_r(name, &entry, buffer, NAME_BUFFER, &found);
    if (found)
        *ret = found->gr_gid;
    return found ? 0 : number != 0 ? number : ENOENT;
}

static int parse_owner(const struct option_row *row, const char *value, void *target,
                       struct error *err)
{
    bool is_user = row->kind == OPTION_USER;
    if (value[0] == '\0' || value[strspn(value, "0123456789")] == '\0')
        return parse_number(row, value, target, err);
    g_autofree char *buffer = g_malloc(NAME_BUFFER);
    uint64_t *field = field_of(row, target);
    int number = is_user ? find_user(value, buffer, field) : find_group(value, buffer, field);
    if (number == 0)
        return 0;
    bool is_unknown = number == ENOENT || number == ESRCH || number == EBADF || number == EPERM;
    return error_set(err, ERR_INVALID, "option '%s': '%s' is neither a number nor a %s%s%s",
                     row->name, value, is_user ? "user" : "group", is_unknown ? "" : ": ",
                     is_unknown ? "" : g_strerror(number));
}

static int parse_log_level(const struct option_row *row, const char *value, void *target,
                           struct error *err)
{
    if (log_level_parse(value, field_of(row, target)) != 0)
        return error_set(err, ERR_INVALID,
                         "option '%s': '%s' is none of error, warning, info, debug", row->name,
                         value);
    return 0;
}

static int parse_s3_client(const struct option_row *row, const char *value, void *target,
                           struct error *err)
{
    enum s3_client *client = field_of(row, target);
    if (strcmp(value, "libs3") == 0)
        *client = S3_CLIENT_LIBS3;
    else if (strcmp(value, "curl") == 0)
        *client = S3_CLIENT_CURL;
    else
        return error_set(err, ERR_INVALID, "option '%s': '%s' is neither libs3 nor curl", row->name,
                         value);
    return 0;
}

static void replace_text(const struct option_row *row, char *value, void *target)
{
    char **field = field_of(row, target);
    g_free(*field);
    *field = value;
}

static int parse_text(const struct option_row *row, const char *value, void *target,
                      struct error *err)
{
    if (value[0] == '\0')
        return error_set(err, ERR_INVALID, "option '%s' is empty", row->name);
    replace_text(row, g_strdup(value), target);
    return 0;
}

static int parse_prefix(const struct option_row *row, const char *value, void *target,
                        struct error *err)
{
    g_autofree char *key = g_strdup(value);
    size_t length = strlen(key);
    if (length > 0 && key[length - 1] == '/')
        key[length - 1] = '\0';
    if (value[0] != '\0' && !store_key_is_valid(key))
        return error_set(err, ERR_INVALID,
                         "option '%s': '%s' is no prefix of keys (relative, without empty, '.' or "
                         "'..' segments)",
                         row->name, value);
    replace_text(row, key[0] == '\0' ? g_strdup("") : g_strconcat(key, "/", NULL), target);
    return 0;
}

static int apply_value(const struct option_row *row, const char *value, void *target,
                       struct error *err)
{
    switch (row->kind) {
    case OPTION_NUMBER:
    case OPTION_OCTAL:
        return parse_number(row, value, target, err);
    case OPTION_USER:
    case OPTION_GROUP:
        return parse_owner(row, value, target, err);
    case OPTION_LOG_LEVEL:
        return parse_log_level(row, value, target, err);
    case OPTION_S3_CLIENT:
        return parse_s3_client(row, value, target, err);
    case OPTION_TEXT:
        return parse_text(row, value, target, err);
    default:
        return parse_prefix(row, value, target, err);
    }
}

static void apply_flag(const struct option_row *row, void *target)
{
    if (row->kind == OPTION_PASS) {
        GString *passed = *(GString **)field_of(row, target);
        g_string_append_printf(passed, "%s%s", passed->len > 0 ? "," : "", row->name);
    } else {
        *(bool *)field_of(row, target) = row->kind == OPTION_SET;
    }
}

static int apply_row(const struct option_row *row, const char *value, void *target,
                     struct error *err)
{
    switch (row->kind) {
    case OPTION_IGNORE:
        return 0;
    case OPTION_SET:
    case OPTION_CLEAR:
    case OPTION_PASS:
        if (value)
            return error_set(err, ERR_INVALID, "option '%s' takes no value", row->name);
        apply_flag(row, target);
        return 0;
    default:
        if (!value)
            return error_set(err, ERR_INVALID, "option '%s' needs a value: %s=%s", row->name,
                             row->name, row->value_name);
        return apply_value(row, value, target, err);
    }
}

/* One option without its commas: "name" or "name=value". */
static int apply_option(const struct option_row *rows, char *option, void *target,
                        struct error *err)
{
    char *value = strchr(option, '=');
    if (value)
        *value++ = '\0';
    for (const struct option_row *row = rows; row->name; row++)
        if (row_matches(row, option))
            return apply_row(row, value, target, err);
    return error_set(err, ERR_INVALID, "unknown option '%s'", option);
}

int option_table_parse(const struct option_row *rows, const char *text, void *target,
                       struct error *err)
{
    g_autoptr(GString) option = g_string_new(NULL);
    for (const char *at = text;; at++) {
        if (*at == '\\' && at[1] != '\0') {
            g_string_append_c(option, *++at);
        } else if (*at != ',' && *at != '\0') {
            g_string_append_c(option, *at);
        } else {
            int code = option->len > 0 ? apply_option(rows, option->str, target, err) : 0;
            if (code != 0 || *at == '\0')
                return code;
            g_string_truncate(option, 0);
        }
    }
}

void option_table_usage(const struct option_row *rows, GString *out)
{
    for (const struct option_row *row = rows; row->name; row++) {
        if (!row->help)
            continue;
        g_autofree char *form =
            row->value_name ? g_strdup_printf("%s=%s", row->name, row->value_name) : NULL;
        g_string_append_printf(out, "    -o %-22s %s\n", form ? form : row->name, row->help);
    }
}
