/*
 * Walking a directory down to its leaves, whatever its depth: the walk holds two descriptors and no
 * path, and comes back up by "..", which it takes only when that is the directory it came from.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

/* How often in a walk a directory may get new entries while it is being left. */
#define MOST_REPEATS 64

/* A directory being walked. */
struct level {
    GArray *entries; /* struct local_entry */
    guint next;      /* of them */
    gsize above;     /* length of the key without its name */
    dev_t device;
    ino_t inode;
};

struct walk {
    const struct local_visitor *visitor;
    void *data;
    GString *key;   /* of the directory at hand, with a '/' */
    GArray *levels; /* struct level */
    int above;      /* holds the uppermost directory; not the walk's to close */
    int fd;         /* the directory at hand; `above` where there is none */
    unsigned repeats;
};

static void clear_level(gpointer level)
{
    g_array_unref(((struct level *)level)->entries);
}

static void set_directory(struct walk *walk, int fd)
{
    if (walk->fd != walk->above)
        close(walk->fd);
    walk->fd = fd;
}

static struct level *level_at_hand(const struct walk *walk)
{
    return &g_array_index(walk->levels, struct level, walk->levels->len - 1);
}

/* ---- Down ---- */

static int read_entries(int fd, GArray **ret)
{
    int stream = TEMP_FAILURE_RETRY(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return stream < 0 ? errno : local_read_directory(stream, ret);
}

static int open_directory(const struct walk *walk, const char *name)
{
    if (walk->levels->len == 0 && walk->visitor->follows_first)
        return TEMP_FAILURE_RETRY(openat(walk->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    return local_open_within(walk->fd, name);
}

static int enter(struct walk *walk, const char *name)
{
    struct level level = {.above = walk->key->len};
    struct stat status;
    auto_close int fd = open_directory(walk, name);
    if (fd < 0 || fstat(fd, &status) != 0)
        return errno;
    int failure = read_entries(fd, &level.entries);
    if (failure)
        return failure;
    level.device = status.st_dev;
    level.inode = status.st_ino;
    g_array_append_val(walk->levels, level);
    g_string_append(walk->key, name);
    g_string_append_c(walk->key, '/');
    set_directory(walk, fd);
    fd = -1;
    return 0;
}

/* ---- Up ---- */

/* The directory that the one at hand was entered from. */
static int open_back(const struct walk *walk)
{
    struct stat status;
    if (walk->levels->len == 1)
        return walk->above;
    const struct level *level = &g_array_index(walk->levels, struct level, walk->levels->len - 2);
    auto_close int fd =
        TEMP_FAILURE_RETRY(openat(walk->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 || fstat(fd, &status) != 0)
        return -1;
    if (status.st_dev != level->device || status.st_ino != level->inode) {
        errno = ESTALE; /* somebody has moved it */
        return -1;
    }
    int result = fd;
    fd = -1;
    return result;
}

static int leave(struct walk *walk)
{
    int fd = open_back(walk);
    if (fd < 0)
        return errno;
    set_directory(walk, fd);
    gsize above = level_at_hand(walk)->above;
    g_array_set_size(walk->levels, walk->levels->len - 1);
    g_string_truncate(walk->key, walk->key->len - 1);
    const char *name = walk->key->str + above;
    int failure =
        walk->visitor->leave ? walk->visitor->leave(walk->data, fd, name, walk->key->str) : 0;
    if (failure && failure != EAGAIN)
        return failure;
    g_autofree char *again = failure ? g_strdup(name) : NULL;
    g_string_truncate(walk->key, above);
    if (!again)
        return 0;
    return ++walk->repeats < MOST_REPEATS ? enter(walk, again) : EBUSY;
}

/* ---- Along ---- */

static int visit_leaf(struct walk *walk, const struct local_entry *entry)
{
    gsize length = walk->key->len;
    g_string_append(walk->key, entry->name);
    int failure = walk->visitor->leaf(walk->data, walk->fd, entry, walk->key->str);
    if (failure == 0)
        g_string_truncate(walk->key, length);
    return failure;
}

static int visit(struct walk *walk, const struct local_entry *entry)
{
    if (entry->type != DT_DIR)
        return visit_leaf(walk, entry);
    int failure = enter(walk, entry->name);
    if (failure == EXDEV)
        return visit_leaf(walk, entry);
    if (failure == 0 || local_is_absent(failure) || failure == ELOOP) /* replaced meanwhile */
        return 0;
    g_string_append(walk->key, entry->name);
    return failure;
}

static int walk_levels(struct walk *walk)
{
    int failure = 0;
    while (failure == 0 && walk->levels->len > 0) {
        struct level *level = level_at_hand(walk);
        if (level->next < level->entries->len) {
            struct local_entry entry =
                g_array_index(level->entries, struct local_entry, level->next++);
            failure = visit(walk, &entry);
        } else
            failure = leave(walk);
    }
    return failure;
}

int local_walk(int above, const char *name, const struct local_visitor *visitor, void *data,
               GString *key)
{
    g_autoptr(GArray) levels = g_array_new(FALSE, FALSE, sizeof(struct level));
    g_array_set_clear_func(levels, clear_level);
    struct walk walk = {.visitor = visitor,
                        .data = data,
                        .key = key,
                        .levels = levels,
                        .above = above,
                        .fd = above};
    int failure = enter(&walk, name);
    if (failure == 0)
        failure = walk_levels(&walk);
    else
        g_string_append(key, name);
    set_directory(&walk, above);
    return failure;
}
