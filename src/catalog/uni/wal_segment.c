#include "catalog/uni/wal_segment.h"

#include <inttypes.h>
#include <string.h>

#include "base/blake3.h"
#include "base/json_members.h"
#include "base/json_text.h"

#define SUFFIX ".wal"
#define NUMBER_DIGITS 20

/* The first line of a segment with a checksum; the second one is the checksum. */
#define MAGIC "UNIWAL2\n"
#define MAGIC_LENGTH (sizeof(MAGIC) - 1)
#define HEADER_LENGTH (MAGIC_LENGTH + BLAKE3_HEX_LENGTH + 1)

bool wal_segment_is_one(const char *key)
{
    return g_str_has_suffix(key, SUFFIX);
}

bool wal_segment_number(const char *key, uint64_t *ret)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    if (strspn(name, "0123456789") != NUMBER_DIGITS || name[NUMBER_DIGITS] != '_' ||
        !wal_segment_is_one(name))
        return false;
    g_autofree char *digits = g_strndup(name, NUMBER_DIGITS);
    guint64 number;
    if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXUINT64, &number, NULL))
        return false;
    *ret = number;
    return true;
}

/* What the checksum is about. Segments of Uni before 2.0.7 have none. */
static int check_sum(const struct bytes *body, struct json_span *ret, struct error *err)
{
    *ret = (struct json_span){body->data, body->size};
    if (body->size < MAGIC_LENGTH || memcmp(body->data, MAGIC, MAGIC_LENGTH) != 0)
        return 0;
    if (body->size < HEADER_LENGTH || body->data[HEADER_LENGTH - 1] != '\n')
        return error_set(err, ERR_CORRUPT, "its header is incomplete");
    *ret = (struct json_span){body->data + HEADER_LENGTH, body->size - HEADER_LENGTH};
    char sum[BLAKE3_HEX_LENGTH + 1];
    blake3_hex(ret->text, ret->length, sum);
    if (memcmp(sum, body->data + MAGIC_LENGTH, BLAKE3_HEX_LENGTH) != 0)
        return error_set(err, ERR_CORRUPT, "its checksum is wrong");
    return 0;
}

static int read_members(const GArray *source, uint64_t number, enum wal_segment_content *ret,
                        struct error *err)
{
    auto_json struct json_object *members = members_of_source(source);
    struct json_object *mutations;
    uint64_t lsn;
    int code = members_unsigned(members, "lsn", UINT64_MAX, &lsn, err);
    if (code)
        return code;
    if (lsn != number)
        return error_set(err, ERR_CORRUPT, "it says that its number is %" PRIu64, lsn);
    if (members_array(members, "mutations", &mutations, NULL))
        return error_set(err, ERR_CORRUPT, "member \"mutations\" must be an array");
    g_autoptr(GArray) elements = json_elements(json_find_member(source, "mutations")->value);
    /* The member came with the numbers that go on above the snapshot's mark. */
    const bool is_numbered = members_has(members, "writer_features");
    *ret = elements->len == 0 ? WAL_SEGMENT_EMPTY
           : is_numbered      ? WAL_SEGMENT_NUMBERED
                              : WAL_SEGMENT_UNNUMBERED;
    return 0;
}

enum wal_segment_content wal_segment_read(const struct bytes *body, uint64_t number,
                                          struct error *err)
{
    enum wal_segment_content content = WAL_SEGMENT_UNREADABLE;
    struct json_span text;
    g_autoptr(GArray) members = NULL;
    int code = check_sum(body, &text, err);
    if (code)
        return WAL_SEGMENT_UNREADABLE;
    auto_bytes struct bytes *document = bytes_new(text.text, text.length);
    code = json_document_members(document, &members, err);
    if (code == 0)
        code = read_members(members, number, &content, err);
    return code ? WAL_SEGMENT_UNREADABLE : content;
}
