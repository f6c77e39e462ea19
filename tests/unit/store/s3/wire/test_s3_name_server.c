/*
 * The libcurl wire and a name server that does not answer.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <netdb.h>

#include "unit/store/s3/wire/wire_fixture.h"

#define HANGING "hangs.example"
#define SHORT_MS 300
#define LOOK_US 10000

static unsigned hanging; /* atomic: calls */
static bool answers;     /* atomic */

static void hang(void)
{
    __atomic_add_fetch(&hanging, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&answers, __ATOMIC_SEQ_CST))
        g_usleep(LOOK_US);
    __atomic_sub_fetch(&hanging, 1, __ATOMIC_SEQ_CST);
}

/* In place of the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    int (*original)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (__typeof__(original))dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strcmp(node, HANGING) == 0) {
        hang();
        return EAI_AGAIN;
    }
    return original(node, service, hints, result);
}

static int make_wire(struct wire_fixture *fixture)
{
    s3_endpoint_clear(&fixture->endpoint);
    assert_int_equal(
        s3_endpoint_init(&fixture->endpoint, "http://" HANGING, NULL, "bucket", true, NULL), 0);
    return s3_wire_curl_new(&fixture->endpoint, NULL, &fixture->wire, NULL);
}

static int set_up(void **state)
{
    return wire_fixture_set_up(state, make_wire);
}

/* Lets all go on, and waits until they have. */
static int tear_down(void **state)
{
    int code = wire_fixture_tear_down(state);
    __atomic_store_n(&answers, true, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&hanging, __ATOMIC_SEQ_CST))
        g_usleep(LOOK_US);
    return code;
}

static void waiting_for_a_name_ends_with_the_time(void **state)
{
    struct wire_fixture *fixture = *state;
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    if (!(version->features & CURL_VERSION_ASYNCHDNS) || version->version_num < 0x075700)
        skip();
    wire_perform(fixture, (struct s3_wire_request){
                              .method = S3_WIRE_LIST, .key = "", .timeout_ms = SHORT_MS});
    assert_result(fixture, S3_WIRE_UNREACHABLE, NULL);
    /* Nothing else ends the call than the end of this test. */
    AWAIT(__atomic_load_n(&hanging, __ATOMIC_SEQ_CST) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waiting_for_a_name_ends_with_the_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
