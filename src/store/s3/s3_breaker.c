#include "store/s3/s3_breaker.h"

#include <glib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

void s3_breaker_init(struct s3_breaker *breaker)
{
    memset(breaker, 0, sizeof *breaker);
    breaker->now_ns = monotonic_now_ns;
    breaker->answered_ns = INT64_MIN;
    pthread_mutex_init(&breaker->lock, NULL);
}

void s3_breaker_destroy(struct s3_breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
}

static bool may_try(const struct s3_breaker *breaker, int64_t now_ns)
{
    if (breaker->trial)
        return now_ns - breaker->trial_started_ns >= S3_BREAKER_TRIAL_NS;
    return now_ns >= breaker->next_trial_ns;
}

bool s3_breaker_admit(struct s3_breaker *breaker, struct s3_breaker_ticket *ret)
{
    int64_t now_ns = breaker->now_ns();
    LOCK_SCOPE(&breaker->lock);
    *ret = (struct s3_breaker_ticket){.started_ns = now_ns};
    if (!breaker->is_open)
        return true;
    if (!may_try(breaker, now_ns))
        return false;
    ret->trial = breaker->trial = ++breaker->trials;
    breaker->trial_started_ns = now_ns;
    return true;
}

static void close_breaker(struct s3_breaker *breaker, int64_t now_ns)
{
    breaker->answered_ns = now_ns;
    breaker->failures = 0;
    breaker->is_open = false;
    breaker->trial = 0;
}

/* The trial is over without an answer; when that says something, the next one comes later. */
static void end_trial(struct s3_breaker *breaker, int64_t now_ns, bool failed)
{
    breaker->trial = 0;
    if (!failed)
        return;
    breaker->pause_ns = MIN(2 * breaker->pause_ns, S3_BREAKER_LONGEST_NS);
    breaker->next_trial_ns = now_ns + breaker->pause_ns;
}

static void count_failure(struct s3_breaker *breaker, int64_t started_ns, int64_t now_ns)
{
    if (!breaker->is_open && now_ns - breaker->failed_ns > S3_BREAKER_FORGET_NS)
        breaker->failures = 0;
    if (breaker->failures++ == 0)
        breaker->silent_since_ns = MAX(started_ns, breaker->answered_ns);
    breaker->failed_ns = now_ns;
    if (breaker->is_open || breaker->failures < S3_BREAKER_FAILURES ||
        now_ns - breaker->silent_since_ns < S3_BREAKER_SILENCE_NS)
        return;
    breaker->is_open = true;
    breaker->times_opened++;
    breaker->pause_ns = S3_BREAKER_PAUSE_NS;
    breaker->next_trial_ns = now_ns + breaker->pause_ns;
}

void s3_breaker_report(struct s3_breaker *breaker, const struct s3_breaker_ticket *ticket,
                       enum s3_breaker_news news)
{
    int64_t now_ns = breaker->now_ns();
    LOCK_SCOPE(&breaker->lock);
    if (news == S3_BREAKER_ANSWERED) {
        close_breaker(breaker, now_ns);
        return;
    }
    if (ticket->trial && ticket->trial == breaker->trial)
        end_trial(breaker, now_ns, news == S3_BREAKER_SILENT);
    if (news == S3_BREAKER_SILENT)
        count_failure(breaker, ticket->started_ns, now_ns);
}

int64_t s3_breaker_silence_ns(struct s3_breaker *breaker)
{
    int64_t now_ns = breaker->now_ns();
    LOCK_SCOPE(&breaker->lock);
    return breaker->failures ? now_ns - breaker->silent_since_ns : 0;
}

int64_t s3_breaker_answered_ns(struct s3_breaker *breaker)
{
    LOCK_SCOPE(&breaker->lock);
    return breaker->answered_ns;
}

bool s3_breaker_state(struct s3_breaker *breaker, uint64_t *ret_times_opened)
{
    LOCK_SCOPE(&breaker->lock);
    *ret_times_opened = breaker->times_opened;
    return breaker->is_open;
}
