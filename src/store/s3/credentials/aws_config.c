#include "store/s3/credentials/aws_config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BLANKS " \t"

struct parser {
    const char *path;
    unsigned line;
    char *section;     /* NULL: before the first */
    char *parent;      /* the last setting, which deeper lines belong to; NULL: none yet */
    bool parent_empty; /* it has no value of its own, so what is below it are settings */
    size_t indentation;
    aws_config_visitor *visit;
    void *argument;
};

static int fail_line(const struct parser *parser, const char *what, struct error *err)
{
    return error_set(err, ERR_INVALID, "'%s': line %u %s", parser->path, parser->line, what);
}

/* Cuts blanks off the end, and gives the first character that is none. */
static char *trim(char *text)
{
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS "\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static bool starts_comment(char c)
{
    return c == '#' || c == ';';
}

/* A comment in a line starts behind a blank: a value may have '#' and ';' within. */
static void cut_comment(char *value)
{
    for (char *at = value; *at; at++) {
        if (starts_comment(*at) && (at == value || strchr(BLANKS, at[-1]))) {
            *at = '\0';
            return;
        }
    }
}

static void forget_parent(struct parser *parser)
{
    g_clear_pointer(&parser->parent, g_free);
}

/* "profile   "work"" becomes "profile work". */
static char *section_name(char *text)
{
    char *word = trim(text);
    size_t length = strcspn(word, BLANKS);
    if (word[length] == '\0')
        return g_strdup(word);
    char *rest = trim(word + length);
    size_t end = strlen(rest);
    if (end >= 2 && (rest[0] == '"' || rest[0] == '\'') && rest[end - 1] == rest[0]) {
        rest[end - 1] = '\0';
        rest++;
    }
    word[length] = '\0';
    return g_strconcat(word, " ", rest, NULL);
}

static int parse_section(struct parser *parser, char *line, struct error *err)
{
    char *end = strchr(line, ']');
    if (!end)
        return fail_line(parser, "starts a section, but has no ']'", err);
    const char *rest = end + 1 + strspn(end + 1, BLANKS);
    if (*rest != '\0' && !starts_comment(*rest))
        return fail_line(parser, "has something behind the ']' of its section", err);
    *end = '\0';
    g_free(parser->section);
    parser->section = section_name(line + 1);
    forget_parent(parser);
    return 0;
}

/* Splits at '='; NULL when there is none, or nothing but blanks before it. */
static char *split_setting(char *line, char **ret_value)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return NULL;
    *equals = '\0';
    cut_comment(equals + 1);
    *ret_value = trim(equals + 1);
    char *key = trim(line);
    return *key != '\0' ? key : NULL;
}

/* A line below a setting: a setting of its group, or more of its value, which none that matters
 * here has. */
static void parse_nested(const struct parser *parser, char *line)
{
    char *value;
    const char *key = parser->parent_empty ? split_setting(line, &value) : NULL;
    if (!key)
        return;
    g_autofree char *lower = g_ascii_strdown(key, -1);
    g_autofree char *name = g_strconcat(parser->parent, ".", lower, NULL);
    parser->visit(parser->argument, parser->section, name, value);
}

static int parse_setting(struct parser *parser, char *line, size_t indentation, struct error *err)
{
    char *value;
    const char *key = split_setting(line, &value);
    if (!key)
        return fail_line(parser, "is neither a section nor a setting", err);
    if (!parser->section)
        return fail_line(parser, "is a setting before the first section", err);
    forget_parent(parser);
    parser->parent = g_ascii_strdown(key, -1);
    parser->parent_empty = value[0] == '\0';
    parser->indentation = indentation;
    parser->visit(parser->argument, parser->section, parser->parent, value);
    return 0;
}

static int parse_line(struct parser *parser, char *line, struct error *err)
{
    size_t indentation = strspn(line, BLANKS);
    line = trim(line);
    if (*line == '\0' || starts_comment(*line))
        return 0;
    if (parser->parent && indentation > parser->indentation) {
        parse_nested(parser, line);
        return 0;
    }
    if (*line == '[')
        return parse_section(parser, line, err);
    return parse_setting(parser, line, indentation, err);
}

int aws_config_parse(char *text, const char *path, aws_config_visitor *visit, void *argument,
                     struct error *err)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    struct parser parser = {.path = path, .visit = visit, .argument = argument};
    if (g_str_has_prefix(text, byte_order_mark))
        text += strlen(byte_order_mark);
    int code = 0;
    for (char *line = text, *next; code == 0 && line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        parser.line++;
        code = parse_line(&parser, line, err);
    }
    forget_parent(&parser);
    g_free(parser.section);
    return code;
}

/* Up to `size` bytes. Returns their number, or -1 and errno. */
static ssize_t read_up_to(int fd, char *buffer, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t got = read(fd, buffer + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

static int read_and_parse(int fd, char *buffer, const char *path, aws_config_visitor *visit,
                          void *argument, struct error *err)
{
    ssize_t size = read_up_to(fd, buffer, AWS_CONFIG_LARGEST + 1);
    if (size < 0)
        return error_set_errno(err, errno, "reading '%s'", path);
    if (size > AWS_CONFIG_LARGEST)
        return error_set(err, ERR_INVALID, "'%s' is too large for a file of settings", path);
    buffer[size] = '\0';
    if (strlen(buffer) != (size_t)size)
        return error_set(err, ERR_INVALID, "'%s' is no text file", path);
    return aws_config_parse(buffer, path, visit, argument, err);
}

int aws_config_read(const char *path, aws_config_visitor *visit, void *argument, struct error *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "opening '%s'", path);
    size_t size = AWS_CONFIG_LARGEST + 2;
    char *buffer = g_malloc(size);
    int code = read_and_parse(fd, buffer, path, visit, argument, err);
    explicit_bzero(buffer, size);
    g_free(buffer);
    return code;
}
