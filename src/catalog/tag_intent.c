#include "catalog/tag_intent.h"

#include "base/json_string.h"
#include "catalog/intents.h"
#include "catalog/members.h"

int tag_intent_put(struct store *store, const struct layout *layout, const struct ulid *id,
                   const char *tag, struct operation *operation, struct error *err)
{
    g_autofree char *key = layout_tagging_key(layout, id);
    const struct ulid writer = ulid_new();
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text, "{\"writer\":\"%s\",\"tag\":", writer.text);
    json_append_string(text, tag);
    g_string_append_c(text, '}');
    auto_bytes struct bytes *body = bytes_new(text->str, text->len);
    return intent_put(store, key, body, operation, err);
}

int tag_intent_delete(struct store *store, const struct layout *layout, const struct ulid *id,
                      struct operation *operation, struct error *err)
{
    g_autofree char *key = layout_tagging_key(layout, id);
    int code = store_delete(store, key, operation, err);
    if (code) /* deleting what is gone succeeds; much depends on it */
        code = store_delete(store, key, operation, err);
    return code;
}

static int remove_tag(struct catalog *catalog, const struct ulid *id,
                      const struct fork_entry *entry, const struct bytes *body,
                      struct operation *operation, struct error *err)
{
    g_autoptr(GArray) members = NULL;
    g_autofree char *tag = NULL;
    int code = members_of_document(body, &members, err);
    if (code == 0)
        code = members_string(members, "tag", &tag, err);
    if (code || !entry) /* a fork that is gone has no branches that could be tagged */
        return code;
    code = tags_delete_refs(catalog->tags, entry, tag, operation, err);
    return code == ERR_NOT_FOUND ? 0 : code;
}

const struct intent_kind tag_intents = {
    .what = "tag intent",
    .takeover = TAKEOVER_TAGGING,
    .prefix = layout_taggings_prefix,
    .key = layout_tagging_key,
    .recover = remove_tag,
};
