/*
 * Puts, and what has become of them.
 *
 * When an exchange ends so that nobody knows whether the put was carried out, the object is looked
 * at, at once. Is it still (or still not) there as the precondition demands, the same put is made
 * again: if the first one arrives late after all, the two cannot both succeed, because each needs
 * the version that the other replaces, unless somebody brings that back in between. (No etag of a
 * document that several mounts change in its place comes back: catalog/format/unique_body.h.
 * Absence does: what was put where nothing was, and deleted, a late copy of that put brings back.)
 * Is its content ours, the put has succeeded: either it was ours, or one that makes no difference.
 * (Documents of the catalog hold random ids, so that there it was ours. For objects of fixed
 * content, two who create the same one may both be told so, but only after an exchange that ended
 * unclear.) Is it another, then ours was refused, or was stored and overwritten since:
 * ERR_OUTCOME_UNKNOWN, unless no exchange was unclear.
 *
 * A refused If-Match for an etag that has not changed means that the server compares it with, or
 * without, its quotes: the other way is tried, and kept when it works.
 */
#include <string.h>

#include "store/s3/s3_store_private.h"

enum verdict { PUT_DONE, PUT_AGAIN, PUT_AT_ONCE, PUT_LOST, PUT_FAILED };

struct put {
    struct s3_effort *effort;
    const struct store_request *request;
    struct store_answer *answer;
    bool bare; /* the way in which If-Match is sent */
    bool tried_both;
};

static enum s3_wire_condition condition_of(const struct store_request *request)
{
    static const enum s3_wire_condition conditions[] = {[STORE_ALWAYS] = S3_WIRE_ALWAYS,
                                                        [STORE_IF_ABSENT] =
                                                            S3_WIRE_IF_NONE_MATCH_ANY,
                                                        [STORE_IF_MATCH] = S3_WIRE_IF_MATCH};
    return conditions[request->precondition];
}

/* An etag that would not be one value in a header matches nothing; "*" would match everything. */
static bool can_be_sent(const char *etag)
{
    if (!*etag || strcmp(etag, "*") == 0)
        return false;
    for (; *etag; etag++)
        if (!g_ascii_isgraph(*etag) || *etag == '"' || *etag == ',')
            return false;
    return true;
}

static int fail_precondition(const struct put *put, struct error *err)
{
    return error_set(err, ERR_PRECONDITION, "put %s: the object %s", put->request->key,
                     put->request->precondition == STORE_IF_ABSENT
                         ? "exists"
                         : "is at another version or does not exist");
}

static enum verdict done(struct put *put, char *etag)
{
    put->answer->etag = etag;
    if (put->request->precondition == STORE_IF_MATCH)
        __atomic_store_n(&put->effort->store->bare_if_match, put->bare, __ATOMIC_RELAXED);
    return PUT_DONE;
}

/* Whether the stored object, which has the right size, is what was to be put. */
static enum verdict compare_content(struct put *put, struct error *err)
{
    struct store_answer stored = {0};
    enum verdict verdict = PUT_LOST;
    int code = s3_read(put->effort, S3_WIRE_GET, put->request->key, &stored, err);
    if (code && code != ERR_NOT_FOUND)
        verdict = PUT_FAILED;
    else if (code == 0 && bytes_equal(stored.body, put->request->body)) {
        put->answer->etag = g_steal_pointer(&stored.etag);
        verdict = PUT_DONE;
    }
    store_answer_clear(&stored);
    return verdict;
}

/* A server that refuses If-Match for the very etag that it shows. */
static enum verdict change_quotes(struct put *put, struct error *err)
{
    if (put->tried_both) {
        error_set(err, ERR_UNSUPPORTED,
                  "put %s: the server refuses If-Match although the object is at that version",
                  put->request->key);
        return PUT_FAILED;
    }
    put->tried_both = true;
    put->bare = !put->bare;
    return PUT_AT_ONCE;
}

/* Looks at what is stored now. `refused`: the server has named the precondition. */
static enum verdict resolve_put(struct put *put, bool refused, struct error *err)
{
    const struct store_request *request = put->request;
    struct store_answer stored = {0};
    enum verdict verdict = PUT_LOST;
    int code = s3_read(put->effort, S3_WIRE_HEAD, request->key, &stored, err);
    bool is_absent = code == ERR_NOT_FOUND;
    bool unchanged = request->precondition == STORE_IF_ABSENT
                         ? is_absent
                         : code == 0 && strcmp(stored.etag, request->etag) == 0;
    if (code && !is_absent)
        verdict = put->effort->unknown ? PUT_FAILED : PUT_LOST;
    else if (unchanged && !refused)
        verdict = PUT_AGAIN;
    else if (unchanged && request->precondition == STORE_IF_MATCH)
        verdict = change_quotes(put, err);
    else if (put->effort->unknown && !is_absent && stored.size == request->body->size)
        verdict = compare_content(put, err);
    store_answer_clear(&stored);
    return verdict;
}

static enum verdict judge_answer(struct put *put, struct s3_wire_answer *answer, struct error *err)
{
    bool if_match = put->request->precondition == STORE_IF_MATCH;
    bool refused =
        answer->result == S3_WIRE_PRECONDITION || (if_match && answer->result == S3_WIRE_NOT_FOUND);
    if (answer->result == S3_WIRE_OK)
        return done(put, g_steal_pointer(&answer->etag));
    if (refused && !if_match && !put->effort->unknown)
        return PUT_LOST;
    if (refused || (s3_result_is_unknown(answer->result) && !s3_answer_is_no_space(answer)))
        return resolve_put(put, refused, err);
    return PUT_AGAIN; /* if s3_effort_again() agrees */
}

/* One put on the wire. 0 with *ret_again: another one has to follow. */
static int put_once(struct put *put, struct s3_wire_request *wire_request, bool *ret_again,
                    struct error *err)
{
    struct s3_wire_answer answer = {0};
    const char *quote = put->bare ? "" : "\"";
    g_autofree char *etag =
        put->request->etag ? g_strconcat(quote, put->request->etag, quote, NULL) : NULL;
    wire_request->etag = etag;
    *ret_again = false;
    int code = s3_effort_exchange(put->effort, wire_request, &answer, err);
    enum verdict verdict = code ? PUT_FAILED : judge_answer(put, &answer, err);
    if (verdict == PUT_FAILED)
        code = err->code;
    else if (verdict == PUT_LOST)
        code = fail_precondition(put, err);
    else if (verdict == PUT_AGAIN)
        code = s3_effort_again(put->effort, &answer, err);
    *ret_again = code == 0 && verdict != PUT_DONE;
    s3_wire_answer_clear(&answer);
    return code;
}

static int put_on_condition(struct put *put, struct s3_wire_request *wire_request,
                            struct error *err)
{
    bool again = true;
    int code = 0;
    if (put->request->precondition == STORE_IF_MATCH && !can_be_sent(put->request->etag))
        return fail_precondition(put, err);
    while (code == 0 && again)
        code = put_once(put, wire_request, &again, err);
    return code;
}

static int put_always(struct put *put, const struct s3_wire_request *wire_request,
                      struct error *err)
{
    struct s3_wire_answer answer = {0};
    int code = s3_effort_perform(put->effort, wire_request, 1u << S3_WIRE_OK, &answer, err);
    put->answer->etag = g_steal_pointer(&answer.etag);
    s3_wire_answer_clear(&answer);
    return code;
}

int s3_put(struct s3_effort *effort, const struct store_request *request,
           struct store_answer *answer, struct error *err)
{
    struct s3_wire_request wire_request = {.method = S3_WIRE_PUT,
                                           .key = request->key,
                                           .body = request->body,
                                           .condition = condition_of(request)};
    struct put put = {.effort = effort,
                      .request = request,
                      .answer = answer,
                      .bare = __atomic_load_n(&effort->store->bare_if_match, __ATOMIC_RELAXED)};
    if (request->precondition == STORE_ALWAYS)
        return put_always(&put, &wire_request, err);
    return put_on_condition(&put, &wire_request, err);
}
