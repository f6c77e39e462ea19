#include "fuzz/manifest_properties.h"

#include <inttypes.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "lance/manifest.h"

#define BRANCH "fork_01KYYN40FVQ2D7R9S4TAX6BCE3_vertices"
#define GRANDCHILD "fork_01KYYN40FVQ2D7R9S4TAX6BCE4_vertices"

static const struct timespec now = {.tv_sec = 1700000000, .tv_nsec = 5};

static int make_branch(const struct bytes *parent, const struct manifest_summary *summary,
                       const char *branch, struct bytes **ret)
{
    const struct manifest_branching branching = {
        .branch = branch,
        .parent_branch = summary->branch[0] ? summary->branch : NULL,
        .parent_uri = "/db/storage/vertices.lance",
        .version = summary->version,
        .now = now,
    };
    struct error error = {0};
    int code = manifest_branch(parent, &branching, ret, &error);
    HOLDS(error.code == code && (code == 0) == (*ret != NULL));
    HOLDS(code == 0 || code == ERR_CORRUPT || code == ERR_UNSUPPORTED);
    return code;
}

static void check_summary(const struct bytes *branch, const char *name,
                          const struct manifest_summary *parent, struct manifest_summary *ret)
{
    HOLDS(manifest_summarize(branch, ret, NULL) == 0);
    HOLDS(ret->version == parent->version);
    HOLDS(strcmp(ret->branch, name) == 0);
    HOLDS(ret->fragments == parent->fragments);
    HOLDS(ret->indices == parent->indices);
    HOLDS(ret->base_paths == parent->base_paths + 1);
}

void manifest_check_properties(const struct bytes *file)
{
    struct manifest_summary parent, child, grandchild;
    auto_bytes struct bytes *branch = NULL, *same = NULL, *next = NULL;
    struct error error = {0};
    int code = manifest_summarize(file, &parent, &error);
    HOLDS(error.code == code);
    if (code || make_branch(file, &parent, BRANCH, &branch))
        return;
    HOLDS(make_branch(file, &parent, BRANCH, &same) == 0 && bytes_equal(branch, same));
    check_summary(branch, BRANCH, &parent, &child);
    /* A second base path may find no number left. */
    code = make_branch(branch, &child, GRANDCHILD, &next);
    HOLDS(code == 0 || code == ERR_UNSUPPORTED);
    if (code == 0)
        check_summary(next, GRANDCHILD, &child, &grandchild);
}
