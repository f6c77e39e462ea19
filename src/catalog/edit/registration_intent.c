#include "catalog/edit/registration_intent.h"

#include "base/json_members.h"
#include "catalog/change/deletion.h"
#include "catalog/edit/intents.h"

static struct bytes *render_intent(const GPtrArray *branches)
{
    const struct ulid writer = ulid_new();
    auto_json struct json_object *document = json_object_new_object();
    struct json_object *datasets = json_object_new_object();
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(branches, i);
        json_object_object_add(datasets, pair->dataset, json_object_new_string(pair->branch));
    }
    json_object_object_add(document, "writer", json_object_new_string(writer.text));
    json_object_object_add(document, "datasets", datasets);
    return bytes_new_text(json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE));
}

int registration_intent_put(struct catalog *catalog, const struct ulid *id,
                            const GPtrArray *branches, struct operation *operation,
                            struct bytes **ret, struct error *err)
{
    auto_bytes struct bytes *body = render_intent(branches);
    int code = intent_put(catalog, &registration_intents, id, body, operation, err);
    *ret = code ? NULL : g_steal_pointer(&body);
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
static int parse_intent(const struct bytes *body, const struct ulid *id,
                        const struct fork_entry *entry, GPtrArray *branches, struct error *err)
{
    auto_json struct json_object *document = NULL;
    struct json_object *datasets;
    struct json_object_iter pair;
    int code = members_of_document(body, &document, err);
    if (code == 0)
        code = members_object(document, "datasets", &datasets, err);
    if (code)
        return code;
    json_object_object_foreachC(datasets, pair)
    {
        if (!layout_dataset_name_is_safe(pair.key))
            return error_set(err, ERR_CORRUPT, "it names a dataset that cannot be used");
        g_autofree char *branch = layout_branch_name(id, pair.key);
        const char *registered = entry ? fork_entry_branch(entry, pair.key) : NULL;
        if (g_strcmp0(registered, branch) != 0)
            g_ptr_array_add(branches, dataset_branch_new(pair.key, branch));
    }
    return deletion_check_names(branches, err);
}

static int check_intent(const struct ulid *id, const struct bytes *body, struct error *err)
{
    g_autoptr(GPtrArray) branches = dataset_branches_new();
    return parse_intent(body, id, NULL, branches, err);
}

static int take_branches_back(struct catalog *catalog, const struct ulid *id,
                              const struct fork_entry *entry, const struct bytes *body,
                              struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) branches = dataset_branches_new();
    int code = parse_intent(body, id, entry, branches, err);
    if (code)
        return code;
    const struct deletion deletion = {
        .extent = DELETION_OF_BRANCHES, .id = id, .branches = branches, .written = branches};
    return deletion_run(catalog, deletion, operation, err);
}

const struct intent_kind registration_intents = {
    .what = "registration",
    .takeover = TAKEOVER_REGISTRATION,
    .leftover = LEFTOVER_REGISTRATION,
    .prefix = layout_registrations_prefix,
    .key = layout_registration_key,
    .check = check_intent,
    .recover = take_branches_back,
};
