/*
 * The check of where branches look for the files that they inherit. They name them by absolute
 * paths or URIs, those under which the database lay when the branch was made.
 */
#include <string.h>
#include <sys/stat.h>

#include "catalog/fsck/fsck_dataset.h"
#include "catalog/fsck/fsck_private.h"
#include "lance/manifest.h"

#define FILE_SCHEME "file://"

/* Branches of one owner that look in one place that is not this database's. */
struct place {
    char *owner;
    char *uri; /* what takes the place of the datasets' prefix there */
    unsigned branches;
    bool exists; /* there is such a dataset, which is not this one */
};

static void place_free(void *pointer)
{
    struct place *place = pointer;
    g_free(place->owner);
    g_free(place->uri);
    g_free(place);
}

/* How the same place may be spelt otherwise: as a URI of a file, with %XX in it. g_free(). */
static char *plain_uri(const char *uri)
{
    if (!g_str_has_prefix(uri, FILE_SCHEME) && !strstr(uri, "://"))
        return g_strdup(uri);
    const char *start = g_str_has_prefix(uri, FILE_SCHEME) ? uri + strlen(FILE_SCHEME) : uri;
    char *decoded = g_uri_unescape_string(start, NULL);
    return decoded ? decoded : g_strdup(start);
}

/* Cuts "/tree/BRANCH" off. False: it is not the path of a dataset of that name. */
static bool cut_to_dataset(char *path, const char *name)
{
    g_autofree char *segment = g_strconcat("/", name, ".lance", NULL);
    char *found = g_strrstr(path, segment);
    if (!found)
        return false;
    char *end = found + strlen(segment);
    if (*end != '\0' && !g_str_has_prefix(end, "/tree/"))
        return false;
    *end = '\0';
    return true;
}

/* Whether both are the same directory, however its path is spelt: one may lead through a link. */
static bool is_same_directory(const char *path, const char *own, bool *ret_exists)
{
    struct stat there, here;
    *ret_exists = path[0] == '/' && stat(path, &there) == 0;
    return *ret_exists && stat(own, &here) == 0 && there.st_dev == here.st_dev &&
           there.st_ino == here.st_ino;
}

/* Takes over the owner. */
static void note_place(struct fsck *fsck, char *owner, const char *uri, bool exists)
{
    if (!fsck->places)
        fsck->places = g_ptr_array_new_with_free_func(place_free);
    for (guint i = 0; i < fsck->places->len; i++) {
        struct place *known = g_ptr_array_index(fsck->places, i);
        if (strcmp(known->owner, owner) == 0 && strcmp(known->uri, uri) == 0) {
            known->branches++;
            known->exists = known->exists || exists;
            g_free(owner);
            return;
        }
    }
    struct place *place = g_new0(struct place, 1);
    *place = (struct place){.owner = owner, .uri = g_strdup(uri), .branches = 1, .exists = exists};
    g_ptr_array_add(fsck->places, place);
}

static char *owner_of(const struct dataset_check *check, const struct branch_seen *branch)
{
    struct ulid id;
    const struct fork_entry *entry = layout_id_of_branch(branch->name, &id)
                                         ? registry_find_id(check->fsck->registry, &id)
                                         : NULL;
    return entry ? g_strdup_printf("fork %s", entry->key_source)
                 : g_strdup_printf("%s: branch '%s'", check->root, branch->name);
}

/* A base path that is another dataset's is none that a branch was made with: main has it, too. */
static bool leads_elsewhere(const struct dataset_check *check, const char *recorded, char **ret_uri,
                            bool *ret_exists)
{
    g_autofree char *uri = layout_dataset_uri(check->fsck->layout, check->name);
    g_autofree char *own = plain_uri(uri);
    g_autofree char *path = plain_uri(recorded);
    *ret_exists = false;
    if (!cut_to_dataset(path, check->name) || strcmp(path, own) == 0)
        return false;
    if (!layout_is_remote(check->fsck->layout) && is_same_directory(path, own, ret_exists))
        return false;
    *ret_uri = g_path_get_dirname(path);
    return true;
}

void fsck_note_base_paths(const struct dataset_check *check, const struct branch_seen *branch)
{
    g_autoptr(GPtrArray) paths = NULL;
    if (manifest_base_paths(branch->manifest->answer.body, &paths, NULL) != 0)
        return; /* said already */
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *uri = NULL;
        bool exists;
        if (!leads_elsewhere(check, g_ptr_array_index(paths, i), &uri, &exists))
            continue;
        note_place(check->fsck, owner_of(check, branch), uri, exists);
        return; /* once for each branch */
    }
}

void fsck_report_places(struct fsck *fsck)
{
    for (guint i = 0; fsck->places && i < fsck->places->len; i++) {
        const struct place *place = g_ptr_array_index(fsck->places, i);
        g_autofree char *dataset = layout_dataset_uri(fsck->layout, "x");
        g_autofree char *own = g_path_get_dirname(dataset);
        fsck_find(fsck, FSCK_ERROR,
                  "%s: %u branch%s look%s for inherited files below %s, %s; this database is at "
                  "%s: was it moved or copied, or is it mounted under another path?",
                  place->owner, place->branches, place->branches == 1 ? "" : "es",
                  place->branches == 1 ? "s" : "", place->uri,
                  layout_is_remote(fsck->layout) ? "which is elsewhere"
                  : place->exists                ? "where another database is"
                                                 : "where nothing is",
                  own);
    }
}
