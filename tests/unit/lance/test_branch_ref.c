#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lance/branch_ref.h"

static const char engine_ref[] = "{\n"
                                 "  \"parentBranch\": \"b1\",\n"
                                 "  \"identifier\": {\n"
                                 "    \"version_mapping\": [\n"
                                 "      [\n"
                                 "        3,\n"
                                 "        \"1869a2e43a4340ffa887557064b7587a\"\n"
                                 "      ],\n"
                                 "      [\n"
                                 "        5,\n"
                                 "        \"862c467d1b8541f79decfc12e59b7ab6\"\n"
                                 "      ]\n"
                                 "    ]\n"
                                 "  },\n"
                                 "  \"parentVersion\": 5,\n"
                                 "  \"createAt\": 1795330228,\n"
                                 "  \"manifestSize\": 821,\n"
                                 "  \"metadata\": {}\n"
                                 "}";

static int parse(const char *text, struct branch_ref **ret)
{
    auto_bytes struct bytes *body = bytes_new_text(text);
    struct error err;
    int code = branch_ref_parse(body, ret, &err);
    if (code != 0)
        assert_int_equal(err.code, code);
    return code;
}

static struct branch_ref *parsed(const char *text)
{
    struct branch_ref *ref = NULL;
    assert_int_equal(parse(text, &ref), 0);
    return ref;
}

static const struct lineage_step *step(const struct branch_ref *ref, guint index)
{
    assert_true(index < ref->lineage->len);
    return &g_array_index(ref->lineage, struct lineage_step, index);
}

static void reads_a_ref_of_the_engine(void **state)
{
    struct branch_ref *ref = parsed(engine_ref);
    assert_string_equal(ref->parent_branch, "b1");
    assert_int_equal(ref->parent_version, 5);
    assert_int_equal(ref->created_at, 1795330228);
    assert_int_equal(ref->manifest_size, 821);
    assert_true(ref->has_lineage);
    assert_int_equal(ref->lineage->len, 2);
    assert_int_equal(step(ref, 0)->version, 3);
    assert_string_equal(step(ref, 1)->id, "862c467d1b8541f79decfc12e59b7ab6");
    branch_ref_free(ref);
}

static void renders_what_the_engine_renders(void **state)
{
    struct branch_ref *ref = parsed(engine_ref);
    auto_bytes struct bytes *body = branch_ref_render(ref);
    assert_string_equal(body->data, engine_ref);
    branch_ref_free(ref);
}

static void main_as_parent_is_null_or_absent(void **state)
{
    static const char *const texts[] = {
        "{\"parentBranch\":null,\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}",
        "{\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1,\"unknown\":[1]} \n"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct branch_ref *ref = parsed(texts[i]);
        assert_null(ref->parent_branch);
        assert_false(ref->has_lineage);
        assert_int_equal(ref->lineage->len, 0);
        branch_ref_free(ref);
    }
}

static void a_ref_that_does_not_parse_is_corrupt(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"createAt\":1,\"manifestSize\":1}",
        "{\"parentVersion\":1,\"manifestSize\":1}",
        "{\"parentVersion\":1,\"createAt\":1}",
        "{\"parentVersion\":-1,\"createAt\":1,\"manifestSize\":1}",
        "{\"parentVersion\":1.0,\"createAt\":1,\"manifestSize\":1}",
        "{\"parentVersion\":\"1\",\"createAt\":1,\"manifestSize\":1}",
        "{\"parentVersion\":18446744073709551616,\"createAt\":1,\"manifestSize\":1}",
        "{\"parentVersion\":1,\"createAt\":9223372036854775808,\"manifestSize\":1}",
        "{\"parentBranch\":1,\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}",
        "{\"parentBranch\":\"a\\u0000\",\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}",
        "{\"identifier\":1,\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}",
        "{\"identifier\":{},\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}",
        "{\"identifier\":{\"version_mapping\":{}},\"parentVersion\":1,\"createAt\":1,"
        "\"manifestSize\":1}",
        "{\"identifier\":{\"version_mapping\":[3]},\"parentVersion\":1,\"createAt\":1,"
        "\"manifestSize\":1}",
        "{\"identifier\":{\"version_mapping\":[[3]]},\"parentVersion\":1,\"createAt\":1,"
        "\"manifestSize\":1}",
        "{\"identifier\":{\"version_mapping\":[[3,\"12\"]]},\"parentVersion\":1,\"createAt\":1,"
        "\"manifestSize\":1}",
        "{\"identifier\":{\"version_mapping\":[[3,\"1869a2e43a4340ffa887557064b7587a0\"]]},"
        "\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct branch_ref *ref = NULL;
        assert_int_equal(parse(texts[i], &ref), ERR_CORRUPT);
        assert_null(ref);
    }
}

static void a_ref_of_the_newer_layout_is_unsupported(void **state)
{
    struct branch_ref *ref = NULL;
    assert_int_equal(parse("{\"storage\":{},\"parentVersion\":1,\"createAt\":1,"
                           "\"manifestSize\":1}",
                           &ref),
                     ERR_UNSUPPORTED);
}

static struct branch_ref *derived(const struct branch_ref *parent, const char *name,
                                  uint64_t version)
{
    struct branch_ref *ref = NULL;
    assert_int_equal(branch_ref_derive(parent, name, version, 1700000000, 500, &ref, NULL), 0);
    return ref;
}

static void a_branch_of_main_has_one_random_step(void **state)
{
    struct branch_ref *a = derived(NULL, NULL, 4);
    struct branch_ref *b = derived(NULL, NULL, 4);
    assert_null(a->parent_branch);
    assert_int_equal(a->parent_version, 4);
    assert_int_equal(a->created_at, 1700000000);
    assert_int_equal(a->manifest_size, 500);
    assert_true(a->has_lineage);
    assert_int_equal(a->lineage->len, 1);
    assert_int_equal(step(a, 0)->version, 4);
    assert_int_equal(strlen(step(a, 0)->id), 32);
    assert_int_equal(strspn(step(a, 0)->id, "0123456789abcdef"), 32);
    assert_string_not_equal(step(a, 0)->id, step(b, 0)->id);
    branch_ref_free(a);
    branch_ref_free(b);
}

static void a_child_continues_its_parents_lineage(void **state)
{
    struct branch_ref *parent = parsed(engine_ref);
    struct branch_ref *child = derived(parent, "b2", 7);
    assert_string_equal(child->parent_branch, "b2");
    assert_int_equal(child->lineage->len, 3);
    assert_string_equal(step(child, 1)->id, step(parent, 1)->id);
    assert_int_equal(step(child, 2)->version, 7);
    branch_ref_free(parent);
    branch_ref_free(child);
}

static void a_rendered_ref_reads_back(void **state)
{
    struct branch_ref *ref = derived(NULL, NULL, UINT64_MAX);
    auto_bytes struct bytes *body = branch_ref_render(ref);
    struct branch_ref *again = parsed(body->data);
    auto_bytes struct bytes *body_again = branch_ref_render(again);
    assert_string_equal(body->data, body_again->data);
    assert_true(again->parent_version == UINT64_MAX);
    branch_ref_free(ref);
    branch_ref_free(again);
}

static void a_parent_without_lineage_is_refused(void **state)
{
    struct branch_ref *parent = parsed("{\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}");
    struct branch_ref *child = NULL;
    struct error err;
    assert_int_equal(branch_ref_derive(parent, "b", 2, 1, 1, &child, &err), ERR_UNSUPPORTED);
    assert_null(child);
    assert_non_null(strstr(err.text, "\"b\""));
    branch_ref_free(parent);
}

static void descent_follows_the_lineage(void **state)
{
    struct branch_ref *a = derived(NULL, NULL, 1);
    struct branch_ref *b = derived(a, "a", 2);
    struct branch_ref *c = derived(b, "b", 3);
    struct branch_ref *other = derived(NULL, NULL, 1);
    struct branch_ref *old = parsed("{\"parentVersion\":1,\"createAt\":1,\"manifestSize\":1}");
    assert_true(branch_ref_descends(b, a));
    assert_true(branch_ref_descends(c, a));
    assert_true(branch_ref_descends(c, b));
    assert_false(branch_ref_descends(a, a));
    assert_false(branch_ref_descends(a, b));
    assert_false(branch_ref_descends(b, other));
    assert_false(branch_ref_descends(b, old));
    assert_false(branch_ref_descends(old, a));
    branch_ref_free(a);
    branch_ref_free(b);
    branch_ref_free(c);
    branch_ref_free(other);
    branch_ref_free(old);
}

static void a_tag_reads_back(void **state)
{
    struct tag_ref tag = {.branch = (char *)"a\"b", .version = 2, .manifest_size = 658};
    struct timespec now = {.tv_sec = 1795330228, .tv_nsec = 444088862};
    auto_bytes struct bytes *body = tag_ref_render(&tag, now);
    struct tag_ref *again = NULL;
    assert_int_equal(tag_ref_parse(body, &again, NULL), 0);
    assert_string_equal(again->branch, "a\"b");
    assert_int_equal(again->version, 2);
    assert_int_equal(again->manifest_size, 658);
    tag_ref_free(again);
}

static void a_tag_of_main_renders_as_the_engine_does(void **state)
{
    struct tag_ref tag = {.branch = NULL, .version = 2, .manifest_size = 658};
    struct timespec now = {.tv_sec = 1795330228, .tv_nsec = 444088862};
    auto_bytes struct bytes *body = tag_ref_render(&tag, now);
    assert_string_equal(body->data, "{\n"
                                    "  \"branch\": null,\n"
                                    "  \"version\": 2,\n"
                                    "  \"createdAt\": \"2026-11-22T06:50:28.444088862Z\",\n"
                                    "  \"updatedAt\": \"2026-11-22T06:50:28.444088862Z\",\n"
                                    "  \"manifestSize\": 658,\n"
                                    "  \"metadata\": {}\n"
                                    "}");
}

static void a_tag_that_does_not_parse_is_corrupt(void **state)
{
    static const char *const texts[] = {"", "{}", "null", "{\"version\":1}",
                                        "{\"branch\":[],\"version\":1,\"manifestSize\":1}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        auto_bytes struct bytes *body = bytes_new_text(texts[i]);
        struct tag_ref *tag = NULL;
        assert_int_equal(tag_ref_parse(body, &tag, NULL), ERR_CORRUPT);
        assert_null(tag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_ref_of_the_engine),
        cmocka_unit_test(renders_what_the_engine_renders),
        cmocka_unit_test(main_as_parent_is_null_or_absent),
        cmocka_unit_test(a_ref_that_does_not_parse_is_corrupt),
        cmocka_unit_test(a_ref_of_the_newer_layout_is_unsupported),
        cmocka_unit_test(a_branch_of_main_has_one_random_step),
        cmocka_unit_test(a_child_continues_its_parents_lineage),
        cmocka_unit_test(a_rendered_ref_reads_back),
        cmocka_unit_test(a_parent_without_lineage_is_refused),
        cmocka_unit_test(descent_follows_the_lineage),
        cmocka_unit_test(a_tag_reads_back),
        cmocka_unit_test(a_tag_of_main_renders_as_the_engine_does),
        cmocka_unit_test(a_tag_that_does_not_parse_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
