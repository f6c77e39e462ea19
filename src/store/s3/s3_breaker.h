/*
 * The circuit breaker of the S3 store: when a server has not answered for a while, requests fail at
 * once instead of each waiting in vain, but for one at a time that looks whether it is back.
 *
 * It opens after several exchanges in a row without an answer, if there has been none for some
 * seconds: a server that is away for a moment meets repetitions instead (s3_effort.c), however many
 * requests were in flight. One answer closes it. Pauses between trials grow.
 *
 * A trial is out between s3_breaker_admit() and s3_breaker_report(), which every admitted exchange
 * makes; one that is stuck does not keep others from trying for ever. Thread-safe.
 */
#ifndef FORKFS_STORE_S3_S3_BREAKER_H
#define FORKFS_STORE_S3_S3_BREAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/timestamp.h"

#define S3_BREAKER_FAILURES 5                     /* in a row, at least, before it opens */
#define S3_BREAKER_SILENCE_NS (5 * NS_PER_SECOND) /* without an answer, before it opens */
#define S3_BREAKER_FORGET_NS (60 * NS_PER_SECOND) /* older failures are no longer "in a row" */
#define S3_BREAKER_PAUSE_NS NS_PER_SECOND         /* before the first trial */
#define S3_BREAKER_LONGEST_NS (8 * NS_PER_SECOND) /* between trials */
#define S3_BREAKER_TRIAL_NS (20 * NS_PER_SECOND)  /* then a trial is taken for stuck */

enum s3_breaker_news {
    S3_BREAKER_ANSWERED, /* the server answered, whatever */
    S3_BREAKER_SILENT,   /* it could not be reached, or left the exchange unanswered */
    S3_BREAKER_NOTHING,  /* the exchange tells neither */
};

struct s3_breaker {
    int64_t (*now_ns)(void); /* monotonic_now_ns(), or a clock of a test's own */
    pthread_mutex_t lock;    /* guards all below */
    unsigned failures;       /* in a row */
    int64_t silent_since_ns; /* the start of the first of these, or the last answer if later */
    int64_t answered_ns;     /* the last answer; INT64_MIN: none */
    int64_t failed_ns;       /* the last failure */
    bool is_open;
    uint64_t trial; /* number of the trial that is out; 0: none */
    int64_t trial_started_ns;
    int64_t next_trial_ns;
    int64_t pause_ns;
    uint64_t trials;
    uint64_t times_opened;
};

/* An admitted exchange. */
struct s3_breaker_ticket {
    int64_t started_ns;
    uint64_t trial; /* its number; 0: no trial */
};

void s3_breaker_init(struct s3_breaker *breaker); /* closed; s3_breaker_destroy() */
void s3_breaker_destroy(struct s3_breaker *breaker);

/* Whether an exchange may be made now; if so, s3_breaker_report() must follow. */
bool s3_breaker_admit(struct s3_breaker *breaker, struct s3_breaker_ticket *ret);
void s3_breaker_report(struct s3_breaker *breaker, const struct s3_breaker_ticket *ticket,
                       enum s3_breaker_news news);

/* For how long there has been no answer; 0 when the last exchange was answered. */
int64_t s3_breaker_silence_ns(struct s3_breaker *breaker);
/* When the last answer came, to whomever; INT64_MIN: none has. */
int64_t s3_breaker_answered_ns(struct s3_breaker *breaker);
/* Whether it is open, and how often it has opened so far. */
bool s3_breaker_state(struct s3_breaker *breaker, uint64_t *ret_times_opened);

#endif
