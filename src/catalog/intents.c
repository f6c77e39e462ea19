#include "catalog/intents.h"

#define SUFFIX ".json"

int intent_put(struct store *store, const char *key, struct bytes *body,
               struct operation *operation, struct error *err)
{
    int code = store_put(store, key, body, STORE_ALWAYS, NULL, operation, NULL, err);
    if (code != ERR_OUTCOME_UNKNOWN)
        return code;
    auto_bytes struct bytes *stored = NULL;
    if (store_get(store, key, operation, &stored, NULL, NULL) == 0 && bytes_equal(stored, body))
        return 0;
    return code;
}

static int recover_one(struct catalog *catalog, const char *prefix, intent_recovery *recover,
                       const struct store_request *get, struct operation *operation,
                       struct error *err)
{
    struct ulid id;
    if (!layout_id_of_key(get->key, prefix, SUFFIX, &id))
        return error_set(err, ERR_CORRUPT, "its name is no fork's id");
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, &id);
    int code = recover(catalog, &id, entry, get->answer.body, operation, err);
    return code ? code : store_delete(catalog->store, get->key, operation, err);
}

static int recover_listed(struct catalog *catalog, const struct store_request *listing,
                          const char *what, intent_recovery *recover, struct operation *operation,
                          struct recovery_report *report, struct error *err)
{
    struct store_set *set = store_set_new();
    for (guint i = 0; i < listing->answer.objects->len; i++)
        store_set_get(set,
                      ((struct store_object *)g_ptr_array_index(listing->answer.objects, i))->key);
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, ERR_NOT_FOUND, err);
    for (size_t i = 0; code == 0 && i < store_set_size(set); i++) {
        const struct store_request *get = store_set_at(set, i);
        if (get->answer.code)
            continue; /* gone meanwhile */
        struct error problem = {0};
        code = recover_one(catalog, listing->key, recover, get, operation, &problem);
        if (code == 0) {
            report->orphans++;
        } else if (code == ERR_CORRUPT || code == ERR_IO || code == ERR_ACCESS) {
            recovery_report_problem(report, &problem, what, get->key);
            code = 0;
        } else {
            error_copy(err, &problem);
        }
    }
    store_set_unref(set);
    return code;
}

int intents_recover(struct catalog *catalog, const char *prefix, const char *what,
                    intent_recovery *recover, struct operation *operation,
                    struct recovery_report *report, struct error *err)
{
    struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    if (code == 0)
        code = recover_listed(catalog, listing, what, recover, operation, report, err);
    store_set_unref(set);
    return code;
}
