#include "catalog/format/lease.h"

#include <string.h>

#include "base/json_members.h"
#include "base/printable.h"

struct lease *lease_new(const struct ulid *id, const char *host, uint64_t pid)
{
    struct lease *lease = g_new0(struct lease, 1);
    lease->id = *id;
    lease->host = g_strdup(host);
    lease->pid = pid;
    lease->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    lease->closed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return lease;
}

void lease_free(struct lease *lease)
{
    if (!lease)
        return;
    g_free(lease->host);
    g_hash_table_unref(lease->held);
    g_hash_table_unref(lease->closed);
    g_free(lease);
}

/* ---- Writing ---- */

static struct json_object *held_value(GHashTable *held)
{
    struct json_object *value = json_object_new_object();
    g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(held), (GCompareFunc)strcmp);
    for (const GList *id = ids; id; id = id->next)
        json_object_object_add(
            value, id->data,
            json_object_new_int64(GPOINTER_TO_UINT(g_hash_table_lookup(held, id->data))));
    return value;
}

static struct json_object *closed_value(GHashTable *closed)
{
    struct json_object *value = json_object_new_array();
    g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(closed), (GCompareFunc)strcmp);
    for (const GList *id = ids; id; id = id->next)
        json_object_array_add(value, json_object_new_string(id->data));
    return value;
}

struct bytes *lease_render(const struct lease *lease)
{
    auto_json struct json_object *object = json_object_new_object();
    json_object_object_add(object, "mount", json_object_new_string(lease->id.text));
    json_object_object_add(object, "host", json_object_new_string(lease->host));
    json_object_object_add(object, "pid", json_object_new_uint64(lease->pid));
    json_object_object_add(object, "sequence", json_object_new_uint64(lease->sequence));
    json_object_object_add(object, "held", held_value(lease->held));
    json_object_object_add(object, "closed", closed_value(lease->closed));
    return json_value_render(object);
}

/* ---- Reading ---- */

static int read_mount(struct json_object *object, const struct ulid *id, struct error *err)
{
    struct ulid mount;
    int code = members_ulid(object, "mount", &mount, err);
    if (code == 0 && !ulid_equal(&mount, id))
        code = error_set(err, ERR_CORRUPT, "member \"mount\" is not the id in its name");
    return code;
}

static int read_host(struct json_object *object, struct lease *lease, struct error *err)
{
    const char *host;
    int code = members_string(object, "host", &host, err);
    if (code)
        return code;
    g_free(lease->host);
    lease->host = g_strdup(host);
    printable_replace(lease->host, '?'); /* it is shown to people */
    return 0;
}

static int read_held(struct json_object *object, GHashTable *held, struct error *err)
{
    struct json_object *forks;
    int code = members_object(object, "held", &forks, err);
    if (code)
        return code;
    struct json_object_iter fork;
    json_object_object_foreachC(forks, fork)
    {
        struct ulid id;
        uint64_t handles;
        if (!ulid_parse(fork.key, strlen(fork.key), &id) ||
            !json_value_unsigned(fork.val, UINT32_MAX, &handles))
            return error_set(err, ERR_CORRUPT, "member \"held\": not an id and a number");
        g_hash_table_replace(held, g_strdup(id.text), GUINT_TO_POINTER((guint)handles));
    }
    return 0;
}

static int read_closed(struct json_object *object, GHashTable *closed, struct error *err)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    int code = members_strings(object, "closed", texts, err);
    for (guint i = 0; code == 0 && i < texts->len; i++) {
        const char *text = g_ptr_array_index(texts, i);
        struct ulid id;
        if (!ulid_parse(text, strlen(text), &id))
            return error_set(err, ERR_CORRUPT, "member \"closed\": not an id: %.100s", text);
        g_hash_table_add(closed, g_strdup(id.text));
    }
    return code;
}

int lease_parse(const struct ulid *id, const struct bytes *body, struct lease **ret,
                struct error *err)
{
    auto_json struct json_object *object = NULL;
    int code = members_of_document(body, &object, err);
    if (code)
        return code;
    struct lease *lease = lease_new(id, "?", 0);
    code = read_mount(object, id, err);
    if (code == 0)
        code = read_host(object, lease, err);
    if (code == 0)
        code = members_unsigned(object, "pid", UINT64_MAX, &lease->pid, err);
    if (code == 0)
        code = members_unsigned(object, "sequence", UINT64_MAX, &lease->sequence, err);
    if (code == 0)
        code = read_held(object, lease->held, err);
    if (code == 0)
        code = read_closed(object, lease->closed, err);
    if (code)
        lease_free(lease);
    else
        *ret = lease;
    return code;
}

/* ---- Comparing ---- */

static bool same_keys(GHashTable *a, GHashTable *b)
{
    if (g_hash_table_size(a) != g_hash_table_size(b))
        return false;
    GHashTableIter iterator;
    void *key;
    g_hash_table_iter_init(&iterator, a);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        if (!g_hash_table_contains(b, key))
            return false;
    return true;
}

bool lease_says_the_same(const struct lease *a, const struct lease *b)
{
    return same_keys(a->held, b->held) && same_keys(a->closed, b->closed);
}
