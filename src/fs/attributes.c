#include "fs/attributes.h"

#include <glib.h>
#include <string.h>

#include "fs/render.h"
#include "fs/tree.h"

/* Numbers below this are for what belongs to no fork. */
#define FIRST_FORK_INODE 4096

/* The finalizer of MurmurHash3: every bit of the input changes about half of the result. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

uint64_t attributes_inode(enum node_kind kind, const struct fork_entry *entry)
{
    if (!entry)
        return (uint64_t)kind + 1; /* the root is 1 */
    uint64_t inode = mix(ulid_hash(&entry->id) + (uint64_t)kind);
    return inode < FIRST_FORK_INODE ? inode + FIRST_FORK_INODE : inode;
}

static void fill(const struct attribute_settings *settings, enum node_kind kind,
                 const struct fork_entry *entry, struct timespec changed, struct stat *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->st_ino = attributes_inode(kind, entry);
    ret->st_mode = node_rules(kind)->mode;
    if (!S_ISLNK(ret->st_mode))
        ret->st_mode &= ~settings->umask;
    ret->st_nlink = 1;
    ret->st_uid = settings->uid;
    ret->st_gid = settings->gid;
    ret->st_blksize = 4096;
    ret->st_atim = ret->st_mtim = ret->st_ctim = changed;
}

static struct timespec time_of_node(const struct attribute_settings *settings,
                                    const struct registry *registry, enum node_kind kind,
                                    const struct fork_entry *entry)
{
    if (entry)
        return entry->created_at.tv_sec > 0 ? entry->created_at : settings->mounted_at;
    /* Directories of forks change with the registry. */
    if (kind != NODE_ROOT)
        return render_time(registry->modified_ns, settings->mounted_at);
    return settings->mounted_at;
}

void attributes_of_node(const struct attribute_settings *settings, const struct registry *registry,
                        enum node_kind kind, const struct fork_entry *entry, struct stat *ret)
{
    fill(settings, kind, entry, time_of_node(settings, registry, kind, entry), ret);
    if (S_ISLNK(ret->st_mode)) {
        g_autofree char *target = tree_link_target(kind, entry);
        ret->st_size = (off_t)strlen(target);
    }
}

void attributes_of_file(const struct attribute_settings *settings, enum node_kind kind,
                        const struct fork_entry *entry, const struct document *document,
                        struct stat *ret)
{
    fill(settings, kind, entry, document->modified, ret);
    ret->st_size = (off_t)document_size(document);
}
