/*
 * Listings of what is to be removed: all that is in a place that is somebody's own, links and
 * special files included, and nothing of what links lead to.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

struct own_listing {
    const struct store_request *request;
    struct store_answer *answer;
};

int local_fail_within(struct store_answer *answer, const struct store_request *request,
                      int errno_value, const char *key)
{
    const char *method = store_method_name(request->method);
    if (errno_value == ELOOP)
        return store_answer_fail(answer, ERR_CORRUPT,
                                 "%s %s: a symbolic link is on the way, which is not followed",
                                 method, request->key);
    if (errno_value == EXDEV)
        return store_answer_fail(answer, ERR_HELD, "%s %s: a file system is mounted on %s", method,
                                 request->key, key);
    if (errno_value == EBUSY)
        return store_answer_fail(answer, ERR_HELD, "%s %s: %s is in use", method, request->key,
                                 key);
    if (errno_value == ESTALE)
        return store_answer_fail(answer, ERR_AWAY,
                                 "%s %s: the directory %s is not where it was: put it back, or "
                                 "mount again if it is gone on purpose",
                                 method, request->key, key);
    return local_fail(answer, request, errno_value, key);
}

void local_add_key(struct store_answer *answer, const char *key)
{
    struct store_object *row = g_new0(struct store_object, 1);
    row->key = g_strdup(key);
    g_ptr_array_add(answer->objects, row);
}

/* ECANCELED: there are enough. */
static int add_leaf(void *data, int directory, const struct local_entry *entry, const char *key)
{
    struct own_listing *listing = data;
    const struct store_request *request = listing->request;
    if (entry->type == DT_DIR)
        return EXDEV;
    if (entry->type == DT_REG && store_name_is_temporary(entry->name) && !request->with_temporary)
        return 0;
    if (request->limit && listing->answer->objects->len == request->limit) {
        listing->answer->truncated = true;
        return ECANCELED;
    }
    local_add_key(listing->answer, key);
    return 0;
}

int local_add_place(int above, const char *name, const char *key, struct store_answer *answer)
{
    struct stat status;
    if (fstatat(above, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return local_is_absent(errno) ? 0 : errno;
    if (!S_ISDIR(status.st_mode))
        local_add_key(answer, key);
    return 0;
}

static gint compare_rows(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct store_object *const *)a)->key, (*(struct store_object *const *)b)->key);
}

void local_list_own(struct local_store *store, const struct store_request *request,
                    struct store_answer *answer)
{
    static const struct local_visitor visitor = {.leaf = add_leaf};
    struct own_listing listing = {request, answer};
    g_autofree char *place = g_strndup(request->key, strlen(request->key) - 1);
    size_t length = store_key_above(place);
    g_autoptr(GString) key = g_string_new_len(place, (gssize)length);
    auto_close int above = local_open_own(store, request, place);
    int failure = above < 0 ? errno : 0;
    answer->objects = store_objects_new();
    if (failure == 0) {
        failure = local_walk(above, place + length, &visitor, &listing, key);
        if (failure == ENOTDIR || failure == ELOOP)
            failure = local_add_place(above, place + length, place, answer);
    }
    if (failure == 0 || failure == ECANCELED || local_is_absent(failure)) {
        g_ptr_array_sort(answer->objects, compare_rows);
        return;
    }
    g_clear_pointer(&answer->objects, g_ptr_array_unref);
    local_fail_within(answer, request, failure, key->str);
}
