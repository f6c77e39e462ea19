/*
 * The wire to an S3 server: one request in, one answer out.
 *
 * Below this interface sit libs3 and libcurl; above it the S3 store, which chooses between them,
 * repeats what can be repeated, and finds out what an unclear answer means. A wire repeats nothing
 * (though libcurl sends a request again when a connection that it had kept turns out to be dead),
 * decides nothing. Libcurl follows no redirect here; libs3 does, by itself.
 *
 * Threading: any number of threads may perform requests at a time; each call blocks its thread.
 * Ownership: requests borrow everything; what is in an answer belongs to the caller
 * (s3_wire_answer_clear()).
 */
#ifndef FORKFS_STORE_S3_WIRE_S3_WIRE_H
#define FORKFS_STORE_S3_WIRE_S3_WIRE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "store/s3/credentials/s3_credentials.h"
#include "store/s3/wire/s3_endpoint.h"

enum s3_wire_method {
    S3_WIRE_GET,
    S3_WIRE_HEAD,
    S3_WIRE_LIST, /* one page, the first that is not empty */
    S3_WIRE_PUT,  /* libcurl only */
    S3_WIRE_DELETE,
};

/* What is known after an exchange, in the order of certainty. */
enum s3_wire_result {
    S3_WIRE_OK,           /* done; the body is complete */
    S3_WIRE_NOT_FOUND,    /* the key is absent (404 other than a missing bucket) */
    S3_WIRE_PRECONDITION, /* 412: not executed, or a repetition of what was executed before */
    S3_WIRE_DENIED,       /* 401, 403: not executed */
    S3_WIRE_NO_BUCKET,    /* 404 NoSuchBucket: not executed */
    S3_WIRE_REDIRECT,     /* 3xx of S3, or a complaint about the region: not executed */
    S3_WIRE_REJECTED,     /* another 4xx: not executed, and would not be another time */
    S3_WIRE_BUSY,         /* 503 SlowDown, 429: not executed; later perhaps */
    S3_WIRE_UNREACHABLE,  /* no name, no connection, nothing sent: not executed */
    S3_WIRE_UNTRUSTED,    /* the server's certificate is not good: nothing sent */
    S3_WIRE_CONFLICT,     /* 409: another writer; whether executed is not known */
    S3_WIRE_SERVER_ERROR, /* another 5xx: whether executed is not known */
    S3_WIRE_LOST, /* no answer, a broken or short or unintelligible one: whether executed is not
                     known */
    S3_WIRE_TIMED_OUT, /* the same, because the time was over */
};

enum s3_wire_condition { S3_WIRE_ALWAYS, S3_WIRE_IF_NONE_MATCH_ANY, S3_WIRE_IF_MATCH };

struct s3_wire_request {
    enum s3_wire_method method;
    const char *key; /* as stored, not encoded; LIST: the prefix, "" for all */
    const struct s3_credentials *credentials;
    int64_t timeout_ms; /* for the whole exchange; more than 0 */

    /* PUT */
    const struct bytes *body;
    enum s3_wire_condition condition;
    const char *etag; /* S3_WIRE_IF_MATCH: the value to send, quotes included where wanted */

    /* LIST */
    const char *start_after; /* only keys after this one; NULL: from the start */
    bool shallow;            /* with the delimiter "/" */
    unsigned max_keys;       /* 1 to 1000 */
};

struct s3_wire_row {
    char *key;           /* whole key; ends in '/' when it stands for what is below it */
    char *etag;          /* unquoted; NULL for what stands for others */
    uint64_t size;       /* bytes */
    int64_t modified_ns; /* since 1970; 0 when unknown */
    bool is_prefix;      /* shallow listings: a common prefix */
};

struct s3_wire_answer {
    enum s3_wire_result result;
    bool repeated;  /* it was sent a second time, because a kept connection was dead: the answer may
                       be to a repetition of what was executed before */
    int status;     /* of HTTP; 0 when there is none or the library does not tell */
    char *s3_code;  /* "SlowDown"; NULL when the answer had none */
    char *message;  /* what the server or the library said, for people; may be NULL */
    char *region;   /* that the server asks for (x-amz-bucket-region); NULL mostly */
    bool versioned; /* PUT, with libcurl: what it replaced stays, as a version of its own */
    char *etag;     /* unquoted; GET, HEAD, PUT; may be NULL */
    uint64_t size;  /* GET, HEAD: Content-Length */
    int64_t modified_ns; /* GET, HEAD; since 1970, 0 when unknown */
    struct bytes *body;  /* GET after S3_WIRE_OK */
    GPtrArray *rows;     /* LIST after S3_WIRE_OK: struct s3_wire_row, in key order */
    char *next;          /* LIST: start the next page after this key; NULL: this was the last */
};

struct s3_wire;

struct s3_wire_operations {
    /* Fills *answer, which is zeroed before. */
    void (*perform)(struct s3_wire *wire, const struct s3_wire_request *request,
                    struct s3_wire_answer *answer);
    void (*free)(struct s3_wire *wire); /* the structure, too */
};

/* First member of every implementation. */
struct s3_wire {
    const struct s3_wire_operations *operations;
    char name[32]; /* for people: "libcurl/7.88.1" */
    /* Keeps connections for so many requests at a time; more would make new ones. 0: for all. */
    unsigned kept_connections;
    /* Takes no time limit: a request may be sent long after its time is over. */
    bool sends_late;
};

void s3_wire_perform(struct s3_wire *wire, const struct s3_wire_request *request,
                     struct s3_wire_answer *answer);
void s3_wire_free(struct s3_wire *wire); /* NULL: nothing; no request may be under way */

void s3_wire_answer_clear(struct s3_wire_answer *answer);

/* libcurl: every method, SigV4, certificates always checked. `endpoint` is copied. ca_file: PEM
 * file that replaces the system's certificates; NULL: the system's. ERR_INVALID, ERR_NOT_FOUND,
 * ERR_ACCESS for the ca_file, ERR_UNSUPPORTED, ERR_IO. */
int s3_wire_curl_new(const struct s3_endpoint *endpoint, const char *ca_file, struct s3_wire **ret,
                     struct error *err);
/* "libcurl/7.88.1", of the library that is in use. g_free(). */
char *s3_wire_curl_name(void);

/* libs3: GET, HEAD and DELETE (the last is for 4.x only: 2.0 may send it late). PUT it cannot do
 * safely, nor LIST: it takes a listing that was cut for a whole one. Keys must be made of
 * [A-Za-z0-9._/-] (2.0 mixes up others). What it cannot be asked (also: session tokens, with 2.0;
 * no credentials) is refused request by request (S3_WIRE_REJECTED). There can be only one such wire
 * in a process. ERR_UNSUPPORTED where it cannot be trusted at all: https; AWS, with 2.0; and always
 * when forkfs is built without libs3. A request that is stuck is not interrupted by 2.0: it ends by
 * itself when nothing moves for about 15 s. It follows redirects by itself. */
int s3_wire_libs3_new(const struct s3_endpoint *endpoint, struct s3_wire **ret, struct error *err);
/* "libs3/2.0" or "libs3/4", of the version that it was built with; NULL: without. */
const char *s3_wire_libs3_name(void);

#endif
