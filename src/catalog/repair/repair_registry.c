/*
 * A registry that was lost: absent although the store has forks, or unreadable.
 */
#include <string.h>

#include "base/blake3.h"
#include "catalog/fork_point/fork_point.h"
#include "catalog/format/unique_body.h"
#include "catalog/repair/recovered.h"
#include "catalog/repair/repair_private.h"

/* How much of the hash of a broken registry is in the name of the copy. */
#define HASH_SHOWN 16

/* What is there in its place. */
struct lost_registry {
    char *key;
    struct bytes *body; /* NULL: it is absent */
    char *etag;
};

static void lost_registry_clear(struct lost_registry *lost)
{
    g_free(lost->key);
    bytes_unref(lost->body);
    g_free(lost->etag);
}

/* Whether the metadata is there at all. Where the schema is away, too, the registry has not been
 * lost: the whole directory is somewhere else. */
static int check_schema(struct repair *repair, struct error *err)
{
    auto_store_set struct store_set *set = store_set_new();
    const struct store_request *schema =
        store_set_add(set, STORE_HEAD, layout_schema_key(repair->layout));
    const struct store_request *legacy =
        store_set_add(set, STORE_HEAD, layout_legacy_schema_key(repair->layout));
    int code = store_run_all(repair->store, set, ERR_NOT_FOUND, repair->operation, err);
    if (code == 0 && schema->answer.code && legacy->answer.code)
        code = error_set(err, ERR_NOT_FOUND,
                         "neither registry nor schema (%s) is there: is that the prefix of the "
                         "metadata?",
                         schema->key);
    return code;
}

/* Whether a dataset is away in which the snapshot has rows: forks would be entered without it. What
 * else keeps forks from being made is no obstacle, but then this is not known. */
static int check_datasets(struct repair *repair, struct error *err)
{
    struct fork_point_reader *reader = fork_point_reader_new(repair->store, repair->layout);
    struct fork_point *point = NULL;
    struct error problem = {0};
    int code = fork_point_read(reader, NULL, NULL, repair->operation, &point, &problem);
    fork_point_free(point);
    fork_point_reader_free(reader);
    return code == ERR_AWAY ? error_copy(err, &problem) : 0;
}

static int read_lost(struct repair *repair, struct lost_registry *ret, bool *ret_lost,
                     struct error *err)
{
    auto_registry struct registry *registry = NULL;
    ret->key = layout_registry_key(repair->layout);
    int code = store_get(repair->store, ret->key, repair->operation, &ret->body, &ret->etag, err);
    *ret_lost = code == ERR_NOT_FOUND ||
                (code == 0 && registry_parse(ret->body, ret->etag, 0, NULL, &registry, NULL) != 0);
    return code == ERR_NOT_FOUND ? 0 : code;
}

/* Without a registry nothing is an orphan. What an allocator and an overlay are left of may be a
 * fork without datasets; what a tombstone or an intent names is recovery's. */
static GPtrArray *choose_forks(GHashTable *survey)
{
    g_autoptr(GPtrArray) all = remains_sorted(survey);
    GPtrArray *chosen = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        struct remains *remains = g_ptr_array_index(all, i);
        g_autoptr(GPtrArray) whole = remains_branches(remains, true);
        bool is_bare =
            remains->branches->len == 0 && remains->has_allocator && remains->has_overlay;
        if (!remains->is_claimed && (whole->len > 0 || is_bare))
            g_ptr_array_add(chosen, remains);
    }
    return chosen;
}

/* Takes the entries into an empty registry. */
static struct registry *assemble(GPtrArray *entries)
{
    struct registry *empty = NULL;
    if (registry_parse(NULL, NULL, 0, NULL, &empty, NULL) != 0)
        g_error("an empty registry does not parse");
    struct registry_edit *edit = registry_edit_new(empty);
    for (guint i = 0; i < entries->len; i++)
        registry_edit_insert(edit, g_ptr_array_index(entries, i));
    registry_unref(empty);
    return registry_edit_finish(edit);
}

/* Puts a copy of the broken document beside it, under a name that nobody reads: by its content, so
 * that who repeats a repair makes no other. */
static int keep_aside(struct repair *repair, const struct lost_registry *lost, struct error *err)
{
    char hash[BLAKE3_HEX_LENGTH + 1];
    blake3_hex(lost->body->data, lost->body->size, hash);
    g_autofree char *key = g_strdup_printf("%s.broken-%.*s", lost->key, HASH_SHOWN, hash);
    auto_store_set struct store_set *set = store_set_new();
    store_set_put(set, key, lost->body, STORE_IF_ABSENT, NULL);
    int code = store_run_all(repair->store, set, ERR_PRECONDITION, repair->operation, err);
    if (code == 0)
        repair_did(repair, "keep the registry that does not parse as %s", key);
    return error_prefix(err, code, "keeping the registry that does not parse");
}

static int put_registry(struct repair *repair, const struct lost_registry *lost, GPtrArray *entries,
                        struct error *err)
{
    auto_registry struct registry *rebuilt = assemble(entries);
    auto_bytes struct bytes *body =
        repair->settings->shared ? unique_body(rebuilt->text) : bytes_ref(rebuilt->text);
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *put = store_set_put(
        set, lost->key, body, lost->body ? STORE_IF_MATCH : STORE_IF_ABSENT, lost->etag);
    put->through_link = true; /* as the committer puts it */
    int code = store_run_all(repair->store, set, 0, repair->operation, err);
    if (code)
        return error_prefix(err, code, "putting the registry that was rebuilt");
    repair_did(repair, "rebuild the registry %s with %u fork%s", lost->key, entries->len,
               entries->len == 1 ? "" : "s");
    for (guint i = 0; i < entries->len; i++) {
        g_autofree char *text = recovered_text(g_ptr_array_index(entries, i));
        repair_did(repair, "enter %s", text);
    }
    return 0;
}

static int rebuild(struct repair *repair, const struct lost_registry *lost, struct error *err)
{
    g_autoptr(GHashTable) survey = NULL;
    g_autoptr(GPtrArray) entries = NULL;
    auto_registry struct registry *empty = NULL;
    int code = remains_survey(repair->store, repair->layout, NULL, repair->operation, &survey, err);
    if (code == 0)
        code = registry_parse(NULL, NULL, 0, NULL, &empty, err);
    if (code)
        return code;
    g_autoptr(GPtrArray) forks = choose_forks(survey);
    code = remains_leave_foreign(repair->store, repair->layout, forks, repair->operation, err);
    if (code == 0)
        code = recovered_entries(repair->store, repair->layout, empty, forks, repair->operation,
                                 &entries, err);
    if (code || (entries->len == 0 && !lost->body))
        return code; /* a database that has never had a fork */
    code = check_datasets(repair, err);
    if (code == 0)
        code = lost->body ? keep_aside(repair, lost, err) : check_schema(repair, err);
    if (code == 0)
        code = recovered_complete(repair->store, repair->layout, entries, repair->operation, err);
    return code ? code : put_registry(repair, lost, entries, err);
}

int repair_registry(struct repair *repair, struct error *err)
{
    struct lost_registry lost = {0};
    bool is_lost = false;
    int code = read_lost(repair, &lost, &is_lost, err);
    if (code == 0 && is_lost)
        code = rebuild(repair, &lost, err);
    lost_registry_clear(&lost);
    return code;
}
