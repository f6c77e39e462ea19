#include "catalog/registry/registry_load.h"

int registry_load(struct store *store, const char *key, const struct registry *previous,
                  struct operation *operation, struct registry **ret, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *get = store_set_get(set, key);
    store_request_expect_place(get); /* what has been there once nobody makes anew */
    int code = store_run_all(store, set, 0, operation, err);
    if (code == 0 && previous && g_strcmp0(previous->etag, get->answer.etag) == 0)
        *ret = registry_ref((struct registry *)previous);
    else if (code == 0)
        code = registry_parse(get->answer.body, get->answer.etag, get->answer.modified_ns, previous,
                              ret, err);
    else if (code == ERR_NOT_FOUND && previous && previous->etag)
        code = error_set(err, ERR_AWAY,
                         "it was there and is not now: put it back, or mount again if it is gone "
                         "on purpose");
    else if (code == ERR_NOT_FOUND)
        code = registry_parse(NULL, NULL, 0, previous, ret, err);
    return error_prefix(err, code, "reading the registry %s", key);
}
