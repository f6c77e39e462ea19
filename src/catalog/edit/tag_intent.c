#include "catalog/edit/tag_intent.h"

#include "base/json_members.h"
#include "base/json_text.h"
#include "catalog/edit/intents.h"
#include "catalog/edit/tag_refs.h"
#include "catalog/fork/deletion_branches.h"
#include "catalog/fork/tag_names.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"

int tag_intent_put(struct catalog *catalog, const struct ulid *id, const char *tag, size_t refs,
                   struct operation *operation, struct bytes **ret, struct error *err)
{
    const struct ulid writer = ulid_new();
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text, "{\"writer\":\"%s\",\"tag\":", writer.text);
    json_append_string(text, tag);
    g_string_append_printf(text, ",\"refs\":%zu}", refs);
    auto_bytes struct bytes *body = bytes_new(text->str, text->len);
    int code = intent_put(catalog, &tag_intents, id, body, operation, err);
    *ret = code ? NULL : g_steal_pointer(&body);
    return code;
}

int tag_intent_delete(struct catalog *catalog, const struct ulid *id, const struct bytes *intent,
                      struct operation *operation, struct operation *undoing, struct error *err)
{
    g_autofree char *key = layout_tagging_key(catalog->layout, id);
    return intent_delete(catalog->store, key, intent, operation, undoing, err);
}

/* ---- Of a fork that is gone ---- */

static bool is_of_fork(const struct store_request *get, const struct ulid *id)
{
    struct tag_ref *ref = NULL;
    bool is = get->answer.code == 0 && tag_ref_parse(get->answer.body, &ref, NULL) == 0 &&
              ref->branch && layout_branch_is_of(ref->branch, id);
    tag_ref_free(ref);
    return is;
}

static int delete_refs(struct catalog *catalog, const struct ulid *id, struct store_set *gets,
                       struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *deletes = store_set_new();
    for (size_t i = 0; i < store_set_size(gets); i++)
        if (is_of_fork(store_set_at(gets, i), id))
            store_set_delete(deletes, store_set_at(gets, i)->key);
    return store_run_all(catalog->store, deletes, 0, operation, err);
}

/* A fork that is gone has no branches to be tagged; refs that point at them may be left. */
static int remove_refs(struct catalog *catalog, const struct ulid *id, const char *tag,
                       struct operation *operation, struct error *err)
{
    g_autoptr(GPtrArray) datasets = NULL;
    if (lance_tag_name_check(tag, err))
        return error_prefix(err, ERR_CORRUPT, "it names a tag that cannot be");
    int code = deletion_candidates(catalog->fork_points, operation, &datasets, err);
    if (code)
        return code;
    auto_store_set struct store_set *gets = store_set_new();
    for (guint i = 0; i < datasets->len; i++) {
        g_autofree char *key = tag_name_key(catalog->layout, tag, g_ptr_array_index(datasets, i));
        store_set_get(gets, key);
    }
    code = store_run_all(catalog->store, gets, ERR_NOT_FOUND, operation, err);
    if (code == 0)
        code = delete_refs(catalog, id, gets, operation, err);
    return code;
}

/* ---- Recovery ---- */

/* What an intent says, in *tag as long as *document lives. *refs: see tag_intent_put(). */
static int parse_intent(const struct bytes *body, struct json_object **document, const char **tag,
                        uint64_t *refs, struct error *err)
{
    int code = members_of_document(body, document, err);
    if (code == 0)
        code = members_unsigned(*document, "refs", UINT32_MAX, refs, err);
    if (code == 0)
        code = members_string(*document, "tag", tag, err);
    return code;
}

static int check_intent(const struct ulid *id, const struct bytes *body, struct error *err)
{
    auto_json struct json_object *document = NULL;
    const char *tag;
    uint64_t refs;
    return parse_intent(body, &document, &tag, &refs, err);
}

/* The fork may be going: who decided to drop it may not have looked for tags. */
static int remove_unless_whole(struct catalog *catalog, const struct ulid *id,
                               const struct fork_entry *entry, const struct bytes *body,
                               struct operation *operation, struct error *err)
{
    auto_json struct json_object *document = NULL;
    const char *tag = NULL;
    uint64_t refs = 0;
    int code = parse_intent(body, &document, &tag, &refs, err);
    if (code)
        return code;
    if (!entry)
        return remove_refs(catalog, id, tag, operation, err);
    code = tag_refs_delete_partial(catalog, entry, tag, refs, operation, err);
    return code == ERR_NOT_FOUND ? 0 : code;
}

const struct intent_kind tag_intents = {
    .what = "tag intent",
    .takeover = TAKEOVER_TAGGING,
    .leftover = LEFTOVER_TAGGING,
    .prefix = layout_taggings_prefix,
    .key = layout_tagging_key,
    .check = check_intent,
    .recover = remove_unless_whole,
};
