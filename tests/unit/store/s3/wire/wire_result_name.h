/*
 * The results of a wire in words, for the texts of failed tests.
 */
#ifndef FORKFS_UNIT_STORE_S3_WIRE_WIRE_RESULT_NAME_H
#define FORKFS_UNIT_STORE_S3_WIRE_WIRE_RESULT_NAME_H

#include "store/s3/wire/s3_wire.h"

static inline const char *wire_result_name(enum s3_wire_result result)
{
    static const char *const names[] = {
        [S3_WIRE_OK] = "ok",
        [S3_WIRE_NOT_FOUND] = "not found",
        [S3_WIRE_PRECONDITION] = "precondition failed",
        [S3_WIRE_DENIED] = "access denied",
        [S3_WIRE_NO_BUCKET] = "no such bucket",
        [S3_WIRE_REDIRECT] = "wrong region or endpoint",
        [S3_WIRE_REJECTED] = "rejected",
        [S3_WIRE_BUSY] = "server is busy",
        [S3_WIRE_UNREACHABLE] = "server cannot be reached",
        [S3_WIRE_UNTRUSTED] = "certificate is not good",
        [S3_WIRE_CONFLICT] = "conflict with another writer",
        [S3_WIRE_SERVER_ERROR] = "server error",
        [S3_WIRE_LOST] = "answer lost",
        [S3_WIRE_TIMED_OUT] = "timed out",
    };
    return (size_t)result < G_N_ELEMENTS(names) ? names[result] : "unknown";
}

#endif
