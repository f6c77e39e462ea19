#include <string.h>

#include "fs/content/attributes.h"
#include "unit/fs/fs_fixture.h"
#include "unit/unit.h"

static const struct fixture_fork forks[] = {{"a", ID_A, "active", NULL},
                                            {"b", ID_B, "active", NULL}};
static const struct attribute_settings settings = {
    .uid = 7, .gid = 8, .umask = 027, .mounted_at = {1700000000, 5}};

static int set_up(void **state)
{
    *state = fixture_registry(forks, G_N_ELEMENTS(forks));
    return 0;
}

static int tear_down(void **state)
{
    registry_unref(*state);
    return 0;
}

static struct stat node_attributes(const struct registry *registry, enum node_kind kind,
                                   const struct fork_entry *entry)
{
    struct tree_child child = {.kind = kind, .entry = (struct fork_entry *)entry};
    struct stat status;
    attributes_of_node(&settings, registry, &child, &status);
    return status;
}

static void owner_and_umask_apply(void **state)
{
    struct stat status = node_attributes(*state, NODE_FORKS, NULL);
    assert_int_equal(status.st_uid, 7);
    assert_int_equal(status.st_gid, 8);
    assert_int_equal(status.st_mode, S_IFDIR | 0750);
    assert_int_equal(status.st_nlink, 1);
    assert_int_equal(status.st_blocks, 0);
}

static void a_file_has_its_true_size_and_time(void **state)
{
    struct document document = {bytes_new_text("active"), true, {12, 13}, NULL};
    struct tree_child child = {.kind = NODE_STATUS, .entry = registry_find(*state, "a")};
    struct stat status;
    attributes_of_file(&settings, &child, &document, &status);
    assert_int_equal(status.st_size, 7);
    assert_int_equal(status.st_mode, S_IFREG | 0440);
    assert_int_equal(status.st_mtim.tv_sec, 12);
    assert_int_equal(status.st_ctim.tv_nsec, 13);
    document_clear(&document);
}

static blkcnt_t blocks_of(struct fork_entry *entry, size_t length)
{
    g_autofree char *text = g_strnfill(length, 'x');
    struct document document = {.body = bytes_new_text(text)};
    struct tree_child child = {.kind = NODE_STATUS, .entry = entry};
    struct stat status;
    attributes_of_file(&settings, &child, &document, &status);
    document_clear(&document);
    return status.st_blocks;
}

static void a_file_has_blocks_for_all_of_it(void **state)
{
    struct fork_entry *entry = registry_find(*state, "a");
    assert_int_equal(blocks_of(entry, 0), 0);
    assert_int_equal(blocks_of(entry, 1), 1);
    assert_int_equal(blocks_of(entry, 512), 1);
    assert_int_equal(blocks_of(entry, 513), 2);
    struct stat written = {.st_blocks = 0};
    attributes_set_size(&written, 1025);
    assert_int_equal(written.st_size, 1025);
    assert_int_equal(written.st_blocks, 3);
}

static mode_t mode_of_schema(bool read_only, struct fork_entry *entry)
{
    const struct attribute_settings own = {.umask = 022, .read_only = read_only};
    struct document document = {0};
    struct tree_child child = {.kind = NODE_SCHEMA_JSON, .entry = entry};
    struct stat status;
    attributes_of_file(&own, &child, &document, &status);
    return status.st_mode;
}

static void files_can_be_written_unless_the_mount_is_read_only(void **state)
{
    struct fork_entry *entry = registry_find(*state, "a");
    assert_int_equal(mode_of_schema(false, entry), S_IFREG | 0644);
    assert_int_equal(mode_of_schema(true, entry), S_IFREG | 0444);
}

static mode_t mode_of_file(const struct attribute_settings *own, enum node_kind kind,
                           struct fork_entry *entry)
{
    struct document document = {0};
    struct tree_child child = {.kind = kind, .entry = entry};
    struct stat status;
    attributes_of_file(own, &child, &document, &status);
    return status.st_mode & 07777;
}

static void modes_start_at_0777_and_0666(void **state)
{
    struct fork_entry *entry = registry_find(*state, "a");
    struct tree_child directory = {.kind = NODE_FORKS};
    struct stat status;
    struct attribute_settings own = {.umask = 002};
    attributes_of_node(&own, *state, &directory, &status);
    assert_int_equal(status.st_mode, S_IFDIR | 0775);
    assert_int_equal(mode_of_file(&own, NODE_TTL, entry), 0664);
    assert_int_equal(mode_of_file(&own, NODE_INFO_JSON, entry), 0444);
    own.umask = 0;
    attributes_of_node(&own, *state, &directory, &status);
    assert_int_equal(status.st_mode, S_IFDIR | 0777);
    assert_int_equal(mode_of_file(&own, NODE_BATCH, NULL), 0666);
    own.read_only = true;
    assert_int_equal(mode_of_file(&own, NODE_TTL, entry), 0444);
}

static void the_status_can_be_written_where_drops_are_confirmed(void **state)
{
    struct fork_entry *entry = registry_find(*state, "a");
    struct attribute_settings own = {.umask = 022};
    assert_int_equal(mode_of_file(&own, NODE_STATUS, entry), 0444);
    assert_false(attributes_let_write(&own, NODE_STATUS));
    own.confirm_drop = true;
    assert_int_equal(mode_of_file(&own, NODE_STATUS, entry), 0644);
    assert_int_equal(mode_of_file(&own, NODE_INFO_JSON, entry), 0444);
    assert_true(attributes_let_write(&own, NODE_STATUS));
    own.read_only = true;
    assert_int_equal(mode_of_file(&own, NODE_STATUS, entry), 0444);
    assert_false(attributes_let_write(&own, NODE_STATUS));
}

static void a_fork_has_the_time_of_its_creation(void **state)
{
    struct stat status = node_attributes(*state, NODE_FORK, registry_find(*state, "a"));
    assert_int_equal(status.st_mtim.tv_sec, 1785587696);
    assert_int_equal(status.st_mtim.tv_nsec, 500000000);
    assert_int_equal(status.st_ctim.tv_sec, 1785587696);
}

static void listings_have_the_time_of_the_registry(void **state)
{
    assert_int_equal(node_attributes(*state, NODE_FORKS, NULL).st_mtim.tv_sec, 1000000000);
    assert_int_equal(node_attributes(*state, NODE_ROOT, NULL).st_mtim.tv_sec, 1700000000);
}

static void nothing_is_of_1970(void **state)
{
    auto_registry struct registry *absent = NULL;
    assert_int_equal(registry_parse(NULL, NULL, 0, NULL, &absent, NULL), 0);
    struct fork_entry old = *registry_find(*state, "a");
    old.created_at = (struct timespec){0, 0};
    assert_int_equal(node_attributes(absent, NODE_FORKS, NULL).st_mtim.tv_sec, 1700000000);
    assert_int_equal(node_attributes(*state, NODE_FORK, &old).st_mtim.tv_sec, 1700000000);
}

static void a_link_is_as_long_as_its_target(void **state)
{
    struct stat status = node_attributes(*state, NODE_ID_LINK, registry_find(*state, "a"));
    assert_int_equal(status.st_size, strlen("../forks/a"));
    assert_int_equal(status.st_mode, S_IFLNK | 0777);
}

static uint64_t inode_of(enum node_kind kind, const struct fork_entry *entry,
                         const struct fork_tag *tag)
{
    struct tree_child child = {.kind = kind, .entry = (struct fork_entry *)entry, .tag = tag};
    return attributes_inode(&child);
}

static void inode_numbers_are_distinct_and_stable(void **state)
{
    const struct fork_entry *entries[] = {NULL, registry_find(*state, "a"),
                                          registry_find(*state, "b")};
    auto_registry struct registry *remounted = fixture_registry(forks, G_N_ELEMENTS(forks));
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        for (enum node_kind kind = 0; kind < NODE_KINDS; kind++) {
            uint64_t inode = inode_of(kind, entries[i], NULL);
            assert_int_not_equal(inode, 0);
            assert_true(g_hash_table_add(seen, g_memdup2(&inode, sizeof inode)));
        }
    }
    assert_int_equal(inode_of(NODE_FORK, registry_find(remounted, "a"), NULL),
                     inode_of(NODE_FORK, entries[1], NULL));
    assert_int_equal(inode_of(NODE_ROOT, NULL, NULL), 1);
}

static void inode_numbers_fit_into_signed_integers(void **state)
{
    struct fork_entry entry = *registry_find(*state, "a");
    for (unsigned i = 0; i < 1000; i++) {
        /* The last characters of the id, in its alphabet: digits alone. */
        g_snprintf(entry.id.text + ULID_LENGTH - 4, 5, "%04u", i);
        for (enum node_kind kind = 0; kind < NODE_KINDS; kind++) {
            uint64_t inode = inode_of(kind, &entry, NULL);
            assert_true(inode > NODE_KINDS && inode <= INT64_MAX);
        }
    }
}

static void tags_have_numbers_of_their_own(void **state)
{
    struct fork_entry *a = registry_find(*state, "a");
    struct fork_tag one = {.name = (char *)"one"};
    struct fork_tag two = {.name = (char *)"two"};
    assert_int_not_equal(inode_of(NODE_TAG, a, &one), inode_of(NODE_TAG, a, &two));
    assert_int_not_equal(inode_of(NODE_VERSIONS, a, &one), inode_of(NODE_VERSIONS, a, &two));
    assert_int_not_equal(inode_of(NODE_VERSIONS, a, &one), inode_of(NODE_TAG, a, &one));
    struct tree_child by_name = {.kind = NODE_TAG, .entry = a, .name = "one"};
    assert_int_equal(attributes_inode(&by_name), inode_of(NODE_TAG, a, &one));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(owner_and_umask_apply),
        TEST(a_file_has_its_true_size_and_time),
        TEST(a_file_has_blocks_for_all_of_it),
        TEST(a_fork_has_the_time_of_its_creation),
        TEST(listings_have_the_time_of_the_registry),
        TEST(nothing_is_of_1970),
        TEST(a_link_is_as_long_as_its_target),
        TEST(inode_numbers_are_distinct_and_stable),
        TEST(inode_numbers_fit_into_signed_integers),
        TEST(tags_have_numbers_of_their_own),
        TEST(modes_start_at_0777_and_0666),
        TEST(the_status_can_be_written_where_drops_are_confirmed),
        TEST(files_can_be_written_unless_the_mount_is_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
