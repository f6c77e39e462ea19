#include "catalog/registry/registry_load.h"

int registry_load(struct store *store, const char *key, const struct registry *previous,
                  struct operation *operation, struct registry **ret, struct error *err)
{
    struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    int code = store_run(store, set, operation, err);
    if (code == 0 && get->answer.code != 0)
        code = error_copy(err, &get->answer.error);
    if (code == 0)
        code = registry_parse(get->answer.body, get->answer.etag, get->answer.modified_ns, previous,
                              ret, err);
    else if (code == ERR_NOT_FOUND)
        code = registry_parse(NULL, NULL, 0, previous, ret, err);
    store_set_unref(set);
    return error_prefix(err, code, "reading the registry %s", key);
}
