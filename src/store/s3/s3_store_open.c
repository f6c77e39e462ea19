/*
 * Choosing the wires to a server, and opening the store over them.
 */
#include "store/s3/s3_store_private.h"

/* The wire for reads; `writes` itself where libs3 cannot be trusted and need not be. */
static int choose_reads(const struct s3_store_settings *settings, struct s3_wire *writes,
                        struct s3_wire **ret, struct error *err)
{
    struct error problem;
    *ret = writes;
    if (settings->client == S3_CLIENT_CURL)
        return 0;
    int code = s3_wire_libs3_new(settings->endpoint, ret, &problem);
    if (code == 0 || settings->client == S3_CLIENT_AUTOMATIC)
        return 0;
    return error_set(err, code, "libs3 cannot be used here: %s", problem.text);
}

int s3_store_open(const struct s3_store_settings *settings, struct store **ret, struct error *err)
{
    struct s3_wire *writes = NULL, *reads = NULL;
    int code = s3_wire_curl_new(settings->endpoint, settings->ca_file, &writes, err);
    if (code == 0)
        code = choose_reads(settings, writes, &reads, err);
    if (code) {
        s3_wire_free(writes);
        s3_profile_free(settings->profile);
        return code;
    }
    *ret = s3_store_open_wires(reads, writes, settings->profile, settings->jobs);
    struct s3_store *store = (struct s3_store *)*ret;
    store->may_switch = settings->client == S3_CLIENT_AUTOMATIC;
    store->log = log_ref(settings->log);
    return 0;
}
