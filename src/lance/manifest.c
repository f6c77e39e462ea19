#include "lance/manifest.h"

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lance/manifest.pb-c.h"
#include "lance/manifest_features.h"

#define LENGTH_SIZE 4  /* u32 in front of a section */
#define FOOTER_SIZE 16 /* i64 position, u16 major, u16 minor, magic */
#define MAGIC "LANC"
#define FORMAT_MAJOR 0
#define FORMAT_MINOR 2

/* A manifest file taken apart. */
struct parsed_manifest {
    Lance__Manifest *manifest;
    Lance__IndexSection *indices; /* NULL: the file has no index section */
};

static void *allocate_message(void *data, size_t size)
{
    return g_malloc(size);
}

static void free_message(void *data, void *pointer)
{
    g_free(pointer);
}

/* GLib's memory, so that fields can be replaced by what GLib allocates. protobuf-c wants it
 * without const, and only reads it. */
static ProtobufCAllocator *allocator(void)
{
    static const ProtobufCAllocator glib = {.alloc = allocate_message, .free = free_message};
    return (ProtobufCAllocator *)&glib;
}

static void parsed_manifest_clear(struct parsed_manifest *parsed)
{
    lance__manifest__free_unpacked(parsed->manifest, allocator());
    lance__index_section__free_unpacked(parsed->indices, allocator());
}

#define auto_parsed_manifest __attribute__((cleanup(parsed_manifest_clear)))

static uint64_t read_little_endian(const char *data, size_t width)
{
    uint64_t value = 0;
    for (size_t i = width; i > 0; i--)
        value = value << 8 | (unsigned char)data[i - 1];
    return value;
}

static char *write_little_endian(char *to, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        *to++ = (char)(value >> (8 * i) & 0xff);
    return to;
}

/* Length of the section whose length word is at `offset`, and that must end within the file's
 * first `limit` bytes. */
static int section_length(const struct bytes *file, uint64_t offset, size_t limit,
                          const char *section, size_t *ret, struct error *err)
{
    if (offset > limit || limit - offset < LENGTH_SIZE)
        return error_set(err, ERR_CORRUPT, "%s at offset %" PRIu64 " lies outside the manifest",
                         section, offset);
    size_t length = read_little_endian(file->data + offset, LENGTH_SIZE);
    if (length > limit - offset - LENGTH_SIZE)
        return error_set(err, ERR_CORRUPT,
                         "%s of %zu bytes at offset %" PRIu64 " does not fit into the manifest",
                         section, length, offset);
    *ret = length;
    return 0;
}

/* Where the manifest message starts: checks the footer, and that the message fills the file. */
static int manifest_position(const struct bytes *file, size_t *position, size_t *length,
                             struct error *err)
{
    if (file->size < FOOTER_SIZE)
        return error_set(err, ERR_CORRUPT, "manifest of %zu bytes has no footer", file->size);
    size_t end = file->size - FOOTER_SIZE;
    const char *footer = file->data + end;
    if (memcmp(footer + 12, MAGIC, strlen(MAGIC)) != 0)
        return error_set(err, ERR_CORRUPT, "manifest does not end in " MAGIC);
    unsigned major = read_little_endian(footer + 8, 2);
    unsigned minor = read_little_endian(footer + 10, 2);
    if (major != FORMAT_MAJOR || minor != FORMAT_MINOR)
        return error_set(err, ERR_UNSUPPORTED, "manifest has the unknown format %u.%u", major,
                         minor);
    uint64_t offset = read_little_endian(footer, 8);
    int code = section_length(file, offset, end, "manifest message", length, err);
    if (code != 0)
        return code;
    *position = offset;
    if (*position + LENGTH_SIZE + *length != end)
        return error_set(err, ERR_CORRUPT, "manifest message does not end at the footer");
    return 0;
}

static bool has_field_zero(const ProtobufCMessage *message);

/* has_field_zero() for the messages in one field of `message`. */
static bool field_has_field_zero(const ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)(base + field->offset);
        return inner && has_field_zero(inner);
    }
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    ProtobufCMessage *const *inner = *(ProtobufCMessage *const *const *)(base + field->offset);
    for (size_t i = 0; i < count; i++)
        if (has_field_zero(inner[i]))
            return true;
    return false;
}

/* Whether there is a field number 0 somewhere. protobuf-c reads it when its tag is encoded
 * overlong, and would write it in a form that no reader takes. */
static bool has_field_zero(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        if (message->unknown_fields[i].tag == 0)
            return true;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        if (field_has_field_zero(message, &message->descriptor->fields[i]))
            return true;
    return false;
}

/* Unpacks a message of the file; NULL when it does not parse. */
static void *unpack_message(const struct bytes *file, const ProtobufCMessageDescriptor *type,
                            uint64_t offset, size_t length)
{
    const char *data = file->data + offset + LENGTH_SIZE;
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, allocator(), length, (const uint8_t *)data);
    if (message && has_field_zero(message)) {
        protobuf_c_message_free_unpacked(message, allocator());
        return NULL;
    }
    return message;
}

/* On failure, what is in *ret already is left to the caller's parsed_manifest_clear(). */
static int parse_manifest(const struct bytes *file, struct parsed_manifest *ret, struct error *err)
{
    size_t position = 0, length = 0;
    int code = manifest_position(file, &position, &length, err);
    if (code != 0)
        return code;
    ret->manifest = unpack_message(file, &lance__manifest__descriptor, position, length);
    if (!ret->manifest)
        return error_set(err, ERR_CORRUPT, "manifest message does not parse");
    if (!ret->manifest->has_index_section)
        return 0;
    uint64_t offset = ret->manifest->index_section;
    code = section_length(file, offset, position, "index section", &length, err);
    if (code != 0)
        return code;
    ret->indices = unpack_message(file, &lance__index_section__descriptor, offset, length);
    if (!ret->indices)
        return error_set(err, ERR_CORRUPT, "index section does not parse");
    return 0;
}

static bool is_text(const ProtobufCBinaryData *data, const char *text)
{
    return data->len == strlen(text) && memcmp(data->data, text, data->len) == 0;
}

static int check_identity(const Lance__Manifest *manifest,
                          const struct manifest_branching *branching, struct error *err)
{
    if (manifest->version != branching->version)
        return error_set(err, ERR_CORRUPT, "manifest of version %" PRIu64 " says version %" PRIu64,
                         branching->version, manifest->version);
    if (branching->parent_branch
            ? !manifest->has_branch || !is_text(&manifest->branch, branching->parent_branch)
            : manifest->has_branch)
        return error_set(err, ERR_CORRUPT, "manifest of branch %s says branch \"%.*s\"",
                         branching->parent_branch ? branching->parent_branch : "main",
                         (int)MIN(manifest->branch.len, 255),
                         manifest->branch.len ? (const char *)manifest->branch.data : "");
    return 0;
}

/* The ids of the base paths, as a set. */
static int collect_bases(const Lance__Manifest *manifest, GHashTable *ids, uint32_t *next,
                         struct error *err)
{
    *next = 0;
    for (size_t i = 0; i < manifest->n_base_paths; i++) {
        uint32_t id = manifest->base_paths[i]->id;
        if (!g_hash_table_add(ids, GUINT_TO_POINTER(id)))
            return error_set(err, ERR_CORRUPT, "two base paths have the id %" PRIu32, id);
        if (id == UINT32_MAX)
            return error_set(err, ERR_UNSUPPORTED, "no id is left for another base path");
        *next = MAX(*next, id + 1);
    }
    return 0;
}

/* Gives a file without base id the new base; checks the base of a file that has one. */
static int assign_base(protobuf_c_boolean *has_base_id, uint32_t *base_id, GHashTable *ids,
                       uint32_t new_base, const char *kind, struct error *err)
{
    if (*has_base_id && !g_hash_table_contains(ids, GUINT_TO_POINTER(*base_id)))
        return error_set(err, ERR_CORRUPT, "%s refers to base path %" PRIu32 ", which is missing",
                         kind, *base_id);
    if (!*has_base_id) {
        *has_base_id = TRUE;
        *base_id = new_base;
    }
    return 0;
}

static int assign_fragment_bases(Lance__Fragment *fragment, GHashTable *ids, uint32_t new_base,
                                 struct error *err)
{
    for (size_t i = 0; i < fragment->n_files; i++) {
        Lance__DataFile *file = fragment->files[i];
        int code = assign_base(&file->has_base_id, &file->base_id, ids, new_base, "data file", err);
        if (code != 0)
            return code;
    }
    Lance__DeletionFile *deletion = fragment->deletion_file;
    if (!deletion)
        return 0;
    return assign_base(&deletion->has_base_id, &deletion->base_id, ids, new_base, "deletion file",
                       err);
}

static int assign_bases(struct parsed_manifest *parsed, GHashTable *ids, uint32_t new_base,
                        struct error *err)
{
    for (size_t i = 0; i < parsed->manifest->n_fragments; i++) {
        int code = assign_fragment_bases(parsed->manifest->fragments[i], ids, new_base, err);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; parsed->indices && i < parsed->indices->n_indices; i++) {
        Lance__IndexMetadata *index = parsed->indices->indices[i];
        int code = assign_base(&index->has_base_id, &index->base_id, ids, new_base, "index", err);
        if (code != 0)
            return code;
    }
    return 0;
}

static void set_text(protobuf_c_boolean *has, ProtobufCBinaryData *data, const char *text)
{
    g_free(data->data);
    *has = text != NULL;
    data->data = (uint8_t *)g_strdup(text);
    data->len = text ? strlen(text) : 0;
}

static void append_base_path(Lance__Manifest *manifest, uint32_t id,
                             const struct manifest_branching *branching)
{
    Lance__BasePath *base = g_new(Lance__BasePath, 1);
    lance__base_path__init(base);
    base->has_id = id != 0; /* the engine leaves 0 out */
    base->id = id;
    base->has_is_dataset_root = TRUE;
    base->is_dataset_root = TRUE;
    set_text(&base->has_name, &base->name, branching->parent_branch);
    set_text(&base->has_path, &base->path, branching->parent_uri);
    manifest->base_paths =
        g_renew(Lance__BasePath *, manifest->base_paths, manifest->n_base_paths + 1);
    manifest->base_paths[manifest->n_base_paths++] = base;
}

static void set_timestamp(Lance__Manifest *manifest, struct timespec now)
{
    if (manifest->timestamp)
        lance__timestamp__free_unpacked(manifest->timestamp, allocator());
    manifest->timestamp = g_new(Lance__Timestamp, 1);
    lance__timestamp__init(manifest->timestamp);
    manifest->timestamp->has_seconds = TRUE;
    manifest->timestamp->seconds = now.tv_sec;
    manifest->timestamp->has_nanos = now.tv_nsec != 0;
    manifest->timestamp->nanos = (int32_t)now.tv_nsec;
}

/* Turns the parent's messages into those of the branch. */
static int rewrite_manifest(struct parsed_manifest *parsed,
                            const struct manifest_branching *branching, struct error *err)
{
    Lance__Manifest *manifest = parsed->manifest;
    g_autoptr(GHashTable) ids = g_hash_table_new(NULL, NULL);
    uint32_t new_base;
    int code = collect_bases(manifest, ids, &new_base, err);
    if (code == 0)
        code = assign_bases(parsed, ids, new_base, err);
    if (code != 0)
        return code;
    append_base_path(manifest, new_base, branching);
    set_text(&manifest->has_branch, &manifest->branch, branching->branch);
    set_text(&manifest->has_tag, &manifest->tag, NULL);
    set_text(&manifest->has_transaction_file, &manifest->transaction_file, NULL);
    set_timestamp(manifest, branching->now);
    manifest->has_transaction_section = FALSE;
    manifest->has_old_transaction_section = FALSE;
    manifest->has_reader_feature_flags = TRUE;
    manifest->reader_feature_flags |= MANIFEST_FLAG_BASE_PATHS;
    manifest->has_writer_feature_flags = TRUE;
    manifest->writer_feature_flags |= MANIFEST_FLAG_BASE_PATHS;
    manifest->index_section = 0; /* where render_manifest() puts it; its presence stays as it was */
    return 0;
}

static char *write_section(char *to, const ProtobufCMessage *message, size_t length)
{
    to = write_little_endian(to, length, LENGTH_SIZE);
    return to + protobuf_c_message_pack(message, (uint8_t *)to);
}

/* The file: index section (if there is one), manifest message, footer. */
static int render_manifest(const struct parsed_manifest *parsed, struct bytes **ret,
                           struct error *err)
{
    size_t index_length =
        parsed->indices ? lance__index_section__get_packed_size(parsed->indices) : 0;
    size_t length = lance__manifest__get_packed_size(parsed->manifest);
    if (index_length > UINT32_MAX || length > UINT32_MAX)
        return error_set(err, ERR_UNSUPPORTED, "manifest is too large to be branched");
    size_t position = parsed->indices ? LENGTH_SIZE + index_length : 0;
    struct bytes *file = bytes_allocate(position + LENGTH_SIZE + length + FOOTER_SIZE);
    char *end = file->data;
    if (parsed->indices)
        end = write_section(end, &parsed->indices->base, index_length);
    end = write_section(end, &parsed->manifest->base, length);
    end = write_little_endian(end, position, 8);
    end = write_little_endian(end, FORMAT_MAJOR, 2);
    end = write_little_endian(end, FORMAT_MINOR, 2);
    memcpy(end, MAGIC, strlen(MAGIC));
    *ret = file;
    return 0;
}

int manifest_branch(const struct bytes *parent, const struct manifest_branching *branching,
                    struct bytes **ret, struct error *err)
{
    auto_parsed_manifest struct parsed_manifest parsed = {0};
    int code = parse_manifest(parent, &parsed, err);
    if (code == 0)
        code = manifest_check_features(parsed.manifest, err);
    if (code == 0)
        code = check_identity(parsed.manifest, branching, err);
    if (code == 0)
        code = rewrite_manifest(&parsed, branching, err);
    if (code == 0)
        code = render_manifest(&parsed, ret, err);
    return code;
}

int manifest_summarize(const struct bytes *manifest, struct manifest_summary *ret,
                       struct error *err)
{
    auto_parsed_manifest struct parsed_manifest parsed = {0};
    int code = parse_manifest(manifest, &parsed, err);
    if (code != 0)
        return code;
    *ret = (struct manifest_summary){
        .version = parsed.manifest->version,
        .fragments = parsed.manifest->n_fragments,
        .base_paths = parsed.manifest->n_base_paths,
        .indices = parsed.indices ? parsed.indices->n_indices : 0,
    };
    const ProtobufCBinaryData *branch = &parsed.manifest->branch;
    if (branch->len >= sizeof(ret->branch))
        return error_set(err, ERR_CORRUPT, "branch name in the manifest is too long");
    if (branch->len > 0)
        memcpy(ret->branch, branch->data, branch->len);
    return 0;
}

int manifest_base_paths(const struct bytes *manifest, GPtrArray **ret, struct error *err)
{
    auto_parsed_manifest struct parsed_manifest parsed = {0};
    int code = parse_manifest(manifest, &parsed, err);
    if (code != 0)
        return code;
    *ret = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < parsed.manifest->n_base_paths; i++) {
        const Lance__BasePath *base = parsed.manifest->base_paths[i];
        if (base->is_dataset_root && base->path.len > 0)
            g_ptr_array_add(*ret, g_strndup((const char *)base->path.data, base->path.len));
    }
    return 0;
}
