#include "lance/branch_name.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

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

/* Why a segment is refused, or NULL. */
static const char *segment_fault(const char *segment)
{
    if (segment[0] == '\0')
        return "is empty or has an empty segment";
    for (const char *c = segment; *c; c++)
        if (!g_ascii_isalnum(*c) && *c != '.' && *c != '-' && *c != '_')
            return "holds a character other than ASCII letters, digits, '.', '-' and '_'";
    if (strcmp(segment, ".") == 0 || strstr(segment, ".."))
        return "holds \"..\" or a segment \".\"";
    if (g_str_has_suffix(segment, ".lock"))
        return "has a segment that ends in \".lock\"";
    if (lance_is_own_directory(segment) || strcmp(segment, "_refs") == 0 ||
        strcmp(segment, "tree") == 0)
        return "has a segment that is a directory of a branch";
    return NULL;
}

int lance_branch_name_check(const char *name, struct error *err)
{
    if (!name)
        return error_set(err, ERR_INVALID, "no branch name given");
    if (strcmp(name, "main") == 0)
        return error_set(err, ERR_INVALID, "branch name \"main\" is reserved");
    g_auto(GStrv) segments = g_strsplit(name, "/", -1);
    if (!segments[0])
        return error_set(err, ERR_INVALID, "branch name \"\" %s", segment_fault(""));
    for (size_t i = 0; segments[i]; i++) {
        const char *fault = segment_fault(segments[i]);
        if (fault)
            return error_set(err, ERR_INVALID, "branch name \"%s\" %s", name, fault);
    }
    return 0;
}

int lance_tag_name_check(const char *name, struct error *err)
{
    if (!name)
        return error_set(err, ERR_INVALID, "no tag name given");
    const char *fault = strchr(name, '/') ? "holds a '/'" : segment_fault(name);
    if (!fault && strcmp(name, "main") == 0)
        fault = "is reserved";
    return fault ? error_set(err, ERR_INVALID, "tag name \"%s\" %s", name, fault) : 0;
}

char *lance_versions_prefix(const char *dataset, const char *branch)
{
    if (!branch)
        return g_strconcat(dataset, "/_versions/", NULL);
    return g_strconcat(dataset, "/tree/", branch, "/_versions/", NULL);
}

char *lance_manifest_key(const char *dataset, const char *branch, uint64_t version)
{
    g_autofree char *prefix = lance_versions_prefix(dataset, branch);
    return g_strdup_printf("%s%020" PRIu64 MANIFEST_SUFFIX, prefix, UINT64_MAX - version);
}

char *lance_branch_ref_key(const char *dataset, const char *branch)
{
    g_autofree char *prefix = lance_branch_refs_prefix(dataset);
    g_auto(GStrv) segments = g_strsplit(branch, "/", -1);
    g_autofree char *name = g_strjoinv("%2F", segments);
    return g_strconcat(prefix, name, REF_SUFFIX, NULL);
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
    const char *file = key + strlen(prefix);
    size_t length = strlen(file);
    if (strchr(file, '/') || length <= strlen(REF_SUFFIX) || !g_str_has_suffix(file, REF_SUFFIX))
        return NULL;
    g_autofree char *name = g_strndup(file, length - strlen(REF_SUFFIX));
    g_auto(GStrv) segments = g_strsplit(name, "%2F", -1);
    return g_strjoinv("/", segments);
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
