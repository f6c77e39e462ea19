#include "store/s3/wire/s3_endpoint.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#include "base/printable.h"

#define SCHEME "s3://"
#define DEFAULT_REGION "us-east-1"

/* ---- The catalog's URL ---- */

bool s3_url_is(const char *catalog)
{
    return g_ascii_strncasecmp(catalog, SCHEME, strlen(SCHEME)) == 0;
}

static bool is_address(const char *name)
{
    struct in_addr address;
    return inet_pton(AF_INET, name, &address) == 1;
}

/* Also the names of old buckets and of servers other than AWS, which may be longer, and may have
 * upper case and underscores. Returns what is wrong, NULL: nothing. */
static const char *bucket_problem(const char *bucket)
{
    size_t length = strlen(bucket);
    if (!length)
        return "the bucket is missing";
    if (strspn(bucket, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-") != length)
        return "a bucket's name has letters, digits, '.', '-' and '_' only";
    if (length < 3 || length > 255)
        return "a bucket's name has 3 to 255 characters";
    if (!g_ascii_isalnum(bucket[0]) || !g_ascii_isalnum(bucket[length - 1]))
        return "a bucket's name starts and ends with a letter or digit";
    if (strstr(bucket, ".."))
        return "a bucket's name has no two dots in a row";
    if (is_address(bucket))
        return "a bucket's name is not an address";
    return NULL;
}

static const char *prefix_problem(const char *prefix)
{
    if (!g_utf8_validate(prefix, -1, NULL) || !printable_is(prefix))
        return "the prefix is not plain UTF-8 text";
    g_auto(GStrv) segments = g_strsplit(prefix, "/", -1);
    for (char **segment = segments; *segment; segment++) {
        bool last = !segment[1];
        if (!**segment && !last)
            return "the prefix has an empty segment";
        if (strcmp(*segment, ".") == 0 || strcmp(*segment, "..") == 0)
            return "the prefix has a segment \".\" or \"..\"";
    }
    return NULL;
}

/* A bad URL as a message may show it: neither a password nor a token. */
static char *showable(const char *url)
{
    return strchr(url, '@') ? g_strdup("...@...") : g_strndup(url, strcspn(url, "?#"));
}

/* `authority` is what stands between "s3://" and the next slash. */
static const char *url_problem(const char *url, const char *authority, const char *prefix)
{
    if (strchr(authority, '@'))
        return "user and password do not belong into it";
    if (strpbrk(url, "?#"))
        return "'?' and '#' do not belong into it";
    const char *problem = bucket_problem(authority);
    return problem ? problem : prefix_problem(prefix);
}

int s3_url_parse(const char *url, char **ret_bucket, char **ret_prefix, struct error *err)
{
    *ret_bucket = NULL;
    *ret_prefix = NULL;
    if (!s3_url_is(url))
        return error_set(err, ERR_INVALID, "not of the form s3://bucket[/prefix]");
    const char *rest = url + strlen(SCHEME);
    size_t length = strcspn(rest, "/");
    g_autofree char *authority = g_strndup(rest, length);
    const char *prefix = rest[length] ? rest + length + 1 : "";
    const char *problem = url_problem(rest, authority, prefix);
    if (problem) {
        g_autofree char *shown = showable(url);
        return error_set(err, ERR_INVALID, "%s: %s", shown, problem);
    }
    *ret_bucket = g_steal_pointer(&authority);
    bool closed = !*prefix || g_str_has_suffix(prefix, "/");
    *ret_prefix = closed ? g_strdup(prefix) : g_strconcat(prefix, "/", NULL);
    return 0;
}

/* ---- The endpoint ---- */

static const char *host_problem(const char *host)
{
    if (!*host)
        return "the host is missing";
    if (*host == '[') {
        struct in6_addr address;
        g_autofree char *inner = g_strndup(host + 1, strlen(host) - 2);
        return inet_pton(AF_INET6, inner, &address) == 1 ? NULL : "the address is none of IPv6";
    }
    if (strspn(host, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-") != strlen(host))
        return "the host's name is not valid";
    if (*host == '.' || strstr(host, ".."))
        return "the host's name is not valid";
    return NULL;
}

static const char *parse_port(struct s3_endpoint *endpoint, const char *text)
{
    guint64 port;
    if (!g_ascii_string_to_unsigned(text, 10, 1, 65535, &port, NULL))
        return "the port is not a number from 1 to 65535";
    /* Clients leave the protocol's own port out of the Host header, which is signed. */
    endpoint->port = port == (endpoint->https ? 443 : 80) ? 0 : (unsigned)port;
    return NULL;
}

/* "host[:port]" */
static const char *parse_host(struct s3_endpoint *endpoint, const char *text)
{
    const char *end = *text == '[' ? strchr(text, ']') : text + strcspn(text, ":");
    if (!end)
        return "the address lacks its ']'";
    if (*end == ']')
        end++;
    if (*end && *end != ':')
        return "what follows the address is no port";
    g_autofree char *host = g_strndup(text, (size_t)(end - text));
    endpoint->host = g_ascii_strdown(host, -1);
    const char *problem = host_problem(endpoint->host);
    if (problem || !*end)
        return problem;
    return parse_port(endpoint, end + 1);
}

static const char *parse_endpoint(struct s3_endpoint *endpoint, const char *url)
{
    const char *rest;
    if (g_ascii_strncasecmp(url, "https://", 8) == 0) {
        endpoint->https = true;
        rest = url + 8;
    } else if (g_ascii_strncasecmp(url, "http://", 7) == 0) {
        rest = url + 7;
    } else {
        return "it starts with neither http:// nor https://";
    }
    if (strchr(rest, '@'))
        return "user and password do not belong into it";
    size_t length = strcspn(rest, "/?#");
    if (rest[length] && strcmp(rest + length, "/") != 0)
        return "it has more than a host and a port";
    g_autofree char *authority = g_strndup(rest, length);
    return parse_host(endpoint, authority);
}

/* The host that AWS has in a region. */
static char *aws_host(const char *region)
{
    const char *top = g_str_has_prefix(region, "cn-") ? ".cn" : "";
    return g_strdup_printf("s3.%s.amazonaws.com%s", region, top);
}

static bool host_is_aws(const char *host)
{
    return g_str_has_suffix(host, ".amazonaws.com") || g_str_has_suffix(host, ".amazonaws.com.cn");
}

/* Whether "bucket.host" can be a host's name, and, with https, one that a certificate for "*.host"
 * is good for. */
static bool can_be_virtual_host(const struct s3_endpoint *endpoint)
{
    const char *bucket = endpoint->bucket;
    if (endpoint->host[0] == '[' || is_address(endpoint->host))
        return false;
    if (strspn(bucket, G_CSET_a_2_z G_CSET_DIGITS ".-") != strlen(bucket) || strlen(bucket) > 63)
        return false;
    if (strstr(bucket, ".-") || strstr(bucket, "-."))
        return false;
    return !endpoint->https || !strchr(bucket, '.');
}

static bool region_is_valid(const char *region, bool as_host)
{
    const char *allowed =
        as_host ? G_CSET_a_2_z G_CSET_DIGITS "-" : G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-";
    size_t length = strlen(region);
    return length > 0 && length <= 63 && strspn(region, allowed) == length;
}

int s3_endpoint_init(struct s3_endpoint *endpoint, const char *url, const char *region,
                     const char *bucket, bool path_style, struct error *err)
{
    *endpoint = (struct s3_endpoint){.region = g_strdup(region ? region : DEFAULT_REGION),
                                     .bucket = g_strdup(bucket)};
    if (!region_is_valid(endpoint->region, !url))
        return error_set(err, ERR_INVALID, "region \"%s\": not a region's name", endpoint->region);
    const char *problem = bucket_problem(bucket);
    if (problem)
        return error_set(err, ERR_INVALID, "bucket \"%s\": %s", bucket, problem);
    if (url) {
        problem = parse_endpoint(endpoint, url);
        if (problem) {
            g_autofree char *shown = showable(url);
            return error_set(err, ERR_INVALID, "endpoint %s: %s", shown, problem);
        }
    } else {
        endpoint->https = true;
        endpoint->host = aws_host(endpoint->region);
    }
    endpoint->is_aws = host_is_aws(endpoint->host);
    endpoint->path_style = path_style || !can_be_virtual_host(endpoint);
    return 0;
}

void s3_endpoint_clear(struct s3_endpoint *endpoint)
{
    g_free(endpoint->host);
    g_free(endpoint->region);
    g_free(endpoint->bucket);
    *endpoint = (struct s3_endpoint){0};
}

void s3_endpoint_copy(struct s3_endpoint *to, const struct s3_endpoint *from)
{
    *to = *from;
    to->host = g_strdup(from->host);
    to->region = g_strdup(from->region);
    to->bucket = g_strdup(from->bucket);
}

char *s3_endpoint_host(const struct s3_endpoint *endpoint)
{
    if (!endpoint->port)
        return g_strdup(endpoint->host);
    return g_strdup_printf("%s:%u", endpoint->host, endpoint->port);
}

char *s3_endpoint_base(const struct s3_endpoint *endpoint)
{
    g_autofree char *host = s3_endpoint_host(endpoint);
    return g_strconcat(endpoint->https ? "https://" : "http://",
                       endpoint->path_style ? "" : endpoint->bucket,
                       endpoint->path_style ? "" : ".", host, NULL);
}

/* ---- Encoding ---- */

/* Encodes as SigV4 wants it; `plain` are the bytes that stay besides letters and digits. */
static void append_encoded(GString *to, const char *text, const char *plain)
{
    for (; *text; text++) {
        if (g_ascii_isalnum(*text) || strchr(plain, *text))
            g_string_append_c(to, *text);
        else
            g_string_append_printf(to, "%%%02X", (unsigned char)*text);
    }
}

char *s3_endpoint_path(const struct s3_endpoint *endpoint, const char *key)
{
    GString *path = g_string_new("/");
    if (endpoint->path_style) {
        append_encoded(path, endpoint->bucket, "-._~");
        if (*key)
            g_string_append_c(path, '/');
    }
    append_encoded(path, key, "-._~/");
    return g_string_free(path, FALSE);
}

char *s3_query_encode(const char *value)
{
    GString *encoded = g_string_new(NULL);
    append_encoded(encoded, value, "-._~");
    return g_string_free(encoded, FALSE);
}
