/*
 * Writers that race for one object of a bucket:
 *   compare-and-swap ENDPOINT BUCKET KEY WRITERS ROUNDS
 * Credentials come from the environment. The object holds a counter for each writer. A writer
 * raises its own ROUNDS times: it reads the object and puts it back on the condition that nobody
 * has changed it. It fails when a counter of its own is not what it has left there, so both lost
 * and doubled writes show. Prints how many puts were refused, and how many had an unknown outcome.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/operation.h"
#include "store/s3/s3_store.h"

#define PATIENCE_MS 60000

struct race {
    struct store *store;
    const char *key;
    unsigned writers;
    unsigned rounds;
    unsigned refused; /* atomic */
    unsigned unknown; /* atomic */
};

struct writer {
    struct race *race;
    unsigned number;
    pthread_t thread;
};

static void fail(const char *what, const struct error *err)
{
    fprintf(stderr, "compare-and-swap: %s: %s\n", what, err ? err->text : "wrong");
    exit(1);
}

/* The counters of all writers; *etag NULL: there is no object yet. */
static unsigned *read_counters(const struct race *race, char **etag)
{
    struct operation operation;
    operation_init(&operation, PATIENCE_MS);
    auto_bytes struct bytes *body = NULL;
    struct error err;
    int code = store_get(race->store, race->key, &operation, &body, etag, &err);
    operation_destroy(&operation);
    unsigned *counters = g_new0(unsigned, race->writers);
    if (code == ERR_NOT_FOUND)
        return counters;
    if (code != 0)
        fail("reading", &err);
    g_autofree char *text = g_strndup((const char *)body->data, body->size);
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (unsigned i = 0; i < race->writers; i++)
        counters[i] = (unsigned)strtoul(words[i], NULL, 10);
    return counters;
}

static int write_counters(const struct race *race, const unsigned *counters, const char *etag,
                          struct error *err)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (unsigned i = 0; i < race->writers; i++)
        g_string_append_printf(text, "%u ", counters[i]);
    auto_bytes struct bytes *body = bytes_new(text->str, text->len);
    struct operation operation;
    operation_init(&operation, PATIENCE_MS);
    int code = store_put(race->store, race->key, body, etag ? STORE_IF_MATCH : STORE_IF_ABSENT,
                         etag, &operation, NULL, err);
    operation_destroy(&operation);
    return code;
}

/* Whether the writer has raised its counter from `done`. */
static bool raise_counter(struct writer *writer, unsigned done, bool may_be_raised)
{
    struct race *race = writer->race;
    g_autofree char *etag = NULL;
    g_autofree unsigned *counters = read_counters(race, &etag);
    if (may_be_raised && counters[writer->number] == done + 1)
        return true;
    if (counters[writer->number] != done)
        fail("a write was lost or came twice", NULL);
    counters[writer->number]++;
    struct error err;
    int code = write_counters(race, counters, etag, &err);
    if (code == 0)
        return true;
    if (code == ERR_OUTCOME_UNKNOWN) {
        __atomic_fetch_add(&race->unknown, 1, __ATOMIC_RELAXED);
        return raise_counter(writer, done, true);
    }
    if (code != ERR_PRECONDITION)
        fail("writing", &err);
    __atomic_fetch_add(&race->refused, 1, __ATOMIC_RELAXED);
    return false;
}

static void *run_writer(void *argument)
{
    struct writer *writer = argument;
    for (unsigned done = 0; done < writer->race->rounds; done++) {
        while (!raise_counter(writer, done, false))
            g_usleep((gulong)g_random_int_range(0, 20000));
    }
    return NULL;
}

static struct store *open_store(const char *url, const char *bucket, unsigned jobs)
{
    struct error err;
    struct s3_profile *profile = NULL;
    struct s3_endpoint endpoint;
    if (s3_profile_open(NULL, &profile, &err) != 0)
        fail("credentials", &err);
    if (s3_endpoint_init(&endpoint, url, s3_profile_region(profile), bucket, true, &err) != 0)
        fail("endpoint", &err);
    struct s3_store_settings settings = {.endpoint = &endpoint, .profile = profile, .jobs = jobs};
    struct store *store = NULL;
    if (s3_store_open(&settings, &store, &err) != 0)
        fail("store", &err);
    s3_endpoint_clear(&endpoint);
    struct operation operation;
    operation_init(&operation, PATIENCE_MS);
    if (s3_store_check(store, "", &operation, &err) != 0 ||
        s3_store_probe(store, "", &operation, &err) != 0)
        fail("bucket", &err);
    operation_destroy(&operation);
    return store;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: compare-and-swap ENDPOINT BUCKET KEY WRITERS ROUNDS\n");
        return 2;
    }
    struct race race = {.key = argv[3],
                        .writers = (unsigned)strtoul(argv[4], NULL, 10),
                        .rounds = (unsigned)strtoul(argv[5], NULL, 10)};
    race.store = open_store(argv[1], argv[2], race.writers);
    g_autofree struct writer *writers = g_new0(struct writer, race.writers);
    for (unsigned i = 0; i < race.writers; i++) {
        writers[i] = (struct writer){.race = &race, .number = i};
        if (pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]) != 0)
            fail("starting a thread", NULL);
    }
    for (unsigned i = 0; i < race.writers; i++)
        pthread_join(writers[i].thread, NULL);
    g_autofree char *etag = NULL;
    g_autofree unsigned *counters = read_counters(&race, &etag);
    for (unsigned i = 0; i < race.writers; i++) {
        if (counters[i] != race.rounds)
            fail("writes are missing", NULL);
    }
    printf("refused %u unknown %u\n", race.refused, race.unknown);
    store_free(race.store);
    return 0;
}
