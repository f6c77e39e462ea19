/*
 * In the place of the libs3 wire, where forkfs is built without that library.
 */
#include "store/s3/wire/s3_wire.h"

int s3_wire_libs3_new(const struct s3_endpoint *endpoint, struct s3_wire **ret, struct error *err)
{
    return error_set(err, ERR_UNSUPPORTED, "this forkfs is built without it");
}

const char *s3_wire_libs3_name(void)
{
    return NULL;
}
