/*
 * An S3 server in memory, behind a wire that goes wrong on demand.
 *
 * Members of struct fake_s3 are set before requests are made. Etags are the MD5 of the content, as
 * those of real servers. Thread-safe.
 */
#ifndef FORKFS_UNIT_STORE_S3_FAKE_S3_H
#define FORKFS_UNIT_STORE_S3_FAKE_S3_H

#include <pthread.h>

#include "store/s3/s3_store_private.h"

#define FAKE_S3_METHODS 5

enum fake_s3_match {
    FAKE_S3_MATCH_EITHER,    /* If-Match with quotes or without */
    FAKE_S3_MATCH_QUOTED,    /* AWS */
    FAKE_S3_MATCH_BARE,      /* Ceph RGW before 2025 */
    FAKE_S3_MATCH_NEVER,     /* refuses everything */
    FAKE_S3_MATCH_IGNORED,   /* s3rver: no conditions at all */
    FAKE_S3_MATCH_VERSIONED, /* Ceph RGW 16 with versioning on: refuses every If-Match, ignores
                                If-None-Match, and tells versions */
};

struct fake_s3;

/* What happens to some requests. */
struct fake_s3_fault {
    enum s3_wire_method method;
    unsigned from;  /* the number of the first such request since fake_s3_forget(), from 1 */
    unsigned count; /* of requests; 0: all from there on */
    enum s3_wire_result result;
    bool applies;  /* the request takes effect nevertheless */
    bool repeated; /* the library has sent it twice */
    int status;
    const char *s3_code, *message, *region;
    void (*meanwhile)(struct fake_s3 *server); /* called when the request has been dealt with */
    const char *wire;                          /* only requests of this wire; NULL: of all */
};

struct fake_s3 {
    enum fake_s3_match match;
    bool absent_is_404;   /* If-Match for an absent key, as AWS */
    bool no_etag_of_put;  /* as libs3 2.0 */
    unsigned page;        /* rows of a page at most */
    unsigned chaos;       /* percentage of requests that go wrong at random */
    bool losers_get_500;  /* in place of 412, as from Ceph RGW */
    void (*before)(void); /* called before each answer; NULL: nothing */
    void *argument;       /* for `meanwhile` */
    pthread_mutex_t lock; /* guards all below */
    GTree *objects;       /* key to struct fake_object */
    GArray *faults;       /* struct fake_s3_fault */
    GString *log;         /* "put k; get k" */
    char access_key[32];  /* of the last request; "" for none */
    unsigned counts[FAKE_S3_METHODS];
    unsigned overtaken; /* random failures after which the request had taken effect */
    uint64_t random;
};

struct fake_s3 *fake_s3_new(void);
void fake_s3_free(struct fake_s3 *server);

/* A wire to it; the server must live longer. */
struct s3_wire *fake_s3_wire(struct fake_s3 *server, const char *name);
/* A store over one such wire, whose pauses are next to nothing. */
struct store *fake_s3_store(struct fake_s3 *server, unsigned jobs);
/* Its pauses; patience in milliseconds. */
void fake_s3_hurry(struct store *store, int64_t patience_ms);
struct store_connection fake_s3_counts(struct store *store);

void fake_s3_fault(struct fake_s3 *server, const struct fake_s3_fault *fault);
/* Forgets faults, counts and log. */
void fake_s3_forget(struct fake_s3 *server);
unsigned fake_s3_count(struct fake_s3 *server, enum s3_wire_method method);
char *fake_s3_log(struct fake_s3 *server); /* g_free() */

/* Behind the store's back. */
void fake_s3_set(struct fake_s3 *server, const char *key, const char *text);
void fake_s3_remove(struct fake_s3 *server, const char *key);
char *fake_s3_get(struct fake_s3 *server, const char *key); /* NULL: none; g_free() */

/* What many tests begin with, as *state: a server, and a store over it with four jobs. */
struct fake_s3_fixture {
    struct fake_s3 *server;
    struct store *store;
};
int fake_s3_set_up(void **state);
int fake_s3_tear_down(void **state);

#endif
