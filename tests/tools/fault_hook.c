/*
 * Faults for the mounted filesystem. The program forkfs-faulty is forkfs, linked so that
 * __wrap_open_catalog() and the like below take the place of open_catalog(), catalog_open() and
 * daemon_ready() (ld --wrap): the store gets a wrapper that makes one request go wrong.
 */
/* clang-format off */
/*
 * Environment: FORKFS_FAULT=[early-]KIND[=CODE]:N[:METHODS[:MATCH]]
 *   or, for a delay:        [early-]KIND:N:MS[:METHODS[:MATCH]]
 *
 *   KIND     fail        the N-th request has no effect and fails with CODE (the name of an error
 *                        code without ERR_, e.g. NO_SPACE; default IO)
 *            fail-all    so does every later one, if FORKFS_FAULT_RELEASE=FILE until there is that file
 *            lose        it takes effect, its answer is lost
 *            kill        the process is killed before the N-th request takes effect
 *            kill-after  the process is killed right after it has taken effect
 *            delay       it is held up for MS milliseconds, no longer than until there is that FILE, or its
 *                        operation is interrupted
 *            delay-all   so is every later one, whoever sends it
 *   METHODS  all (default), reads, writes, or some of get+head+list+put+delete+prune
 *   MATCH    only requests with this text in their key
 *
 * Requests are counted from the moment that the mount answers (in the background forkfs returns after
 * it); with early- from the start, recovery included. FORKFS_FAULT_REPORT=FILE: at the end, or
 * before the kill, FILE gets the line "fired F count C", F being 0 or 1, C the number of requests
 * that matched.
 *
 * FORKFS_TAKEOVER_MS=N: on a catalog that several mounts write, the unfinished work of another one is
 * taken over after N milliseconds. FORKFS_LEASE_MS=N: one that does not renew its lease for so long
 * counts as dead.
 */
/* clang-format on */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "program/daemon.h"
#include "program/open_catalog.h"
#include "unit/stores/fault_store.h"

enum kill_mode { KILL_NEVER, KILL_BEFORE, KILL_AFTER };

struct fault_request {
    bool early;
    enum fault_kind kind; /* FAULT_NONE: a kill */
    enum kill_mode kill;
    bool persistent;
    int code;
    unsigned n;
    unsigned method_mask;
    char *match; /* "" matches all */
    int64_t delay_ms;
};

struct hook_store {
    struct store base;
    struct store *fault_store;
    struct fault_request request;
    pthread_mutex_t lock; /* guards all below */
    bool armed;
    unsigned count; /* while waiting for a kill */
    pthread_t releaser;
    bool has_releaser, ending; /* the latter atomic */
};

/* What connects the two wrapped functions. */
static struct hook_store *hook;

int __real_open_catalog(const struct catalog_location *location, struct operation *operation,
                        struct opened_catalog *ret, struct error *err);
int __wrap_open_catalog(const struct catalog_location *location, struct operation *operation,
                        struct opened_catalog *ret, struct error *err);
int __real_catalog_open(struct store *store, struct layout *layout,
                        const struct catalog_settings *settings, struct operation *operation,
                        struct catalog **ret, struct error *err);
int __wrap_catalog_open(struct store *store, struct layout *layout,
                        const struct catalog_settings *settings, struct operation *operation,
                        struct catalog **ret, struct error *err);
void __real_daemon_ready(struct daemon *daemon, struct log *log);
void __wrap_daemon_ready(struct daemon *daemon, struct log *log);

/* ---- FORKFS_FAULT ---- */

static void refuse(const char *text, const char *what)
{
    fprintf(stderr, "forkfs-faulty: environment: %s: '%s'\n", what, text);
    exit(2);
}

static int parse_code(const char *name)
{
    for (int code = -1; code >= ERR_CODES_END - 1; code--)
        if (strcmp(error_code_name(code), name) == 0)
            return code;
    refuse(name, "unknown error code");
    return 0;
}

static void parse_kind(const char *text, struct fault_request *request)
{
    static const struct {
        const char *name;
        enum fault_kind kind;
        enum kill_mode kill;
        bool persistent;
    } kinds[] = {
        {"fail", FAULT_FAIL, KILL_NEVER, false},        {"fail-all", FAULT_FAIL, KILL_NEVER, true},
        {"lose", FAULT_LOSE_ANSWER, KILL_NEVER, false}, {"kill", FAULT_NONE, KILL_BEFORE, false},
        {"kill-after", FAULT_NONE, KILL_AFTER, false},  {"delay", FAULT_DELAY, KILL_NEVER, false},
        {"delay-all", FAULT_DELAY, KILL_NEVER, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].name, text) == 0) {
            request->kind = kinds[i].kind;
            request->kill = kinds[i].kill;
            request->persistent = kinds[i].persistent;
            return;
        }
    }
    refuse(text, "unknown kind");
}

static unsigned parse_method(const char *text)
{
    if (strcmp(text, "all") == 0)
        return FAULT_ALL;
    if (strcmp(text, "reads") == 0)
        return FAULT_READS;
    if (strcmp(text, "writes") == 0)
        return FAULT_WRITES;
    for (unsigned method = 0; method < STORE_METHODS; method++)
        if (strcmp(text, store_method_name((enum store_method)method)) == 0)
            return 1u << method;
    refuse(text, "unknown method");
    return 0;
}

static unsigned parse_methods(const char *text)
{
    g_auto(GStrv) names = g_strsplit(text, "+", -1);
    unsigned mask = 0;
    for (char **name = names; *name; name++)
        mask |= parse_method(*name);
    return mask;
}

static unsigned long parse_count(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        refuse(text, "is no number");
    return value;
}

/* The next field, or `absent` when there is none. */
static const char *next_field(char ***fields, const char *absent)
{
    return **fields ? *(*fields)++ : absent;
}

static struct fault_request parse_request(const char *text)
{
    struct fault_request request = {.code = ERR_IO};
    if (g_str_has_prefix(text, "early-")) {
        request.early = true;
        text += strlen("early-");
    }
    g_auto(GStrv) fields = g_strsplit(text, ":", 5);
    char **next = fields;
    g_auto(GStrv) kind = g_strsplit(next_field(&next, "?"), "=", 2);
    parse_kind(kind[0], &request);
    if (kind[1])
        request.code = parse_code(kind[1]);
    request.n = parse_count(next_field(&next, ""));
    if (request.kind == FAULT_DELAY)
        request.delay_ms = parse_count(next_field(&next, ""));
    request.method_mask = parse_methods(next_field(&next, "all"));
    request.match = g_strdup(next_field(&next, ""));
    return request;
}

/* ---- The wrapper ---- */

static void report(bool fired, unsigned count)
{
    const char *path = getenv("FORKFS_FAULT_REPORT");
    if (!path)
        return;
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "fired %d count %u\n", fired, count) < 0)
        perror(path);
}

static void end_process(unsigned count)
{
    report(true, count);
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether this request is the one to die at. */
static bool is_last(struct hook_store *store, const struct store_request *request)
{
    LOCK_SCOPE(&store->lock);
    if (!store->armed || store->request.kill == KILL_NEVER ||
        !(store->request.method_mask & (1u << request->method)) ||
        !strstr(request->key, store->request.match))
        return false;
    return ++store->count == store->request.n;
}

static void perform(struct store *base, const struct store_request *request,
                    const struct operation *operation, struct store_answer *answer)
{
    struct hook_store *store = (struct hook_store *)base;
    bool last = is_last(store, request);
    if (last && store->request.kill == KILL_BEFORE)
        end_process(store->request.n);
    store->fault_store->operations->perform(store->fault_store, request, operation, answer);
    if (last)
        end_process(store->request.n);
}

static void *release_in_time(void *argument)
{
    struct hook_store *store = argument;
    const char *path = getenv("FORKFS_FAULT_RELEASE");
    while (access(path, F_OK) != 0 && !__atomic_load_n(&store->ending, __ATOMIC_ACQUIRE))
        g_usleep(5000);
    if (store->request.kind == FAULT_DELAY)
        fault_store_release(store->fault_store);
    else
        fault_store_disarm(store->fault_store);
    return NULL;
}

static void destroy(struct store *base)
{
    struct hook_store *store = (struct hook_store *)base;
    __atomic_store_n(&store->ending, true, __ATOMIC_RELEASE);
    if (store->has_releaser)
        pthread_join(store->releaser, NULL);
    if (store->request.kill == KILL_NEVER)
        report(fault_store_fired(store->fault_store), fault_store_count(store->fault_store));
    else
        report(false, store->count);
    store_free(store->fault_store);
    pthread_mutex_destroy(&store->lock);
    g_free(store->request.match);
    hook = NULL;
}

static struct store *wrap(struct store *inner, const char *request)
{
    static const struct store_operations operations = {.perform = perform, .destroy = destroy};
    hook = g_new0(struct hook_store, 1);
    hook->fault_store = fault_store_new(inner, true);
    hook->request = parse_request(request);
    pthread_mutex_init(&hook->lock, NULL);
    store_initialize_wrapper(&hook->base, &operations, hook->fault_store);
    return &hook->base;
}

static void arm(void)
{
    const struct fault_request *request = &hook->request;
    if (request->kind != FAULT_NONE) {
        fault_store_match(hook->fault_store, request->match);
        fault_store_set_delay(hook->fault_store, request->delay_ms);
        fault_store_set_cancellable(hook->fault_store, true);
        fault_store_arm(hook->fault_store, request->kind, request->method_mask, request->n,
                        request->persistent, request->code);
    }
    bool lasts = request->kind == FAULT_DELAY || request->persistent;
    if (lasts && getenv("FORKFS_FAULT_RELEASE"))
        hook->has_releaser = pthread_create(&hook->releaser, NULL, release_in_time, hook) == 0;
    LOCK_SCOPE(&hook->lock);
    hook->armed = true;
}

int __wrap_open_catalog(const struct catalog_location *location, struct operation *operation,
                        struct opened_catalog *ret, struct error *err)
{
    int code = __real_open_catalog(location, operation, ret, err);
    const char *request = getenv("FORKFS_FAULT");
    if (code != 0 || !request)
        return code;
    ret->store = wrap(ret->store, request);
    if (hook->request.early)
        arm();
    return 0;
}

int __wrap_catalog_open(struct store *store, struct layout *layout,
                        const struct catalog_settings *settings, struct operation *operation,
                        struct catalog **ret, struct error *err)
{
    struct catalog_settings changed = *settings;
    const char *takeover_ms = getenv("FORKFS_TAKEOVER_MS");
    if (takeover_ms)
        changed.takeover_ms = (int64_t)parse_count(takeover_ms);
    const char *lease_ms = getenv("FORKFS_LEASE_MS");
    if (lease_ms)
        changed.lease_ms = (int64_t)parse_count(lease_ms);
    return __real_catalog_open(store, layout, &changed, operation, ret, err);
}

void __wrap_daemon_ready(struct daemon *daemon, struct log *log)
{
    if (hook && !hook->request.early)
        arm();
    __real_daemon_ready(daemon, log);
}
