/* The database's schema: the datasets that it lets expect are in order, and each is there once. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "catalog/format/documents.h"

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether the name is in the sorted array. */
static bool has(const GPtrArray *names, const char *name)
{
    return bsearch(&name, names->pdata, names->len, sizeof(*names->pdata), compare_texts) != NULL;
}

static void check_branchable(const char *dataset)
{
    if (layout_check_branchable(dataset, NULL))
        return;
    g_autofree char *branch = layout_branch_name(&fuzz_id, dataset);
    fuzz_check_branch_keys(dataset, branch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_bytes struct bytes *body = fuzz_body(data, size);
    struct schema *schema = NULL;
    struct error error = {0};
    int code = schema_parse(body, &schema, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_CORRUPT));
    if (code)
        return 0;
    g_autoptr(GPtrArray) candidates = schema_candidates(schema);
    g_autoptr(GPtrArray) undeclared = schema_undeclared_tables(schema);
    for (guint i = 1; i < candidates->len; i++)
        HOLDS(strcmp(candidates->pdata[i - 1], candidates->pdata[i]) < 0);
    for (guint i = 0; i < candidates->len; i++)
        check_branchable(candidates->pdata[i]);
    HOLDS(has(candidates, "vertices") && has(candidates, "edges"));
    for (guint i = 0; i < undeclared->len; i++)
        HOLDS(has(candidates, undeclared->pdata[i]) ||
              (!schema->branches_all && layout_check_branchable(undeclared->pdata[i], NULL)));
    schema_free(schema);
    return 0;
}
