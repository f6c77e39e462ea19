/*
 * The object store: flat keys, whole objects, conditional puts.
 *
 * Requests are collected in a set, and the set is run: all its requests are in flight together (as
 * far as the store's worker pool allows) and store_run() returns when every one of them is
 * answered and everything that the set changed is durable. One set is one step of dependent
 * requests, one "wave"; callers design in waves.
 *
 * Contract, for every implementation:
 *  - Keys are '/'-separated, without a leading slash, without empty, "." or ".." segments
 *    (store_key_is_valid); other keys are answered ERR_INVALID and never reach the medium.
 *  - A put is atomic: readers see the old object or the new one.
 *  - ERR_NOT_FOUND means that the object is definitely absent, never any other failure. A delete of
 *    an absent object succeeds. A listing below a prefix without objects is empty.
 *  - A lost precondition is ERR_PRECONDITION: the object was not changed by this request.
 *  - ERR_OUTCOME_UNKNOWN means that a put or delete may or may not have taken effect (its answer
 *    was lost): re-read to decide. Where the store has to settle (store_has_to_settle()), reading
 *    decides what is there, and not whether it is durable: see store_confirm_put().
 *  - ERR_NOT_DURABLE means that a put, delete or prune has taken effect, as every reader sees, but
 *    may be undone by a power failure. Reading tells nothing about that. It is as good as done once
 *    the same is done anew, and succeeds.
 *  - Any other failure of a put or delete means that it has had no effect.
 *  - Listing shows objects in bytewise order of their keys, without temporary files
 *    (store_name_is_temporary()).
 *  - Requests take the operation's deadline. When it passes, store_run() returns although calls may
 *    be stuck: these are abandoned, their answers thrown away; requests not yet started never
 *    start. The number of stuck calls is bounded by the pool.
 *  - A cancelled operation stops requests that have not started (ERR_INTERRUPTED); those under way
 *    are waited for, so that the caller knows what happened.
 *
 * Threading: a store may be used from any number of threads; a set belongs to one thread at a time.
 * Ownership: the set owns its requests and everything in their answers.
 */
#ifndef FORKFS_STORE_STORE_H
#define FORKFS_STORE_STORE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/metrics.h"
#include "base/operation.h"
#include "base/timestamp.h"
#include "base/worker_pool.h"

enum store_method {
    STORE_GET,
    STORE_HEAD,
    STORE_LIST,
    STORE_PUT,
    STORE_DELETE,
    STORE_PRUNE,
    STORE_RESERVE
};
#define STORE_METHODS 7

enum store_precondition { STORE_ALWAYS, STORE_IF_ABSENT, STORE_IF_MATCH };

/* One row of a listing. */
struct store_object {
    char *key;           /* whole key; a directory of a shallow listing ends in '/' */
    char *etag;          /* unquoted; NULL for directories, and where keys only are told */
    uint64_t size;       /* bytes */
    int64_t modified_ns; /* since 1970; 0 when unknown */
    bool is_directory;   /* shallow listings only */
};

/* What the store answered. */
struct store_answer {
    int code;            /* 0 or an enum error_code; same as error.code */
    struct error error;  /* set when code is not 0 */
    struct bytes *body;  /* GET */
    char *etag;          /* GET, HEAD, and PUT where the store tells; unquoted */
    uint64_t size;       /* GET, HEAD; RESERVE: of the reserve, also after a failure */
    int64_t modified_ns; /* GET, HEAD: since 1970, 0 when unknown */
    bool took_reserve;   /* PUT: see store_request_use_reserve() */
    GPtrArray *objects;  /* LIST: struct store_object, in key order; never NULL after success.
                            PRUNE kept within: what it left; may be NULL */
    bool truncated;      /* LIST: there is more after the last row (limit reached) */
    bool late;           /* PUT, DELETE, PRUNE: something was sent and given up that may still take
                            effect, whatever the answer is: STORE_LATE_NS */
    GPtrArray *touched;  /* the implementation's own: what settle() must make durable */
};

struct store_request {
    enum store_method method;
    char *key;                            /* object key; LIST and PRUNE: prefix */
    struct bytes *body;                   /* PUT */
    enum store_precondition precondition; /* PUT */
    char *etag;                           /* PUT with STORE_IF_MATCH */
    bool through_link;                    /* PUT: what is a symbolic link in a directory stays one,
                                             and what it leads to is replaced; set it after
                                             creation */
    char *reserve;                        /* PUT: see store_request_use_reserve(); RESERVE */
    size_t size;                          /* RESERVE: wanted bytes */
    char *start_after;                    /* LIST: only keys after this one; NULL: from the start */
    size_t limit;                         /* LIST: at most so many rows; 0: all of them */
    bool shallow;                         /* LIST: rows directly below the prefix only */
    bool with_temporary;                  /* LIST: temporary files too; set it after creation */
    bool with_dead_links;                 /* LIST: of a directory, symbolic links that lead nowhere,
                                             as objects, which cannot be read; the same */
    struct store_row_choice *choice;      /* LIST: see store_request_leave_out(); NULL: all rows */
    size_t own;                           /* LIST, DELETE, PRUNE: see store_request_keep_within() */
    bool in_place;                        /* see store_request_in_place() */
    bool remembered;                      /* LIST: see store_request_remember() */
    GPtrArray *expected;                  /* struct store_expectation: store_request_expect() */
    struct store_answer answer;           /* filled when store_run() returns */
};

/* A directory that a request takes to be there. */
struct store_expectation {
    char *directory; /* a key that ends in '/' */
    char *unless;    /* a directory above it: not if that is empty; NULL: none */
    bool is_sure;    /* else only if the store has seen it before */
};

typedef bool store_row_filter(const char *directory, const char *name, const void *argument);

/* Which objects a listing leaves out. */
struct store_row_choice {
    store_row_filter *is_unwanted;
    void *argument;
    GDestroyNotify free_argument;
    int64_t age;
};

struct store_set;

/* Keys and etags are copied, bodies referenced. The returned requests live as long as the set.
 * A set is run once. */
struct store_set *store_set_new(void);
void store_set_unref(struct store_set *set); /* NULL: nothing */
/* Usage: auto_store_set struct store_set *set = store_set_new(); */
#define auto_store_set __attribute__((cleanup(cleanup_store_set)))
static inline void cleanup_store_set(struct store_set **set)
{
    store_set_unref(*set);
}
size_t store_set_size(const struct store_set *set);
struct store_request *store_set_at(struct store_set *set, size_t index);

struct store_request *store_set_get(struct store_set *set, const char *key);
struct store_request *store_set_head(struct store_set *set, const char *key);
struct store_request *store_set_delete(struct store_set *set, const char *key);
/* `etag`: demanded version with STORE_IF_MATCH, else NULL. */
struct store_request *store_set_put(struct store_set *set, const char *key, struct bytes *body,
                                    enum store_precondition precondition, const char *etag);
/* Rows whose keys start with `prefix` (which need not end in '/'; "" lists everything).
 * start_after may be NULL; limit 0 means no limit. */
struct store_request *store_set_list(struct store_set *set, const char *prefix,
                                     const char *start_after, size_t limit);
/* For a listing: objects of which the function says so are of no interest, by the key of their
 * directory (with its '/') and their name; where that saves work, there are no rows of them. Called
 * by the store's threads, also after the run was given up. Takes the argument over: `free_argument`
 * (NULL: nothing) ends it. `age`: not 0 when an object that is left out will be so, too, by all
 * later functions of the same age, unless somebody makes it anew; then the local store need not
 * look at it again. */
void store_request_leave_out(struct store_request *listing, store_row_filter *is_unwanted,
                             void *argument, GDestroyNotify free_argument, int64_t age);
/* As a directory: objects and sub-directories directly below `prefix`, which ends in '/' or is "".
 * The local store also shows sub-directories that hold no object (yet, or any more). */
struct store_request *store_set_list_shallow(struct store_set *set, const char *prefix);
/* Removes what is no object: below a prefix that ends in '/', temporary files of crashed writers
 * and empty directories, the prefix's own included (a directory that holds objects stays, without
 * error); for a prefix without '/', the temporary files of that object, as far as they are known:
 * the directory is read only when that was never done before. Stores without directories answer
 * success at once. */
struct store_request *store_set_prune(struct store_set *set, const char *prefix);
/* Keeps room for a put of `key` with a body of `size` bytes, as a reserve of the key `reserve`,
 * which is in a directory where nothing but reserves is, and no object: at least that much, if the
 * answer is success. ERR_NO_SPACE: there is not so much room. Stores without a limit of their own
 * answer success at once. Not settled: a power failure may undo it. */
struct store_request *store_set_reserve(struct store_set *set, const char *key, const char *reserve,
                                        size_t size);
/* A put that, where there is no room for it, takes the reserve that was made for its key in the
 * life of this store. Whether it did, or has used up the reserve in vain, its answer tells: then
 * there is less room left, or none. Not with STORE_IF_ABSENT. */
void store_request_use_reserve(struct store_request *put, const char *reserve);
/* As any of these but put, with a key that it takes over; a listing is one of everything. */
struct store_request *store_set_add(struct store_set *set, enum store_method method, char *key);

/* For removing all that somebody has in a place of his own, and nothing else. `own` is the length
 * of the part of the key that is above that place; it ends in '/', and what follows it is a name or
 * several. Set it after creation, before the run. From that name on, it included, the local store
 * follows no symbolic link and enters no file system that is mounted there; stores without
 * directories ignore it.
 *  - LIST shows everything that is no directory, links and special files, too, but for temporary
 *    files: keys only. When it is the place itself that is no directory, its key without the '/' is
 *    the only row. Neither shallow nor with start_after; a limit shows any rows.
 *  - DELETE removes what LIST shows. What a link or something else has taken the place of, so that
 *    the key leads nowhere any more, is absent.
 *  - PRUNE answers in `objects` what it left, as LIST does: an answer of success without rows says
 *    that nothing is there any more. For a prefix without '/' that is what is below it, when it is
 * a directory. What is written at that moment is ERR_HELD. A link between `own` and the last name
 * is ERR_CORRUPT (DELETE: absent), a mounted file system ERR_HELD. */
void store_request_keep_within(struct store_request *request, size_t own);
/* As store_set_add() for LIST, DELETE or PRUNE, kept within the last name of the key: nothing leads
 * out of what is named after its owner. */
struct store_request *store_set_add_own(struct store_set *set, enum store_method method, char *key);
/* Adds deletes, kept within the same, for all that a listing or prune that is kept within tells of,
 * once it has been run. Returns their number. */
size_t store_set_delete_found(struct store_set *set, const struct store_request *found);
/* The length of the part of a key or prefix that is above its last name. */
size_t store_key_above(const char *key);

/* For what is going to write down where the store is: the request is carried out only while the
 * path by which the store was opened still names the store, and is ERR_AWAY when that names another
 * or none. Stores without a path ignore it. Set it after creation, before the run. */
void store_request_in_place(struct store_request *request);

/* For what makes directories, or takes the absence of objects for "there are none": the request is
 * ERR_AWAY, and not carried out, when `directory` (which ends in '/', is copied) is not there,
 * although it has to be (`is_sure`), or this store has seen it before; unless the directory
 * `unless` above it (copied, may be NULL) is there and empty. What lies on another file system than
 * what this store has seen there is not it. Stores without directories ignore it. As often as
 * wanted, after creation, before the run. */
void store_request_expect(struct store_request *request, const char *directory, const char *unless,
                          bool is_sure);
/* Expects the directory that its key is in; at the top there is none. */
void store_request_expect_place(struct store_request *request);
/* Expects the directory that holds the request's own: of "a/b/c" that is "a/", for "a/b/" may come
 * and go. For what is done, or was never begun, where the object is absent. */
void store_request_expect_around(struct store_request *request);
/* The same directories as another request expects: for who takes back what that has done. */
void store_request_expect_as(struct store_request *request, const struct store_request *other);
/* For a listing of a directory: that is one that this store has seen; of a shallow one those are
 * that it shows. */
void store_request_remember(struct store_request *listing);

struct store;

/* Runs every request of the set; see the contract above. An empty set succeeds at once. Returns 0
 * when all are answered, each with its own code; ERR_DEADLINE or ERR_INTERRUPTED when at least
 * one was not started or abandoned, in which case started-but-unanswered puts and deletes carry
 * ERR_OUTCOME_UNKNOWN, those of which only the settling was not waited for ERR_NOT_DURABLE,
 * unanswered reads ERR_DEADLINE, and those not started ERR_DEADLINE or ERR_INTERRUPTED. `operation`
 * may be NULL. */
int store_run(struct store *store, struct store_set *set, struct operation *operation,
              struct error *err);

/* For so long after a put or delete was abandoned it may still take effect; so may one that was
 * given up, and sent again, before it was answered (answer.late). */
#define STORE_LATE_NS (60 * NS_PER_SECOND)
/* Waits until all that runs of this store have abandoned has ended, but no longer than so many
 * milliseconds. True: none of that takes effect any more. Always false where a server may have
 * requests that this end has given up. */
bool store_await_abandoned(struct store *store, int64_t timeout_ms);
/* The same, for a set that was run, if an answer of it is late; then none is, or (false) some are.
 */
bool store_set_await_late(struct store *store, struct store_set *set, int64_t timeout_ms);
#define STORE_ABANDONED_MS 2000 /* what is not stuck, but slow, has mostly ended by then */

/* The first failed answer of a set that was run, in request order: copies its error and returns its
 * code; 0 when there is none. `ignored` (0: none) is a code that does not count as a failure. */
int store_set_failure(struct store_set *set, int ignored, struct error *err);

/* Runs a set of which every request has to be answered well: the failure of the run, or else
 * store_set_failure(). */
int store_run_all(struct store *store, struct store_set *set, int ignored,
                  struct operation *operation, struct error *err);

/* Whether a put or delete that failed so may have had an effect. */
bool store_code_has_effect(int code);

/* The failure of an answer, for steps that can be taken again or back, so that it does not matter
 * much whether a request took effect: ERR_OUTCOME_UNKNOWN and ERR_NOT_DURABLE become `run_code`,
 * what store_run() returned, or else ERR_IO. Copies the error and returns its code; 0 after
 * success. */
int store_answer_failure(const struct store_answer *answer, int run_code, struct error *err);

/* Conveniences that run a set of one request, and return that request's own code: a put or delete
 * that is stuck when the deadline passes is ERR_OUTCOME_UNKNOWN. */
int store_get(struct store *store, const char *key, struct operation *operation,
              struct bytes **ret_body, char **ret_etag /* may be NULL; g_free */,
              struct error *err);
int store_put(struct store *store, const char *key, struct bytes *body,
              enum store_precondition precondition, const char *etag, struct operation *operation,
              char **ret_etag /* may be NULL; *ret_etag may become NULL */, struct error *err);
/* The delete expects the directory around: store_request_expect_around(). */
int store_delete(struct store *store, const char *key, struct operation *operation,
                 struct error *err);

/* Whether what has taken effect is not durable before it is settled, so that what can be read may
 * still be lost. False: an object that can be read is durable. */
bool store_has_to_settle(struct store *store);

/* For who has read his own `body` at the version `etag` after a put whose answer did not tell: 0 at
 * once where what can be read is durable; else puts it anew in place of that version. Errors as of
 * store_put(). *ret_etag: the version that is there now; g_free(). */
int store_confirm_put(struct store *store, const char *key, struct bytes *body, const char *etag,
                      struct operation *operation, char **ret_etag, struct error *err);

bool store_key_is_valid(const char *key);
/* Whether a name (the last segment of a key) is that of a temporary file: ".*#[0-9]+", as we, Uni
 * and the library below Lance write them, or ".+\.tmp\.[0-9a-f]{32}", as Lance does. */
bool store_name_is_temporary(const char *name);
/* Of such a name: how much of it is the name that it was to become. */
size_t store_temporary_target(const char *name);

/* The requests answered so far, by method: outcome and latency of each. Lives as the store does;
 * wrappers count what goes through them. */
const struct call_metrics *store_metrics(const struct store *store, enum store_method method);

/* How the server of a store is reached, for `stats`. */
struct store_connection {
    const char *clients;     /* the libraries in use; lives as the store does, though it may say
                                something else later */
    uint64_t repeats;        /* requests that were made again */
    uint64_t breaker_opened; /* how often */
    bool breaker_open;       /* now: requests fail at once, as the server does not answer */
};
/* False: there is no server. Any thread, at any time. */
bool store_connection(struct store *store, struct store_connection *ret);

void store_free(struct store *store); /* waits for what is under way; NULL: nothing */

/* store_free(), but waits for so many milliseconds at most. False: requests are stuck, and the
 * store is left to them for good; what it was made with must live on. For the end of a process: not
 * every library can be told when to give up. */
bool store_free_within(struct store *store, int64_t timeout_ms);
#define STORE_FREE_LONGEST_MS 5000

/*
 * ---- For implementations and wrappers ----
 */

/* One run of a set, as settle() sees it. Its answers have not reached the caller yet. */
struct store_wave;
size_t store_wave_size(const struct store_wave *wave);
const struct store_request *store_wave_request(const struct store_wave *wave, size_t index);
struct store_answer *store_wave_answer(struct store_wave *wave, size_t index);

struct store_operations {
    /* A set is about to be run; called on the caller's thread, for a wrapper before what it wraps.
     * NULL: nothing to do. */
    void (*begin)(struct store *store, const struct store_set *set);
    /* Answers one request; runs on a thread of the pool (or the caller's), concurrently with
     * others. Must fill *answer (zeroed before). Need not validate keys. Must mind `operation`'s
     * deadline as well as the medium allows, and may end with ERR_INTERRUPTED what had no effect
     * when it is cancelled; `operation` is never NULL. */
    void (*perform)(struct store *store, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer);
    /* Makes durable what the set changed; called once per set, after its last request, also when
     * the caller has gone. May turn the success of a put, delete or prune into ERR_NOT_DURABLE, and
     * replace the etag of a put; must touch no other answer (the caller may take these away
     * meanwhile). NULL: an answer is durable at once; in a wrapper, it is left to the wrapped
     * store. */
    void (*settle)(struct store *store, struct store_wave *wave);
    /* What ended without an answer may take effect later: a server has it. */
    bool outlives_calls;
    /* See store_connection(); NULL: there is no server; in a wrapper, left to the wrapped store. */
    bool (*connection)(struct store *store, struct store_connection *ret);
    /* Releases what the structure holds, not the structure. */
    void (*destroy)(struct store *store);
};

/* Base of every implementation: first member of its structure, which is allocated with g_new0() and
 * freed by store_free(). */
struct store {
    const struct store_operations *operations;
    struct worker_pool *pool; /* NULL in wrappers: they run on the wrapped store's */
    struct store *wrapped;    /* NULL: this is no wrapper */
    struct call_metrics metrics[STORE_METHODS];
    struct abandoned_runs *abandoned; /* NULL in wrappers, as the pool */
};

/* jobs: the largest number of requests in flight. */
void store_initialize(struct store *store, const struct store_operations *operations,
                      unsigned jobs);
/* For a wrapper: runs on the pool of `inner`, which it owns or not, as its destroy() has it. */
void store_initialize_wrapper(struct store *store, const struct store_operations *operations,
                              struct store *inner);

void store_object_free(struct store_object *object); /* NULL: nothing */
void store_answer_clear(struct store_answer *answer);
GPtrArray *store_objects_new(void); /* for answer->objects: frees its elements */

/* Sets *answer's error and code; what the answer holds besides stays. Returns the code. */
int store_answer_fail(struct store_answer *answer, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool store_method_writes(enum store_method method);      /* PUT, DELETE, PRUNE */
const char *store_method_name(enum store_method method); /* "put" */

/* What a request must look like to reach an implementation; ERR_INVALID. */
int store_request_check(const struct store_request *request, struct error *err);

/* The set's own reference counting, and the mark that it was run; for store_wave.c. */
struct store_set *store_set_ref(struct store_set *set);
void store_set_mark_run(struct store_set *set);

#endif
