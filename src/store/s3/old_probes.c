#include "store/s3/old_probes.h"

void old_probes_remove(struct store *store, const char *prefix, int64_t before_ns,
                       struct operation *operation)
{
    struct store_set *listing = store_set_new(), *removal = store_set_new();
    const struct store_request *list = store_set_list(listing, prefix, NULL, 0);
    if (store_run(store, listing, operation, NULL) == 0 && list->answer.code == 0) {
        for (guint i = 0; i < list->answer.objects->len; i++) {
            const struct store_object *object = list->answer.objects->pdata[i];
            if (object->modified_ns < before_ns)
                store_set_delete(removal, object->key);
        }
        store_run(store, removal, operation, NULL);
    }
    store_set_unref(listing);
    store_set_unref(removal);
}
