#include "catalog/repair/origin.h"

#include <string.h>

#include "base/json_members.h"
#include "base/timestamp.h"
#include "catalog/format/documents.h"

#define SUFFIX ".json"
#define MAIN ""
#define UNINITIALIZED "uninitialized"

struct snapshot_seen {
    char *id;
    int64_t created_ns;
    uint64_t version_mark;
    uint32_t schema_version;
};

struct origins {
    struct store *store;
    const struct layout *layout;
    GHashTable *snapshots; /* id of a fork, or MAIN -> GPtrArray of struct snapshot_seen */
};

static void snapshot_seen_free(void *pointer)
{
    struct snapshot_seen *seen = pointer;
    g_free(seen->id);
    g_free(seen);
}

struct origins *origins_new(struct store *store, const struct layout *layout)
{
    struct origins *origins = g_new0(struct origins, 1);
    origins->store = store;
    origins->layout = layout;
    origins->snapshots =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    return origins;
}

void origins_free(struct origins *origins)
{
    if (!origins)
        return;
    g_hash_table_unref(origins->snapshots);
    g_free(origins);
}

/* ---- Snapshots ---- */

/* NULL: it does not parse, and tells nothing. */
static struct snapshot_seen *see_snapshot(const struct bytes *body)
{
    auto_json struct json_object *object = NULL;
    struct snapshot *snapshot = NULL;
    struct timespec created_at;
    uint64_t schema_version = 0;
    if (snapshot_parse(body, &snapshot, NULL) != 0)
        return NULL;
    if (members_of_document(body, &object, NULL) != 0 ||
        members_time(object, "created_at", &created_at, NULL) != 0 ||
        members_unsigned(object, "schema_version", UINT32_MAX, &schema_version, NULL) != 0) {
        snapshot_free(snapshot);
        return NULL;
    }
    struct snapshot_seen *seen = g_new0(struct snapshot_seen, 1);
    *seen = (struct snapshot_seen){.id = g_strdup(snapshot->id),
                                   .created_ns = timespec_ns(created_at),
                                   .version_mark = snapshot->version_mark,
                                   .schema_version = (uint32_t)schema_version};
    snapshot_free(snapshot);
    return seen;
}

static int read_snapshots(struct origins *origins, const char *prefix, GPtrArray *seen,
                          struct operation *operation, struct error *err)
{
    auto_store_set struct store_set *listings = store_set_new();
    auto_store_set struct store_set *gets = store_set_new();
    const struct store_request *listing = store_set_list(listings, prefix, NULL, 0);
    int code = store_run_all(origins->store, listings, 0, operation, err);
    for (guint i = 0; code == 0 && i < listing->answer.objects->len; i++) {
        const struct store_object *row = g_ptr_array_index(listing->answer.objects, i);
        if (g_str_has_suffix(row->key, SUFFIX))
            store_set_get(gets, row->key);
    }
    if (code == 0)
        code = store_run_all(origins->store, gets, ERR_NOT_FOUND, operation, err);
    for (size_t i = 0; code == 0 && i < store_set_size(gets); i++) {
        const struct store_answer *answer = &store_set_at(gets, i)->answer;
        struct snapshot_seen *one = answer->code == 0 ? see_snapshot(answer->body) : NULL;
        if (one)
            g_ptr_array_add(seen, one);
    }
    return error_prefix(err, code, "reading the snapshots %s", prefix);
}

/* Of a fork, or (NULL) of the primary graph; read once. */
static int obtain_snapshots(struct origins *origins, const struct fork_entry *parent,
                            const GPtrArray **ret, struct operation *operation, struct error *err)
{
    const char *key = parent ? parent->id.text : MAIN;
    GPtrArray *seen = g_hash_table_lookup(origins->snapshots, key);
    int code = 0;
    if (!seen) {
        g_autofree char *prefix = parent
                                      ? layout_fork_snapshots_prefix(origins->layout, &parent->id)
                                      : layout_snapshots_prefix(origins->layout);
        seen = g_ptr_array_new_with_free_func(snapshot_seen_free);
        g_hash_table_insert(origins->snapshots, g_strdup(key), seen);
        code = read_snapshots(origins, prefix, seen, operation, err);
    }
    *ret = seen;
    return code;
}

/* The newest that is not younger than the fork; Uni and forkfs take one that is there before they
 * make the id. Of those of a fork the highest mark counts: see docs/formats.md. */
static const struct snapshot_seen *find_snapshot(const GPtrArray *seen, int64_t made_ns,
                                                 uint64_t *ret_highest)
{
    const struct snapshot_seen *newest = NULL;
    for (guint i = 0; i < seen->len; i++) {
        const struct snapshot_seen *one = g_ptr_array_index(seen, i);
        if (one->created_ns >= made_ns)
            continue;
        *ret_highest = MAX(*ret_highest, one->version_mark);
        if (!newest || one->created_ns > newest->created_ns)
            newest = one;
    }
    return newest;
}

int origins_describe(struct origins *origins, const struct fork_entry *parent,
                     struct fork_description *description, struct operation *operation,
                     struct error *err)
{
    const GPtrArray *seen;
    uint64_t highest = 0;
    int code = obtain_snapshots(origins, parent, &seen, operation, err);
    if (code)
        return code;
    const int64_t made_ns = (ulid_time_ms(&description->id) + 1) * NS_PER_MS;
    const struct snapshot_seen *snapshot = find_snapshot(seen, made_ns, &highest);
    uint64_t mark = !snapshot ? 0 : parent ? highest : snapshot->version_mark;
    description->version_mark = snapshot && mark < UINT64_MAX ? mark + 1 : mark;
    description->schema_version = snapshot ? snapshot->schema_version : 1;
    if (parent) {
        description->version_mark = MAX(description->version_mark, parent->version_mark);
        description->schema_version = MAX(description->schema_version, parent->schema_version);
    }
    description->parent_snapshot_id = snapshot ? snapshot->id : UNINITIALIZED;
    return 0;
}
