#include "unit/catalog/recovery/kept_fixture.h"

#include <string.h>

#include "base/json_text.h"
#include "lance/branch_name.h"
#include "lance/branch_ref.h"
#include "unit/unit.h"

/* ---- What hangs on it ---- */

void put_tag(struct fork_fixture *fixture, const char *dataset, const char *name,
             const char *branch)
{
    struct tag_ref tag = {.branch = (char *)branch, .version = 2, .manifest_size = 1};
    auto_bytes struct bytes *body = tag_ref_render(&tag, (struct timespec){.tv_sec = 1});
    g_autofree char *key = g_strdup_printf("%s/_refs/tags/%s.json", dataset, name);
    fixture_put(fixture->store, key, body->data);
}

void delete_tag(struct fork_fixture *fixture, const char *dataset, const char *name)
{
    g_autofree char *key = g_strdup_printf("%s/_refs/tags/%s.json", dataset, name);
    fixture_delete(fixture->store, key);
}

void put_foreign_branch(struct fork_fixture *fixture, const char *name, const char *parent)
{
    struct branch_ref *ref = NULL;
    g_autofree char *key = lance_branch_ref_key(FORK_DATASET, name);
    assert_int_equal(branch_ref_derive(NULL, NULL, 2, 1, 1, &ref, NULL), 0);
    ref->parent_branch = g_strdup(parent);
    auto_bytes struct bytes *body = branch_ref_render(ref);
    fixture_put(fixture->store, key, body->data);
    branch_ref_free(ref);
}

/* ---- What is expected ---- */

void assert_kept_with(struct catalog *catalog, const char *part)
{
    struct recovery_report report;
    struct error err = {0};
    if (catalog_recover(catalog, NULL, &report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(report.rolled_back + report.finished + report.orphans, 0);
    assert_int_equal(report.problems->len, 1);
    const struct error *problem = g_ptr_array_index(report.problems, 0);
    if (!strstr(problem->text, part))
        fail_msg("'%s' does not say '%s'", problem->text, part);
    recovery_report_clear(&report);
}

void assert_kept(struct fork_fixture *fixture, const char *part)
{
    g_autofree char *before = fixture_dump(fixture->store, NULL);
    assert_kept_with(fixture->catalog, part);
    g_autofree char *after = fixture_dump(fixture->store, NULL);
    assert_string_equal(before, after);
}

void assert_finished(struct fork_fixture *fixture)
{
    unsigned problems = 1;
    assert_int_equal(fixture_recover(fixture->catalog, &problems), 1);
    assert_int_equal(problems, 0);
    assert_int_equal(fixture_mentions(fixture->store, fixture->id.text), 0);
    fixture_assert_clean(fixture->store);
}

void assert_shown(struct fork_fixture *fixture, const char *part)
{
    auto_bytes struct bytes *text = catalog_tombstones(fixture->catalog);
    assert_int_equal(json_check(text->data, text->size, NULL), 0);
    if (part ? !strstr(text->data, part) : strcmp(text->data, "[]") != 0)
        fail_msg("'%s' is not what tombstones says: %s", part ? part : "[]", text->data);
}

void tombstone(struct fork_fixture *fixture)
{
    fork_fixture_set_status(fixture, &fixture->id, "tombstoned");
}
