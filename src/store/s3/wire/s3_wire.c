#include "store/s3/wire/s3_wire.h"

#include <string.h>

#include "base/printable.h"
#include "store/s3/wire/s3_wire_private.h"

#define LONGEST_MESSAGE 300 /* bytes */
#define TELLING_PREFIX 16   /* bytes of a token that it is known by, if the rest was cut off */

void s3_wire_perform(struct s3_wire *wire, const struct s3_wire_request *request,
                     struct s3_wire_answer *answer)
{
    *answer = (struct s3_wire_answer){0};
    wire->operations->perform(wire, request, answer);
}

void s3_wire_free(struct s3_wire *wire)
{
    if (wire)
        wire->operations->free(wire);
}

void s3_wire_answer_clear(struct s3_wire_answer *answer)
{
    g_free(answer->s3_code);
    g_free(answer->message);
    g_free(answer->region);
    g_free(answer->etag);
    bytes_unref(answer->body);
    if (answer->rows)
        g_ptr_array_unref(answer->rows);
    g_free(answer->next);
    *answer = (struct s3_wire_answer){0};
}

static void row_free(void *data)
{
    struct s3_wire_row *row = data;
    g_free(row->key);
    g_free(row->etag);
    g_free(row);
}

GPtrArray *s3_wire_rows_new(void)
{
    return g_ptr_array_new_with_free_func(row_free);
}

/* ---- What an error means ---- */

struct meaning {
    const char *s3_code;
    enum s3_wire_result result;
};

/* Codes that mean something else than their status, whatever that is. */
static const struct meaning meanings[] = {
    {"AuthorizationHeaderMalformed", S3_WIRE_REDIRECT},
    {"ExpiredToken", S3_WIRE_DENIED},
    {"IllegalLocationConstraint", S3_WIRE_REDIRECT},
    {"IllegalLocationConstraintException", S3_WIRE_REDIRECT},
    {"IncompleteBody", S3_WIRE_LOST},
    {"InvalidAccessKeyId", S3_WIRE_DENIED},
    {"InvalidToken", S3_WIRE_DENIED},
    {"NoSuchBucket", S3_WIRE_NO_BUCKET},
    {"PermanentRedirect", S3_WIRE_REDIRECT},
    {"RequestTimeout", S3_WIRE_LOST},
    {"SlowDown", S3_WIRE_BUSY},
    {"SlowDownRead", S3_WIRE_BUSY},
    {"SlowDownWrite", S3_WIRE_BUSY},
    {"TemporaryRedirect", S3_WIRE_REDIRECT},
    {"TokenRefreshRequired", S3_WIRE_DENIED},
};

static enum s3_wire_result classify_status(int status)
{
    switch (status) {
    case 304: /* nobody asked */
    case 408:
        return S3_WIRE_LOST;
    case 401:
    case 403:
        return S3_WIRE_DENIED;
    case 404:
        return S3_WIRE_NOT_FOUND;
    case 409:
        return S3_WIRE_CONFLICT;
    case 412:
        return S3_WIRE_PRECONDITION;
    case 429:
        return S3_WIRE_BUSY;
    case 501:
        return S3_WIRE_REJECTED;
    default:
        break;
    }
    if (status >= 300 && status < 400)
        return S3_WIRE_REDIRECT;
    if (status >= 400 && status < 500)
        return S3_WIRE_REJECTED;
    return status >= 500 ? S3_WIRE_SERVER_ERROR : S3_WIRE_LOST;
}

enum s3_wire_result s3_wire_classify(int status, const char *s3_code)
{
    if (status < 300)
        return S3_WIRE_LOST; /* an error that says that all is well */
    for (size_t i = 0; s3_code && i < G_N_ELEMENTS(meanings); i++)
        if (strcmp(s3_code, meanings[i].s3_code) == 0)
            return meanings[i].result;
    enum s3_wire_result result = classify_status(status);
    /* Something else is missing: an upload, a tenant, an access point. */
    if (result == S3_WIRE_NOT_FOUND && s3_code && strcmp(s3_code, "NoSuchKey") != 0)
        return S3_WIRE_REJECTED;
    return result;
}

/* ---- For the wires ---- */

/* The text as one line that can be printed. */
static char *printable(const char *text)
{
    char *line = g_utf8_make_valid(text, -1);
    printable_replace(line, ' ');
    g_strstrip(line);
    if (strlen(line) > LONGEST_MESSAGE) {
        char *end = g_utf8_find_prev_char(line, line + LONGEST_MESSAGE - strlen("..."));
        memcpy(end, "...", sizeof "...");
    }
    return line;
}

/* A server that repeats the token must not bring it into a log. */
static bool tells_token(const struct s3_wire_request *request, const char *text)
{
    const char *token = request->credentials ? request->credentials->session_token : NULL;
    if (!token || !*token)
        return false;
    g_autofree char *start = g_strndup(token, TELLING_PREFIX);
    return strstr(text, start) != NULL;
}

char *s3_wire_told(const struct s3_wire_request *request, const char *text)
{
    if (!text || tells_token(request, text))
        return NULL;
    g_autofree char *line = printable(text);
    return *line ? g_steal_pointer(&line) : NULL;
}

void s3_wire_conclude(const struct s3_wire_request *request, struct s3_wire_answer *answer,
                      enum s3_wire_result result, const char *format, ...)
{
    answer->result = result;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_free(answer->message);
    answer->message = s3_wire_told(request, text);
}

char *s3_wire_etag(const char *quoted)
{
    if (!quoted)
        return NULL;
    if (g_str_has_prefix(quoted, "W/"))
        quoted += 2;
    size_t length = strlen(quoted);
    if (length >= 2 && quoted[0] == '"' && quoted[length - 1] == '"') {
        quoted++;
        length -= 2;
    }
    return length ? g_strndup(quoted, length) : NULL;
}
