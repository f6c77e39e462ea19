#include "catalog/registry/registry_load.h"

int registry_load(struct store *store, const char *key, const struct registry *previous,
                  struct operation *operation, struct registry **ret, struct error *err)
{
    struct error failure = {0};
    struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    int code = store_run(store, set, operation, &failure);
    if (code == 0 && get->answer.code != 0)
        code = error_copy(&failure, &get->answer.error);
    if (code == 0)
        code = registry_parse(get->answer.body, get->answer.etag, get->answer.modified_ns, previous,
                              ret, &failure);
    else if (code == ERR_NOT_FOUND)
        code = registry_parse(NULL, NULL, 0, previous, ret, &failure);
    store_set_unref(set);
    if (code) {
        error_prefix(&failure, "reading the registry %s", key);
        error_copy(err, &failure);
    }
    return code;
}
