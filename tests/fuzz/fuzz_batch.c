/*
 * The file `batch`: a line is one change or none, and gets one line in answer, whatever is in it
 * and in how many pieces it was written.
 *
 * The catalog is replaced by one that looks at the changes and refuses every other one
 * (-Wl,--wrap=catalog_change_telling).
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "fs/content/batch.h"
#include "fs/tree/entry_name.h"

static size_t changes_seen;

void __wrap_catalog_change_telling(struct catalog *catalog, struct change *changes, size_t count,
                                   struct operation *operation, change_observer *observer,
                                   void *argument);
void __wrap_catalog_change_telling(struct catalog *catalog, struct change *changes, size_t count,
                                   struct operation *operation, change_observer *observer,
                                   void *argument)
{
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &changes[i];
        HOLDS(change->name ? !change->expected_id : change->expected_id != NULL);
        HOLDS(change->name || change->kind == CHANGE_DROP);
        HOLDS(change->kind == CHANGE_CREATE || !change->parent);
        if (i % 2 == 1)
            error_set(&changes[i].error, ERR_EXISTS, "'%s' is there", change->name);
        observer(argument, change);
    }
    changes_seen += count;
}

/* ---- One line ---- */

static void append_word(GString *line, const char *before, const char *key)
{
    char name[ENTRY_NAME_SIZE];
    entry_name_encode(key, name);
    g_auto(GStrv) pieces = g_strsplit(name, " ", -1);
    g_autofree char *word = g_strjoinv("%20", pieces);
    g_string_append_printf(line, " %s%s", before, word);
}

/* A line that says the same, in one of the ways to say it. */
static char *line_of(const struct batch_line *line)
{
    g_autoptr(GString) text = g_string_new(line->kind == CHANGE_CREATE ? "create" : "drop");
    if (line->key)
        append_word(text, "", line->key);
    else
        g_string_append_printf(text, " %%%s", line->id.text);
    if (line->parent)
        append_word(text, "parent=", line->parent);
    if (line->expiry == EXPIRY_NONE)
        g_string_append(text, " ttl=none");
    else if (line->expiry == EXPIRY_SECONDS)
        g_string_append_printf(text, " ttl=%" G_GUINT64_FORMAT, line->ttl_seconds);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void check_same(const struct batch_line *line)
{
    struct batch_line again;
    g_autofree char *text = line_of(line);
    /* What was written with blanks or other bytes that words cannot hold has another form. */
    batch_line_parse(text, strlen(text), &again);
    HOLDS(again.error.code == 0 && again.kind == line->kind);
    HOLDS(g_strcmp0(again.key, line->key) == 0 && g_strcmp0(again.parent, line->parent) == 0);
    HOLDS(line->key || ulid_equal(&again.id, &line->id));
    HOLDS(again.expiry == line->expiry && again.ttl_seconds == line->ttl_seconds);
    batch_line_clear(&again);
}

/* Returns how many answers the line gets. */
static size_t check_line(const char *text, size_t length, size_t *changes)
{
    struct batch_line line;
    batch_line_parse(text, length, &line);
    const bool is_change = line.error.code == 0 && !line.is_blank;
    const size_t answers = line.is_blank ? 0 : 1;
    HOLDS(line.word && line.word[0]);
    HOLDS(!is_change || line.is_command);
    HOLDS(!is_change || line.key || line.kind == CHANGE_DROP);
    HOLDS(!line.key || strlen(line.key) <= FORK_NAME_MAX);
    HOLDS(!line.parent || strlen(line.parent) <= FORK_NAME_MAX);
    if (is_change)
        check_same(&line);
    *changes += is_change ? 1 : 0;
    batch_line_clear(&line);
    return answers;
}

/* ---- The file ---- */

static GString *read_answers(struct batch *batch)
{
    GString *answers = g_string_new(NULL);
    char buffer[7];
    for (size_t got; (got = batch_read(batch, buffer, sizeof buffer)) > 0;)
        g_string_append_len(answers, buffer, (gssize)got);
    return answers;
}

/* The answers to what is written in two pieces, cut at `cut`. */
static GString *carry_out(const char *data, size_t size, size_t cut)
{
    auto_operation struct operation operation;
    struct batch *batch = batch_new(NULL);
    operation_init(&operation, -1);
    HOLDS(batch_write(batch, data, cut, NULL) == 0);
    HOLDS(batch_write(batch, data + cut, size - cut, NULL) == 0);
    HOLDS(batch_run(batch, NULL, NULL, NULL, &operation, NULL, NULL) == 0);
    HOLDS(!batch_has_work(batch));
    GString *answers = read_answers(batch);
    batch_unref(batch);
    return answers;
}

static size_t count_answers(const GString *answers)
{
    size_t count = 0;
    for (const char *at = answers->str, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        HOLDS(end);
        HOLDS(g_str_has_prefix(at, "ok ") || g_str_has_prefix(at, "error "));
        for (const char *c = at; c < end; c++)
            HOLDS(!g_ascii_iscntrl(*c));
        count++;
    }
    HOLDS(strlen(answers->str) == answers->len && g_utf8_validate(answers->str, -1, NULL));
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end;
    size_t answers = 0, changes = 0, left = size;
    if (size > BATCH_BYTES_WAITING)
        return 0;
    for (const char *at = text; left > 0 && (end = memchr(at, '\n', left)); at = end + 1) {
        answers += check_line(at, (size_t)(end - at), &changes);
        left -= (size_t)(end + 1 - at);
    }
    changes_seen = 0;
    g_autoptr(GString) whole = carry_out(text, size, 0);
    HOLDS(changes_seen == changes && count_answers(whole) == answers);
    g_autoptr(GString) pieces = carry_out(text, size, size / 2);
    HOLDS(g_string_equal(whole, pieces));
    return 0;
}
