#include "fs/content/batch_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/entry_name.h"

static int decode_name(const char *word, char **ret, struct error *err)
{
    g_auto(GStrv) pieces = g_strsplit(word, "%20", -1);
    g_autofree char *name = g_strjoinv(" ", pieces);
    return entry_name_decode(name, ret, err);
}

static int parse_seconds(const char *text, uint64_t *ret, struct error *err)
{
    errno = 0;
    char *end;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (!g_ascii_isdigit(text[0]) || *end != '\0' || errno == ERANGE)
        return error_set(err, ERR_INVALID, "ttl=%.100s: a number of seconds, or none", text);
    *ret = seconds;
    return 0;
}

static int take_parent(struct batch_line *line, const char *value)
{
    if (line->parent)
        return error_set(&line->error, ERR_INVALID, "parent= is given twice");
    return decode_name(value, &line->parent, &line->error);
}

static int take_ttl(struct batch_line *line, const char *value)
{
    if (line->expiry != EXPIRY_DEFAULT)
        return error_set(&line->error, ERR_INVALID, "ttl= is given twice");
    line->expiry = strcmp(value, "none") == 0 ? EXPIRY_NONE : EXPIRY_SECONDS;
    return line->expiry == EXPIRY_NONE ? 0 : parse_seconds(value, &line->ttl_seconds, &line->error);
}

static int take_argument(struct batch_line *line, const char *word)
{
    if (line->kind == CHANGE_CREATE && g_str_has_prefix(word, "parent="))
        return take_parent(line, word + strlen("parent="));
    if (line->kind == CHANGE_CREATE && g_str_has_prefix(word, "ttl="))
        return take_ttl(line, word + strlen("ttl="));
    return error_set(&line->error, ERR_INVALID, "unexpected '%.100s' (blanks in names are %%20)",
                     word);
}

/* A fork whose key breaks the rules appears as '%' and its id. */
static bool take_id(struct batch_line *line)
{
    const char *word = line->word;
    return line->kind == CHANGE_DROP && word[0] == '%' &&
           ulid_parse(word + 1, strlen(word + 1), &line->id);
}

/* Fills the line from its words: command, name, arguments. */
static int take_words(struct batch_line *line, char **words)
{
    if (strcmp(words[0], "create") == 0)
        line->kind = CHANGE_CREATE;
    else if (strcmp(words[0], "drop") == 0)
        line->kind = CHANGE_DROP;
    else
        return error_set(&line->error, ERR_INVALID, "unknown command '%.100s'", words[0]);
    line->is_command = true;
    if (!words[1])
        return error_set(&line->error, ERR_INVALID, "%s needs the name of a fork", words[0]);
    int code = take_id(line) ? 0 : decode_name(line->word, &line->key, &line->error);
    for (words += 2; code == 0 && *words; words++)
        code = take_argument(line, *words);
    return code;
}

/* The words of a text, NULL-terminated; they belong to the array. */
static GPtrArray *split_words(const char *text)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    for (;;) {
        text += strspn(text, " \t");
        if (*text == '\0')
            break;
        size_t length = strcspn(text, " \t");
        g_ptr_array_add(words, g_strndup(text, length));
        text += length;
    }
    g_ptr_array_add(words, NULL);
    return words;
}

void batch_line_parse(const char *text, size_t length, struct batch_line *ret)
{
    *ret = (struct batch_line){.expiry = EXPIRY_DEFAULT};
    if (length > BATCH_LINE_LONGEST || memchr(text, '\0', length)) {
        ret->word = g_strdup("-");
        error_set(&ret->error, ERR_INVALID,
                  length > BATCH_LINE_LONGEST ? "the line has more than %d bytes"
                                              : "the line holds a NUL",
                  BATCH_LINE_LONGEST);
        return;
    }
    g_autofree char *copy = g_strndup(text, length);
    g_autoptr(GPtrArray) array = split_words(copy);
    char **words = (char **)array->pdata;
    ret->is_blank = !words[0];
    ret->word = g_strdup(words[0] && words[1] ? words[1] : "-");
    if (!ret->is_blank)
        take_words(ret, words);
}

void batch_line_clear(struct batch_line *line)
{
    g_free(line->word);
    g_free(line->key);
    g_free(line->parent);
}
