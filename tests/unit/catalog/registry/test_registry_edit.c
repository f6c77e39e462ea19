#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "catalog/registry/registry.h"

#define ID "01KYYN40FVQ2D7R9S4TAX6BCE3"

static struct registry *parse(const char *text)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    struct registry *registry = NULL;
    struct error error = {0};
    if (registry_parse(body, NULL, 0, NULL, &registry, &error))
        fail_msg("%s", error.text);
    return registry;
}

static struct registry *empty(void)
{
    struct registry *registry = NULL;
    assert_int_equal(registry_parse(NULL, NULL, 0, NULL, &registry, NULL), 0);
    return registry;
}

static struct fork_entry *make_entry(const char *name, const struct ulid *id,
                                     const struct ulid *parent)
{
    g_autoptr(GPtrArray) datasets = dataset_branches_new();
    g_autofree char *branch = g_strdup_printf("fork_%s_vertices", id->text);
    g_ptr_array_add(datasets, dataset_branch_new("vertices", branch));
    struct fork_description description = {.name = name,
                                           .id = *id,
                                           .has_parent = parent != NULL,
                                           .parent_snapshot_id = "uninitialized",
                                           .created_at = {1785587696, 0},
                                           .schema_version = 1,
                                           .datasets = datasets};
    if (parent)
        description.parent_id = *parent;
    return fork_entry_new(&description);
}

/* ---- Single edits ---- */

static void a_first_entry_is_written_as_serde_would(void **state)
{
    auto_registry struct registry *base = empty();
    struct registry_edit *edit = registry_edit_new(base);
    struct fork_entry *entry = make_entry("audit", &(struct ulid){ID}, NULL);
    assert_false(edit->is_changed);
    registry_edit_insert(edit, entry);
    assert_true(edit->is_changed);
    fork_entry_unref(entry);
    auto_registry struct registry *image = registry_edit_finish(edit);
    assert_string_equal(image->text->data, "{\n"
                                           "  \"forks\": {\n"
                                           "    \"audit\": {\n"
                                           "      \"id\": \"" ID "\",\n"
                                           "      \"name\": \"audit\",\n"
                                           "      \"parent_fork_id\": null,\n"
                                           "      \"parent_snapshot_id\": \"uninitialized\",\n"
                                           "      \"created_at\": \"2026-08-01T12:34:56Z\",\n"
                                           "      \"ttl_expires_at\": null,\n"
                                           "      \"schema_version_at_creation\": 1,\n"
                                           "      \"datasets\": {\n"
                                           "        \"vertices\": \"fork_" ID "_vertices\"\n"
                                           "      },\n"
                                           "      \"fork_point_version_hwm\": 0,\n"
                                           "      \"status\": \"pending\"\n"
                                           "    }\n"
                                           "  }\n"
                                           "}");
    assert_null(image->etag);
    assert_string_equal(base->text->data, "{\n  \"forks\": {}\n}");
    assert_int_equal(base->entries->len, 0);
}

static void the_last_removal_leaves_an_empty_map(void **state)
{
    auto_registry struct registry *base = empty();
    struct fork_entry *entry = make_entry("audit", &(struct ulid){ID}, &(struct ulid){ID});
    struct registry_edit *edit = registry_edit_new(base);
    registry_edit_insert(edit, entry);
    auto_registry struct registry *full = registry_edit_finish(edit);

    edit = registry_edit_new(full);
    struct fork_entry *flipped = fork_entry_with_status(entry, FORK_TOMBSTONED);
    registry_edit_remove(edit, flipped); /* the same fork, not the same object */
    auto_registry struct registry *image = registry_edit_finish(edit);
    assert_string_equal(image->text->data, "{\n  \"forks\": {}\n}");
    assert_int_equal(image->by_id->len, 0);
    assert_int_equal(image->by_parent->len, 0);
    assert_int_equal(full->entries->len, 1);
    fork_entry_unref(flipped);
    fork_entry_unref(entry);
}

static void the_state_shows_the_edits_made_so_far(void **state)
{
    auto_registry struct registry *base = empty();
    struct registry_edit *edit = registry_edit_new(base);
    const struct ulid parent = ulid_new();
    const struct ulid child = ulid_new();
    struct fork_entry *first = make_entry("first", &parent, NULL);
    struct fork_entry *second = make_entry("second", &child, &parent);
    size_t index;

    registry_edit_insert(edit, first);
    assert_ptr_equal(registry_find(edit->state, "first"), first);
    assert_int_equal(registry_children(edit->state, &parent, &index), 0);
    registry_edit_insert(edit, second);
    assert_int_equal(registry_children(edit->state, &parent, &index), 1);
    assert_ptr_equal(edit->state->by_parent->pdata[index], second);

    struct fork_entry *active = fork_entry_with_status(first, FORK_ACTIVE);
    registry_edit_replace(edit, active);
    registry_edit_replace(edit, registry_find(edit->state, "first"));
    assert_ptr_equal(registry_find(edit->state, "first"), active);
    assert_ptr_equal(registry_find_id(edit->state, &parent), active);
    registry_edit_remove(edit, second);
    assert_null(registry_find_id(edit->state, &child));
    assert_int_equal(registry_children(edit->state, &parent, &index), 0);

    registry_edit_free(edit);
    registry_edit_free(NULL);
    fork_entry_unref(active);
    fork_entry_unref(second);
    fork_entry_unref(first);
}

static const char foreign_text[] = "{\n"
                                   "  \"before\": {\n"
                                   "    \"n\": 1e400\n"
                                   "  },\n"
                                   "  \"forks\": {\n"
                                   "    \"m\\u00e4rz\": {\n"
                                   "      \"id\": \"" ID "\",\n"
                                   "      \"future\": 123456789012345678901234567890,\n"
                                   "      \"name\": \"m\\u00e4rz\",\n"
                                   "      \"parent_snapshot_id\": \"\\u0075\",\n"
                                   "      \"created_at\": \"2026-08-01T12:34:56+00:00\",\n"
                                   "      \"schema_version_at_creation\": 1,\n"
                                   "      \"datasets\": {},\n"
                                   "      \"nested\": [\n"
                                   "        {\n"
                                   "          \"\\ud83c\\udf33\": -0.0E+10\n"
                                   "        }\n"
                                   "      ],\n"
                                   "      \"status\": \"active\"\n"
                                   "    }\n"
                                   "  },\n"
                                   "  \"after\": [\n"
                                   "    \"\\u0000\"\n"
                                   "  ]\n"
                                   "}";

static void foreign_members_survive_edits_of_other_entries(void **state)
{
    auto_registry struct registry *base = parse(foreign_text);
    assert_string_equal(base->text->data, foreign_text);
    const struct ulid id = ulid_new();
    struct fork_entry *pending = make_entry("zoo", &id, NULL);
    struct fork_entry *active = fork_entry_with_status(pending, FORK_ACTIVE);

    struct registry_edit *edit = registry_edit_new(base);
    registry_edit_insert(edit, pending);
    auto_registry struct registry *inserted = registry_edit_finish(edit);
    edit = registry_edit_new(inserted);
    registry_edit_replace(edit, active);
    auto_registry struct registry *replaced = registry_edit_finish(edit);
    edit = registry_edit_new(replaced);
    registry_edit_remove(edit, active);
    auto_registry struct registry *removed = registry_edit_finish(edit);

    const char *forks_end = strstr(foreign_text, "\n  },\n  \"after\"");
    g_autofree char *expected =
        g_strdup_printf("%.*s,\n    \"zoo\": %s%s", (int)(forks_end - foreign_text), foreign_text,
                        active->text, forks_end);
    assert_string_equal(replaced->text->data, expected);
    assert_string_equal(removed->text->data, foreign_text);
    fork_entry_unref(active);
    fork_entry_unref(pending);
}

static void foreign_members_survive_a_change_of_their_own_entry(void **state)
{
    auto_registry struct registry *base = parse(foreign_text);
    struct fork_entry *changed =
        fork_entry_with_status(registry_find(base, "m\xc3\xa4rz"), FORK_TOMBSTONED);
    struct registry_edit *edit = registry_edit_new(base);
    registry_edit_replace(edit, changed);
    fork_entry_unref(changed);
    auto_registry struct registry *image = registry_edit_finish(edit);
    g_auto(GStrv) parts = g_strsplit(foreign_text, "\"active\"", -1);
    g_autofree char *expected = g_strjoinv("\"tombstoned\"", parts);
    assert_string_equal(image->text->data, expected);
    assert_ptr_equal(registry_find(image, "m\xc3\xa4rz"), changed);
}

static void an_entry_whose_key_holds_nul_can_be_replaced_and_removed(void **state)
{
    g_auto(GStrv) parts = g_strsplit(foreign_text, "m\\u00e4rz", -1);
    g_autofree char *text = g_strjoinv("a\\u0000b", parts);
    auto_registry struct registry *base = parse(text);
    struct fork_entry *changed = fork_entry_with_status(base->entries->pdata[0], FORK_TOMBSTONED);
    struct registry_edit *edit = registry_edit_new(base);
    registry_edit_replace(edit, changed);
    auto_registry struct registry *replaced = registry_edit_finish(edit);
    assert_non_null(strstr(replaced->text->data, "    \"a\\u0000b\": {"));
    assert_non_null(strstr(replaced->text->data, "\"tombstoned\""));
    edit = registry_edit_new(replaced);
    registry_edit_remove(edit, changed);
    auto_registry struct registry *removed = registry_edit_finish(edit);
    assert_int_equal(removed->entries->len, 0);
    fork_entry_unref(changed);
}

/* ---- Random edits against a simple model: the list of entries, unsorted ---- */

#define MODEL_NAMES 40
#define MODEL_ROUNDS 150

static gint compare_by_key(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct fork_entry *const *)a)->key, (*(struct fork_entry *const *)b)->key);
}

static struct fork_entry *model_find(const GPtrArray *model, const char *key)
{
    for (guint i = 0; i < model->len; i++) {
        if (strcmp(((struct fork_entry *)model->pdata[i])->key, key) == 0)
            return model->pdata[i];
    }
    return NULL;
}

static char *model_text(GPtrArray *model)
{
    g_ptr_array_sort(model, compare_by_key);
    GString *text = g_string_new("{\n  \"x\": 1e999,\n  \"forks\": {");
    for (guint i = 0; i < model->len; i++) {
        const struct fork_entry *entry = model->pdata[i];
        g_string_append_printf(text, "%s\n    %s: %s", i > 0 ? "," : "", entry->key_source,
                               entry->text);
    }
    g_string_append_printf(text, "%s},\n  \"y\": {}\n}", model->len > 0 ? "\n  " : "");
    return g_string_free(text, FALSE);
}

static void assert_equals_model(const struct registry *registry, const GPtrArray *model)
{
    assert_int_equal(registry->entries->len, model->len);
    assert_int_equal(registry->by_id->len, model->len);
    guint with_parent = 0;
    for (guint i = 0; i < model->len; i++) {
        struct fork_entry *entry = model->pdata[i];
        assert_ptr_equal(registry_find(registry, entry->key), entry);
        assert_ptr_equal(registry_find_id(registry, &entry->id), entry);
        with_parent += entry->has_parent;

        guint expected = 0;
        for (guint j = 0; j < model->len; j++) {
            const struct fork_entry *other = model->pdata[j];
            expected += other->has_parent && ulid_equal(&other->parent_id, &entry->id);
        }
        size_t first;
        assert_int_equal(registry_children(registry, &entry->id, &first), expected);
        for (guint j = 0; j < expected; j++) {
            const struct fork_entry *child = registry->by_parent->pdata[first + j];
            assert_true(child->has_parent && ulid_equal(&child->parent_id, &entry->id));
        }
    }
    assert_int_equal(registry->by_parent->len, with_parent);
}

static void model_step(GRand *random, GPtrArray *model, struct registry_edit *edit)
{
    static const char *const prefixes[] = {"", "a\"", "\xc3\xa9", "Z/", "\x01"};
    g_autofree char *name =
        g_strdup_printf("%sfork%d", prefixes[g_rand_int_range(random, 0, G_N_ELEMENTS(prefixes))],
                        g_rand_int_range(random, 0, MODEL_NAMES / 5));
    struct fork_entry *present = model_find(model, name);
    struct fork_entry *entry;
    if (!present) {
        const struct ulid id = ulid_new();
        const struct fork_entry *parent =
            model->len > 0 && g_rand_boolean(random)
                ? model->pdata[g_rand_int_range(random, 0, (gint)model->len)]
                : NULL;
        entry = make_entry(name, &id, parent ? &parent->id : NULL);
        registry_edit_insert(edit, entry);
        g_ptr_array_add(model, entry);
    } else if (g_rand_boolean(random)) {
        entry = fork_entry_with_status(present, (enum fork_status)g_rand_int_range(random, 0, 3));
        registry_edit_replace(edit, entry);
        g_ptr_array_remove(model, present);
        g_ptr_array_add(model, entry);
    } else {
        registry_edit_remove(edit, present);
        g_ptr_array_remove(model, present);
    }
}

static void assert_parses_to_itself(const struct registry *image)
{
    auto_registry struct registry *read = NULL;
    struct error error = {0};
    if (registry_parse(image->text, NULL, 0, image, &read, &error))
        fail_msg("%s", error.text);
    assert_ptr_equal(read->text, image->text);
    assert_int_equal(read->entries->len, image->entries->len);
    assert_int_equal(read->by_parent->len, image->by_parent->len);
    for (guint i = 0; i < image->entries->len; i++) {
        assert_ptr_equal(read->entries->pdata[i], image->entries->pdata[i]);
        assert_ptr_equal(read->by_id->pdata[i], image->by_id->pdata[i]);
    }
    for (guint i = 0; i < image->by_parent->len; i++)
        assert_ptr_equal(read->by_parent->pdata[i], image->by_parent->pdata[i]);
}

static void release(gpointer entry)
{
    fork_entry_unref(entry);
}

static void random_edits_agree_with_a_simple_model(void **state)
{
    const guint32 seed = g_random_int();
    print_message("seed %u\n", seed);
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    g_autoptr(GPtrArray) model = g_ptr_array_new_with_free_func(release);
    struct registry *registry = parse("{\"x\":1e999,\"forks\":{},\"y\":{}}");
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        struct registry_edit *edit = registry_edit_new(registry);
        for (int i = g_rand_int_range(random, 0, 12); i > 0; i--) {
            model_step(random, model, edit);
            assert_equals_model(edit->state, model);
        }
        struct registry *image = registry_edit_finish(edit);
        registry_unref(registry);
        registry = registry_stored(image, "stored", round);
        registry_unref(image);

        g_autofree char *expected = model_text(model);
        assert_string_equal(registry->text->data, expected);
        assert_equals_model(registry, model);
        assert_parses_to_itself(registry);
    }
    registry_unref(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_entry_is_written_as_serde_would),
        cmocka_unit_test(the_last_removal_leaves_an_empty_map),
        cmocka_unit_test(the_state_shows_the_edits_made_so_far),
        cmocka_unit_test(foreign_members_survive_edits_of_other_entries),
        cmocka_unit_test(foreign_members_survive_a_change_of_their_own_entry),
        cmocka_unit_test(an_entry_whose_key_holds_nul_can_be_replaced_and_removed),
        cmocka_unit_test(random_edits_agree_with_a_simple_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
