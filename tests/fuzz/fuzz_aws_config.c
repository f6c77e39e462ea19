/*
 * The files of AWS tools: the settings of a text, written down plainly, are the settings of that
 * text.
 */
#include "fuzz/fuzz.h"

#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "store/s3/credentials/aws_config.h"

#define PATH "/home/x/.aws/config"

/* Three texts for each: section, key, value. */
static void keep(void *argument, const char *section, const char *key, const char *value)
{
    GPtrArray *settings = argument;
    HOLDS(section && key && value);
    HOLDS(!strpbrk(section, "]\n") && !strpbrk(key, "=\n") && !strchr(value, '\n'));
    g_ptr_array_add(settings, g_strdup(section));
    g_ptr_array_add(settings, g_strdup(key));
    g_ptr_array_add(settings, g_strdup(value));
}

static int parse(const char *text, GPtrArray *settings)
{
    g_autofree char *copy = g_strdup(text);
    struct error error = {0};
    int code = aws_config_parse(copy, PATH, keep, settings, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    HOLDS(code == 0 || g_str_has_prefix(error.text, "'" PATH "': line "));
    return code;
}

/* One setting to a section. */
static char *plain_text(const GPtrArray *settings)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < settings->len; i += 3)
        g_string_append_printf(text, "[%s]\n%s = %s\n", (char *)settings->pdata[i],
                               (char *)settings->pdata[i + 1], (char *)settings->pdata[i + 2]);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) again = g_ptr_array_new_with_free_func(g_free);
    /* A section's name may keep blanks and quotes by quotes around it, which are taken off. */
    if (parse(text, settings) || strpbrk(text, "\"'"))
        return 0;
    g_autofree char *plain = plain_text(settings);
    HOLDS(parse(plain, again) == 0);
    HOLDS(again->len == settings->len);
    for (guint i = 0; i < settings->len; i++)
        HOLDS(strcmp(settings->pdata[i], again->pdata[i]) == 0);
    return 0;
}
