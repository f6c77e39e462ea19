/*
 * An HTTP server on 127.0.0.1 that plays canned answers, for tests of the wires.
 *
 * Each request takes the next step of the script, whatever it asks for; the last step is played
 * again and again. Connections are served by a thread each. What was asked for can be looked at
 * afterwards.
 */
#ifndef FORKFS_UNIT_STORE_S3_WIRE_SCRIPTED_SERVER_H
#define FORKFS_UNIT_STORE_S3_WIRE_SCRIPTED_SERVER_H

/* What happens to the connection after the answer. */
enum script_end {
    SCRIPT_KEEP,
    SCRIPT_CLOSE,
    SCRIPT_RESET,
    SCRIPT_HANG, /* nothing more comes */
    SCRIPT_DRIP, /* a byte now and then, for ever */
    SCRIPT_DIE,  /* it is reset, and there are no new ones any more */
};

/* What a request with "Expect: 100-continue" meets. */
enum script_expect {
    SCRIPT_CONTINUE, /* what it expects */
    SCRIPT_REFUSE,   /* the answer at once; nobody looks at the body, the connection ends */
    SCRIPT_IGNORE,   /* nothing, until the body has come */
};

struct scripted_server;

struct scripted_server *scripted_server_new(void);
void scripted_server_free(struct scripted_server *server);
/* "http://127.0.0.1:PORT" */
const char *scripted_server_url(const struct scripted_server *server);

/* Adds a step, before the first request. "\n" in the answer's text becomes "\r\n" up to the first
 * empty line. */
void scripted_server_add(struct scripted_server *server, enum script_end end, const char *answer);
/* Adds an answer with these headers (each ended with "\n") and Content-Length, and keeps the
 * connection. */
void scripted_server_add_body(struct scripted_server *server, int status, const char *headers,
                              const char *body);
void scripted_server_set_expect(struct scripted_server *server, enum script_expect expect);

/* Requests and connections so far. */
unsigned scripted_server_requests(struct scripted_server *server);
unsigned scripted_server_connections(struct scripted_server *server);
/* Head and body of a request, from 0; g_free(). */
char *scripted_server_request(struct scripted_server *server, unsigned index);
/* The value of a header of a request; NULL: it has none. g_free(). */
char *scripted_server_header(struct scripted_server *server, unsigned index, const char *name);

#endif
