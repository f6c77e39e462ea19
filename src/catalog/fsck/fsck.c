#include "catalog/fsck/fsck.h"

#include "catalog/format/documents.h"
#include "catalog/fsck/fsck_private.h"

/* What lies where, before the registry is read: an object of a fork that is created meanwhile then
 * has its entry. */
struct survey {
    struct store_set *set;
    struct store_request *overlays, *tombstones, *fork_files, *fork_wals, *registrations, *taggings;
    struct store_request *storage;
    struct store_request *metadata, *pointer, *schema, *legacy_schema, *allocator;
};

/* With temporary files; takes the prefix over. */
static struct store_request *list_all(struct survey *survey, char *prefix)
{
    struct store_request *request = store_set_add(survey->set, STORE_LIST, prefix);
    request->with_temporary = true;
    return request;
}

static int take_survey(struct fsck *fsck, struct survey *survey, struct error *err)
{
    const struct layout *layout = fsck->layout;
    survey->overlays = list_all(survey, layout_overlays_prefix(layout));
    survey->tombstones = list_all(survey, layout_tombstones_prefix(layout));
    survey->fork_files = list_all(survey, layout_forks_prefix(layout));
    survey->fork_wals = list_all(survey, layout_fork_wals_prefix(layout));
    survey->registrations = list_all(survey, layout_registrations_prefix(layout));
    survey->taggings = list_all(survey, layout_taggings_prefix(layout));
    g_autofree char *storage = layout_datasets_prefix(layout);
    survey->storage = store_set_list_shallow(survey->set, storage);
    /* Temporary files of the registry are called "registry#digits". */
    survey->metadata = list_all(survey, layout_registry_key(layout));
    survey->pointer = store_set_add(survey->set, STORE_HEAD, layout_snapshot_pointer_key(layout));
    survey->schema = store_set_add(survey->set, STORE_HEAD, layout_schema_key(layout));
    survey->legacy_schema =
        store_set_add(survey->set, STORE_HEAD, layout_legacy_schema_key(layout));
    survey->allocator = store_set_add(survey->set, STORE_GET, layout_allocator_key(layout));
    return fsck_run(fsck, survey->set, "looking at the catalog", err);
}

/* Reads the registry. *ret_usable is false when it does not parse. */
static int read_registry(struct fsck *fsck, bool *ret_usable, bool *ret_exists, struct error *err)
{
    g_autofree char *key = layout_registry_key(fsck->layout);
    auto_store_set struct store_set *set = store_set_new();
    struct store_request *request = store_set_get(set, key);
    struct error problem;
    int code = fsck_run(fsck, set, "reading the registry", err);
    if (code == 0) {
        const struct store_answer *answer = &request->answer;
        *ret_exists = answer->code == 0;
        *ret_usable = registry_parse(answer->body, answer->etag, answer->modified_ns, NULL,
                                     &fsck->registry, &problem) == 0;
        if (!*ret_usable)
            fsck_find(fsck, FSCK_ERROR, "%s: %s", key, problem.text);
    }
    return code;
}

static bool looks_like_a_database(const struct survey *survey)
{
    const GPtrArray *rows = survey->storage->answer.objects;
    for (guint i = 0; i < rows->len; i++)
        if (g_str_has_suffix(((const struct store_object *)rows->pdata[i])->key, ".lance/"))
            return true;
    return survey->pointer->answer.code == 0 || survey->schema->answer.code == 0 ||
           survey->legacy_schema->answer.code == 0;
}

static void check_intents(struct fsck *fsck, const GPtrArray *rows, const char *what)
{
    for (guint i = 0; i < rows->len; i++)
        fsck_find(fsck, FSCK_UNFINISHED, "%s: %s was not finished",
                  ((const struct store_object *)rows->pdata[i])->key, what);
}

/* Absent is right without rows, and in the bucket of a hybrid database. */
static void check_allocator(struct fsck *fsck, const struct store_request *request)
{
    struct allocator allocator;
    struct error problem;
    if (allocator_parse(request->answer.body, &allocator, &problem) != 0)
        fsck_find(fsck, FSCK_ERROR, "the allocator %s does not parse: %s", request->key,
                  problem.text);
}

static int check_against_registry(struct fsck *fsck, const struct survey *survey, struct error *err)
{
    g_autofree char *forks = layout_forks_prefix(fsck->layout);
    g_autofree char *wals = layout_fork_wals_prefix(fsck->layout);
    fsck_check_entries(fsck);
    fsck_check_overlays(fsck, survey->overlays->answer.objects);
    fsck_check_fork_files(fsck, forks, survey->fork_files->answer.objects);
    fsck_check_fork_files(fsck, wals, survey->fork_wals->answer.objects);
    check_intents(fsck, survey->registrations->answer.objects, "a registration of datasets");
    check_intents(fsck, survey->taggings->answer.objects, "making or removing a tag");
    fsck_check_temporary(fsck, survey->metadata->answer.objects);
    check_allocator(fsck, survey->allocator);
    int code = fsck_check_tombstones(fsck, survey->tombstones->answer.objects, err);
    if (code == 0)
        code = fsck_check_fork_documents(fsck, err);
    if (code == 0)
        code = fsck_check_kept(fsck, survey->storage, err);
    if (code == 0)
        code = fsck_check_branches(fsck, survey->storage->answer.objects, err);
    return code;
}

static int check_survey(struct fsck *fsck, struct survey *survey, struct error *err)
{
    bool usable, exists;
    int code = take_survey(fsck, survey, err);
    if (code == 0)
        code = read_registry(fsck, &usable, &exists, err);
    if (code != 0)
        return code;
    if (!exists && !looks_like_a_database(survey))
        return error_set(err, ERR_NOT_FOUND,
                         "no Uni database: neither registry nor schema nor any dataset exists");
    return usable ? check_against_registry(fsck, survey, err) : 0;
}

int catalog_fsck(struct store *store, const struct layout *layout, struct operation *operation,
                 GPtrArray **ret_findings, struct error *err)
{
    struct fsck fsck = {
        .store = store,
        .layout = layout,
        .operation = operation,
        .findings = g_ptr_array_new_with_free_func(fsck_finding_free),
        .lost = g_ptr_array_new_with_free_func((GDestroyNotify)fork_entry_unref),
    };
    struct survey survey = {.set = store_set_new()};
    int code = check_survey(&fsck, &survey, err);
    store_set_unref(survey.set);
    registry_unref(fsck.registry);
    g_ptr_array_unref(fsck.lost);
    g_clear_pointer(&fsck.places, g_ptr_array_unref);
    if (code == 0)
        *ret_findings = fsck.findings;
    else
        g_ptr_array_unref(fsck.findings);
    return code;
}
