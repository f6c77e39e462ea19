#include "catalog/format/lease.h"

#include <json-c/json.h>
#include <string.h>

#include "base/json_text.h"

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

static int compare_texts(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static GPtrArray *sorted_keys(GHashTable *table)
{
    GPtrArray *keys = g_ptr_array_new();
    GHashTableIter iterator;
    void *key;
    g_hash_table_iter_init(&iterator, table);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        g_ptr_array_add(keys, key);
    g_ptr_array_sort(keys, compare_texts);
    return keys;
}

static void append_held(GString *text, const struct lease *lease)
{
    g_autoptr(GPtrArray) ids = sorted_keys(lease->held);
    for (guint i = 0; i < ids->len; i++) {
        const char *id = g_ptr_array_index(ids, i);
        g_string_append_c(text, i ? ',' : '{');
        json_append_string(text, id);
        g_string_append_printf(text, ":%u", GPOINTER_TO_UINT(g_hash_table_lookup(lease->held, id)));
    }
    g_string_append(text, ids->len ? "}" : "{}");
}

static void append_closed(GString *text, const struct lease *lease)
{
    g_autoptr(GPtrArray) ids = sorted_keys(lease->closed);
    g_string_append_c(text, '[');
    for (guint i = 0; i < ids->len; i++) {
        if (i)
            g_string_append_c(text, ',');
        json_append_string(text, g_ptr_array_index(ids, i));
    }
    g_string_append_c(text, ']');
}

struct bytes *lease_render(const struct lease *lease)
{
    g_autoptr(GString) plain = g_string_new("{\"mount\":");
    g_autoptr(GString) pretty = g_string_new(NULL);
    json_append_string(plain, lease->id.text);
    g_string_append(plain, ",\"host\":");
    json_append_string(plain, lease->host);
    g_string_append_printf(plain, ",\"pid\":%" G_GUINT64_FORMAT ",\"sequence\":%" G_GUINT64_FORMAT,
                           lease->pid, lease->sequence);
    g_string_append(plain, ",\"held\":");
    append_held(plain, lease);
    g_string_append(plain, ",\"closed\":");
    append_closed(plain, lease);
    g_string_append_c(plain, '}');
    json_append_pretty(pretty, (struct json_span){plain->str, plain->len}, 0);
    return bytes_new(pretty->str, pretty->len);
}

/* ---- Reading ---- */

static bool read_id(struct json_span span, struct ulid *ret)
{
    g_autofree char *text = NULL;
    return json_span_string(span, &text) && ulid_parse(text, strlen(text), ret);
}

static bool read_held(struct json_span span, GHashTable *held)
{
    if (json_span_kind(span) != JSON_OBJECT)
        return false;
    g_autoptr(GArray) members = json_members(span);
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        struct ulid id;
        uint64_t handles;
        if (!member->key || !ulid_parse(member->key, strlen(member->key), &id) ||
            !json_span_unsigned(member->value, UINT32_MAX, &handles))
            return false;
        g_hash_table_replace(held, g_strdup(id.text), GUINT_TO_POINTER((guint)handles));
    }
    return true;
}

static bool read_closed(struct json_span span, GHashTable *closed)
{
    if (json_span_kind(span) != JSON_ARRAY)
        return false;
    g_autoptr(GArray) elements = json_elements(span);
    for (guint i = 0; i < elements->len; i++) {
        struct ulid id;
        if (!read_id(g_array_index(elements, struct json_span, i), &id))
            return false;
        g_hash_table_add(closed, g_strdup(id.text));
    }
    return true;
}

static bool read_host(struct json_span span, struct lease *lease)
{
    g_autofree char *host = NULL;
    if (!json_span_string(span, &host))
        return false;
    for (char *c = host; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* it is shown to people */
    g_free(lease->host);
    lease->host = g_steal_pointer(&host);
    return true;
}

static bool read_member(const struct json_member *member, struct lease *lease, unsigned *seen)
{
    static const char *const names[] = {"mount", "host", "pid", "sequence", "held", "closed"};
    struct ulid mount;
    unsigned which = 0;
    while (which < G_N_ELEMENTS(names) && g_strcmp0(member->key, names[which]) != 0)
        which++;
    *seen |= 1u << which;
    switch (which) {
    case 0:
        return read_id(member->value, &mount) && ulid_equal(&mount, &lease->id);
    case 1:
        return read_host(member->value, lease);
    case 2:
        return json_span_unsigned(member->value, UINT64_MAX, &lease->pid);
    case 3:
        return json_span_unsigned(member->value, UINT64_MAX, &lease->sequence);
    case 4:
        return read_held(member->value, lease->held);
    case 5:
        return read_closed(member->value, lease->closed);
    default:
        return true;
    }
}

#define ALL_MEMBERS 0x3fu

int lease_parse(const struct ulid *id, const struct bytes *body, struct lease **ret,
                struct error *err)
{
    struct json_span document = {body->data, body->size};
    int code = json_check(body->data, body->size, err);
    if (code)
        return code;
    if (json_span_kind(document) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "the lease is no object");
    struct lease *lease = lease_new(id, "?", 0);
    g_autoptr(GArray) members = json_members(document);
    unsigned seen = 0;
    for (guint i = 0; code == 0 && i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        if (!read_member(member, lease, &seen))
            code = error_set(err, ERR_CORRUPT, "member '%s' of the lease is not as it should be",
                             member->key ? member->key : "?");
    }
    if (code == 0 && (seen & ALL_MEMBERS) != ALL_MEMBERS)
        code = error_set(err, ERR_CORRUPT, "the lease lacks members");
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
