/*
 * What an answer of a server means: its code here, and words that tell a user what to do.
 */
#include <string.h>

#include "base/timestamp.h"
#include "store/s3/s3_store_private.h"

struct meaning {
    const char *s3_code;
    const char *text;
};

static const struct meaning refusals[] = {
    {"SignatureDoesNotMatch", "the secret key is wrong"},
    {"InvalidAccessKeyId", "the server does not know this access key"},
    {"ExpiredToken", "the session token has expired"},
    {"InvalidToken", "the session token is not valid"},
    {"TokenRefreshRequired", "the session token has expired"},
    {"RequestTimeTooSkewed", "the clock of this machine differs from that of the server"},
    {"AccountProblem", "the account is blocked"},
    {"UserSuspended", "the user is suspended"},
};

static const char *refusal(const struct s3_wire_answer *answer)
{
    for (size_t i = 0; answer->s3_code && i < G_N_ELEMENTS(refusals); i++)
        if (strcmp(answer->s3_code, refusals[i].s3_code) == 0)
            return refusals[i].text;
    if (!answer->s3_code && answer->status == 400)
        return "perhaps the session token has expired";
    return "the user may not do that";
}

bool s3_answer_is_no_space(const struct s3_wire_answer *answer)
{
    const char *code = answer->s3_code;
    return answer->status == 507 ||
           (code && (strcmp(code, "QuotaExceeded") == 0 || strcmp(code, "XMinioStorageFull") == 0));
}

/* Before a mount it is a setting that is wrong; a bucket that was there has been taken away, or a
 * server on the way to it answers. */
static int code_of(const struct s3_effort *effort, const struct s3_wire_answer *answer)
{
    if (s3_answer_is_no_space(answer))
        return ERR_NO_SPACE;
    switch (answer->result) {
    case S3_WIRE_DENIED:
        return ERR_ACCESS;
    case S3_WIRE_NO_BUCKET:
    case S3_WIRE_REDIRECT:
        return effort->impatient ? ERR_INVALID : ERR_IO;
    case S3_WIRE_UNREACHABLE:
    case S3_WIRE_UNTRUSTED:
        return ERR_UNREACHABLE;
    case S3_WIRE_BUSY:
    case S3_WIRE_TIMED_OUT:
        return ERR_DEADLINE;
    case S3_WIRE_LOST: /* silence, or nonsense */
        return answer->status ? ERR_IO : ERR_UNREACHABLE;
    case S3_WIRE_OK:
    case S3_WIRE_NOT_FOUND: /* in answer to what does not ask for an object */
    case S3_WIRE_PRECONDITION:
    case S3_WIRE_REJECTED:
    case S3_WIRE_CONFLICT:
    case S3_WIRE_SERVER_ERROR:
        break;
    }
    return ERR_IO;
}

static char *redirect_text(const struct s3_wire_answer *answer)
{
    if (answer->region)
        return g_strdup_printf("the bucket is in another region: use region=%s", answer->region);
    return g_strdup("the server sends elsewhere: region or endpoint are wrong");
}

static char *text_of(const struct s3_wire_answer *answer)
{
    if (s3_answer_is_no_space(answer))
        return g_strdup("the store is full");
    switch (answer->result) {
    case S3_WIRE_DENIED:
        return g_strdup_printf("access denied: %s", refusal(answer));
    case S3_WIRE_NO_BUCKET:
        return g_strdup("no such bucket");
    case S3_WIRE_REDIRECT:
        return redirect_text(answer);
    case S3_WIRE_UNREACHABLE:
        return g_strdup("the store cannot be reached");
    case S3_WIRE_UNTRUSTED:
        return g_strdup("the certificate of the server is not trusted (ca_file= names others)");
    case S3_WIRE_BUSY:
        return g_strdup("the store is too busy");
    case S3_WIRE_TIMED_OUT:
        return g_strdup("no answer in time");
    case S3_WIRE_LOST:
        return g_strdup(answer->status ? "the answer was cut short or makes no sense"
                                       : "the connection was lost before the answer");
    case S3_WIRE_SERVER_ERROR:
        return g_strdup("the server failed");
    case S3_WIRE_CONFLICT:
        return g_strdup("other requests for the object got in the way");
    case S3_WIRE_OK:
    case S3_WIRE_NOT_FOUND:
    case S3_WIRE_PRECONDITION:
    case S3_WIRE_REJECTED:
        break;
    }
    return g_strdup("the server refused the request");
}

/* " (AccessDenied: message)", as far as there is something to say. */
static char *details_of(const struct s3_wire_answer *answer)
{
    const char *message = answer->message && *answer->message ? answer->message : NULL;
    if (!answer->s3_code && !message)
        return answer->status ? g_strdup_printf(" (HTTP %d)", answer->status) : g_strdup("");
    return g_strdup_printf(" (%s%s%s)", answer->s3_code ? answer->s3_code : "",
                           answer->s3_code && message ? ": " : "", message ? message : "");
}

int s3_explain(const struct s3_effort *effort, const struct s3_wire_answer *answer,
               struct error *err)
{
    g_autofree char *text = text_of(answer);
    g_autofree char *details = details_of(answer);
    g_autofree char *tries = NULL;
    if (effort->failures > 1)
        tries = g_strdup_printf("; tried %u times in %.1f s", effort->failures,
                                (double)(monotonic_now_ns() - effort->started_ns) / NS_PER_SECOND);
    return error_set(err, code_of(effort, answer), "%s %s: %s%s%s%s", effort->method, effort->key,
                     text, details, tries ? tries : "",
                     s3_effort_is_unanswered(effort)
                         ? "; the store has answered nothing so far, and nothing was begun"
                         : "");
}
