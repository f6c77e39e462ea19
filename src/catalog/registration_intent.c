#include "catalog/registration_intent.h"

#include <string.h>

#include "base/json_string.h"
#include "catalog/fork_remains.h"
#include "catalog/members.h"

#define SUFFIX ".json"

static struct bytes *render(const GPtrArray *branches)
{
    g_autoptr(GString) text = g_string_new("{");
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        if (i > 0)
            g_string_append_c(text, ',');
        json_append_string(text, pair->dataset);
        g_string_append_c(text, ':');
        json_append_string(text, pair->branch);
    }
    g_string_append_c(text, '}');
    return bytes_new(text->str, text->len);
}

int registration_intent_put(struct catalog *catalog, const struct ulid *id,
                            const GPtrArray *branches, struct operation *operation,
                            struct error *err)
{
    g_autofree char *key = layout_registration_key(catalog->layout, id);
    auto_bytes struct bytes *body = render(branches);
    struct store_set *set = store_set_new();
    const struct store_request *request = store_set_put(set, key, body, STORE_ALWAYS, NULL);
    int code = store_run(catalog->store, set, operation, NULL);
    code = store_answer_failure(&request->answer, code, err);
    store_set_unref(set);
    return code;
}

int registration_intent_delete(struct catalog *catalog, const struct ulid *id,
                               struct operation *operation, struct error *err)
{
    g_autofree char *key = layout_registration_key(catalog->layout, id);
    return store_delete(catalog->store, key, operation, err);
}

/* ---- Recovery ---- */

/* The branches that were to be made: those named as forks' branches are, and not registered. */
static int parse(const struct bytes *body, const struct ulid *id, const struct fork_entry *entry,
                 GPtrArray *branches, struct error *err)
{
    g_autoptr(GArray) members = NULL;
    int code = members_of_document(body, &members, err);
    for (guint i = 0; code == 0 && i < members->len; i++) {
        const char *dataset = g_array_index(members, struct json_member, i).key;
        if (!dataset || !layout_dataset_name_is_safe(dataset))
            return error_set(err, ERR_CORRUPT, "it names a dataset that cannot be used");
        g_autofree char *branch = layout_branch_name(id, dataset);
        const char *registered = entry ? fork_entry_branch(entry, dataset) : NULL;
        if (g_strcmp0(registered, branch) != 0)
            g_ptr_array_add(branches, dataset_branch_new(dataset, branch));
    }
    return code ? code : fork_remains_check_names(branches, err);
}

static bool id_of_key(const struct catalog *catalog, const char *key, struct ulid *ret)
{
    g_autofree char *prefix = layout_registrations_prefix(catalog->layout);
    if (!g_str_has_prefix(key, prefix) || !ulid_parse(key + strlen(prefix), ULID_LENGTH, ret))
        return false;
    g_autofree char *expected = layout_registration_key(catalog->layout, ret);
    return strcmp(key, expected) == 0;
}

static int recover_one(struct catalog *catalog, const struct store_request *get,
                       struct operation *operation, struct error *err)
{
    struct ulid id;
    if (!id_of_key(catalog, get->key, &id))
        return error_set(err, ERR_CORRUPT, "its name is no fork's id");
    auto_registry struct registry *registry = catalog_registry(catalog);
    const struct fork_entry *entry = registry_find_id(registry, &id);
    g_autoptr(GPtrArray) branches = dataset_branches_new();
    int code = parse(get->answer.body, &id, entry, branches, err);
    if (code)
        return code;
    struct fork_remains remains = {.id = &id, .branches = branches, .branches_only = true};
    fork_remains_delete(catalog->store, catalog->layout, catalog->settings.log, registry, &remains,
                        1, operation);
    if (remains.code)
        return error_copy(err, &remains.error);
    return registration_intent_delete(catalog, &id, operation, err);
}

static int recover_listed(struct catalog *catalog, const struct store_request *listing,
                          struct operation *operation, struct recovery_report *report,
                          struct error *err)
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
        code = recover_one(catalog, get, operation, &problem);
        if (code == 0) {
            report->orphans++;
        } else if (code == ERR_CORRUPT || code == ERR_IO || code == ERR_ACCESS) {
            g_ptr_array_add(report->problems, g_strdup_printf("registration %s was left alone: %s",
                                                              get->key, problem.text));
            code = 0;
        } else {
            error_copy(err, &problem);
        }
    }
    store_set_unref(set);
    return code;
}

int registration_intents_recover(struct catalog *catalog, struct operation *operation,
                                 struct recovery_report *report, struct error *err)
{
    g_autofree char *prefix = layout_registrations_prefix(catalog->layout);
    struct store_set *set = store_set_new();
    const struct store_request *listing = store_set_list(set, prefix, NULL, 0);
    int code = store_run(catalog->store, set, operation, err);
    if (code == 0)
        code = store_set_failure(set, 0, err);
    if (code == 0)
        code = recover_listed(catalog, listing, operation, report, err);
    store_set_unref(set);
    return code;
}
