/*
 * What kinds of directories, files and links the mount consists of, and the rules of each.
 *
 * One table, immutable. Adding a file means: a kind, a row here, and its rendering in render.c.
 */
#ifndef FORKFS_FS_TREE_NODE_KIND_H
#define FORKFS_FS_TREE_NODE_KIND_H

#include <stdbool.h>
#include <sys/stat.h>

/* The values enter st_ino, which has to outlive remounts: append only, never reorder. */
enum node_kind {
    NODE_ROOT,
    NODE_FORKS,         /* forks/ */
    NODE_BY_ID,         /* by-id/ */
    NODE_REGISTRY_JSON, /* registry.json */
    NODE_TOMBSTONES,    /* tombstones */
    NODE_ERRORS,        /* errors */
    NODE_FORK,          /* forks/N/ */
    NODE_STATUS,        /* forks/N/status, and so on */
    NODE_DATASETS,
    NODE_SCHEMA_JSON,
    NODE_INFO_JSON,
    NODE_HOLDERS,
    NODE_ID_LINK,  /* by-id/ULID */
    NODE_PARENT,   /* forks/N/parent */
    NODE_CHILDREN, /* forks/N/children/; its directories are NODE_FORK again */
    NODE_TTL,      /* forks/N/ttl */
    NODE_TAGS,     /* forks/N/tags/ */
    NODE_TAG,      /* forks/N/tags/T/ */
    NODE_VERSIONS, /* forks/N/tags/T/versions */
    NODE_BATCH,    /* batch, events, stats */
    NODE_EVENTS,
    NODE_STATS,
    NODE_KINDS /* how many there are */
};

/* Whether an open handle on a file holds the fork that the file belongs to. */
enum hold_rule {
    HOLD_NEVER,
    HOLD_WHEN_ACTIVE, /* a fork that is not active can be read without holding it */
    HOLD_ALWAYS       /* a fork that is not active cannot be opened */
};

struct node_rules {
    const char *name;      /* NULL: each one is named after a fork or tag */
    enum node_kind parent; /* kind of the directory that it is in; the root's is the root, and a
                              fork's also NODE_CHILDREN */
    mode_t mode;           /* type and permissions, before the umask */
    enum hold_rule hold;
    bool cached; /* its attributes change with the registry only, and then the notifier says so */
};

/* The rules of a kind; never NULL. */
const struct node_rules *node_rules(enum node_kind kind);

static inline bool node_kind_is_file(enum node_kind kind)
{
    return S_ISREG(node_rules(kind)->mode);
}

/* Whether the file can be opened for writing on every mount; such a handle holds the fork always.
 */
static inline bool node_kind_is_writable(enum node_kind kind)
{
    return node_kind_is_file(kind) && node_rules(kind)->mode & S_IWUSR;
}

/* Whether the node, or what is in it, depends on the fork's tags. */
static inline bool node_kind_needs_tags(enum node_kind kind)
{
    return kind == NODE_TAGS || kind == NODE_TAG || kind == NODE_VERSIONS;
}

static inline bool node_kind_is_directory(enum node_kind kind)
{
    return S_ISDIR(node_rules(kind)->mode);
}

#endif
