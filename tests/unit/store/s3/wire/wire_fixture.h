/*
 * A wire to a scripted server, and the requests that tests send over it.
 */
#ifndef FORKFS_UNIT_STORE_S3_WIRE_WIRE_FIXTURE_H
#define FORKFS_UNIT_STORE_S3_WIRE_WIRE_FIXTURE_H

#include "store/s3/wire/s3_wire.h"
#include "unit/store/s3/wire/scripted_server.h"
#include "unit/unit.h"

/* More than anything takes, on any machine. */
#define GENEROUS_MS (PATIENCE_S * 1000)
#define SECRET "secret/of+nobody"
#define TOKEN "token+of/nobody=="
#define AMZ "x-amz-request-id: tx0001\n"
#define XML "Content-Type: application/xml\n"
#define HTML "Content-Type: text/html\n"
#define ERROR_XML(code, more)                                                                      \
    "<?xml version=\"1.0\"?><Error><Code>" code "</Code>" more "<RequestId>tx</RequestId></Error>"

struct wire_fixture {
    struct scripted_server *server;
    struct s3_endpoint endpoint; /* bucket "bucket", region "eu-test-1", path style */
    struct s3_credentials credentials;
    struct s3_wire *wire;
    struct s3_wire_answer answer; /* of the last request */
};

/* Makes fixture->wire to fixture->endpoint; the code. */
typedef int wire_maker(struct wire_fixture *fixture);

/* cmocka's setup, of the libcurl wire or of another one, and teardown; *state is the fixture. */
int wire_fixture_set_up_curl(void **state);
int wire_fixture_set_up(void **state, wire_maker *make);
int wire_fixture_tear_down(void **state);

/* The next requests have the session token TOKEN. */
void wire_use_token(struct wire_fixture *fixture);

/* Sends a request with credentials and a generous time limit, where it has none. */
void wire_perform(struct wire_fixture *fixture, struct s3_wire_request request);
void wire_get(struct wire_fixture *fixture, const char *key);
void wire_head(struct wire_fixture *fixture, const char *key);
void wire_delete(struct wire_fixture *fixture, const char *key);
void wire_list(struct wire_fixture *fixture, const char *prefix); /* the first page */
/* etag: of the condition S3_WIRE_IF_MATCH, else NULL. */
void wire_put(struct wire_fixture *fixture, const char *key, const char *text,
              enum s3_wire_condition condition, const char *etag);

/* Says what came instead. `message` is a part of it; NULL: any. */
void assert_result(const struct wire_fixture *fixture, enum s3_wire_result result,
                   const char *message);
/* Asks for the object "key", and compares the result in the same way. */
void assert_get(struct wire_fixture *fixture, enum s3_wire_result result, const char *message);
void assert_head(struct wire_fixture *fixture, enum s3_wire_result result, const char *message);
void assert_requests(const struct wire_fixture *fixture, unsigned count);
/* The first line of the request. */
void assert_request_line(const struct wire_fixture *fixture, unsigned index, const char *line);
/* The header of the request; NULL: it has none. */
void assert_header(const struct wire_fixture *fixture, unsigned index, const char *name,
                   const char *value);

#endif
