/*
 * Helpers of the store tests: scratch directories, and requests in one line.
 */
#ifndef FORKFS_UNIT_STORE_STORE_BENCH_H
#define FORKFS_UNIT_STORE_STORE_BENCH_H

#include "store/store.h"

char *scratch_directory_new(void);       /* made; absolute path */
void scratch_directory_free(char *path); /* removes it with its content, frees the path */
char *scratch_path(const char *root, const char *name); /* g_free() */
void scratch_write(const char *root, const char *name, const char *text);
bool scratch_exists(const char *root, const char *name);
/* Names in a directory below root, sorted, joined with blanks. g_free(). */
char *scratch_names(const char *root, const char *directory);

/* A local store in a scratch directory, as the state of a test. */
struct local_bench {
    struct store *store;
    char *root;
};

int local_bench_set_up(void **state);
int local_bench_tear_down(void **state);

/* Each asserts that store_run() itself succeeds, and returns the answer's code. */
int put_text(struct store *store, const char *key, const char *text);
int put_if(struct store *store, const char *key, const char *text,
           enum store_precondition precondition, const char *etag);
int delete_key(struct store *store, const char *key);
int prune_prefix(struct store *store, const char *prefix);

/* The object's text, or the name of the error code. g_free(). */
char *get_text(struct store *store, const char *key);
char *etag_of(struct store *store, const char *key); /* NULL when there is no object */

/* Keys joined with blanks; "..." at the end when truncated; or the name of the error code. */
char *list_keys(struct store *store, const char *prefix, const char *start_after, size_t limit);
char *list_shallow(struct store *store, const char *prefix);

/* Compares and frees. */
void assert_text(char *actual, const char *expected);

#endif
