/*
 * A clock of the program's own, for tests of what happens when a time is over: they give the code
 * far more time than it takes on any machine, and let it pass once the code is where they want it.
 *
 * A program that links this has it in place of the C library's CLOCK_MONOTONIC and its kin, which
 * it equals until somebody changes it; waits until a time look at it, too. Wall-clock time and
 * sleeping are as ever. Thread-safe.
 */
#ifndef FORKFS_UNIT_VIRTUAL_CLOCK_H
#define FORKFS_UNIT_VIRTUAL_CLOCK_H

#include <stdint.h>

/* More than anything takes, also on a busy machine and under a sanitizer; less than the longest
 * time that the code gives to one attempt by itself. */
#define AMPLE_MS 40000

/* What passes of the time of an operation until the quarter of it begins that is for undoing. */
#define UNTIL_UNDOING_MS(ms) ((ms) / 4 * 3 + 1)

/* So much time passes at once. */
void virtual_clock_jump(int64_t ms);
/* Time stands still, and goes on. What waits for a time that does not come is killed at last. */
void virtual_clock_stop(void);
void virtual_clock_go_on(void);

#endif
