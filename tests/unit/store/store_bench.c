#include "unit/store/store_bench.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/local/local_store.h"
#include "unit/unit.h"

char *scratch_directory_new(void)
{
    char *path = g_dir_make_tmp("forkfs-test-XXXXXX", NULL);
    assert_non_null(path);
    return path;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, 0700);
    return type == FTW_DP || type != FTW_D ? remove(path) : 0;
}

static int open_up(const char *path, const struct stat *status, int type, struct FTW *place)
{
    return type == FTW_D || type == FTW_DNR ? chmod(path, 0700) : 0;
}

void scratch_directory_free(char *path)
{
    nftw(path, open_up, 16, FTW_PHYS);
    nftw(path, remove_entry, 16, FTW_PHYS | FTW_DEPTH);
    g_free(path);
}

char *scratch_path(const char *root, const char *name)
{
    return g_build_filename(root, name, NULL);
}

void scratch_write(const char *root, const char *name, const char *text)
{
    g_autofree char *path = scratch_path(root, name);
    g_autofree char *directory = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(directory, 0755), 0);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

bool scratch_exists(const char *root, const char *name)
{
    g_autofree char *path = scratch_path(root, name);
    struct stat status;
    return lstat(path, &status) == 0;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *join_and_free(GPtrArray *names)
{
    g_ptr_array_add(names, NULL);
    char *joined = g_strjoinv(" ", (char **)names->pdata);
    g_ptr_array_unref(names);
    return joined;
}

char *scratch_names(const char *root, const char *directory)
{
    g_autofree char *path = scratch_path(root, directory);
    GDir *dir = g_dir_open(path, 0, NULL);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    assert_non_null(dir);
    while ((name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_names);
    return join_and_free(names);
}

/* Runs a set of one request, frees it, returns the request's code. */
static int run_and_free(struct store *store, struct store_set *set)
{
    struct error err = {.text = ""};
    assert_int_equal(store_run(store, set, NULL, &err), 0);
    int code = store_set_failure(set, 0, &err);
    if (code)
        assert_true(strlen(err.text) > 0);
    store_set_unref(set);
    return code;
}

int put_if(struct store *store, const char *key, const char *text,
           enum store_precondition precondition, const char *etag)
{
    struct store_set *set = store_set_new();
    auto_bytes struct bytes *body = bytes_new_text(text);
    store_set_put(set, key, body, precondition, etag);
    return run_and_free(store, set);
}

int put_text(struct store *store, const char *key, const char *text)
{
    return put_if(store, key, text, STORE_ALWAYS, NULL);
}

int delete_key(struct store *store, const char *key)
{
    struct store_set *set = store_set_new();
    store_set_delete(set, key);
    return run_and_free(store, set);
}

int prune_prefix(struct store *store, const char *prefix)
{
    struct store_set *set = store_set_new();
    store_set_prune(set, prefix);
    return run_and_free(store, set);
}

char *get_text(struct store *store, const char *key)
{
    auto_bytes struct bytes *body = NULL;
    int code = store_get(store, key, NULL, &body, NULL, NULL);
    if (code)
        return g_strdup(error_code_name(code));
    return g_strndup(body->data, body->size);
}

char *etag_of(struct store *store, const char *key)
{
    struct store_set *set = store_set_new();
    const struct store_request *request = store_set_head(set, key);
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    char *etag = g_strdup(request->answer.etag);
    store_set_unref(set);
    return etag;
}

static char *render_listing(struct store *store, struct store_set *set)
{
    assert_int_equal(store_run(store, set, NULL, NULL), 0);
    const struct store_answer *answer = &store_set_at(set, 0)->answer;
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    if (answer->code)
        g_ptr_array_add(names, g_strdup(error_code_name(answer->code)));
    else
        assert_non_null(answer->objects);
    for (guint i = 0; answer->objects && i < answer->objects->len; i++) {
        const struct store_object *object = g_ptr_array_index(answer->objects, i);
        assert_int_equal(object->is_directory, g_str_has_suffix(object->key, "/"));
        assert_int_equal(object->is_directory, object->etag == NULL);
        g_ptr_array_add(names, g_strdup(object->key));
    }
    if (answer->truncated)
        g_ptr_array_add(names, g_strdup("..."));
    store_set_unref(set);
    return join_and_free(names);
}

char *list_keys(struct store *store, const char *prefix, const char *start_after, size_t limit)
{
    struct store_set *set = store_set_new();
    store_set_list(set, prefix, start_after, limit);
    return render_listing(store, set);
}

char *list_shallow(struct store *store, const char *prefix)
{
    struct store_set *set = store_set_new();
    store_set_list_shallow(set, prefix);
    return render_listing(store, set);
}

void assert_text(char *actual, const char *expected)
{
    assert_string_equal(actual, expected);
    g_free(actual);
}

int local_bench_set_up(void **state)
{
    struct local_bench *bench = g_new0(struct local_bench, 1);
    bench->root = scratch_directory_new();
    assert_int_equal(local_store_open(bench->root, 4, &bench->store, NULL), 0);
    *state = bench;
    return 0;
}

int local_bench_tear_down(void **state)
{
    struct local_bench *bench = *state;
    store_free(bench->store);
    scratch_directory_free(bench->root);
    g_free(bench);
    return 0;
}
