/*
 * A forkfs that is built without libs3: everything goes over libcurl, and libs3 cannot be demanded.
 */
#include <string.h>

#include "store/s3/s3_store.h"
#include "unit/unit.h"

static int open_store(enum s3_client client, struct store **ret, struct error *err)
{
    struct s3_endpoint endpoint = {0};
    assert_int_equal(s3_endpoint_init(&endpoint, "http://127.0.0.1:9", NULL, "bucket", true, NULL),
                     0);
    const struct s3_store_settings settings = {.endpoint = &endpoint, .client = client, .jobs = 1};
    int code = s3_store_open(&settings, ret, err);
    s3_endpoint_clear(&endpoint);
    return code;
}

static void everything_goes_over_libcurl(void **state)
{
    static const enum s3_client clients[] = {S3_CLIENT_AUTOMATIC, S3_CLIENT_CURL};
    for (size_t i = 0; i < G_N_ELEMENTS(clients); i++) {
        struct store *store = NULL;
        g_autofree char *curl = s3_wire_curl_name();
        assert_int_equal(open_store(clients[i], &store, NULL), 0);
        struct store_connection connection;
        assert_true(store_connection(store, &connection));
        assert_string_equal(connection.clients, curl);
        store_free(store);
    }
}

static void libs3_cannot_be_demanded(void **state)
{
    struct store *store = NULL;
    struct error err = {0};
    assert_int_equal(open_store(S3_CLIENT_LIBS3, &store, &err), ERR_UNSUPPORTED);
    assert_null(store);
    assert_string_equal(err.text, "libs3 cannot be used here: this forkfs is built without it");
}

static void libs3_has_no_name(void **state)
{
    assert_null(s3_wire_libs3_name());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_goes_over_libcurl),
        cmocka_unit_test(libs3_cannot_be_demanded),
        cmocka_unit_test(libs3_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
