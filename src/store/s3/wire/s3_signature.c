#include "store/s3/wire/s3_signature.h"

#include <stdint.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DIGEST_SIZE 32
#define TIME_SIZE sizeof "20130524T000000Z"
#define DATE_LENGTH 8 /* of a time: "20130524" */

/* ---- Headers ---- */

static void header_clear(void *data)
{
    struct s3_header *header = data;
    g_free(header->value);
}

GArray *s3_headers_new(void)
{
    GArray *headers = g_array_new(FALSE, FALSE, sizeof(struct s3_header));
    g_array_set_clear_func(headers, header_clear);
    return headers;
}

void s3_headers_add(GArray *headers, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct s3_header header = {.name = name, .value = g_strdup_vprintf(format, arguments)};
    va_end(arguments);
    g_array_append_val(headers, header);
}

static int compare_headers(const void *a, const void *b)
{
    const struct s3_header *header_a = a;
    const struct s3_header *header_b = b;
    return strcmp(header_a->name, header_b->name);
}

/* ---- The canonical request ---- */

/* Appends a value without blanks around it, and with one blank where there are several. */
static void append_canonical_value(GString *to, const char *value)
{
    g_auto(GStrv) words = g_strsplit_set(value, " \t", -1);
    const char *separator = "";
    for (char **word = words; *word; word++) {
        if (!**word)
            continue;
        g_string_append_printf(to, "%s%s", separator, *word);
        separator = " ";
    }
}

static char *join_names(const GArray *headers)
{
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < headers->len; i++)
        g_string_append_printf(names, "%s%s", i ? ";" : "",
                               g_array_index(headers, struct s3_header, i).name);
    return g_string_free(names, FALSE);
}

/* SHA-256 of the request as every party to it writes it, in hex. */
static char *hash_request(const struct s3_signing *signing, const GArray *headers,
                          const char *signed_names)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "%s\n%s\n%s\n", signing->method, signing->path, signing->query);
    for (guint i = 0; i < headers->len; i++) {
        const struct s3_header *header = &g_array_index(headers, struct s3_header, i);
        g_string_append_printf(text, "%s:", header->name);
        append_canonical_value(text, header->value);
        g_string_append_c(text, '\n');
    }
    g_string_append_printf(text, "\n%s\n%s", signed_names, signing->payload_hash);
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text->str, text->len);
}

/* ---- The signature ---- */

/* `result` may be the key. */
static void authenticate(const uint8_t *key, size_t key_size, const char *text,
                         uint8_t result[static DIGEST_SIZE])
{
    GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, key, key_size);
    gsize size = DIGEST_SIZE;
    g_hmac_update(hmac, (const guchar *)text, (gssize)strlen(text));
    g_hmac_get_digest(hmac, result, &size);
    g_hmac_unref(hmac);
}

/* A key that is good for a day, a region, and S3. */
static void derive_key(const struct s3_signing *signing, const char *date,
                       uint8_t key[static DIGEST_SIZE])
{
    char *secret = g_strconcat("AWS4", signing->credentials->secret_key, NULL);
    authenticate((const uint8_t *)secret, strlen(secret), date, key);
    secret_free(secret);
    authenticate(key, DIGEST_SIZE, signing->region, key);
    authenticate(key, DIGEST_SIZE, "s3", key);
    authenticate(key, DIGEST_SIZE, "aws4_request", key);
}

/* The signature in hexadecimal digits. */
static char *compute_signature(const struct s3_signing *signing, const char *date, const char *text)
{
    uint8_t key[DIGEST_SIZE];
    derive_key(signing, date, key);
    char *signature = g_compute_hmac_for_data(G_CHECKSUM_SHA256, key, sizeof key,
                                              (const guchar *)text, strlen(text));
    explicit_bzero(key, sizeof key);
    return signature;
}

static void format_time(time_t now, char text[static TIME_SIZE])
{
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, TIME_SIZE, "%Y%m%dT%H%M%SZ", &parts);
}

void s3_sign(const struct s3_signing *signing, GArray *headers)
{
    const struct s3_credentials *credentials = signing->credentials;
    char now[TIME_SIZE] = "";
    format_time(signing->now, now);
    s3_headers_add(headers, "x-amz-content-sha256", "%s", signing->payload_hash);
    s3_headers_add(headers, "x-amz-date", "%s", now);
    if (credentials->session_token)
        s3_headers_add(headers, "x-amz-security-token", "%s", credentials->session_token);
    g_array_sort(headers, compare_headers);

    g_autofree char *date = g_strndup(now, DATE_LENGTH);
    g_autofree char *scope = g_strdup_printf("%s/%s/s3/aws4_request", date, signing->region);
    g_autofree char *names = join_names(headers);
    g_autofree char *hash = hash_request(signing, headers, names);
    g_autofree char *text = g_strdup_printf(ALGORITHM "\n%s\n%s\n%s", now, scope, hash);
    g_autofree char *signature = compute_signature(signing, date, text);
    s3_headers_add(headers, "authorization",
                   ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                   credentials->access_key, scope, names, signature);
}
