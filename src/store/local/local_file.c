/*
 * What is known of one file or directory of the local store, and reading it whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/local/local_private.h"

#define LARGEST_OBJECT (INT64_C(1) << 30)
/* As many links as Linux follows. */
#define MOST_LINKS 40

int local_fail(struct store_answer *answer, const struct store_request *request, int errno_value,
               const char *stage)
{
    struct error error;
    int code = error_set_errno(&error, errno_value, "%s %s: %s", store_method_name(request->method),
                               request->key, stage);
    return store_answer_fail(answer, code, "%s", error.text);
}

int local_fail_undurable(struct store_answer *answer, const struct store_request *request,
                         int errno_value, const char *stage)
{
    local_fail(answer, request, errno_value, stage);
    answer->code = answer->error.code = ERR_NOT_DURABLE;
    return answer->code;
}

char *local_parent(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? g_strndup(key, (size_t)(slash - key)) : g_strdup("");
}

const char *local_path(const char *directory)
{
    return directory[0] ? directory : ".";
}

char *local_target(struct local_store *store, const char *key, bool through_link)
{
    char link[PATH_MAX];
    g_autofree char *path = g_strdup(key);
    for (int i = 0; through_link && i < MOST_LINKS; i++) {
        ssize_t length = readlinkat(store->root, path, link, sizeof link - 1);
        if (length < 0)
            break;
        link[length] = '\0';
        g_autofree char *directory = local_parent(path);
        char *next = link[0] == '/' || !directory[0] ? g_strdup(link)
                                                     : g_strconcat(directory, "/", link, NULL);
        g_free(path);
        path = next;
    }
    return g_steal_pointer(&path);
}

static void fail_not_found(struct store_answer *answer, const struct store_request *request)
{
    store_answer_fail(answer, ERR_NOT_FOUND, "%s %s: no such object",
                      store_method_name(request->method), request->key);
}

/* Something has the place of the object, so that it cannot be said to be absent. */
static int fail_in_the_way(struct store_answer *answer, const struct store_request *request,
                           const char *obstacle)
{
    return store_answer_fail(answer, ERR_CORRUPT, "%s %s: %s", store_method_name(request->method),
                             request->key, obstacle);
}

/* Answers with an errno of open or stat. */
static void fail_lookup(struct local_store *store, struct store_answer *answer,
                        const struct store_request *request, int errno_value, const char *stage)
{
    struct stat status;
    if (errno_value == ENOTDIR)
        fail_in_the_way(answer, request, "a file is where a directory should be");
    else if (errno_value == ENOENT &&
             fstatat(store->root, request->key, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
             S_ISLNK(status.st_mode))
        fail_in_the_way(answer, request, "a symbolic link that leads nowhere");
    else if (local_is_absent(errno_value))
        fail_not_found(answer, request);
    else
        local_fail(answer, request, errno_value, stage);
}

static int check_regular(const struct store_request *request, const struct stat *status,
                         struct store_answer *answer)
{
    return S_ISREG(status->st_mode) ? 0 : fail_in_the_way(answer, request, "not a regular file");
}

/* Takes over the etag. */
static void describe(const struct stat *status, char *etag, struct store_answer *answer)
{
    answer->etag = etag;
    answer->size = (uint64_t)status->st_size;
    answer->modified_ns = local_mtime_ns(status);
}

void local_head(struct local_store *store, const struct store_request *request,
                struct store_answer *answer)
{
    struct stat status;
    if (fstatat(store->root, request->key, &status, 0) != 0)
        fail_lookup(store, answer, request, errno, "stat");
    else if (check_regular(request, &status, answer) == 0) {
        char *etag = local_etag(store, request->key, &status);
        describe(&status, etag, answer);
    }
}

static void read_body(struct local_store *store, int fd, const struct stat *status,
                      const struct store_request *request, struct store_answer *answer)
{
    struct stat after;
    int64_t looked_ns = timestamp_now_ns();
    if (status->st_size > LARGEST_OBJECT) {
        store_answer_fail(answer, ERR_INVALID, "get %s: larger than 1 GiB", request->key);
        return;
    }
    auto_bytes struct bytes *body = bytes_allocate((size_t)status->st_size);
    int failure = local_read_whole(fd, body->data, body->size);
    if (failure == 0 && fstat(fd, &after) != 0)
        failure = errno;
    if (failure)
        local_fail(answer, request, failure, "read");
    else if (after.st_size != status->st_size || local_mtime_ns(&after) != local_mtime_ns(status))
        store_answer_fail(answer, ERR_IO, "get %s: changed while it was being read", request->key);
    else {
        describe(status, local_etag_of_content(store, status, body, looked_ns), answer);
        answer->body = g_steal_pointer(&body);
    }
}

void local_get(struct local_store *store, const struct store_request *request,
               struct store_answer *answer)
{
    struct stat status;
    /* O_NONBLOCK: a FIFO or a device must not hang the thread. */
    auto_close int fd = TEMP_FAILURE_RETRY(
        openat(store->root, request->key, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd < 0)
        fail_lookup(store, answer, request, errno, "open");
    else if (fstat(fd, &status) != 0)
        local_fail(answer, request, errno, "stat");
    else if (check_regular(request, &status, answer) == 0)
        read_body(store, fd, &status, request, answer);
}

/* ---- Directories ---- */

static void clear_entry(gpointer entry)
{
    g_free(((struct local_entry *)entry)->name);
}

unsigned char local_type_of_mode(mode_t mode)
{
    return S_ISREG(mode) ? DT_REG : S_ISDIR(mode) ? DT_DIR : S_ISLNK(mode) ? DT_LNK : DT_CHR;
}

/* readdir() tells the type on most file systems. ENOENT: the entry has gone. */
static int complete_type(int directory, struct local_entry *entry)
{
    struct stat status;
    if (entry->type != DT_UNKNOWN)
        return 0;
    if (fstatat(directory, entry->name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    entry->type = local_type_of_mode(status.st_mode);
    return 0;
}

GArray *local_entries_new(void)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(struct local_entry));
    g_array_set_clear_func(entries, clear_entry);
    return entries;
}

int local_add_entry(int directory, const char *name, unsigned char type, GArray *entries)
{
    struct local_entry entry = {g_strdup(name), type};
    int failure = complete_type(directory, &entry);
    if (failure == 0)
        g_array_append_val(entries, entry);
    else
        clear_entry(&entry);
    return failure == ENOENT ? 0 : failure;
}

int local_read_directory(int fd, GArray **ret)
{
    auto_closedir DIR *stream = fdopendir(fd);
    if (!stream) {
        int failure = errno;
        close(fd);
        return failure;
    }
    g_autoptr(GArray) entries = local_entries_new();
    const struct dirent *found;
    while ((void)(errno = 0), (found = readdir(stream))) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        int failure = local_add_entry(dirfd(stream), found->d_name, found->d_type, entries);
        if (failure)
            return failure;
    }
    if (errno)
        return errno;
    *ret = g_steal_pointer(&entries);
    return 0;
}
