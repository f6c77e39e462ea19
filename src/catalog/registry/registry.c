#include "catalog/registry/registry.h"

#include <string.h>

#include "base/json_text.h"
#include "base/timestamp.h"
#include "catalog/registry/registry_private.h"

/* ---- Life ---- */

struct registry *registry_allocate(struct bytes *head, struct bytes *tail)
{
    struct registry *registry = g_new0(struct registry, 1);
    registry->references = 1;
    registry->entries = g_ptr_array_new_with_free_func((GDestroyNotify)fork_entry_unref);
    registry->by_id = g_ptr_array_new();
    registry->by_parent = g_ptr_array_new();
    registry->by_foreign = g_ptr_array_new();
    registry->head = bytes_ref(head);
    registry->tail = bytes_ref(tail);
    return registry;
}

struct registry *registry_ref(struct registry *registry)
{
    __atomic_fetch_add(&registry->references, 1, __ATOMIC_RELAXED);
    return registry;
}

void registry_unref(struct registry *registry)
{
    if (!registry || __atomic_sub_fetch(&registry->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (registry->owner) {
        registry_unref(registry->owner);
    } else {
        g_ptr_array_unref(registry->entries);
        g_ptr_array_unref(registry->by_id);
        g_ptr_array_unref(registry->by_parent);
        g_ptr_array_unref(registry->by_foreign);
        bytes_unref(registry->text);
        bytes_unref(registry->head);
        bytes_unref(registry->tail);
    }
    g_free(registry->etag);
    g_free(registry);
}

struct registry *registry_stored(struct registry *image, const char *etag, int64_t modified_ns)
{
    struct registry *owner = image->owner ? image->owner : image;
    struct registry *stored = g_new0(struct registry, 1);
    stored->references = 1;
    stored->owner = registry_ref(owner);
    stored->entries = owner->entries;
    stored->by_id = owner->by_id;
    stored->by_parent = owner->by_parent;
    stored->by_foreign = owner->by_foreign;
    stored->text = owner->text;
    stored->head = owner->head;
    stored->tail = owner->tail;
    stored->etag = g_strdup(etag);
    stored->modified_ns = modified_ns;
    stored->since_ns = owner->since_ns;
    return stored;
}

/* ---- Text ---- */

#define ENTRY_INDENT "    "

#define PUT_LITERAL(out, literal) mempcpy((out), (literal), sizeof(literal) - 1)

static size_t assembled_size(const struct registry *registry)
{
    size_t size = registry->head->size + strlen("{}") + registry->tail->size;
    const guint count = registry->entries->len;
    if (count == 0)
        return size;
    size += count * strlen("\n" ENTRY_INDENT ": ") + (count - 1) * strlen(",") + strlen("\n  ");
    for (guint i = 0; i < count; i++) {
        const struct fork_entry *entry = registry->entries->pdata[i];
        size += strlen(entry->key_source) + entry->text_length;
    }
    return size;
}

void registry_assemble(struct registry *registry)
{
    struct bytes *text = bytes_allocate(assembled_size(registry));
    char *out = mempcpy(text->data, registry->head->data, registry->head->size);
    out = PUT_LITERAL(out, "{");
    for (guint i = 0; i < registry->entries->len; i++) {
        const struct fork_entry *entry = registry->entries->pdata[i];
        out = i > 0 ? PUT_LITERAL(out, ",\n" ENTRY_INDENT) : PUT_LITERAL(out, "\n" ENTRY_INDENT);
        out = mempcpy(out, entry->key_source, strlen(entry->key_source));
        out = PUT_LITERAL(out, ": ");
        out = mempcpy(out, entry->text, entry->text_length);
    }
    out = registry->entries->len > 0 ? PUT_LITERAL(out, "\n  }") : PUT_LITERAL(out, "}");
    out = mempcpy(out, registry->tail->data, registry->tail->size);
    g_assert(out == text->data + text->size);
    registry->text = text;
}

/* ---- Parsing ---- */

static struct fork_entry *previous_entry(const struct registry *previous,
                                         const struct json_member *member)
{
    if (!previous)
        return NULL;
    g_autofree char *source = g_strndup(member->key_source.text, member->key_source.length);
    const struct fork_entry probe = {.key = member->key, .key_source = source};
    guint at = order_lower_bound(previous->entries, order_by_key, &probe);
    if (at == previous->entries->len)
        return NULL;
    struct fork_entry *entry = previous->entries->pdata[at];
    return strcmp(entry->key_source, source) == 0 ? entry : NULL;
}

static bool text_is(const struct fork_entry *entry, const char *text, size_t length)
{
    return entry->text_length == length && memcmp(entry->text, text, length) == 0;
}

/* The entry of one member of "forks", shared with `previous` when it is the same there. */
static int parse_entry(const struct json_member *member, const struct registry *previous,
                       struct timespec now, struct fork_entry **ret, struct error *err)
{
    struct fork_entry *old = previous_entry(previous, member);
    if (old && text_is(old, member->value.text, member->value.length)) {
        *ret = fork_entry_ref(old);
        return 0;
    }
    struct fork_entry *entry = NULL;
    int code = fork_entry_parse(member, member->value, &entry, err);
    if (code)
        return code;
    if (old && text_is(old, entry->text, entry->text_length)) {
        fork_entry_unref(entry);
        entry = fork_entry_ref(old);
    } else if (previous) {
        const struct fork_entry *was = registry_find_id(previous, &entry->id);
        entry->changed_at = now;
        entry->had_other_parent =
            was && (was->had_other_parent || !fork_entry_same_parent(was, entry));
    }
    *ret = entry;
    return 0;
}

static int parse_entries(struct registry *registry, struct json_span forks,
                         const struct registry *previous, struct error *err)
{
    if (json_span_kind(forks) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "member \"forks\" is not an object");
    const struct timespec now = timestamp_now();
    g_autoptr(GArray) members = json_split_members(forks);
    for (guint i = 0; i < members->len; i++) {
        struct fork_entry *entry = NULL;
        int code =
            parse_entry(&g_array_index(members, struct json_member, i), previous, now, &entry, err);
        if (code)
            return code;
        g_ptr_array_add(registry->entries, entry);
        g_ptr_array_add(registry->by_id, entry);
        if (entry->has_parent)
            g_ptr_array_add(registry->by_parent, entry);
        if (entry->has_foreign_branch)
            g_ptr_array_add(registry->by_foreign, entry);
    }
    order_sort(registry->entries, order_by_key);
    order_sort(registry->by_id, order_by_id_and_key);
    order_sort(registry->by_parent, order_by_parent_and_key);
    order_sort(registry->by_foreign, order_by_id_and_key);
    return 0;
}

static void append_root_member(GString *out, struct json_span key_source, struct json_span value)
{
    json_append_indent(out, 1);
    g_string_append_len(out, key_source.text, (gssize)key_source.length);
    g_string_append(out, ": ");
    json_append_pretty(out, value, 1);
}

/* Splits the root into what stands before the value of "forks", that value, and what follows.
 * Without the member, an empty one is taken to stand first. */
static struct registry *split_root(const GArray *members, struct json_span *forks)
{
    static const struct json_span forks_key = {"\"forks\"", 7};
    static const struct json_span nothing = {"", 0};
    g_autoptr(GString) head = g_string_new("{\n");
    g_autoptr(GString) tail = g_string_new(NULL);
    const struct json_member *own = json_find_member(members, "forks");
    bool passed = !own;

    *forks = own ? own->value : (struct json_span){"{}", 2};
    if (!own)
        append_root_member(head, forks_key, nothing);
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        if (member == own) {
            append_root_member(head, member->key_source, nothing);
            passed = true;
        } else if (passed) {
            g_string_append(tail, ",\n");
            append_root_member(tail, member->key_source, member->value);
        } else {
            append_root_member(head, member->key_source, member->value);
            g_string_append(head, ",\n");
        }
    }
    g_string_append(tail, "\n}");
    auto_bytes struct bytes *head_text = bytes_new(head->str, head->len);
    auto_bytes struct bytes *tail_text = bytes_new(tail->str, tail->len);
    return registry_allocate(head_text, tail_text);
}

static int parse_document(const struct bytes *body, const struct registry *previous,
                          struct registry **ret, struct error *err)
{
    static const struct json_span empty = {"{}", 2};
    g_autoptr(GArray) members = NULL;
    int code = 0;
    if (body)
        code = json_document_members(body, &members, err);
    else
        members = json_split_members(empty);
    if (code)
        return code;
    struct json_span forks;
    auto_registry struct registry *registry = split_root(members, &forks);
    code = parse_entries(registry, forks, previous, err);
    if (!code)
        *ret = g_steal_pointer(&registry);
    return code;
}

int registry_parse(struct bytes *body, const char *etag, int64_t modified_ns,
                   const struct registry *previous, struct registry **ret, struct error *err)
{
    struct registry *registry = NULL;
    int code = parse_document(body, previous, &registry, err);
    if (code)
        return error_prefix(err, code, "fork registry");
    registry_assemble(registry);
    if (body && bytes_equal(body, registry->text)) {
        bytes_unref(registry->text);
        registry->text = bytes_ref(body);
    }
    registry->etag = g_strdup(etag);
    registry->modified_ns = modified_ns;
    registry->since_ns = monotonic_now_ns();
    *ret = registry;
    return 0;
}
