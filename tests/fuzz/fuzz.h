/*
 * What fuzz targets share. A target is one file fuzz_NAME.c with a LLVMFuzzerTestOneInput(), which
 * takes any bytes for the document, text or name that it is about, and claims with HOLDS() what
 * must be true whatever they are. README.md says how targets are run.
 *
 * One thread; inputs know nothing of each other. Memory that is not given back is a fault, too.
 */
#ifndef FORKFS_FUZZ_FUZZ_H
#define FORKFS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/json_text.h"
#include "base/ulid.h"
#include "catalog/format/layout.h"

/* The target. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program when the condition does not hold, in any build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(#condition, __FILE__, __LINE__);                                             \
    } while (0)
void fuzz_fail(const char *condition, const char *file, int line) __attribute__((noreturn));

/* A copy as the body of an object. bytes_unref(). */
struct bytes *fuzz_body(const uint8_t *data, size_t size);
/* A copy of what stands before the first NUL. g_free(). */
char *fuzz_text(const uint8_t *data, size_t size);

/* A fork's id, the same at all times. */
extern const struct ulid fuzz_id;
/* A database "/db" in a directory; lives as long as the program. */
const struct layout *fuzz_layout(void);

struct json_span fuzz_span(const struct bytes *text);
/* JSON that serde would read. */
bool fuzz_is_json(const struct bytes *text);
/* JSON in the form in which it is rendered: rendering it again changes nothing. */
bool fuzz_is_pretty(const struct bytes *text);

/* Claims that all keys of a branch of a dataset are keys, and lie where that branch's files are. */
void fuzz_check_branch_keys(const char *dataset, const char *branch);

#endif
