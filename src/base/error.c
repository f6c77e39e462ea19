#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK "..."

/* Formats into `text`; a cut text ends in the mark, and not within a UTF-8 sequence. */
static void format_cut(char *text, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void format_cut(char *text, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(text, size, format, arguments);
    if (length < 0)
        snprintf(text, size, "%s", format);
    else if ((size_t)length >= size) {
        size_t end = size - sizeof CUT_MARK;
        while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
            end--;
        memcpy(text + end, CUT_MARK, sizeof CUT_MARK);
    }
}

static void set_text(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void set_text(struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_cut(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
}

/* The arguments may point into err->text, so every function formats into a buffer first. */
int error_set(struct error *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof text, format, arguments);
    va_end(arguments);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return code;
}

int error_prefix(struct error *err, int code, const char *format, ...)
{
    if (!err || !code)
        return code;
    char context[sizeof err->text], text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    format_cut(context, sizeof context, format, arguments);
    va_end(arguments);
    memcpy(text, err->text, sizeof text);
    err->code = code;
    set_text(err, "%s: %s", context, text);
    return code;
}

int error_copy(struct error *to, const struct error *from)
{
    if (to && to != from)
        *to = *from;
    return from->code;
}

static int code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENAMETOOLONG:
        return ERR_NAME_TOO_LONG;
    case ELOOP: /* links that lead to each other */
        return ERR_CORRUPT;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EACCES:
    case EPERM:
        return ERR_ACCESS;
    case EROFS:
        return ERR_READ_ONLY;
    case ETIMEDOUT:
        return ERR_DEADLINE;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ECONNREFUSED:
    case ECONNRESET:
        return ERR_UNREACHABLE;
    case EINTR:
        return ERR_INTERRUPTED;
    default:
        return ERR_IO;
    }
}

int error_set_errno(struct error *err, int errno_value, const char *format, ...)
{
    int code = code_of_errno(errno_value);
    if (!err)
        return code;
    char text[sizeof err->text], reason[128];
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof text, format, arguments);
    va_end(arguments);
    err->code = code;
    set_text(err, "%s: %s", text, strerror_r(errno_value, reason, sizeof reason));
    return code;
}

const char *error_code_name(int code)
{
#define NAME(constant)                                                                             \
    case ERR_##constant:                                                                           \
        return #constant
    switch (code) {
    case 0:
        return "OK";
        NAME(NOT_FOUND);
        NAME(EXISTS);
        NAME(INVALID);
        NAME(NAME_TOO_LONG);
        NAME(HELD);
        NAME(NOT_EMPTY);
        NAME(BUDGET);
        NAME(CORRUPT);
        NAME(UNCLEAN);
        NAME(CONFLICT);
        NAME(CHANGED);
        NAME(UNSUPPORTED);
        NAME(ACCESS);
        NAME(UNREACHABLE);
        NAME(DEADLINE);
        NAME(NO_SPACE);
        NAME(CONTENDED);
        NAME(INTERRUPTED);
        NAME(OUTCOME_UNKNOWN);
        NAME(PRECONDITION);
        NAME(READ_ONLY);
        NAME(STALE);
        NAME(NOT_PERMITTED);
        NAME(PENDING);
        NAME(IO);
        NAME(TOO_BIG);
        NAME(NOT_DURABLE);
        NAME(BUILT_IN);
        NAME(AWAY);
    default:
        return "UNKNOWN";
    }
#undef NAME
}
