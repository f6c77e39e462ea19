#include "catalog/uni/wal_check.h"

#include <stdarg.h>

#include "catalog/uni/wal_segment.h"

/* So many segments are looked into. At rest there is one at most; many are left when Uni was killed
 * between a flush and the deletion of what was flushed, or before the flush. */
#define SEGMENTS_MAX 64
/* So many are read before the others: the newest one is a seal, or unflushed. */
#define READ_FIRST 4
/* What is larger holds mutations. Its content is not needed to say so. */
#define SEGMENT_SIZE_MAX (256 * 1024)

struct wal_look {
    const struct store_object *object; /* of the listing's */
    uint64_t number;
    bool is_known;
    enum wal_segment_content content;
    struct error problem; /* why it is unreadable */
    const struct store_request *request;
};

/* ---- What is said ---- */

/* `found`: what was found in the log. */
static int refuse_segments(const struct wal_check *check, struct error *err, const char *found, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse_segments(const struct wal_check *check, struct error *err, const char *found, ...)
{
    va_list arguments;
    va_start(arguments, found);
    g_autofree char *text = g_strdup_vprintf(found, arguments);
    va_end(arguments);
    if (!check->fork)
        return error_set(
            err, ERR_UNCLEAN,
            "the database was not cleanly closed: %s; open and close it with Uni first", text);
    return error_set(err, ERR_UNCLEAN,
                     "fork '%s' was not flushed: %s; flush the fork with Uni first "
                     "(session.fork(\"%s\").build().flush()), opening and closing is not enough",
                     check->fork, text, check->fork);
}

/* Judges one segment, as far as can be told. */
static int judge_segment(const struct wal_check *check, const struct wal_look *look,
                         const uint64_t *mark, struct error *err)
{
    if (!look->is_known || look->content == WAL_SEGMENT_EMPTY)
        return 0;
    if (look->content == WAL_SEGMENT_UNREADABLE)
        return refuse_segments(check, err, "unreadable WAL segment %s (%s)", look->object->key,
                               look->problem.text);
    if (look->content == WAL_SEGMENT_NUMBERED && (!mark || look->number <= *mark))
        return 0;
    return refuse_segments(check, err, "unflushed WAL segment %s", look->object->key);
}

static int judge_all(const struct wal_check *check, const uint64_t *mark, struct error *err)
{
    int code = 0;
    for (guint i = 0; code == 0 && i < check->segments->len; i++)
        code = judge_segment(check, g_ptr_array_index(check->segments, i), mark, err);
    return code;
}

/* ---- Reading ---- */

static void look_up(const struct wal_check *check, struct wal_look *look)
{
    const struct store_object *object = look->object;
    if (object->size > SEGMENT_SIZE_MAX) {
        look->is_known = true;
        look->content = WAL_SEGMENT_UNNUMBERED; /* by whom it is, is not read */
    } else {
        look->is_known =
            wal_segment_cache_find(check->cache, object->key, object->etag, &look->content);
    }
}

static int add_segment(struct wal_check *check, const struct store_object *object,
                       struct error *err)
{
    if (!wal_segment_is_one(object->key))
        return 0;
    uint64_t number;
    if (!wal_segment_number(object->key, &number))
        return refuse_segments(check, err, "WAL segment %s has a strange name", object->key);
    struct wal_look *look = g_new0(struct wal_look, 1);
    look->object = object;
    look->number = number;
    look_up(check, look);
    g_ptr_array_insert(check->segments, 0, look);
    return 0;
}

/* Asks for those of the `count` newest segments that are not known. */
static void ask_for_segments(struct wal_check *check, guint count, struct store_set *set)
{
    for (guint i = 0; i < MIN(count, check->segments->len); i++) {
        struct wal_look *look = g_ptr_array_index(check->segments, i);
        if (!look->is_known)
            look->request = store_set_get(set, look->object->key);
    }
}

static int take_answer(struct wal_check *check, struct wal_look *look, struct error *err)
{
    const struct store_answer *answer = &look->request->answer;
    look->request = NULL;
    if (answer->code) /* absent: nothing else passes as an answer */
        return error_set(err, ERR_CONTENDED,
                         "WAL segment %s went away while it was being read: Uni is at work",
                         look->object->key);
    look->content = wal_segment_read(answer->body, look->number, &look->problem);
    look->is_known = true;
    if (look->content != WAL_SEGMENT_UNREADABLE && g_strcmp0(answer->etag, look->object->etag) == 0)
        wal_segment_cache_keep(check->cache, look->object->key, look->object->etag, look->content);
    return 0;
}

static int take_answers(struct wal_check *check, struct error *err)
{
    int code = 0;
    for (guint i = 0; code == 0 && i < check->segments->len; i++) {
        struct wal_look *look = g_ptr_array_index(check->segments, i);
        if (look->request)
            code = take_answer(check, look, err);
    }
    return code;
}

/* ---- The steps ---- */

int wal_check_begin(struct wal_check *check, const struct store_request *listing,
                    struct wal_segment_cache *cache, const char *fork, struct store_set *set,
                    struct error *err)
{
    const GPtrArray *objects = listing->answer.objects;
    *check = (struct wal_check){.cache = cache, .fork = fork};
    check->segments = g_ptr_array_new_with_free_func(g_free);
    int code = 0;
    for (guint i = 0; code == 0 && i < objects->len; i++)
        code = add_segment(check, g_ptr_array_index(objects, i), err);
    if (code == 0)
        code = judge_all(check, NULL, err);
    if (code == 0 && check->segments->len > SEGMENTS_MAX) {
        const struct wal_look *newest = g_ptr_array_index(check->segments, 0);
        code = refuse_segments(check, err, "%u WAL segments, up to %s", check->segments->len,
                               newest->object->key);
    }
    if (code == 0)
        ask_for_segments(check, READ_FIRST, set);
    return code;
}

int wal_check_go_on(struct wal_check *check, const uint64_t *mark, struct store_set *set,
                    struct error *err)
{
    if (!check->segments)
        return 0;
    int code = take_answers(check, err);
    if (code == 0)
        code = judge_all(check, mark, err);
    if (code == 0)
        ask_for_segments(check, check->segments->len, set);
    return code;
}

bool wal_check_needs_mark(const struct wal_check *check)
{
    for (guint i = 0; check->segments && i < check->segments->len; i++) {
        const struct wal_look *look = g_ptr_array_index(check->segments, i);
        if (!look->is_known || look->content == WAL_SEGMENT_NUMBERED)
            return true;
    }
    return false;
}

int wal_check_end(struct wal_check *check, uint64_t mark, struct error *err)
{
    if (!check->segments)
        return 0;
    int code = take_answers(check, err);
    return code ? code : judge_all(check, &mark, err);
}

void wal_check_clear(struct wal_check *check)
{
    if (check->segments)
        g_ptr_array_unref(check->segments);
    *check = (struct wal_check){0};
}
