#include "fs/errno_map.h"

#include <errno.h>
#include <stddef.h>

#include "base/error.h"

struct mapping {
    int code;
    int errno_value;
    const char *name;
};

static const struct mapping mappings[] = {
    {ERR_NOT_FOUND, ENOENT, "ENOENT"},
    {ERR_EXISTS, EEXIST, "EEXIST"},
    {ERR_INVALID, EINVAL, "EINVAL"},
    {ERR_NAME_TOO_LONG, ENAMETOOLONG, "ENAMETOOLONG"},
    {ERR_HELD, EBUSY, "EBUSY"},
    {ERR_NOT_EMPTY, ENOTEMPTY, "ENOTEMPTY"},
    {ERR_BUDGET, EDQUOT, "EDQUOT"},
    {ERR_CORRUPT, EUCLEAN, "EUCLEAN"},
    {ERR_UNCLEAN, EBUSY, "EBUSY"},
    {ERR_CONFLICT, EEXIST, "EEXIST"},
    {ERR_CHANGED, EAGAIN, "EAGAIN"},
    {ERR_UNSUPPORTED, EOPNOTSUPP, "EOPNOTSUPP"},
    {ERR_ACCESS, EACCES, "EACCES"},
    {ERR_UNREACHABLE, EHOSTUNREACH, "EHOSTUNREACH"},
    {ERR_DEADLINE, ETIMEDOUT, "ETIMEDOUT"},
    {ERR_NO_SPACE, ENOSPC, "ENOSPC"},
    {ERR_CONTENDED, EAGAIN, "EAGAIN"},
    {ERR_INTERRUPTED, EINTR, "EINTR"},
    {ERR_OUTCOME_UNKNOWN, EIO, "EIO"},
    {ERR_PRECONDITION, EAGAIN, "EAGAIN"},
    {ERR_READ_ONLY, EROFS, "EROFS"},
    {ERR_STALE, ESTALE, "ESTALE"},
    {ERR_NOT_PERMITTED, EPERM, "EPERM"},
    {ERR_PENDING, EAGAIN, "EAGAIN"},
    {ERR_IO, EIO, "EIO"},
    {ERR_TOO_BIG, EFBIG, "EFBIG"},
    {ERR_NOT_DURABLE, EIO, "EIO"},
    {ERR_BUILT_IN, EBUSY, "EBUSY"},
    {ERR_AWAY, EUCLEAN, "EUCLEAN"},
};
#define MAPPINGS (sizeof mappings / sizeof mappings[0])

int errno_of(int code)
{
    for (size_t i = 0; i < MAPPINGS; i++)
        if (mappings[i].code == code)
            return mappings[i].errno_value;
    return EIO;
}

const char *errno_name(int errno_value)
{
    for (size_t i = 0; i < MAPPINGS; i++)
        if (mappings[i].errno_value == errno_value)
            return mappings[i].name;
    return "EIO";
}
