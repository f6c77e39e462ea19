/*
 * Many who count in one object by compare-and-swap, over a connection that loses answers and before
 * a server that answers 500 to those who come too late.
 *
 * The object holds "name:count" per counter, so that who does not know what became of his put finds
 * out by reading, whatever others have written on top.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/store/s3/fake_s3.h"
#include "unit/unit.h"

#define COUNTERS 50
#define TARGET 12

struct counter {
    struct store *store;
    unsigned number;
    int failure;
    pthread_t thread;
};

/* The counts in a document. */
static void parse(const struct bytes *document, int counts[COUNTERS])
{
    g_auto(GStrv) items = g_strsplit(document->data, " ", -1);
    memset(counts, 0, COUNTERS * sizeof counts[0]);
    for (char **item = items; *item; item++) {
        char *end;
        unsigned long number = strtoul(*item, &end, 10);
        if (*end == ':' && number < COUNTERS)
            counts[number] = atoi(end + 1);
    }
}

static struct bytes *render(const int counts[COUNTERS])
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (unsigned i = 0; i < COUNTERS; i++)
        g_string_append_printf(text, "%s%u:%d", i ? " " : "", i, counts[i]);
    return bytes_new(text->str, text->len);
}

/* One look and one try. False: it is finished, or has failed. */
static bool step(struct counter *counter)
{
    auto_bytes struct bytes *document = NULL;
    g_autofree char *etag = NULL;
    int counts[COUNTERS];
    counter->failure = store_get(counter->store, "counters", NULL, &document, &etag, NULL);
    if (counter->failure)
        return false;
    parse(document, counts);
    if (counts[counter->number] >= TARGET)
        return false;
    counts[counter->number]++;
    auto_bytes struct bytes *next = render(counts);
    int code = store_put(counter->store, "counters", next, STORE_IF_MATCH, etag, NULL, NULL, NULL);
    if (code != 0 && code != ERR_PRECONDITION && code != ERR_OUTCOME_UNKNOWN)
        counter->failure = code;
    return counter->failure == 0;
}

static void *count(void *argument)
{
    struct counter *counter = argument;
    while (step(counter))
        ;
    return NULL;
}

static void run_race(const struct fake_s3 *manners)
{
    struct fake_s3 *server = fake_s3_new();
    struct store *store = fake_s3_store(server, 64);
    struct counter counters[COUNTERS];
    int counts[COUNTERS] = {0};
    auto_bytes struct bytes *start = render(counts);
    assert_int_equal(store_put(store, "counters", start, STORE_IF_ABSENT, NULL, NULL, NULL, NULL),
                     0);
    server->match = manners->match;
    server->chaos = manners->chaos;
    server->losers_get_500 = manners->losers_get_500;
    for (unsigned i = 0; i < COUNTERS; i++) {
        counters[i] = (struct counter){.store = store, .number = i};
        pthread_create(&counters[i].thread, NULL, count, &counters[i]);
    }
    for (unsigned i = 0; i < COUNTERS; i++)
        pthread_join(counters[i].thread, NULL);
    g_autofree char *text = fake_s3_get(server, "counters");
    auto_bytes struct bytes *end = bytes_new_text(text);
    parse(end, counts);
    for (unsigned i = 0; i < COUNTERS; i++) {
        assert_int_equal(counters[i].failure, 0);
        assert_int_equal(counts[i], TARGET);
    }
    assert_true(!manners->chaos || server->overtaken > 0);
    store_free(store);
    fake_s3_free(server);
}

static void nothing_is_lost_on_a_good_connection(void **state)
{
    run_race(&(struct fake_s3){.match = FAKE_S3_MATCH_QUOTED});
}

static void nothing_is_lost_with_a_server_that_fails_losers(void **state)
{
    run_race(&(struct fake_s3){.match = FAKE_S3_MATCH_BARE, .losers_get_500 = true});
}

static void nothing_is_lost_on_a_bad_connection(void **state)
{
    run_race(&(struct fake_s3){.match = FAKE_S3_MATCH_BARE, .losers_get_500 = true, .chaos = 20});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_on_a_good_connection),
        cmocka_unit_test(nothing_is_lost_with_a_server_that_fails_losers),
        cmocka_unit_test(nothing_is_lost_on_a_bad_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
