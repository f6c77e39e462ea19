#include "catalog/registry/fork_entry.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_members.h"
#include "base/timestamp.h"
#include "catalog/format/layout.h"

/* An entry is the value of a member of "forks". */
#define ENTRY_LEVEL 2

static const char *const status_names[] = {"pending", "active", "tombstoned"};

/* Uni's ForkInfo, in the order of its declaration. */
static const char *const declared_members[] = {
    "id",
    "name",
    "parent_fork_id",
    "parent_snapshot_id",
    "created_at",
    "ttl_expires_at",
    "schema_version_at_creation",
    "datasets",
    "fork_point_version_hwm",
    "status",
};

const char *fork_status_name(enum fork_status status)
{
    return status_names[status];
}

const char *fork_entry_name(const struct fork_entry *entry)
{
    return entry->key ? entry->key : entry->id.text;
}

bool fork_entry_same_parent(const struct fork_entry *a, const struct fork_entry *b)
{
    return a->has_parent == b->has_parent &&
           (!a->has_parent || ulid_equal(&a->parent_id, &b->parent_id));
}

bool fork_entry_same_text(const struct fork_entry *a, const struct fork_entry *b)
{
    return a->text_length == b->text_length && memcmp(a->text, b->text, a->text_length) == 0;
}

bool fork_entry_same_datasets(const struct fork_entry *a, const struct fork_entry *b)
{
    if (a->datasets->len != b->datasets->len)
        return false;
    for (guint i = 0; i < a->datasets->len; i++) {
        const struct dataset_branch *pair = g_ptr_array_index(a->datasets, i);
        if (g_strcmp0(fork_entry_branch(b, pair->dataset), pair->branch) != 0)
            return false;
    }
    return true;
}

int fork_entry_expiry(struct timespec from, uint64_t ttl_seconds, struct timespec *ret,
                      struct error *err)
{
    if (ttl_seconds > (uint64_t)(TIMESTAMP_MAX_SECONDS - from.tv_sec))
        return error_set(err, ERR_INVALID, "a ttl of %" PRIu64 " seconds is too long", ttl_seconds);
    *ret = from;
    ret->tv_sec += (time_t)ttl_seconds;
    return 0;
}

bool fork_entry_time_is_over(const struct fork_entry *entry, struct timespec now)
{
    return entry->has_expiry &&
           (entry->expires_at.tv_sec < now.tv_sec ||
            (entry->expires_at.tv_sec == now.tv_sec && entry->expires_at.tv_nsec <= now.tv_nsec));
}

bool fork_entry_is_expired(const struct fork_entry *entry, struct timespec now)
{
    return entry->status == FORK_ACTIVE && fork_entry_time_is_over(entry, now);
}

/* ---- Datasets ---- */

struct dataset_branch *dataset_branch_new(const char *dataset, const char *branch)
{
    struct dataset_branch *pair = g_new(struct dataset_branch, 1);
    pair->dataset = g_strdup(dataset);
    pair->branch = g_strdup(branch);
    return pair;
}

static void dataset_branch_free(gpointer data)
{
    struct dataset_branch *pair = data;
    g_free(pair->dataset);
    g_free(pair->branch);
    g_free(pair);
}

GPtrArray *dataset_branches_new(void)
{
    return g_ptr_array_new_with_free_func(dataset_branch_free);
}

void dataset_branches_add(GPtrArray *branches, const char *dataset, const char *branch)
{
    for (guint i = 0; i < branches->len; i++) {
        const struct dataset_branch *known = g_ptr_array_index(branches, i);
        if (strcmp(known->dataset, dataset) == 0 && strcmp(known->branch, branch) == 0)
            return;
    }
    g_ptr_array_add(branches, dataset_branch_new(dataset, branch));
}

static gint compare_pairs(gconstpointer a, gconstpointer b)
{
    const struct dataset_branch *first = *(struct dataset_branch *const *)a;
    const struct dataset_branch *second = *(struct dataset_branch *const *)b;
    return strcmp(first->dataset, second->dataset);
}

const char *fork_entry_branch(const struct fork_entry *entry, const char *dataset)
{
    guint low = 0;
    guint high = entry->datasets->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct dataset_branch *pair = entry->datasets->pdata[middle];
        int order = strcmp(pair->dataset, dataset);
        if (order == 0)
            return pair->branch;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- Life ---- */

struct fork_entry *fork_entry_ref(struct fork_entry *entry)
{
    __atomic_fetch_add(&entry->references, 1, __ATOMIC_RELAXED);
    return entry;
}

void fork_entry_unref(struct fork_entry *entry)
{
    if (!entry || __atomic_sub_fetch(&entry->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    g_free(entry->key);
    g_free(entry->key_source);
    g_free(entry->name);
    g_free(entry->parent_snapshot_id);
    g_ptr_array_unref(entry->datasets);
    g_free(entry->text);
    g_free(entry);
}

/* ---- Parsing ---- */

static int parse_name(struct fork_entry *entry, const GArray *source, struct error *err)
{
    const struct json_member *member = json_find_member(source, "name");
    if (!member)
        return error_set(err, ERR_CORRUPT, "member \"name\" is missing");
    if (json_span_kind(member->value) != JSON_STRING)
        return error_set(err, ERR_CORRUPT, "member \"name\" is not a string");
    if (!json_span_string(member->value, &entry->name))
        entry->name = NULL; /* holds U+0000: a bad name, but the entry can be dropped */
    if (!entry->key_source) {
        entry->key = g_strdup(entry->name);
        entry->key_source = g_strndup(member->value.text, member->value.length);
    }
    return 0;
}

static int parse_datasets(struct fork_entry *entry, struct json_object *members,
                          const GArray *source, struct error *err)
{
    struct json_object *object;
    int code = members_object(members, "datasets", &object, err);
    if (code)
        return code;
    g_autoptr(GArray) pairs = json_split_members(json_find_member(source, "datasets")->value);
    for (guint i = 0; i < pairs->len; i++) {
        const struct json_member *member = &g_array_index(pairs, struct json_member, i);
        g_autofree char *branch = NULL;
        if (!member->key || !json_span_string(member->value, &branch))
            return error_set(err, ERR_CORRUPT,
                             "member \"datasets\": %.*s: not two strings without U+0000",
                             (int)MIN(member->key_source.length, 200), member->key_source.text);
        g_ptr_array_add(entry->datasets, dataset_branch_new(member->key, branch));
        if (!layout_branch_is_of(branch, &entry->id))
            entry->has_foreign_branch = true;
    }
    g_ptr_array_sort(entry->datasets, compare_pairs);
    return 0;
}

static int parse_status(struct fork_entry *entry, struct json_object *members, struct error *err)
{
    const char *text;
    int code = members_string(members, "status", &text, err);
    if (code)
        return code;
    for (size_t i = 0; i < G_N_ELEMENTS(status_names); i++) {
        if (strcmp(text, status_names[i]) == 0) {
            entry->status = (enum fork_status)i;
            return 0;
        }
    }
    return error_set(err, ERR_CORRUPT, "member \"status\": unknown status \"%.100s\"", text);
}

/* Fills the entry's fields, but key and text, from the value. */
static int parse_value(struct fork_entry *entry, struct json_span value, struct error *err)
{
    if (json_span_kind(value) != JSON_OBJECT)
        return error_set(err, ERR_CORRUPT, "not an object");
    g_autoptr(GArray) source = json_split_members(value);
    auto_json struct json_object *members = members_of_source(source);
    const char *snapshot_id = NULL;
    uint64_t schema_version = 0;
    entry->has_parent = members_find(members, "parent_fork_id") != NULL;
    entry->has_expiry = members_find(members, "ttl_expires_at") != NULL;
    int code = parse_name(entry, source, err);
    if (!code)
        code = members_ulid(members, "id", &entry->id, err);
    if (!code && entry->has_parent)
        code = members_ulid(members, "parent_fork_id", &entry->parent_id, err);
    if (!code)
        code = members_string(members, "parent_snapshot_id", &snapshot_id, err);
    if (!code)
        code = members_time(members, "created_at", &entry->created_at, err);
    if (!code && entry->has_expiry)
        code = members_time(members, "ttl_expires_at", &entry->expires_at, err);
    if (!code)
        code = members_unsigned(members, "schema_version_at_creation", UINT32_MAX, &schema_version,
                                err);
    if (!code && members_has(members, "fork_point_version_hwm")) /* younger than the others */
        code = members_unsigned(members, "fork_point_version_hwm", UINT64_MAX, &entry->version_mark,
                                err);
    if (!code)
        code = parse_datasets(entry, members, source, err);
    if (!code)
        code = parse_status(entry, members, err);
    entry->parent_snapshot_id = g_strdup(snapshot_id);
    entry->schema_version = (uint32_t)schema_version;
    entry->changed_at = entry->created_at;
    return code;
}

int fork_entry_parse(const struct json_member *key, struct json_span value, struct fork_entry **ret,
                     struct error *err)
{
    auto_entry struct fork_entry *entry = g_new0(struct fork_entry, 1);
    entry->references = 1;
    entry->datasets = dataset_branches_new();
    if (key) {
        entry->key = g_strdup(key->key);
        entry->key_source = g_strndup(key->key_source.text, key->key_source.length);
    }
    int code = parse_value(entry, value, err);
    if (code)
        return error_prefix(err, code, "fork %.300s",
                            entry->key_source ? entry->key_source : "entry");
    GString *text = g_string_sized_new(value.length + 64);
    json_append_pretty(text, value, ENTRY_LEVEL);
    entry->text_length = text->len;
    entry->text = g_realloc(g_string_free(text, FALSE), entry->text_length + 1);
    *ret = g_steal_pointer(&entry);
    return 0;
}

int fork_entry_parse_document(const struct bytes *body, struct fork_entry **ret, struct error *err)
{
    int code = json_check(body->data, body->size, err);
    return code ? code
                : fork_entry_parse(NULL, (struct json_span){body->data, body->size}, ret, err);
}

/* ---- Rendering ---- */

static struct json_object *time_value(struct timespec time)
{
    char text[TIMESTAMP_TEXT_SIZE];
    timestamp_format(time, text);
    return json_object_new_string(text);
}

static struct json_object *datasets_value(const GPtrArray *datasets)
{
    struct json_object *value = json_object_new_object();
    g_autoptr(GPtrArray) sorted = g_ptr_array_sized_new(datasets->len);
    for (guint i = 0; i < datasets->len; i++)
        g_ptr_array_add(sorted, datasets->pdata[i]);
    g_ptr_array_sort(sorted, compare_pairs);
    for (guint i = 0; i < sorted->len; i++) {
        const struct dataset_branch *pair = sorted->pdata[i];
        json_object_object_add(value, pair->dataset, json_object_new_string(pair->branch));
    }
    return value;
}

/* Lives as long as the value, NULL for null. */
static struct json_span rendered(struct json_object *value)
{
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);
    return (struct json_span){text, strlen(text)};
}

/* Parses what was rendered here: text and fields come from one source. A value that does not parse
 * must never reach the store, where it would make the whole registry unreadable. */
static struct fork_entry *entry_from_rendered(const struct json_member *key, struct json_span text)
{
    struct fork_entry *entry = NULL;
    struct error error = {0};
    if (fork_entry_parse(key, text, &entry, &error))
        g_error("a rendered fork entry does not parse: %s", error.text);
    return entry;
}

struct fork_entry *fork_entry_new(const struct fork_description *description)
{
    auto_json struct json_object *entry = json_object_new_object();
    json_object_object_add(entry, "id", json_object_new_string(description->id.text));
    json_object_object_add(entry, "name", json_object_new_string(description->name));
    const char *parent = description->has_parent ? description->parent_id.text : NULL;
    json_object_object_add(entry, "parent_fork_id", parent ? json_object_new_string(parent) : NULL);
    json_object_object_add(entry, "parent_snapshot_id",
                           json_object_new_string(description->parent_snapshot_id));
    json_object_object_add(entry, "created_at", time_value(description->created_at));
    json_object_object_add(entry, "ttl_expires_at",
                           description->has_expiry ? time_value(description->expires_at) : NULL);
    json_object_object_add(entry, "schema_version_at_creation",
                           json_object_new_int64(description->schema_version));
    json_object_object_add(entry, "datasets", datasets_value(description->datasets));
    json_object_object_add(entry, "fork_point_version_hwm",
                           json_object_new_uint64(description->version_mark));
    json_object_object_add(entry, "status", json_object_new_string(fork_status_name(FORK_PENDING)));
    return entry_from_rendered(NULL, rendered(entry));
}

/* ---- Changing ---- */

static bool is_declared_before(const struct json_member *member, const char *name)
{
    for (size_t i = 0; strcmp(declared_members[i], name) != 0; i++) {
        if (member->key && strcmp(member->key, declared_members[i]) == 0)
            return true;
    }
    return false;
}

/* Puts a member that is absent after all that are declared before it. */
static void insert_member(GArray *members, const char *name, struct json_span key_source,
                          struct json_span value)
{
    struct json_member absent = {g_strdup(name), key_source, value};
    guint place = members->len;
    while (place > 0 &&
           !is_declared_before(&g_array_index(members, struct json_member, place - 1), name))
        place--;
    g_array_insert_val(members, place, absent);
}

/* The entry with the value of one declared member set; takes the value. */
static struct fork_entry *with_member(const struct fork_entry *entry, const char *name,
                                      struct json_object *value)
{
    auto_json struct json_object *owned = value;
    const struct json_span new_value = rendered(value);
    g_autofree char *quoted = g_strdup_printf("\"%s\"", name);
    g_autoptr(GArray) members =
        json_split_members((struct json_span){entry->text, entry->text_length});
    struct json_member *present = json_find_member(members, name);
    if (present)
        present->value = new_value;
    else
        insert_member(members, name, (struct json_span){quoted, strlen(quoted)}, new_value);

    g_autoptr(GString) text = g_string_sized_new(entry->text_length + new_value.length + 64);
    for (guint i = 0; i < members->len; i++) {
        const struct json_member *member = &g_array_index(members, struct json_member, i);
        g_string_append_c(text, i == 0 ? '{' : ',');
        g_string_append_len(text, member->key_source.text, (gssize)member->key_source.length);
        g_string_append_c(text, ':');
        g_string_append_len(text, member->value.text, (gssize)member->value.length);
    }
    g_string_append_c(text, '}');

    struct json_member key = {.key = entry->key,
                              .key_source = {entry->key_source, strlen(entry->key_source)}};
    struct fork_entry *changed =
        entry_from_rendered(&key, (struct json_span){text->str, text->len});
    changed->changed_at = timestamp_now();
    changed->had_other_parent = entry->had_other_parent;
    return changed;
}

struct fork_entry *fork_entry_with_status(const struct fork_entry *entry, enum fork_status status)
{
    return with_member(entry, "status", json_object_new_string(fork_status_name(status)));
}

struct fork_entry *fork_entry_with_datasets(const struct fork_entry *entry, GPtrArray *datasets)
{
    return with_member(entry, "datasets", datasets_value(datasets));
}

struct fork_entry *fork_entry_with_expiry(const struct fork_entry *entry,
                                          const struct timespec *expires_at)
{
    return with_member(entry, "ttl_expires_at", expires_at ? time_value(*expires_at) : NULL);
}

struct fork_entry *fork_entry_with_parent(const struct fork_entry *entry, const struct ulid *parent)
{
    struct fork_entry *changed =
        with_member(entry, "parent_fork_id", parent ? json_object_new_string(parent->text) : NULL);
    changed->had_other_parent = false; /* by who has looked at its branches */
    return changed;
}

struct bytes *fork_entry_document(const struct fork_entry *entry)
{
    return json_pretty((struct json_span){entry->text, entry->text_length});
}
