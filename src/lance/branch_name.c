#include "lance/branch_name.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <unictype.h>

#define MANIFEST_SUFFIX ".manifest"
#define V2_NAME_LENGTH 29 /* 20 digits and the suffix */
#define REF_SUFFIX ".json"

const char *const lance_own_directories[] = {
    "_versions", "_transactions", "data",     "_deletions", "_indices",
    "_blobs",    "_fri",          "_mem_wal", "_bt",        NULL};

bool lance_is_own_directory(const char *segment)
{
    return g_strv_contains(lance_own_directories, segment);
}

/* ---- The rule for names ---- */

/* Which characters beyond ASCII may be in a name. */
typedef bool (*character_rule)(gunichar c);

static bool is_none(gunichar c)
{
    (void)c;
    return false;
}

static bool is_no_control(gunichar c)
{
    return c >= 0xa0;
}

/* Rust's char::is_alphanumeric(), which the engine asks. GLib's g_unichar_isalnum() lacks the vowel
 * signs of the scripts of India and of Thai, among others. */
static bool is_alphanumeric(gunichar c)
{
    return uc_is_property(c, UC_PROPERTY_ALPHABETIC) || uc_is_general_category(c, UC_CATEGORY_N);
}

static bool has_only(const char *segment, character_rule rule)
{
    if (!g_utf8_validate(segment, -1, NULL))
        return false;
    for (const char *at = segment; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c < 0x80 ? !g_ascii_isalnum((char)c) && !strchr(".-_", (int)c) : !rule(c))
            return false;
    }
    return true;
}

/* Why a segment is refused, or NULL. */
static const char *segment_fault(const char *segment, character_rule rule)
{
    if (segment[0] == '\0')
        return "is empty or has an empty segment";
    if (!has_only(segment, rule))
        return "holds a character other than letters, digits, '.', '-' and '_'";
    if (strcmp(segment, ".") == 0 || strstr(segment, ".."))
        return "holds \"..\" or a segment \".\"";
    if (g_str_has_suffix(segment, ".lock"))
        return "has a segment that ends in \".lock\"";
    if (lance_is_own_directory(segment) || strcmp(segment, "_refs") == 0 ||
        strcmp(segment, "tree") == 0)
        return "has a segment that is a directory of a branch";
    return NULL;
}

static int check_branch_name(const char *name, character_rule rule, struct error *err)
{
    if (!name)
        return error_set(err, ERR_INVALID, "no branch name given");
    if (strcmp(name, "main") == 0)
        return error_set(err, ERR_INVALID, "branch name \"main\" is reserved");
    g_auto(GStrv) segments = g_strsplit(name, "/", -1);
    if (!segments[0])
        return error_set(err, ERR_INVALID, "branch name \"\" %s", segment_fault("", rule));
    for (size_t i = 0; segments[i]; i++) {
        const char *fault = segment_fault(segments[i], rule);
        if (fault)
            return error_set(err, ERR_INVALID, "branch name \"%s\" %s", name, fault);
    }
    return 0;
}

int lance_branch_name_check(const char *name, struct error *err)
{
    return check_branch_name(name, is_no_control, err);
}

int lance_new_branch_name_check(const char *name, struct error *err)
{
    return check_branch_name(name, is_alphanumeric, err);
}

static int check_tag_name(const char *name, character_rule rule, struct error *err)
{
    if (!name)
        return error_set(err, ERR_INVALID, "no tag name given");
    const char *fault = strchr(name, '/') ? "holds a '/'" : segment_fault(name, rule);
    if (fault && rule == is_none && has_only(name, is_no_control))
        fault = "holds a letter that is not ASCII";
    if (!fault && strcmp(name, "main") == 0)
        fault = "is reserved";
    return fault ? error_set(err, ERR_INVALID, "tag name \"%s\" %s", name, fault) : 0;
}

int lance_tag_name_check(const char *name, struct error *err)
{
    return check_tag_name(name, is_no_control, err);
}

int lance_new_tag_name_check(const char *name, struct error *err)
{
    return check_tag_name(name, is_none, err);
}

/* ---- Keys ---- */

char *lance_branch_path(const char *dataset, const char *branch)
{
    return branch ? g_strconcat(dataset, "/tree/", branch, NULL) : g_strdup(dataset);
}

char *lance_versions_prefix(const char *dataset, const char *branch)
{
    g_autofree char *path = lance_branch_path(dataset, branch);
    return g_strconcat(path, "/_versions/", NULL);
}

char *lance_manifest_key(const char *dataset, const char *branch, uint64_t version)
{
    g_autofree char *prefix = lance_versions_prefix(dataset, branch);
    return g_strdup_printf("%s%020" PRIu64 MANIFEST_SUFFIX, prefix, UINT64_MAX - version);
}

char *lance_ref_file_name(const char *name)
{
    g_autofree char *encoded = g_uri_escape_string(name, NULL, FALSE);
    return g_strconcat(encoded, REF_SUFFIX, NULL);
}

char *lance_name_of_ref_file(const char *file)
{
    size_t length = strlen(file);
    if (length <= strlen(REF_SUFFIX) || !g_str_has_suffix(file, REF_SUFFIX))
        return NULL;
    g_autofree char *encoded = g_strndup(file, length - strlen(REF_SUFFIX));
    g_autofree char *name = g_uri_unescape_string(encoded, NULL);
    if (!name || !g_utf8_validate(name, -1, NULL))
        return NULL;
    g_autofree char *again = lance_ref_file_name(name);
    return strcmp(again, file) == 0 ? g_steal_pointer(&name) : NULL;
}

char *lance_branch_ref_key(const char *dataset, const char *branch)
{
    g_autofree char *prefix = lance_branch_refs_prefix(dataset);
    g_autofree char *file = lance_ref_file_name(branch);
    return g_strconcat(prefix, file, NULL);
}

char *lance_branch_refs_prefix(const char *dataset)
{
    return g_strconcat(dataset, "/_refs/branches/", NULL);
}

char *lance_tag_refs_prefix(const char *dataset)
{
    return g_strconcat(dataset, "/_refs/tags/", NULL);
}

char *lance_branch_tree_prefix(const char *dataset, const char *branch)
{
    return g_strconcat(dataset, "/tree/", branch, "/", NULL);
}

char *lance_branch_trees_prefix(const char *dataset)
{
    return g_strconcat(dataset, "/tree/", NULL);
}

char *lance_branch_of_tree_path(const char *path)
{
    const char *end = NULL;
    for (const char *at = strchr(path, '/'); at; at = end) {
        end = strchr(at + 1, '/');
        g_autofree char *segment = end ? g_strndup(at + 1, (gsize)(end - at - 1)) : NULL;
        if (segment && lance_is_own_directory(segment))
            return g_strndup(path, (gsize)(at - path));
    }
    return NULL;
}

char *lance_branch_of_ref_key(const char *dataset, const char *key)
{
    g_autofree char *prefix = lance_branch_refs_prefix(dataset);
    if (!g_str_has_prefix(key, prefix))
        return NULL;
    return lance_name_of_ref_file(key + strlen(prefix));
}

bool lance_manifest_version(const char *key, uint64_t *version, bool *is_v2)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    size_t length = strlen(name);
    if (length <= strlen(MANIFEST_SUFFIX) || !g_str_has_suffix(name, MANIFEST_SUFFIX))
        return false;
    uint64_t number = 0;
    for (const char *c = name; c < name + length - strlen(MANIFEST_SUFFIX); c++) {
        if (!g_ascii_isdigit(*c) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*c - '0'), &number))
            return false;
    }
    bool v2 = length == V2_NAME_LENGTH;
    *version = v2 ? UINT64_MAX - number : number;
    if (is_v2)
        *is_v2 = v2;
    return true;
}
