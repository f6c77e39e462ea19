/*
 * A fuzz target without a fuzzer: runs it on the files that are named, and on all files of the
 * folders that are; without arguments on the target's own corpus, "tests/fuzz/corpus/NAME" below
 * $srcdir for a program fuzz_NAME.
 *
 * Each file's name is printed before its turn, so that the last one is the culprit.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define PROGRAM_PREFIX "fuzz_"

static bool run_file(const char *path)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *text = NULL;
    gsize size;
    puts(path);
    fflush(stdout);
    if (!g_file_get_contents(path, &text, &size, &failure)) {
        fprintf(stderr, "%s\n", failure->message);
        return false;
    }
    /* Without a byte behind it, so that sanitizers see who reads too far. */
    g_autofree uint8_t *data = size > 0 ? g_malloc(size) : NULL;
    if (data)
        memcpy(data, text, size);
    LLVMFuzzerTestOneInput(data, size);
    return true;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files in a folder, in order; NULL: there is no such folder. */
static GPtrArray *files_in(const char *folder)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GDir) directory = g_dir_open(folder, 0, &failure);
    if (!directory) {
        fprintf(stderr, "%s\n", failure->message);
        return NULL;
    }
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(directory));)
        g_ptr_array_add(files, g_build_filename(folder, name, NULL));
    g_ptr_array_sort(files, compare_names);
    return files;
}

static bool run_folder(const char *folder)
{
    g_autoptr(GPtrArray) files = files_in(folder);
    bool ok = files && files->len > 0;
    if (files && files->len == 0)
        fprintf(stderr, "%s is empty\n", folder);
    for (guint i = 0; files && i < files->len; i++)
        ok &= run_file(g_ptr_array_index(files, i));
    return ok;
}

static bool run_own_corpus(const char *program)
{
    const char *top = g_getenv("srcdir");
    g_autofree char *name = g_path_get_basename(program);
    if (!g_str_has_prefix(name, PROGRAM_PREFIX)) {
        fprintf(stderr, "name the files that are to be run\n");
        return false;
    }
    g_autofree char *folder = g_build_filename(top ? top : ".", "tests", "fuzz", "corpus",
                                               name + strlen(PROGRAM_PREFIX), NULL);
    return run_folder(folder);
}

int main(int argc, char **argv)
{
    bool ok = argc > 1 || run_own_corpus(argv[0]);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        ok &= g_file_test(argv[i], G_FILE_TEST_IS_DIR) ? run_folder(argv[i]) : run_file(argv[i]);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
