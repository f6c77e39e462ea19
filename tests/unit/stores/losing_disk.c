/*
 * Each file and directory is known by its inode number, and kept open from when it is first seen,
 * so that no other gets that number. Between two syncs only the last state counts: what was changed
 * twice has no state in the middle.
 */
#include "unit/stores/losing_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

struct node {
    int fd; /* O_PATH */
    bool is_directory;
    GBytes *content;     /* of a file: what is durable; NULL: nothing has been synced */
    GHashTable *entries; /* of a directory, as that: char * to ino_t * */
};

struct disk_image {
    GString *text;
    GPtrArray *paths;    /* char *: relative, parents first */
    GPtrArray *contents; /* GBytes, at the same index; NULL: a directory */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static char *root;                                       /* NULL: nothing is watched */
static ino_t root_number;
static GHashTable *nodes; /* ino_t * to struct node */
static char *ignored;
static void (*before_sync)(void);

int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

/* ---- Nodes ---- */

static void free_node(void *data)
{
    struct node *node = data;
    close(node->fd);
    if (node->content)
        g_bytes_unref(node->content);
    if (node->entries)
        g_hash_table_unref(node->entries);
    g_free(node);
}

/* The node of what the name leads to; *ret_number is its number. NULL: it has gone. `follow`: 0, or
 * O_NOFOLLOW. */
static struct node *node_at(int directory, const char *name, int follow, ino_t *ret_number)
{
    struct stat status;
    int fd = openat(directory, name, O_PATH | O_CLOEXEC | follow);
    if (fd < 0)
        return NULL;
    g_assert(fstat(fd, &status) == 0);
    gint64 number = (gint64)status.st_ino;
    struct node *node = g_hash_table_lookup(nodes, &number);
    *ret_number = status.st_ino;
    if (node) {
        close(fd);
        return node;
    }
    node = g_new0(struct node, 1);
    node->fd = fd;
    node->is_directory = S_ISDIR(status.st_mode);
    g_hash_table_insert(nodes, g_memdup2(&number, sizeof number), node);
    return node;
}

static GBytes *read_node(const struct node *node)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", node->fd);
    char *data = NULL;
    gsize size = 0;
    g_assert(g_file_get_contents(path, &data, &size, NULL));
    return g_bytes_new_take(data, size);
}

/* Its entries as they are now. */
static GHashTable *list_node(const struct node *node)
{
    GHashTable *entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    int fd = openat(node->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        ino_t number;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !node_at(node->fd, entry->d_name, O_NOFOLLOW, &number))
            continue;
        g_hash_table_insert(entries, g_strdup(entry->d_name), g_memdup2(&number, sizeof number));
    }
    if (stream)
        closedir(stream);
    return entries;
}

static struct node *node_of(const ino_t *number)
{
    gint64 key = (gint64)*number;
    return g_hash_table_lookup(nodes, &key);
}

static void make_durable(struct node *node)
{
    if (node->is_directory) {
        if (node->entries)
            g_hash_table_unref(node->entries);
        node->entries = list_node(node);
    } else {
        if (node->content)
            g_bytes_unref(node->content);
        node->content = read_node(node);
    }
}

static void make_all_durable(struct node *node)
{
    GHashTableIter iterator;
    void *number;
    make_durable(node);
    if (!node->is_directory)
        return;
    g_hash_table_iter_init(&iterator, node->entries);
    while (g_hash_table_iter_next(&iterator, NULL, &number))
        make_all_durable(node_of(number));
}

/* ---- Watching ---- */

void losing_disk_watch(const char *watched)
{
    LOCK_SCOPE(&lock);
    g_assert(!root);
    root = g_strdup(watched);
    nodes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_node);
    make_all_durable(node_at(AT_FDCWD, root, 0, &root_number));
}

void losing_disk_forget(void)
{
    LOCK_SCOPE(&lock);
    g_clear_pointer(&root, g_free);
    g_clear_pointer(&nodes, g_hash_table_unref);
}

void losing_disk_when_syncing(void (*call)(void))
{
    LOCK_SCOPE(&lock);
    before_sync = call;
}

void losing_disk_ignore(const char *part)
{
    LOCK_SCOPE(&lock);
    g_free(ignored);
    ignored = g_strdup(part);
}

/* ---- Images ---- */

struct building {
    struct disk_image *image;
    GRand *choices; /* NULL: all that can be is lost */
};

/* One of so many states, of which number 0 is what is durable. */
static int choose(struct building *building, int states)
{
    return building->choices ? g_rand_int_range(building->choices, 0, states) : 0;
}

static void add_path(struct building *building, const char *path, GBytes *content)
{
    struct disk_image *image = building->image;
    g_ptr_array_add(image->paths, g_strdup(path));
    g_ptr_array_add(image->contents, content);
    g_autofree char *sum =
        content ? g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, content) : g_strdup("/");
    g_string_append_printf(image->text, "%s %s\n", path, sum);
}

static void add_file(struct building *building, const char *path, const struct node *node)
{
    g_autoptr(GBytes) now = read_node(node);
    GBytes *chosen = node->content;
    if (chosen && g_bytes_equal(chosen, now)) {
        add_path(building, path, g_bytes_ref(chosen));
        return;
    }
    switch (choose(building, 3)) {
    case 0:
        add_path(building, path, chosen ? g_bytes_ref(chosen) : g_bytes_new(NULL, 0));
        break;
    case 1:
        add_path(building, path, g_bytes_new_from_bytes(now, 0, g_bytes_get_size(now) / 2));
        break;
    default:
        add_path(building, path, g_bytes_ref(now));
    }
}

/* Sorted, so that a seed means the same each time. */
static GList *names_of(GHashTable *durable, GHashTable *now)
{
    GList *names = g_hash_table_get_keys(now);
    GHashTableIter iterator;
    void *name;
    if (durable) {
        g_hash_table_iter_init(&iterator, durable);
        while (g_hash_table_iter_next(&iterator, &name, NULL))
            if (!g_hash_table_contains(now, name))
                names = g_list_prepend(names, name);
    }
    return g_list_sort(names, (GCompareFunc)strcmp);
}

static void add_directory(struct building *building, const char *path, const struct node *node)
{
    g_autoptr(GHashTable) now = list_node(node);
    g_autoptr(GList) names = names_of(node->entries, now);
    if (path[0])
        add_path(building, path, NULL);
    for (GList *name = names; name; name = name->next) {
        const ino_t *before = node->entries ? g_hash_table_lookup(node->entries, name->data) : NULL;
        const ino_t *after = g_hash_table_lookup(now, name->data);
        bool differ = !before || !after || *before != *after;
        const ino_t *chosen = differ && choose(building, 2) ? after : before;
        g_autofree char *below = g_build_filename(path, (char *)name->data, NULL);
        if (!chosen)
            continue;
        const struct node *child = node_of(chosen);
        if (child->is_directory)
            add_directory(building, below, child);
        else
            add_file(building, below, child);
    }
}

static void unref_content(void *content)
{
    if (content)
        g_bytes_unref(content);
}

struct disk_image *losing_disk_image(uint32_t seed)
{
    struct disk_image *image = g_new0(struct disk_image, 1);
    struct building building = {.image = image};
    LOCK_SCOPE(&lock);
    building.choices = seed == DISK_LOSES_ALL ? NULL : g_rand_new_with_seed(seed);
    image->text = g_string_new(NULL);
    image->paths = g_ptr_array_new_with_free_func(g_free);
    image->contents = g_ptr_array_new_with_free_func(unref_content);
    add_directory(&building, "", node_of(&root_number));
    if (building.choices)
        g_rand_free(building.choices);
    return image;
}

const char *disk_image_text(const struct disk_image *image)
{
    return image->text->str;
}

static int remove_below(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return walk->level > 0 ? remove(path) : 0;
}

void disk_image_restore(const struct disk_image *image, const char *place)
{
    nftw(place, remove_below, 8, FTW_DEPTH | FTW_PHYS);
    for (guint i = 0; i < image->paths->len; i++) {
        g_autofree char *path = g_build_filename(place, image->paths->pdata[i], NULL);
        GBytes *content = image->contents->pdata[i];
        if (!content) {
            g_assert(mkdir(path, 0755) == 0);
            continue;
        }
        gsize size;
        const char *data = g_bytes_get_data(content, &size);
        g_assert(g_file_set_contents(path, size ? data : "", (gssize)size, NULL));
    }
}

void disk_image_free(struct disk_image *image)
{
    g_string_free(image->text, TRUE);
    g_ptr_array_unref(image->paths);
    g_ptr_array_unref(image->contents);
    g_free(image);
}

/* ---- Syncs ---- */

/* Whether that is something below the root, or the root, which has not gone. */
static bool is_watched(const char *path)
{
    return root && g_str_has_prefix(path, root) && strchr("/", path[strlen(root)]);
}

/* `link` leads to the file that has been synced, which is at that path. */
static void note_sync(const char *link, const char *path)
{
    ino_t number;
    LOCK_SCOPE(&lock);
    if (!is_watched(path) || (ignored && strstr(path, ignored)))
        return;
    struct node *node = node_at(AT_FDCWD, link, 0, &number);
    if (node)
        make_durable(node);
}

static void announce(const char *path)
{
    pthread_mutex_lock(&lock);
    void (*call)(void) = is_watched(path) ? before_sync : NULL;
    pthread_mutex_unlock(&lock);
    if (call)
        call();
}

int __wrap_fsync(int fd)
{
    char path[PATH_MAX];
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    announce(path);
    note_sync(link, path);
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return __wrap_fsync(fd);
}
