/* What every unit test includes: cmocka and the headers that it wants before it, and AWAIT. */
#ifndef FORKFS_UNIT_UNIT_H
#define FORKFS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>

/* Far above what anything takes, also on a busy machine and under a sanitizer. */
#define PATIENCE_S 60

static inline int64_t end_of_patience(void)
{
    return g_get_monotonic_time() + (int64_t)PATIENCE_S * G_USEC_PER_SEC;
}

/* Waits until a condition holds; what never comes fails the test, instead of hanging it. Only for
 * the thread that runs the test, and outside of locks: failing jumps away without unlocking. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t await_until = end_of_patience();                                                   \
        while (!(condition)) {                                                                     \
            if (g_get_monotonic_time() > await_until)                                              \
                fail_msg("not within %d s: %s", PATIENCE_S, #condition);                           \
            g_usleep(1000);                                                                        \
        }                                                                                          \
    } while (0)

#endif
