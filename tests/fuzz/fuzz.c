#include "fuzz/fuzz.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lance/branch_name.h"
#include "store/store.h"

const struct ulid fuzz_id = {"01KYYN40FVQ2D7R9S4TAX6BCE3"};

void fuzz_fail(const char *condition, const char *file, int line)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

struct bytes *fuzz_body(const uint8_t *data, size_t size)
{
    return bytes_new(data, size);
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    return size > 0 ? g_strndup((const char *)data, size) : g_strdup("");
}

const struct layout *fuzz_layout(void)
{
    static struct layout *layout;
    if (!layout)
        HOLDS(layout_new("", "storage/", "/db/storage", &layout, NULL) == 0);
    return layout;
}

struct json_span fuzz_span(const struct bytes *text)
{
    return (struct json_span){text->data, text->size};
}

bool fuzz_is_json(const struct bytes *text)
{
    return json_check(text->data, text->size, NULL) == 0;
}

bool fuzz_is_pretty(const struct bytes *text)
{
    if (!fuzz_is_json(text))
        return false;
    auto_bytes struct bytes *again = json_pretty(fuzz_span(text));
    return bytes_equal(text, again);
}

void fuzz_check_branch_keys(const char *dataset, const char *branch)
{
    g_autofree char *root = layout_dataset_key(fuzz_layout(), dataset);
    g_autofree char *below = g_strconcat("storage/", dataset, ".lance", NULL);
    g_autofree char *tree = lance_branch_tree_prefix(root, branch);
    g_autofree char *inside = g_strconcat(root, "/tree/", branch, "/", NULL);
    g_autofree char *manifest = lance_manifest_key(root, branch, 7);
    g_autofree char *ref = lance_branch_ref_key(root, branch);
    g_autofree char *refs = lance_branch_refs_prefix(root);
    HOLDS(strcmp(root, below) == 0 && store_key_is_valid(root));
    HOLDS(strcmp(tree, inside) == 0);
    HOLDS(store_key_is_valid(manifest) && g_str_has_prefix(manifest, tree));
    HOLDS(store_key_is_valid(ref) && g_str_has_prefix(ref, refs));
    HOLDS(!strchr(ref + strlen(refs), '/'));
}
