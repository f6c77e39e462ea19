#include "base/json_text.h"

#include <string.h>

#include "base/json_key_set.h"
#include "base/json_string.h"

struct checker {
    const char *text, *at, *end;
    unsigned depth;
    struct error *err;
};

static int check_value(struct checker *checker);

/* Fails at the current position; lines and columns (bytes) count from 1. */
static int fail_at(struct checker *checker, const char *reason)
{
    size_t line = 1;
    const char *line_start = checker->text;
    for (const char *at = checker->text; at < checker->at; at++) {
        if (*at == '\n') {
            line++;
            line_start = at + 1;
        }
    }
    return error_set(checker->err, ERR_CORRUPT, "invalid JSON at line %zu, column %zu: %s", line,
                     (size_t)(checker->at - line_start) + 1, reason);
}

static void skip_blanks(struct checker *checker)
{
    checker->at = json_skip_blanks(checker->at, checker->end);
}

/* The next character, or NUL at the end of the text. */
static char peek(const struct checker *checker)
{
    return checker->at < checker->end ? *checker->at : '\0';
}

static bool take_character(struct checker *checker, char character)
{
    if (checker->at == checker->end || *checker->at != character)
        return false;
    checker->at++;
    return true;
}

static bool is_digit_next(const struct checker *checker)
{
    return g_ascii_isdigit(peek(checker));
}

/* Four hexadecimal digits; -1 when there are none. */
static int take_hex4(struct checker *checker)
{
    int value = 0;
    if (checker->end - checker->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(checker->at[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    checker->at += 4;
    return value;
}

/* Checks the digits of an escape, behind its backslash and "u". */
static int check_unicode_escape(struct checker *checker)
{
    int high = take_hex4(checker);
    if (high < 0)
        return fail_at(checker, "\\u without four hexadecimal digits");
    if (high < 0xD800 || high > 0xDFFF)
        return 0;
    int low = -1;
    if (high <= 0xDBFF && take_character(checker, '\\') && take_character(checker, 'u'))
        low = take_hex4(checker);
    if (low < 0xDC00 || low > 0xDFFF)
        return fail_at(checker, "lone surrogate");
    return 0;
}

/* Encoding was checked for the whole text before. */
static int check_string(struct checker *checker)
{
    if (!take_character(checker, '"'))
        return fail_at(checker, "a string is expected");
    while (checker->at < checker->end) {
        if (take_character(checker, '"'))
            return 0;
        if ((unsigned char)*checker->at < 0x20)
            return fail_at(checker, "control character in a string");
        if (*checker->at++ != '\\')
            continue;
        if (take_character(checker, 'u')) {
            int code = check_unicode_escape(checker);
            if (code)
                return code;
        } else if (peek(checker) == '\0' || !strchr("\"\\/bfnrt", peek(checker)))
            return fail_at(checker, "unknown escape");
        else
            checker->at++;
    }
    return fail_at(checker, "the text ends within a string");
}

static int check_digits(struct checker *checker)
{
    if (!is_digit_next(checker))
        return fail_at(checker, "a digit is expected");
    while (is_digit_next(checker))
        checker->at++;
    return 0;
}

static int check_number(struct checker *checker)
{
    take_character(checker, '-');
    if (take_character(checker, '0')) {
        if (is_digit_next(checker))
            return fail_at(checker, "leading zero");
    } else {
        int code = check_digits(checker);
        if (code)
            return code;
    }
    if (take_character(checker, '.')) {
        int code = check_digits(checker);
        if (code)
            return code;
    }
    if (take_character(checker, 'e') || take_character(checker, 'E')) {
        if (!take_character(checker, '+'))
            take_character(checker, '-');
        return check_digits(checker);
    }
    return 0;
}

static int check_literal(struct checker *checker)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < G_N_ELEMENTS(literals); i++) {
        size_t length = strlen(literals[i]);
        if ((size_t)(checker->end - checker->at) >= length &&
            memcmp(checker->at, literals[i], length) == 0) {
            checker->at += length;
            return 0;
        }
    }
    if (checker->at == checker->end)
        return fail_at(checker, "the text ends where a value is expected");
    return fail_at(checker, "a value is expected");
}

static int check_member(struct checker *checker, struct json_key_set *keys)
{
    skip_blanks(checker);
    const char *key = checker->at + 1;
    int code = check_string(checker);
    if (code)
        return code;
    if (!json_key_set_add(keys, key, (size_t)(checker->at - 1 - key)))
        return fail_at(checker, "duplicate member");
    skip_blanks(checker);
    if (!take_character(checker, ':'))
        return fail_at(checker, "':' is expected");
    return check_value(checker);
}

/* After the opening character of an object (keys given) or an array (NULL). */
static int check_items(struct checker *checker, char closing, struct json_key_set *keys)
{
    skip_blanks(checker);
    if (take_character(checker, closing))
        return 0;
    for (;;) {
        int code = keys ? check_member(checker, keys) : check_value(checker);
        if (code)
            return code;
        skip_blanks(checker);
        if (take_character(checker, closing))
            return 0;
        if (!take_character(checker, ','))
            return fail_at(checker,
                           closing == '}' ? "',' or '}' is expected" : "',' or ']' is expected");
    }
}

static int check_object(struct checker *checker)
{
    struct json_key_set keys;
    json_key_set_init(&keys);
    int code = check_items(checker, '}', &keys);
    json_key_set_clear(&keys);
    return code;
}

/* Recursion is bounded by the nesting limit. */
static int check_value(struct checker *checker)
{
    skip_blanks(checker);
    char first = peek(checker);
    if (first == '"')
        return check_string(checker);
    if (first == '-' || g_ascii_isdigit(first))
        return check_number(checker);
    if (first != '{' && first != '[')
        return check_literal(checker);
    if (checker->depth == JSON_NESTING_LIMIT)
        return fail_at(checker, "nested too deeply");
    checker->depth++;
    checker->at++;
    int code = first == '{' ? check_object(checker) : check_items(checker, ']', NULL);
    checker->depth--;
    return code;
}

int json_check(const char *text, size_t length, struct error *err)
{
    struct checker checker = {.text = text, .at = text, .end = text + length, .err = err};
    const char *valid_end = text;
    /* A NUL stops this check like a bad sequence does; it is not valid anywhere in JSON. */
    if (length > 0 && !g_utf8_validate_len(text, length, &valid_end)) {
        checker.at = valid_end;
        return fail_at(&checker, *valid_end ? "invalid UTF-8" : "NUL character");
    }
    int code = check_value(&checker);
    if (code)
        return code;
    skip_blanks(&checker);
    return checker.at == checker.end ? 0 : fail_at(&checker, "text after the document");
}
