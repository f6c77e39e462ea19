#include "store/local/local_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "store/store.h"

/* IN_CREATE: for links and directories; what is still being written closes later. */
#define WATCHED                                                                                    \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |       \
     IN_MOVE_SELF | IN_ONLYDIR)
/* After these a directory is another one than before, or none. */
#define DISPLACED (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)

struct directory {
    char *key; /* "" or ending in '/' */
    bool reported;
    int descriptor; /* -1: does not exist */
};

struct local_watch {
    char *root;
    int fd;                 /* -1: the system has no instance left */
    GPtrArray *directories; /* struct directory, parents before children */
    struct error blind;     /* code 0: every directory that is there is watched */
};

static void free_directory(gpointer data)
{
    struct directory *directory = data;
    g_free(directory->key);
    g_free(directory);
}

static struct directory *find_directory(const struct local_watch *watch, const char *key)
{
    for (guint i = 0; i < watch->directories->len; i++) {
        struct directory *directory = g_ptr_array_index(watch->directories, i);
        if (strcmp(directory->key, key) == 0)
            return directory;
    }
    return NULL;
}

static struct directory *enter_directory(struct local_watch *watch, const char *key, size_t length)
{
    g_autofree char *copy = g_strndup(key, length);
    struct directory *directory = find_directory(watch, copy);
    if (!directory) {
        directory = g_new0(struct directory, 1);
        directory->key = g_steal_pointer(&copy);
        directory->descriptor = -1;
        g_ptr_array_add(watch->directories, directory);
    }
    return directory;
}

/* The directory of a prefix, and all above it. */
static void enter_prefix(struct local_watch *watch, const char *prefix)
{
    struct directory *directory = enter_directory(watch, "", 0);
    for (const char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/'))
        directory = enter_directory(watch, prefix, (size_t)(slash + 1 - prefix));
    directory->reported = true;
}

static bool has_instance(struct local_watch *watch)
{
    if (watch->fd < 0)
        watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0)
        error_set_errno(&watch->blind, errno, "watching %s for changes", watch->root);
    return watch->fd >= 0;
}

static void watch_directory(struct local_watch *watch, struct directory *directory)
{
    if (!has_instance(watch))
        return;
    g_autofree char *path = g_strconcat(watch->root, "/", directory->key, NULL);
    directory->descriptor = inotify_add_watch(watch->fd, path, WATCHED);
    if (directory->descriptor < 0 && errno != ENOENT && errno != ENOTDIR)
        error_set_errno(&watch->blind, errno, "watching the directory %s", path);
}

static void report_key(const struct directory *directory, const char *name, GHashTable *keys)
{
    if (directory->reported)
        g_hash_table_add(keys, g_strconcat(directory->key, name, NULL));
}

/* Looks again which directories there are. */
static void look_at_displaced(struct local_watch *watch, GHashTable *keys)
{
    watch->blind = (struct error){0};
    for (guint i = 0; i < watch->directories->len; i++) {
        struct directory *directory = g_ptr_array_index(watch->directories, i);
        int before = directory->descriptor;
        watch_directory(watch, directory);
        if (before != directory->descriptor)
            report_key(directory, "", keys);
    }
}

struct local_watch *local_watch_new(const char *root, const char *const *prefixes)
{
    struct local_watch *watch = g_new0(struct local_watch, 1);
    watch->root = g_strdup(root);
    watch->fd = -1;
    watch->directories = g_ptr_array_new_with_free_func(free_directory);
    for (; *prefixes; prefixes++)
        enter_prefix(watch, *prefixes);
    for (guint i = 0; i < watch->directories->len; i++)
        watch_directory(watch, g_ptr_array_index(watch->directories, i));
    return watch;
}

void local_watch_free(struct local_watch *watch)
{
    if (!watch)
        return;
    if (watch->fd >= 0)
        close(watch->fd);
    g_ptr_array_unref(watch->directories);
    g_free(watch->root);
    g_free(watch);
}

int local_watch_fd(const struct local_watch *watch)
{
    return watch->fd;
}

bool local_watch_is_blind(const struct local_watch *watch, struct error *reason)
{
    if (watch->blind.code != 0 && reason)
        *reason = watch->blind;
    return watch->blind.code != 0;
}

/* What an event says about one directory. True: it is time to look again which there are. */
static bool note_event(struct local_watch *watch, struct directory *directory,
                       const struct inotify_event *event, GHashTable *keys)
{
    if (event->mask & DISPLACED) {
        if (event->mask & IN_MOVE_SELF) /* the old one is of no interest under its new name */
            inotify_rm_watch(watch->fd, directory->descriptor);
        directory->descriptor = -1;
        report_key(directory, "", keys);
        return true;
    }
    if (event->len == 0)
        return false;
    g_autofree char *below = g_strconcat(directory->key, event->name, "/", NULL);
    if (find_directory(watch, below))
        return true;
    if (!(event->mask & IN_ISDIR) && !store_name_is_temporary(event->name))
        report_key(directory, event->name, keys);
    return false;
}

/* Links can make one directory out of two, so an event may be about several. */
static bool take_event(struct local_watch *watch, const struct inotify_event *event,
                       GHashTable *keys)
{
    bool displaced = event->mask & IN_Q_OVERFLOW;
    for (guint i = 0; i < watch->directories->len; i++) {
        struct directory *directory = g_ptr_array_index(watch->directories, i);
        if (event->mask & IN_Q_OVERFLOW)
            report_key(directory, "", keys);
        else if (directory->descriptor == event->wd)
            displaced = note_event(watch, directory, event, keys) || displaced;
    }
    return displaced;
}

/* Takes one buffer of events; false when there are none. */
static bool take_some(struct local_watch *watch, GHashTable *keys, bool *displaced)
{
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length = TEMP_FAILURE_RETRY(read(watch->fd, buffer, sizeof buffer));
    for (const char *at = buffer; length > 0 && at < buffer + length;) {
        const struct inotify_event *event = (const struct inotify_event *)at;
        *displaced = take_event(watch, event, keys) || *displaced;
        at += sizeof *event + event->len;
    }
    return length > 0;
}

void local_watch_take(struct local_watch *watch, GHashTable *keys)
{
    bool displaced = false;
    while (watch->fd >= 0 && take_some(watch, keys, &displaced))
        ;
    if (displaced || watch->blind.code != 0)
        look_at_displaced(watch, keys);
}
