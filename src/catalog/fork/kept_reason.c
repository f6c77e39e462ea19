#include "catalog/fork/kept_reason.h"

#include <string.h>

#include "catalog/fork/tag_names.h"
#include "catalog/format/fork_name.h"
#include "lance/branch_name.h"

char *kept_reason_lance_tag(const char *key)
{
    const char *slash = strrchr(key, '/');
    const char *file = slash ? slash + 1 : key;
    char *name = lance_name_of_ref_file(file);
    return name ? name : g_strdup(file);
}

/* Where users find the fork: "forks/NAME"; NULL when its name is written otherwise there. */
static char *plain_directory(const struct fork_entry *fork)
{
    const char *name = fork->key;
    if (!name || strpbrk(name, "%/") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        fork_name_check(name, NULL) != 0)
        return NULL;
    return g_strconcat("forks/", name, NULL);
}

/* What to do when the obstacle is gone. */
static char *then_what(const struct fork_entry *fork)
{
    if (!fork)
        return g_strdup("then the next recovery finishes the drop");
    g_autofree char *directory = plain_directory(fork);
    return directory ? g_strdup_printf("then rmdir %s", directory)
                     : g_strdup("then rmdir the fork's directory");
}

/* The tag as the user sees it in tags/, which shows those of Uni's form on branches that the entry
 * records; NULL when it is not there. */
static char *visible_tag(const struct fork_entry *fork, const char *dataset, const char *branch,
                         const char *key)
{
    if (!fork || g_strcmp0(fork_entry_branch(fork, dataset), branch) != 0)
        return NULL;
    return tag_name_of_key(key, dataset);
}

int kept_by_tag(const struct fork_entry *fork, const char *dataset, const char *branch,
                const char *key, struct error *err)
{
    g_autofree char *then = then_what(fork);
    g_autofree char *visible = visible_tag(fork, dataset, branch, key);
    if (!visible) {
        g_autofree char *tag = kept_reason_lance_tag(key);
        return error_set(err, ERR_NOT_EMPTY,
                         "the Lance tag '%s' of dataset %s points at its branch %s; delete that "
                         "tag with the Lance engine, %s",
                         tag, dataset, branch, then);
    }
    g_autofree char *directory = plain_directory(fork);
    g_autofree char *path = directory ? g_strdup_printf("%s/tags/%s", directory, visible)
                                      : g_strdup_printf("tags/%s in the fork's directory", visible);
    return error_set(err, ERR_NOT_EMPTY,
                     "the tag tags/%s points at its branch %s; remove it with rmdir %s, %s",
                     visible, branch, path, then);
}

int kept_by_branch(const struct fork_entry *fork, const char *dataset, const char *branch,
                   const char *foreign, struct error *err)
{
    g_autofree char *then = then_what(fork);
    return error_set(err, ERR_NOT_EMPTY,
                     "the branch '%s' of dataset %s, which is no fork's, descends from its branch "
                     "%s; delete that branch with the Lance engine, %s",
                     foreign, dataset, branch, then);
}

int kept_by_fork(const struct fork_entry *fork, const char *dataset, const char *branch,
                 const struct fork_entry *child, struct error *err)
{
    g_autofree char *then = then_what(fork);
    return error_set(err, ERR_NOT_EMPTY,
                     "the fork %s has a branch of dataset %s that was made from its branch %s, "
                     "although the registry names another parent by now; correct that fork's "
                     "parent_fork_id (forkfs-fsck --repair does) or drop that fork, %s",
                     child->key_source, dataset, branch, then);
}

int kept_by_remnant(const struct fork_entry *fork, const char *dataset, const char *branch,
                    const char *remnant, bool recovers, struct error *err)
{
    g_autofree char *then = then_what(fork);
    return error_set(
        err, ERR_NOT_EMPTY,
        "the branch '%s' of dataset %s, which is left of a dropped fork, descends from "
        "its branch %s; %s, %s",
        remnant, dataset, branch,
        recovers ? "it is removed by recovery when it has been there unchanged for two "
                   "minutes, unless it has data of its own"
                 : "delete that branch with the Lance engine",
        then);
}

int kept_by_doubt(const struct fork_entry *fork, const struct error *problem, struct error *err)
{
    g_autofree char *then = then_what(fork);
    return error_set(err, problem->code,
                     "%.600s; so nobody can tell what hangs on its branches: repair or remove that "
                     "ref, %s",
                     problem->text, then);
}
