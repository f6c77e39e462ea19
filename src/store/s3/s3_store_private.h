/*
 * What the parts of the S3 store share. A request of the store is one "effort": the exchanges with
 * the server, repetitions and looks back included, that it takes to answer it.
 *
 *   s3_store.c    making and freeing, over which libraries; who carries out which request
 *   s3_read.c     reading an object, deleting one
 *   s3_list.c     listings, page by page
 *   s3_put.c      puts, and what has become of them
 *   s3_effort.c   one exchange; repeating it
 *   s3_explain.c  what an answer means for the caller, in code and words
 *   s3_probe.c    the checks before a mount
 *
 * An effort belongs to the thread that performs the request.
 */
#ifndef FORKFS_STORE_S3_S3_STORE_PRIVATE_H
#define FORKFS_STORE_S3_S3_STORE_PRIVATE_H

#include "store/s3/s3_breaker.h"
#include "store/s3/s3_store.h"

/* Durations in milliseconds; tests shorten them. */
struct s3_pace {
    int64_t first_ms;    /* the first pause is up to this, each further one up to twice as long */
    int64_t longest_ms;  /* but no longer than this */
    int64_t exchange_ms; /* the time for one exchange; doubled after each that ran out of it */
    int64_t patience_ms; /* how long an operation without a deadline goes on in vain */
};

struct s3_store {
    struct store base;
    struct s3_wire *reads;      /* may be the same as `writes` */
    struct s3_wire *writes;     /* takes every method */
    struct s3_profile *profile; /* NULL: no credentials */
    struct log *log;            /* may be NULL */
    struct s3_breaker breaker;
    struct s3_pace pace;
    bool may_switch;      /* the wire for reads was not the user's choice */
    bool reads_by_writes; /* atomic: the wire for reads has turned out to be of no use */
    unsigned reading;     /* atomic: exchanges under way on the wire for reads, if it counts them */
    unsigned rescued;     /* atomic: reads in a row that only the other wire could answer */
    bool bare_if_match;   /* atomic: If-Match wants the etag without quotes */
    bool keeps_versions;  /* atomic: a put was told the version that it has made */
    uint64_t repeats;     /* atomic */
    char *clients;        /* what s3_store_clients() says with both wires in use */
};

struct s3_effort {
    struct s3_store *store;
    const struct operation *operation;
    const char *method; /* for texts: "put" */
    const char *key;
    int64_t started_ns;
    int64_t deadline_ns; /* never INT64_MAX */
    int64_t margin_ms;   /* it ends so long before the operation, to answer while that waits */
    unsigned exchanges;  /* so far */
    unsigned failures;   /* those of them that were to be repeated */
    unsigned timeouts;   /* those that ran out of time */
    bool unknown;        /* a put or delete was sent of which it is not known what it did */
    bool impatient;      /* a check before a mount: what does not work at once is given up soon */
    bool by_writes;      /* reads take the wire for writes */
    bool asks;           /* it changes nothing */
    bool refused;        /* credentials were refused */
    bool renewed;        /* and there are others since, not tried yet */
    struct error last;   /* what the last answer that was to be repeated said */
};

void s3_effort_begin(struct s3_effort *effort, struct s3_store *store,
                     const struct store_request *request, const struct operation *operation);

/* A part of it is done: failures before do not slow down the next one, and patience begins anew. */
void s3_effort_advanced(struct s3_effort *effort);

/* One exchange, on the wire that fits, with credentials. Returns 0 when there is an answer,
 * whatever it says; ERR_UNREACHABLE when the breaker is open, ERR_ACCESS without credentials,
 * ERR_DEADLINE, ERR_INTERRUPTED: nothing was sent. Clears *answer before. */
int s3_effort_exchange(struct s3_effort *effort, const struct s3_wire_request *request,
                       struct s3_wire_answer *answer, struct error *err);

/* After an answer that says no: 0 when the exchange is to be repeated, now that any pause is over;
 * otherwise what s3_explain() makes of it, or ERR_INTERRUPTED. */
int s3_effort_again(struct s3_effort *effort, const struct s3_wire_answer *answer,
                    struct error *err);

/* For exchanges that can be repeated: until the answer is one of `expected`, a mask of
 * 1 << S3_WIRE_..., or an error that does not go away. */
int s3_effort_perform(struct s3_effort *effort, const struct s3_wire_request *request,
                      unsigned expected, struct s3_wire_answer *answer, struct error *err);

/* After a failed put or delete: turns *err into ERR_OUTCOME_UNKNOWN when one of its exchanges may
 * have taken effect. Returns err's code. */
int s3_effort_outcome(const struct s3_effort *effort, struct error *err);

/* Whether the exchange may have been carried out without an answer that says so. */
bool s3_result_is_unknown(enum s3_wire_result result);
/* Whether another time may bring another answer. */
bool s3_result_is_passing(enum s3_wire_result result);

/* Whether it is the operation's first step, and the server has not answered anybody since that
 * began: operation_give_up_early(). */
static inline bool s3_effort_is_unanswered(const struct s3_effort *effort)
{
    const struct operation *operation = effort->operation;
    return effort->asks && operation->silence_ms > 0 &&
           s3_breaker_answered_ns(&effort->store->breaker) < operation->begun_ns;
}

/* The code and text of an answer that says no; never 0. */
int s3_explain(const struct s3_effort *effort, const struct s3_wire_answer *answer,
               struct error *err);
/* The server is out of space, or the user of his share of it: not executed. */
bool s3_answer_is_no_space(const struct s3_wire_answer *answer);

/* Each carries out one request and fills *answer. */
int s3_list(struct s3_effort *effort, const struct store_request *request,
            struct store_answer *answer, struct error *err);
int s3_put(struct s3_effort *effort, const struct store_request *request,
           struct store_answer *answer, struct error *err);
/* GET or HEAD: body, etag, size, time. */
int s3_read(struct s3_effort *effort, enum s3_wire_method method, const char *key,
            struct store_answer *answer, struct error *err);
int s3_delete(struct s3_effort *effort, const char *key, struct error *err);

#endif
