/*
 * The choice of clients: libcurl for writes, and for reads what the user wants, else libs3 where it
 * can be trusted.
 */
#include "store/s3_store_private.h"

/* NULL in *ret: libcurl. */
static int open_libs3(const struct s3_store_settings *settings, struct s3_wire **ret,
                      struct error *err)
{
    *ret = NULL;
    if (settings->client == S3_CLIENT_CURL)
        return 0;
    int code = s3_wire_libs3_new(settings->endpoint, ret, err);
    bool must = settings->client == S3_CLIENT_LIBS3;
    return code == ERR_UNSUPPORTED && !must ? 0 : code;
}

int s3_store_open(const struct s3_store_settings *settings, struct store **ret, struct error *err)
{
    struct s3_wire *reads = NULL, *writes = NULL;
    int code = s3_wire_curl_new(settings->endpoint, settings->ca_file, &writes, err);
    if (code == 0)
        code = open_libs3(settings, &reads, err);
    if (code != 0) {
        s3_wire_free(writes);
        s3_profile_free(settings->profile);
        return code;
    }
    code = s3_store_open_wires(reads ? reads : writes, writes, settings->profile, settings->jobs,
                               ret, err);
    if (code == 0)
        ((struct s3_store *)*ret)->may_switch = settings->client == S3_CLIENT_AUTOMATIC;
    return code;
}
