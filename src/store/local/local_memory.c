/*
 * Large directories of which little is wanted: what a listing did not leave out is remembered, and
 * the kernel tells of names that come. So the next listing reads no directory of thousands of
 * names.
 *
 * Remembered is a directory only on file systems of this machine, as the kernel tells of what is
 * done here. Each look makes sure that the key still leads to the same one.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

#define LARGE 128             /* names left out: fewer are read in no time */
#define MOST_DIRECTORIES 4096 /* remembered at a time */

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

struct remembered {
    char *directory;
    dev_t device;
    ino_t inode;
    int descriptor;    /* of the watch */
    int64_t age;       /* of the choice that left names out */
    uint64_t turn;     /* of the listing that is to give the names back; 0: they are all here */
    GHashTable *names; /* set: what was not left out, and what has come since */
};

struct local_memory {
    pthread_mutex_t lock;
    int fd; /* -1: not tried yet, or the system has no instance left */
    uint64_t last_turn;
    GHashTable *large;         /* set of directories (char *) that are worth it */
    GHashTable *directories;   /* key to struct remembered */
    GHashTable *by_descriptor; /* the same */
};

static void free_remembered(gpointer data)
{
    struct remembered *remembered = data;
    g_hash_table_unref(remembered->names);
    g_free(remembered->directory);
    g_free(remembered);
}

static GHashTable *new_set(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

struct local_memory *local_memory_new(void)
{
    struct local_memory *memory = g_new0(struct local_memory, 1);
    pthread_mutex_init(&memory->lock, NULL);
    memory->fd = -1;
    memory->large = new_set();
    memory->directories = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_remembered);
    memory->by_descriptor = g_hash_table_new(NULL, NULL);
    return memory;
}

void local_memory_free(struct local_memory *memory)
{
    if (memory->fd >= 0)
        close(memory->fd);
    g_hash_table_unref(memory->by_descriptor);
    g_hash_table_unref(memory->directories);
    g_hash_table_unref(memory->large);
    pthread_mutex_destroy(&memory->lock);
    g_free(memory);
}

static void forget(struct local_memory *memory, struct remembered *remembered)
{
    g_hash_table_remove(memory->by_descriptor, GINT_TO_POINTER(remembered->descriptor));
    inotify_rm_watch(memory->fd, remembered->descriptor);
    g_hash_table_remove(memory->directories, remembered->directory);
}

/* ---- What has come ---- */

static void forget_all(struct local_memory *memory)
{
    g_hash_table_remove_all(memory->by_descriptor);
    g_hash_table_remove_all(memory->directories);
    close(memory->fd); /* and with it all watches */
    memory->fd = -1;
}

static void take_event(struct local_memory *memory, const struct inotify_event *event)
{
    struct remembered *remembered =
        g_hash_table_lookup(memory->by_descriptor, GINT_TO_POINTER(event->wd));
    if (!remembered)
        return;
    if (event->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF))
        forget(memory, remembered);
    else if (event->len > 0)
        g_hash_table_add(remembered->names, g_strdup(event->name));
}

static void take_events(struct local_memory *memory)
{
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length;
    while (memory->fd >= 0 &&
           (length = TEMP_FAILURE_RETRY(read(memory->fd, buffer, sizeof buffer))) > 0) {
        for (const char *at = buffer; at < buffer + length;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            if (event->mask & IN_Q_OVERFLOW) { /* nobody knows of what */
                forget_all(memory);
                return;
            }
            take_event(memory, event);
            at += sizeof *event + event->len;
        }
    }
}

/* ---- A directory ---- */

static bool is_of_this_machine(int fd)
{
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return false;
    switch ((unsigned long)status.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
        return true;
    default:
        return false;
    }
}

static int watch_directory(struct local_memory *memory, int fd)
{
    char path[sizeof "/proc/self/fd/" + 3 * sizeof fd];
    if (memory->fd < 0)
        memory->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (memory->fd < 0)
        return -1;
    g_snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return inotify_add_watch(memory->fd, path,
                             IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR);
}

/* Begins to remember a directory, before it is read. The turn; 0: it is not remembered. */
static uint64_t begin(struct local_memory *memory, const char *directory, const struct stat *status,
                      int fd, int64_t age)
{
    if (!g_hash_table_contains(memory->large, directory) || !is_of_this_machine(fd) ||
        g_hash_table_size(memory->directories) >= MOST_DIRECTORIES)
        return 0;
    int descriptor = watch_directory(memory, fd);
    if (descriptor < 0)
        return 0;
    /* One directory may have two keys, by links. */
    struct remembered *other =
        g_hash_table_lookup(memory->by_descriptor, GINT_TO_POINTER(descriptor));
    if (other)
        g_hash_table_remove(memory->directories, other->directory);
    struct remembered *remembered = g_new0(struct remembered, 1);
    *remembered = (struct remembered){.directory = g_strdup(directory),
                                      .device = status->st_dev,
                                      .inode = status->st_ino,
                                      .descriptor = descriptor,
                                      .age = age,
                                      .turn = ++memory->last_turn,
                                      .names = new_set()};
    g_hash_table_insert(memory->directories, remembered->directory, remembered);
    g_hash_table_insert(memory->by_descriptor, GINT_TO_POINTER(descriptor), remembered);
    return remembered->turn;
}

/* The names, out of the memory until the listing gives back those that it does not leave out. NULL:
 * the directory is to be read. */
static GHashTable *recall(struct local_memory *memory, const char *directory,
                          const struct stat *status, int64_t age, uint64_t *ret_turn)
{
    take_events(memory);
    struct remembered *remembered = g_hash_table_lookup(memory->directories, directory);
    if (!remembered)
        return NULL;
    if (remembered->age != age || remembered->turn || remembered->device != status->st_dev ||
        remembered->inode != status->st_ino) {
        forget(memory, remembered);
        return NULL;
    }
    GHashTable *names = g_steal_pointer(&remembered->names);
    remembered->names = new_set();
    *ret_turn = remembered->turn = ++memory->last_turn;
    return names;
}

/* Those that are still there. 0 or an errno value. */
static int entries_of_names(int fd, GHashTable *names, GArray **ret)
{
    g_autoptr(GArray) entries = local_entries_new();
    GHashTableIter iterator;
    gpointer name;
    g_hash_table_iter_init(&iterator, names);
    while (g_hash_table_iter_next(&iterator, &name, NULL)) {
        int failure = local_add_entry(fd, name, DT_UNKNOWN, entries);
        if (failure)
            return failure;
    }
    *ret = g_steal_pointer(&entries);
    return 0;
}

int local_memory_read(struct local_store *store, const char *directory, int fd, int64_t age,
                      GArray **ret, uint64_t *ret_turn)
{
    struct stat status;
    g_autoptr(GHashTable) names = NULL;
    *ret_turn = 0;
    if (fstat(fd, &status) == 0) {
        LOCK_SCOPE(&store->memory->lock);
        names = recall(store->memory, directory, &status, age, ret_turn);
        if (!names)
            *ret_turn = begin(store->memory, directory, &status, fd, age);
    }
    if (!names)
        return local_read_directory(fd, ret);
    int failure = entries_of_names(fd, names, ret);
    close(fd);
    return failure;
}

void local_memory_keep(struct local_store *store, const char *directory, uint64_t turn,
                       const GPtrArray *names, size_t left_out)
{
    struct local_memory *memory = store->memory;
    LOCK_SCOPE(&memory->lock);
    if (left_out >= LARGE && g_hash_table_size(memory->large) < MOST_DIRECTORIES)
        g_hash_table_add(memory->large, g_strdup(directory));
    struct remembered *remembered = g_hash_table_lookup(memory->directories, directory);
    if (turn == 0 || !remembered || remembered->turn != turn)
        return;
    for (guint i = 0; i < names->len; i++)
        g_hash_table_add(remembered->names, g_strdup(g_ptr_array_index(names, i)));
    remembered->turn = 0;
}
