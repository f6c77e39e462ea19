#include "unit/stores/failing_sync.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static char *held; /* NULL: nothing */
static void (*call_when_held)(void);
static char *part;
static unsigned first, last, count, failed;
/* Entries of directories, each as "path:inode:time", that a sync has made durable, and that one has
 * lost; and directories of which the last sync has failed. All are sets. */
static GHashTable *durable, *lost, *failing;

int __wrap_fsync(int fd);

static void make_sets(void)
{
    GHashTable **const sets[] = {&durable, &lost, &failing};
    for (size_t i = 0; i < G_N_ELEMENTS(sets); i++)
        if (!*sets[i])
            *sets[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void failing_sync_arm(const char *wanted, unsigned from, unsigned to)
{
    LOCK_SCOPE(&lock);
    make_sets();
    g_free(part);
    part = g_strdup(wanted);
    first = from;
    last = to;
    count = failed = 0;
}

void failing_sync_disarm(void)
{
    LOCK_SCOPE(&lock);
    last = 0;
}

void failing_sync_hold(const char *wanted, void (*when_held)(void))
{
    LOCK_SCOPE(&lock);
    call_when_held = when_held;
    held = g_strdup(wanted);
}

void failing_sync_release(void)
{
    LOCK_SCOPE(&lock);
    g_clear_pointer(&held, g_free);
    pthread_cond_broadcast(&released);
}

unsigned failing_sync_count(void)
{
    LOCK_SCOPE(&lock);
    return failed;
}

/* g_free(); NULL when there is no such file. Of directories it is believed that the next sync
 * writes them, as they cannot be made anew. */
static char *entry_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return NULL;
    return g_strdup_printf("%s:%lu:%" PRId64, path, (unsigned long)status.st_ino,
                           timespec_ns(status.st_mtim));
}

static bool is_lost(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *entry = entry_of(path);
    return g_hash_table_contains(failing, directory)
               ? !entry || !g_hash_table_contains(durable, entry)
               : entry && g_hash_table_contains(lost, entry);
}

bool failing_sync_is_durable(const char *path)
{
    LOCK_SCOPE(&lock);
    make_sets();
    return !is_lost(path);
}

char *failing_sync_lost(const char *except)
{
    GHashTableIter iterator;
    void *key;
    LOCK_SCOPE(&lock);
    make_sets();
    g_hash_table_iter_init(&iterator, lost);
    while (g_hash_table_iter_next(&iterator, &key, NULL)) {
        g_autofree char *path = g_strndup(key, (gsize)(strchr(key, ':') - (char *)key));
        g_autofree char *entry = entry_of(path);
        if (g_strcmp0(entry, key) == 0 && !strstr(path, except))
            return g_steal_pointer(&path);
    }
    g_hash_table_iter_init(&iterator, failing);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        if (!strstr(key, except) && g_file_test(key, G_FILE_TEST_IS_DIR))
            return g_strdup(key);
    return NULL;
}

/* What a sync of the directory has written, or has not. */
static void note_entries(const char *directory, bool well)
{
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        char *entry = entry_of(path);
        if (!entry || g_hash_table_contains(lost, entry) || g_hash_table_contains(durable, entry))
            g_free(entry);
        else
            g_hash_table_add(well ? durable : lost, entry);
    }
    if (dir)
        g_dir_close(dir);
}

static int sync_directory(const char *directory)
{
    LOCK_SCOPE(&lock);
    if (held && strstr(directory, held))
        call_when_held();
    while (held && strstr(directory, held))
        pthread_cond_wait(&released, &lock);
    make_sets();
    bool counts = part && strstr(directory, part);
    count += counts;
    bool well = !counts || count < first || count > last;
    note_entries(directory, well);
    if (well) {
        g_hash_table_remove(failing, directory);
        return 0;
    }
    failed++;
    g_hash_table_add(failing, g_strdup(directory));
    errno = EIO;
    return -1;
}

int __wrap_fsync(int fd)
{
    struct stat status;
    char directory[PATH_MAX];
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, directory, sizeof directory - 1);
    if (fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode) || length < 0)
        return 0;
    directory[length] = '\0';
    return sync_directory(directory);
}
