#include "fs/content/attributes.h"

#include <glib.h>
#include <string.h>

#include "fs/content/render.h"

/* Numbers below this are for what belongs to no fork. */
#define FIRST_FORK_INODE 4096
/* Programs keep numbers of inodes in signed integers. */
#define LARGEST_INODE ((uint64_t)INT64_MAX)

/* The finalizer of MurmurHash3: every bit of the input changes about half of the result. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

/* The hash of a text, by FNV-1a. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static const char *tag_name(const struct tree_child *child)
{
    if (child->tag)
        return child->tag->name;
    return child->kind == NODE_TAG ? child->name : NULL;
}

uint64_t attributes_inode(const struct tree_child *child)
{
    if (!child->entry)
        return (uint64_t)child->kind + 1; /* the root is 1 */
    uint64_t seed = ulid_hash(&child->entry->id) + (uint64_t)child->kind;
    const char *tag = tag_name(child);
    uint64_t inode = mix(tag ? seed ^ hash_text(tag) : seed) & LARGEST_INODE;
    return inode < FIRST_FORK_INODE ? inode + FIRST_FORK_INODE : inode;
}

bool attributes_let_write(const struct attribute_settings *settings, enum node_kind kind)
{
    return !settings->read_only &&
           (node_kind_is_writable(kind) || (settings->confirm_drop && kind == NODE_STATUS));
}

static mode_t mode_of(const struct attribute_settings *settings, enum node_kind kind)
{
    mode_t mode = node_rules(kind)->mode;
    if (S_ISLNK(mode))
        return mode;
    if (S_ISREG(mode))
        mode = attributes_let_write(settings, kind) ? mode | 0222 : mode & ~(mode_t)0222;
    return mode & ~settings->umask;
}

static void fill_attributes(const struct attribute_settings *settings,
                            const struct tree_child *child, struct timespec changed,
                            struct stat *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->st_ino = attributes_inode(child);
    ret->st_mode = mode_of(settings, child->kind);
    ret->st_nlink = 1;
    ret->st_uid = settings->uid;
    ret->st_gid = settings->gid;
    ret->st_blksize = 4096;
    ret->st_atim = ret->st_mtim = ret->st_ctim = changed;
}

static struct timespec time_of_node(const struct attribute_settings *settings,
                                    const struct registry *registry, const struct tree_child *child)
{
    const struct fork_entry *entry = child->entry;
    if (entry && child->kind != NODE_CHILDREN)
        return entry->created_at.tv_sec > 0 ? entry->created_at : settings->mounted_at;
    /* Directories of forks change with the registry. */
    if (child->kind != NODE_ROOT)
        return render_time(registry->modified_ns, settings->mounted_at);
    return settings->mounted_at;
}

void attributes_of_node(const struct attribute_settings *settings, const struct registry *registry,
                        const struct tree_child *child, struct stat *ret)
{
    fill_attributes(settings, child, time_of_node(settings, registry, child), ret);
    if (S_ISLNK(ret->st_mode)) {
        g_autofree char *target = tree_link_target(registry, child);
        ret->st_size = target ? (off_t)strlen(target) : 0;
    }
}

void attributes_of_file(const struct attribute_settings *settings, const struct tree_child *child,
                        const struct document *document, struct stat *ret)
{
    fill_attributes(settings, child, document->modified, ret);
    attributes_set_size(ret, document_size(document));
}

void attributes_set_size(struct stat *attributes, size_t size)
{
    attributes->st_size = (off_t)size;
    attributes->st_blocks = (blkcnt_t)(size / 512 + (size % 512 > 0));
}
