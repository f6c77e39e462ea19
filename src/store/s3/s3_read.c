/*
 * Requests that a server can simply be asked again: reading an object, deleting one.
 */
#include "store/s3/s3_store_private.h"

int s3_read(struct s3_effort *effort, enum s3_wire_method method, const char *key,
            struct store_answer *answer, struct error *err)
{
    struct s3_wire_request request = {.method = method, .key = key};
    struct s3_wire_answer got = {0};
    int code =
        s3_effort_perform(effort, &request, 1u << S3_WIRE_OK | 1u << S3_WIRE_NOT_FOUND, &got, err);
    if (code == 0 && got.result == S3_WIRE_NOT_FOUND)
        code = error_set(err, ERR_NOT_FOUND, "%s %s: no such object", effort->method, key);
    else if (code == 0 && !got.etag)
        code = error_set(err, ERR_IO, "%s %s: the server does not tell the etag of the object",
                         effort->method, key);
    if (code == 0) {
        answer->body = g_steal_pointer(&got.body);
        answer->etag = g_steal_pointer(&got.etag);
        answer->size = answer->body ? answer->body->size : got.size;
        answer->modified_ns = got.modified_ns;
    }
    s3_wire_answer_clear(&got);
    return code;
}

int s3_delete(struct s3_effort *effort, const char *key, struct error *err)
{
    struct s3_wire_request request = {.method = S3_WIRE_DELETE, .key = key};
    struct s3_wire_answer got = {0};
    int code =
        s3_effort_perform(effort, &request, 1u << S3_WIRE_OK | 1u << S3_WIRE_NOT_FOUND, &got, err);
    s3_wire_answer_clear(&got);
    return code;
}
