/*
 * Names of datasets, branches and tags: those that are accepted make keys, of the place where they
 * belong, from which the name can be told again.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "catalog/fork/tag_names.h"
#include "lance/branch_name.h"
#include "store/store.h"

#define ROOT "storage/vertices.lance"

static void check_branch(const char *branch)
{
    g_autofree char *ref = lance_branch_ref_key(ROOT, branch);
    g_autofree char *told = lance_branch_of_ref_key(ROOT, ref);
    g_autofree char *file = g_strconcat(branch, "/data/1.lance", NULL);
    g_autofree char *owner = lance_branch_of_tree_path(file);
    g_autofree char *manifest = lance_manifest_key(ROOT, branch, 42);
    g_autofree char *versions = g_strconcat(branch, "/_versions/1.manifest", NULL);
    g_autofree char *holder = lance_branch_of_tree_path(versions);
    uint64_t version;
    bool is_v2;
    fuzz_check_branch_keys("vertices", branch);
    HOLDS(told && strcmp(told, branch) == 0);
    HOLDS(owner && strcmp(owner, branch) == 0);
    HOLDS(holder && strcmp(holder, branch) == 0);
    HOLDS(lance_manifest_version(manifest, &version, &is_v2) && version == 42 && is_v2);
}

/* A dataset of which forks have branches. */
static void check_dataset(const char *dataset)
{
    struct ulid id;
    g_autofree char *branch = layout_branch_name(&fuzz_id, dataset);
    HOLDS(layout_dataset_name_is_safe(dataset));
    HOLDS(lance_new_branch_name_check(branch, NULL) == 0);
    HOLDS(layout_branch_is_of(branch, &fuzz_id));
    HOLDS(layout_id_of_branch(branch, &id) && ulid_equal(&id, &fuzz_id));
    fuzz_check_branch_keys(dataset, branch);
    g_autofree char *file = lance_ref_file_name(branch);
    HOLDS(strlen(file) <= 255 && !store_name_is_temporary(file));
}

/* A tag of a fork with one dataset. */
static void check_tag(const char *tag)
{
    struct dataset_branch pair = {.dataset = (char *)"vertices", .branch = (char *)"fork_x"};
    g_autoptr(GPtrArray) datasets = g_ptr_array_new();
    g_ptr_array_add(datasets, &pair);
    const struct fork_entry entry = {.id = fuzz_id, .datasets = datasets};
    g_autofree char *key = tag_name_key(fuzz_layout(), tag, "vertices");
    HOLDS(store_key_is_valid(key) && g_str_has_prefix(key, ROOT "/_refs/tags/"));
    if (tag_name_check(tag, &entry, NULL))
        return;
    g_autofree char *told = tag_name_of_key(key, "vertices");
    HOLDS(told && strcmp(told, tag) == 0);
}

/* The text as the name of a file that is listed. */
static void check_files(const char *name)
{
    struct ulid id;
    uint64_t version;
    g_autofree char *ref = lance_name_of_ref_file(name);
    g_autofree char *again = ref ? lance_ref_file_name(ref) : NULL;
    HOLDS(!ref || strcmp(again, name) == 0);
    if (layout_id_of_key(name, "", ".json", &id))
        HOLDS(strncmp(name, id.text, ULID_LENGTH) == 0);
    lance_manifest_version(name, &version, NULL);
    HOLDS(!store_name_is_temporary(name) || store_temporary_target(name) < strlen(name));
    if (layout_id_of_branch(name, &id))
        HOLDS(g_ascii_strncasecmp(name + strlen("fork_"), id.text, ULID_LENGTH) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *name = fuzz_text(data, size);
    struct error error = {0};
    int code = lance_branch_name_check(name, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    HOLDS(code == 0 || lance_new_branch_name_check(name, NULL) != 0);
    HOLDS(lance_tag_name_check(name, NULL) == 0 || lance_new_tag_name_check(name, NULL) != 0);
    if (code == 0)
        check_branch(name);
    if (layout_dataset_name_is_safe(name))
        fuzz_check_branch_keys(name, "fork_x");
    if (layout_check_branchable(name, NULL) == 0)
        check_dataset(name);
    check_tag(name);
    check_files(name);
    return 0;
}
