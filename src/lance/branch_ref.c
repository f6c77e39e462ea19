#include "lance/branch_ref.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/json_members.h"
#include "base/timestamp.h"

#define STEP_ID_LENGTH 32

static struct branch_ref *branch_ref_new(void)
{
    struct branch_ref *ref = g_new0(struct branch_ref, 1);
    ref->lineage = g_array_new(FALSE, FALSE, sizeof(struct lineage_step));
    return ref;
}

void branch_ref_free(struct branch_ref *ref)
{
    if (!ref)
        return;
    g_free(ref->parent_branch);
    g_array_unref(ref->lineage);
    g_free(ref);
}

static bool is_step_id(const char *text)
{
    for (size_t i = 0; i < STEP_ID_LENGTH; i++)
        if (!g_ascii_isxdigit(text[i]))
            return false;
    return text[STEP_ID_LENGTH] == '\0';
}

/* One step: [version, "32 hex digits"]. */
static bool read_step(struct json_object *value, struct lineage_step *ret)
{
    if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
        return false;
    const char *id = json_value_text(json_object_array_get_idx(value, 1));
    if (!id || !is_step_id(id) ||
        !json_value_unsigned(json_object_array_get_idx(value, 0), UINT64_MAX, &ret->version))
        return false;
    memcpy(ret->id, id, sizeof(ret->id));
    return true;
}

/* "identifier": {"version_mapping": [...]}; null and absent mean none. */
static int read_lineage(struct json_object *members, struct branch_ref *ref, struct error *err)
{
    struct json_object *identifier, *mapping;
    if (!members_find(members, "identifier"))
        return 0;
    int code = members_object(members, "identifier", &identifier, err);
    if (code == 0)
        code = members_array(identifier, "version_mapping", &mapping, err);
    if (code)
        return code;
    ref->has_lineage = true;
    for (size_t i = 0; i < json_object_array_length(mapping); i++) {
        struct lineage_step step;
        if (!read_step(json_object_array_get_idx(mapping, i), &step))
            return error_set(err, ERR_CORRUPT, "step %zu of \"version_mapping\" is malformed", i);
        g_array_append_val(ref->lineage, step);
    }
    return 0;
}

/* The name of a branch: a string, or null or absent for main. */
static int read_branch(struct json_object *members, const char *name, char **ret, struct error *err)
{
    const char *branch;
    int code = members_optional_string(members, name, &branch, err);
    if (code == 0)
        *ret = g_strdup(branch);
    return code;
}

static int read_branch_ref(struct json_object *members, struct branch_ref *ref, struct error *err)
{
    if (members_has(members, "storage"))
        return error_set(err, ERR_UNSUPPORTED, "the branch has the newer layout (\"storage\")");
    uint64_t created_at;
    int code = read_branch(members, "parentBranch", &ref->parent_branch, err);
    if (code == 0)
        code = members_unsigned(members, "parentVersion", UINT64_MAX, &ref->parent_version, err);
    if (code == 0)
        code = members_unsigned(members, "createAt", INT64_MAX, &created_at, err);
    if (code == 0)
        code = members_unsigned(members, "manifestSize", UINT64_MAX, &ref->manifest_size, err);
    if (code == 0)
        code = read_lineage(members, ref, err);
    if (code == 0)
        ref->created_at = (int64_t)created_at;
    return code;
}

int branch_ref_parse(const struct bytes *body, struct branch_ref **ret, struct error *err)
{
    auto_json struct json_object *members = NULL;
    struct branch_ref *ref = branch_ref_new();
    int code = members_of_document(body, &members, err);
    if (code == 0)
        code = read_branch_ref(members, ref, err);
    if (code == 0)
        *ret = ref;
    else
        branch_ref_free(ref);
    return code;
}

/* A random UUID (version 4) as 32 hex digits. */
static int random_step_id(char id[static STEP_ID_LENGTH + 1], struct error *err)
{
    unsigned char random[STEP_ID_LENGTH / 2];
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return error_set_errno(err, errno, "no random numbers for a branch's lineage");
    random[6] = (random[6] & 0x0f) | 0x40;
    random[8] = (random[8] & 0x3f) | 0x80;
    for (size_t i = 0; i < sizeof(random); i++)
        g_snprintf(id + 2 * i, 3, "%02x", random[i]);
    return 0;
}

int branch_ref_derive(const struct branch_ref *parent, const char *parent_branch,
                      uint64_t parent_version, int64_t created_at, uint64_t manifest_size,
                      struct branch_ref **ret, struct error *err)
{
    if (parent && (!parent->has_lineage || parent->lineage->len == 0))
        return error_set(err, ERR_UNSUPPORTED,
                         "the ref of branch \"%s\" has no lineage: a child's files would not be "
                         "safe from the engine's cleanup",
                         parent_branch ? parent_branch : "");
    struct lineage_step step = {.version = parent_version};
    int code = random_step_id(step.id, err);
    if (code != 0)
        return code;
    struct branch_ref *ref = branch_ref_new();
    ref->parent_branch = g_strdup(parent_branch);
    ref->parent_version = parent_version;
    ref->created_at = created_at;
    ref->manifest_size = manifest_size;
    ref->has_lineage = true;
    if (parent)
        g_array_append_vals(ref->lineage, parent->lineage->data, parent->lineage->len);
    g_array_append_val(ref->lineage, step);
    *ret = ref;
    return 0;
}

static struct json_object *branch_value(const char *branch)
{
    return branch ? json_object_new_string(branch) : NULL;
}

static struct json_object *lineage_value(const GArray *lineage)
{
    struct json_object *identifier = json_object_new_object(), *steps = json_object_new_array();
    for (guint i = 0; i < lineage->len; i++) {
        const struct lineage_step *step = &g_array_index(lineage, struct lineage_step, i);
        struct json_object *pair = json_object_new_array();
        json_object_array_add(pair, json_object_new_uint64(step->version));
        json_object_array_add(pair, json_object_new_string(step->id));
        json_object_array_add(steps, pair);
    }
    json_object_object_add(identifier, "version_mapping", steps);
    return identifier;
}

struct bytes *branch_ref_render(const struct branch_ref *ref)
{
    auto_json struct json_object *object = json_object_new_object();
    json_object_object_add(object, "parentBranch", branch_value(ref->parent_branch));
    if (ref->has_lineage)
        json_object_object_add(object, "identifier", lineage_value(ref->lineage));
    json_object_object_add(object, "parentVersion", json_object_new_uint64(ref->parent_version));
    json_object_object_add(object, "createAt", json_object_new_int64(ref->created_at));
    json_object_object_add(object, "manifestSize", json_object_new_uint64(ref->manifest_size));
    json_object_object_add(object, "metadata", json_object_new_object());
    return json_value_render(object);
}

bool branch_ref_descends(const struct branch_ref *descendant, const struct branch_ref *ancestor)
{
    guint length = ancestor->lineage->len;
    if (length == 0 || descendant->lineage->len <= length)
        return false;
    for (guint i = 0; i < length; i++) {
        const struct lineage_step *a = &g_array_index(descendant->lineage, struct lineage_step, i);
        const struct lineage_step *b = &g_array_index(ancestor->lineage, struct lineage_step, i);
        if (a->version != b->version || strcmp(a->id, b->id) != 0)
            return false;
    }
    return true;
}

void tag_ref_free(struct tag_ref *tag)
{
    if (!tag)
        return;
    g_free(tag->branch);
    g_free(tag);
}

int tag_ref_parse(const struct bytes *body, struct tag_ref **ret, struct error *err)
{
    auto_json struct json_object *members = NULL;
    struct tag_ref *tag = g_new0(struct tag_ref, 1);
    int code = members_of_document(body, &members, err);
    if (code == 0)
        code = read_branch(members, "branch", &tag->branch, err);
    if (code == 0)
        code = members_unsigned(members, "version", UINT64_MAX, &tag->version, err);
    if (code == 0)
        code = members_unsigned(members, "manifestSize", UINT64_MAX, &tag->manifest_size, err);
    if (code == 0)
        *ret = tag;
    else
        tag_ref_free(tag);
    return code;
}

struct bytes *tag_ref_render(const struct tag_ref *tag, struct timespec now)
{
    char text[TIMESTAMP_TEXT_SIZE];
    timestamp_format(now, text);
    auto_json struct json_object *object = json_object_new_object();
    json_object_object_add(object, "branch", branch_value(tag->branch));
    json_object_object_add(object, "version", json_object_new_uint64(tag->version));
    json_object_object_add(object, "createdAt", json_object_new_string(text));
    json_object_object_add(object, "updatedAt", json_object_new_string(text));
    json_object_object_add(object, "manifestSize", json_object_new_uint64(tag->manifest_size));
    json_object_object_add(object, "metadata", json_object_new_object());
    return json_value_render(object);
}
