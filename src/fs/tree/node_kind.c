#include "fs/tree/node_kind.h"

#include <assert.h>
#include <stddef.h>

#define DIRECTORY (S_IFDIR | 0777)
#define READ_ONLY_FILE (S_IFREG | 0444)
#define WRITABLE_FILE (S_IFREG | 0666)
#define LINK (S_IFLNK | 0777)

static const struct node_rules rules[NODE_KINDS] = {
    [NODE_ROOT] = {"", NODE_ROOT, DIRECTORY, HOLD_NEVER, true},
    [NODE_FORKS] = {"forks", NODE_ROOT, DIRECTORY, HOLD_NEVER, true},
    [NODE_BY_ID] = {"by-id", NODE_ROOT, DIRECTORY, HOLD_NEVER, true},
    [NODE_REGISTRY_JSON] = {"registry.json", NODE_ROOT, READ_ONLY_FILE, HOLD_NEVER, false},
    [NODE_TOMBSTONES] = {"tombstones", NODE_ROOT, READ_ONLY_FILE, HOLD_NEVER, false},
    [NODE_ERRORS] = {"errors", NODE_ROOT, READ_ONLY_FILE, HOLD_NEVER, false},
    [NODE_FORK] = {NULL, NODE_FORKS, DIRECTORY, HOLD_NEVER, true},
    [NODE_STATUS] = {"status", NODE_FORK, READ_ONLY_FILE, HOLD_WHEN_ACTIVE, true},
    [NODE_DATASETS] = {"datasets", NODE_FORK, WRITABLE_FILE, HOLD_ALWAYS, true},
    [NODE_SCHEMA_JSON] = {"schema.json", NODE_FORK, WRITABLE_FILE, HOLD_ALWAYS, false},
    [NODE_INFO_JSON] = {"info.json", NODE_FORK, READ_ONLY_FILE, HOLD_WHEN_ACTIVE, true},
    [NODE_HOLDERS] = {"holders", NODE_FORK, READ_ONLY_FILE, HOLD_NEVER, false},
    [NODE_ID_LINK] = {NULL, NODE_BY_ID, LINK, HOLD_NEVER, true},
    [NODE_PARENT] = {"parent", NODE_FORK, LINK, HOLD_NEVER, false},
    [NODE_CHILDREN] = {"children", NODE_FORK, DIRECTORY, HOLD_NEVER, false},
    [NODE_TTL] = {"ttl", NODE_FORK, WRITABLE_FILE, HOLD_WHEN_ACTIVE, false},
    [NODE_TAGS] = {"tags", NODE_FORK, DIRECTORY, HOLD_NEVER, false},
    [NODE_TAG] = {NULL, NODE_TAGS, DIRECTORY, HOLD_NEVER, false},
    [NODE_VERSIONS] = {"versions", NODE_TAG, READ_ONLY_FILE, HOLD_NEVER, false},
    [NODE_BATCH] = {"batch", NODE_ROOT, WRITABLE_FILE, HOLD_NEVER, false},
    [NODE_EVENTS] = {"events", NODE_ROOT, READ_ONLY_FILE, HOLD_NEVER, false},
    [NODE_STATS] = {"stats", NODE_ROOT, READ_ONLY_FILE, HOLD_NEVER, false},
};

const struct node_rules *node_rules(enum node_kind kind)
{
    assert(kind < NODE_KINDS);
    return &rules[kind];
}
