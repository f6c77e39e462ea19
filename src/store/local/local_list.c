/*
 * Listings of the local store: a walk of the tree in bytewise order of whole keys. Within one
 * directory that is the order of the names when those of directories carry their '/': "a-b" comes
 * before "a/", since '-' is below '/'.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/local/local_private.h"

struct walk {
    struct local_store *store;
    const struct store_request *request;
    struct store_answer *answer;
    GArray *ancestors; /* struct identity: the directories being walked, against loops of links */
    bool finished;     /* limit reached, or failed */
};

struct identity {
    dev_t device;
    ino_t inode;
};

static void fail_walk(struct walk *walk, int errno_value, const char *stage)
{
    local_fail(walk->answer, walk->request, errno_value, stage);
    walk->finished = true;
}

/* status: NULL for a directory. */
static void add_row(struct walk *walk, const char *key, bool is_directory, struct stat *status)
{
    struct store_object *row = g_new0(struct store_object, 1);
    row->key = g_strdup(key);
    row->is_directory = is_directory;
    if (status) {
        row->etag = local_etag(walk->store, key, status);
        row->size = (uint64_t)status->st_size;
        row->modified_ns = local_mtime_ns(status);
    }
    g_ptr_array_add(walk->answer->objects, row);
}

static bool leads_nowhere(const struct walk *walk, const char *key, struct stat *status)
{
    return fstatat(walk->store->root, key, status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(status->st_mode);
}

/* A row if it is wanted. Only rows that are returned cost a stat. */
static void emit_row(struct walk *walk, const char *key, bool is_directory)
{
    const struct store_request *request = walk->request;
    struct stat status;
    if (request->start_after && strcmp(key, request->start_after) <= 0)
        return;
    if (request->limit && walk->answer->objects->len == request->limit) {
        walk->answer->truncated = true;
        walk->finished = true;
    } else if (is_directory) {
        add_row(walk, key, is_directory, NULL);
        if (request->remembered)
            local_learn_directory(walk->store, key);
    } else if (fstatat(walk->store->root, key, &status, 0) == 0) {
        if (S_ISREG(status.st_mode))
            add_row(walk, key, false, &status);
    } else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        fail_walk(walk, errno, key);
    else if (request->with_dead_links && leads_nowhere(walk, key, &status))
        add_row(walk, key, false, &status); /* else: removed since it was listed */
}

/* Whether keys below `key`, which ends in '/', may come after the start of the listing. */
static bool is_worth_entering(const struct walk *walk, const char *key)
{
    const char *after = walk->request->start_after;
    return !after || g_str_has_prefix(after, key) || strcmp(key, after) > 0;
}

static void walk_directory(struct walk *walk, const char *key, const char *name_prefix);

static void walk_entry(struct walk *walk, const char *directory, const char *name)
{
    g_autofree char *key = g_strconcat(directory, name, NULL);
    if (!g_str_has_suffix(name, "/"))
        emit_row(walk, key, false);
    else if (walk->request->shallow)
        emit_row(walk, key, true);
    else if (is_worth_entering(walk, key))
        walk_directory(walk, key, "");
}

/* What an entry counts as; a link is what it leads to, and an object when that is nowhere and the
 * caller wants to know. DT_UNKNOWN: nothing to show, or failed. */
static unsigned char resolve_type(struct walk *walk, const char *directory,
                                  const struct local_entry *entry)
{
    struct stat status;
    if (entry->type != DT_LNK)
        return entry->type;
    g_autofree char *key = g_strconcat(directory, entry->name, NULL);
    if (fstatat(walk->store->root, key, &status, 0) == 0)
        return local_type_of_mode(status.st_mode);
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
        return walk->request->with_dead_links ? DT_REG : DT_UNKNOWN;
    fail_walk(walk, errno, key);
    return DT_UNKNOWN;
}

static bool is_unwanted(const struct walk *walk, const char *directory, const char *name)
{
    const struct store_row_choice *choice = walk->request->choice;
    return choice->is_unwanted(directory, name, choice->argument);
}

/* Takes those out that the choice leaves out; the others are remembered. */
static void leave_out(struct walk *walk, const char *directory, GArray *entries, uint64_t turn)
{
    g_autoptr(GPtrArray) kept = g_ptr_array_new();
    guint count = entries->len;
    for (guint i = entries->len; i-- > 0;) {
        const struct local_entry *entry = &g_array_index(entries, struct local_entry, i);
        if (entry->type == DT_REG && !store_name_is_temporary(entry->name) &&
            is_unwanted(walk, directory, entry->name))
            g_array_remove_index_fast(entries, i);
        else
            g_ptr_array_add(kept, entry->name);
    }
    local_memory_keep(walk->store, directory, turn, kept, count - entries->len);
}

/* The names to be shown or entered, directories with a '/'. */
static GPtrArray *select_names(struct walk *walk, const char *directory, const GArray *entries,
                               const char *name_prefix)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < entries->len; i++) {
        const struct local_entry *entry = &g_array_index(entries, struct local_entry, i);
        if (!g_str_has_prefix(entry->name, name_prefix))
            continue;
        unsigned char type = resolve_type(walk, directory, entry);
        bool is_temporary = type == DT_REG && store_name_is_temporary(entry->name);
        if (is_temporary && entry->type == DT_REG)
            local_note_met(walk->store, directory, entry->name);
        if (type == DT_DIR)
            g_ptr_array_add(names, g_strconcat(entry->name, "/", NULL));
        else if (type == DT_REG && (walk->request->with_temporary || !is_temporary))
            g_ptr_array_add(names, g_strdup(entry->name));
    }
    return names;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* 0, an errno value, or ELOOP when the directory is one of those that led here. */
static int push_ancestor(struct walk *walk, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno;
    for (guint i = 0; i < walk->ancestors->len; i++) {
        const struct identity *above = &g_array_index(walk->ancestors, struct identity, i);
        if (above->device == status.st_dev && above->inode == status.st_ino)
            return ELOOP;
    }
    struct identity identity = {status.st_dev, status.st_ino};
    g_array_append_val(walk->ancestors, identity);
    return 0;
}

/* Reads a directory, as far as the choice does not leave out what is there. Closes it. */
static int read_chosen(struct walk *walk, const char *key, int fd, GArray **entries)
{
    const struct store_row_choice *choice = walk->request->choice;
    uint64_t turn = 0;
    if (!choice)
        return local_read_directory(fd, entries);
    int failure = choice->age ? local_memory_read(walk->store, key, fd, choice->age, entries, &turn)
                              : local_read_directory(fd, entries);
    if (failure == 0)
        leave_out(walk, key, *entries, turn);
    return failure;
}

/* Enters a directory and reads it. 0 or an errno value; after 0, it is left by popping an
 * ancestor. */
static int enter_directory(struct walk *walk, const char *key, GArray **entries)
{
    int fd = TEMP_FAILURE_RETRY(
        openat(walk->store->root, local_path(key), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return errno;
    int failure = push_ancestor(walk, fd);
    if (failure == 0)
        return read_chosen(walk, key, fd, entries);
    close(fd);
    return failure;
}

/* `key` is "" or ends in '/'. Only entries whose names start with `name_prefix` count. */
static void walk_directory(struct walk *walk, const char *key, const char *name_prefix)
{
    g_autoptr(GArray) entries = NULL;
    int failure = enter_directory(walk, key, &entries);
    if (local_is_absent(failure) || failure == ELOOP)
        return;
    if (failure) {
        fail_walk(walk, failure, "read the directory");
        return;
    }
    g_autoptr(GPtrArray) names = select_names(walk, key, entries, name_prefix);
    g_clear_pointer(&entries, g_array_unref);
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len && !walk->finished; i++)
        walk_entry(walk, key, g_ptr_array_index(names, i));
    g_array_set_size(walk->ancestors, walk->ancestors->len - 1);
}

void local_list(struct local_store *store, const struct store_request *request,
                struct store_answer *answer)
{
    if (request->own) {
        local_list_own(store, request, answer);
        return;
    }
    const char *slash = strrchr(request->key, '/');
    size_t length = slash ? (size_t)(slash + 1 - request->key) : 0;
    g_autofree char *directory = g_strndup(request->key, length);
    g_autoptr(GArray) ancestors = g_array_new(FALSE, FALSE, sizeof(struct identity));
    struct walk walk = {
        .store = store, .request = request, .answer = answer, .ancestors = ancestors};
    answer->objects = store_objects_new();
    if (request->remembered && !request->shallow)
        local_learn_directory(store, directory);
    walk_directory(&walk, directory, request->key + length);
    if (answer->code)
        g_clear_pointer(&answer->objects, g_ptr_array_unref);
}
