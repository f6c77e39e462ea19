/*
 * What becomes of every kind of request after every kind of answer of the wire: once, and for as
 * long as the store has patience.
 */
#include <string.h>

#include "unit/store/s3/fake_s3.h"
#include "unit/store/s3/wire/wire_result_name.h"
#include "unit/store/store_bench.h"
#include "unit/unit.h"
#include "unit/virtual_clock.h"

#define PATIENCE_MS 60000

enum request_kind { GET, HEAD, LIST, DELETE, PUT, PUT_IF_ABSENT, PUT_IF_MATCH };
#define KINDS 7

static const char *const kind_names[] = {"get", "head",          "list",        "delete",
                                         "put", "put if absent", "put if match"};

struct trial {
    enum request_kind kind;
    enum s3_wire_result result;
    bool applies;
    bool lasts;
    int code; /* of the store's answer */
    bool late;
    char *stored;
    unsigned sent; /* requests of the method */
};

static bool is_put(enum request_kind kind)
{
    return kind >= PUT;
}

static enum s3_wire_method method_of(enum request_kind kind)
{
    static const enum s3_wire_method methods[] = {S3_WIRE_GET, S3_WIRE_HEAD, S3_WIRE_LIST,
                                                  S3_WIRE_DELETE};
    return is_put(kind) ? S3_WIRE_PUT : methods[kind];
}

static int request(struct store *store, enum request_kind kind, const char *etag, bool *ret_late)
{
    struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text("new");
    switch (kind) {
    case GET:
        store_set_get(set, "d/k");
        break;
    case HEAD:
        store_set_head(set, "d/k");
        break;
    case LIST:
        store_set_list(set, "d/", NULL, 0);
        break;
    case DELETE:
        store_set_delete(set, "d/k");
        break;
    case PUT:
        store_set_put(set, "d/k", body, STORE_ALWAYS, NULL);
        break;
    case PUT_IF_ABSENT:
        store_set_put(set, "d/k", body, STORE_IF_ABSENT, NULL);
        break;
    case PUT_IF_MATCH:
        store_set_put(set, "d/k", body, STORE_IF_MATCH, etag);
        break;
    }
    struct error err;
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    int code = store_set_failure(set, 0, &err);
    assert_true(code == 0 || strstr(err.text, "d/"));
    *ret_late = store_set_at(set, 0)->answer.late;
    store_set_unref(set);
    return code;
}

/* Whether the store tries again until its patience is over. */
static bool tries_in_vain(const struct trial *trial)
{
    bool told_by_content = trial->applies && trial->kind > PUT;
    bool is_nonsense = trial->result == S3_WIRE_OK && trial->kind <= LIST;
    return trial->lasts && !told_by_content && (s3_result_is_passing(trial->result) || is_nonsense);
}

/* So that the patience is over after some repetitions. */
static void pass_time(struct fake_s3 *server)
{
    virtual_clock_jump(PATIENCE_MS / 5);
}

static void run_trial(struct trial *trial)
{
    struct fake_s3 *server = fake_s3_new();
    struct store *store = fake_s3_store(server, 1);
    g_autofree char *etag = NULL;
    if (trial->kind != PUT_IF_ABSENT) {
        put_text(store, "d/k", "old");
        etag = etag_of(store, "d/k");
    }
    fake_s3_forget(server);
    fake_s3_fault(server,
                  &(struct fake_s3_fault){.method = method_of(trial->kind),
                                          .from = 1,
                                          .count = trial->lasts ? 0 : 1,
                                          .result = trial->result,
                                          .applies = trial->applies,
                                          .meanwhile = tries_in_vain(trial) ? pass_time : NULL});
    fake_s3_hurry(store, PATIENCE_MS);
    trial->code = request(store, trial->kind, etag, &trial->late);
    trial->stored = fake_s3_get(server, "d/k");
    trial->sent = fake_s3_count(server, method_of(trial->kind));
    store_free(store);
    fake_s3_free(server);
}

static void expect(const struct trial *trial, bool holds, const char *what)
{
    if (!holds)
        fail_msg("%s answered \"%s\"%s%s: code %s, stored %s, %u sent: %s", kind_names[trial->kind],
                 wire_result_name(trial->result), trial->applies ? ", carried out" : "",
                 trial->lasts ? ", for ever" : "", error_code_name(trial->code),
                 trial->stored ? trial->stored : "nothing", trial->sent, what);
}

/* Answers that no repetition changes; 0: it depends. */
static int code_of_final(enum s3_wire_result result)
{
    switch (result) {
    case S3_WIRE_DENIED:
        return ERR_ACCESS;
    case S3_WIRE_NO_BUCKET:
    case S3_WIRE_REDIRECT:
    case S3_WIRE_REJECTED:
        return ERR_IO;
    case S3_WIRE_UNTRUSTED:
        return ERR_UNREACHABLE;
    default:
        return 0;
    }
}

static int code_of_refusal(enum request_kind kind, enum s3_wire_result result)
{
    if (result == S3_WIRE_NOT_FOUND && (kind == GET || kind == HEAD))
        return ERR_NOT_FOUND;
    if (result == S3_WIRE_NOT_FOUND && kind == DELETE)
        return 0;
    if (kind == PUT_IF_MATCH) /* both ways of quoting were tried; the etag is unchanged */
        return ERR_UNSUPPORTED;
    if (kind == PUT_IF_ABSENT && result == S3_WIRE_PRECONDITION)
        return ERR_PRECONDITION;
    return ERR_IO;
}

/* The last answer when patience is over. */
static int code_of_passing(enum s3_wire_result result)
{
    if (result == S3_WIRE_BUSY || result == S3_WIRE_TIMED_OUT)
        return ERR_DEADLINE;
    if (result == S3_WIRE_UNREACHABLE || result == S3_WIRE_LOST)
        return ERR_UNREACHABLE;
    return ERR_IO;
}

/* The fake wire answers OK without an etag or a body, which is nonsense to a reader. */
static bool is_nonsense(const struct trial *trial)
{
    return trial->result == S3_WIRE_OK && trial->kind <= LIST;
}

static int expected_code(const struct trial *trial)
{
    enum s3_wire_result result = trial->result;
    bool writes = trial->kind >= DELETE;
    if (is_nonsense(trial)) {
        if (trial->kind == HEAD)
            return ERR_IO;
        return trial->lasts ? ERR_UNREACHABLE : 0;
    }
    if (code_of_final(result))
        return code_of_final(result);
    if (result == S3_WIRE_PRECONDITION || result == S3_WIRE_NOT_FOUND) {
        /* If-Match once refused for an unchanged etag: the other way of quoting works. */
        if (trial->kind == PUT_IF_MATCH && !trial->lasts)
            return 0;
        return code_of_refusal(trial->kind, result);
    }
    if (!trial->lasts || result == S3_WIRE_OK)
        return 0;
    if (writes && s3_result_is_unknown(result)) {
        bool told_by_content = trial->applies && trial->kind > PUT;
        return told_by_content ? 0 : ERR_OUTCOME_UNKNOWN;
    }
    return code_of_passing(result);
}

static void check_trial(const struct trial *trial)
{
    enum s3_wire_result result = trial->result;
    int expected = expected_code(trial);
    expect(trial, trial->code == expected, error_code_name(expected));
    if (is_put(trial->kind) && trial->code == 0 && (trial->applies || result != S3_WIRE_OK))
        expect(trial, g_strcmp0(trial->stored, "new") == 0, "but not stored");
    if (is_put(trial->kind) && trial->code && trial->code != ERR_OUTCOME_UNKNOWN)
        expect(trial, g_strcmp0(trial->stored, "new") != 0, "but stored");
    if (code_of_final(result))
        expect(trial, trial->sent == 1, "sent again for nothing");
    if (trial->kind > PUT && s3_result_is_unknown(result) && trial->applies)
        expect(trial, trial->sent == 1, "sent again although it was done");
    bool may_arrive = trial->kind >= DELETE && s3_result_is_unknown(result);
    expect(trial, trial->late == may_arrive, "whether it may arrive later");
}

/* Whether the wire may say so after the request was carried out. */
static bool can_apply(enum request_kind kind, enum s3_wire_result result)
{
    return kind >= DELETE && (s3_result_is_unknown(result) || result == S3_WIRE_OK);
}

static void sweep(bool lasts)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int result = S3_WIRE_OK; result <= S3_WIRE_TIMED_OUT; result++)
            for (int applies = 0; applies < 2; applies++) {
                struct trial trial = {
                    .kind = kind, .result = result, .applies = applies, .lasts = lasts};
                if (applies && !can_apply(kind, result))
                    continue;
                run_trial(&trial);
                check_trial(&trial);
                g_free(trial.stored);
            }
}

static void each_answer_once(void **state)
{
    sweep(false);
}

static void each_answer_for_ever(void **state)
{
    sweep(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_once),
        cmocka_unit_test(each_answer_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
