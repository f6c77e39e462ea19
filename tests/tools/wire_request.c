/*
 * One request for one object of a bucket, over libcurl:
 *   wire-request ENDPOINT BUCKET get|head|put|list|delete KEY
 * Credentials come from the environment. No key is refused, so keys can be tried that forkfs itself
 * never has. `put` puts the key itself as content, where nothing is yet; `get` prints the content,
 * `list` the keys that start with KEY, each with a newline.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3/credentials/s3_profile.h"
#include "store/s3/wire/s3_wire.h"

#define PATIENCE_MS 60000

static const char *const verbs[] = {[S3_WIRE_GET] = "get",
                                    [S3_WIRE_HEAD] = "head",
                                    [S3_WIRE_LIST] = "list",
                                    [S3_WIRE_PUT] = "put",
                                    [S3_WIRE_DELETE] = "delete"};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "wire-request: %s: %s\n", what, why ? why : "failed");
    exit(1);
}

static enum s3_wire_method parse_verb(const char *verb)
{
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (strcmp(verbs[i], verb) == 0)
            return (enum s3_wire_method)i;
    fail(verb, "no such request");
    return S3_WIRE_GET;
}

static struct s3_wire *open_wire(const char *url, const char *bucket,
                                 const struct s3_profile *profile)
{
    struct error err;
    struct s3_endpoint endpoint;
    if (s3_endpoint_init(&endpoint, url, s3_profile_region(profile), bucket, false, &err) != 0)
        fail("endpoint", err.text);
    struct s3_wire *wire = NULL;
    if (s3_wire_curl_new(&endpoint, NULL, &wire, &err) != 0)
        fail("libcurl", err.text);
    s3_endpoint_clear(&endpoint);
    return wire;
}

static void print_answer(const struct s3_wire_answer *answer)
{
    if (answer->body)
        fwrite(answer->body->data, 1, answer->body->size, stdout);
    for (guint i = 0; answer->rows && i < answer->rows->len; i++) {
        const struct s3_wire_row *row = g_ptr_array_index(answer->rows, i);
        printf("%s\n", row->key);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: wire-request ENDPOINT BUCKET get|head|put|list|delete KEY\n");
        return 2;
    }
    struct error err;
    struct s3_profile *profile = NULL;
    struct s3_credentials *credentials = NULL;
    if (s3_profile_open(NULL, &profile, &err) != 0 ||
        s3_profile_credentials(profile, &credentials, &err) != 0)
        fail("credentials", err.text);
    struct s3_wire *wire = open_wire(argv[1], argv[2], profile);
    auto_bytes struct bytes *body = bytes_new_text(argv[4]);
    struct s3_wire_request request = {.method = parse_verb(argv[3]),
                                      .key = argv[4],
                                      .credentials = credentials,
                                      .timeout_ms = PATIENCE_MS,
                                      .body = body,
                                      .condition = S3_WIRE_IF_NONE_MATCH_ANY,
                                      .max_keys = 1000};
    struct s3_wire_answer answer;
    s3_wire_perform(wire, &request, &answer);
    if (answer.result != S3_WIRE_OK)
        fail(argv[3], answer.message);
    print_answer(&answer);
    s3_wire_answer_clear(&answer);
    s3_wire_free(wire);
    s3_credentials_unref(credentials);
    s3_profile_free(profile);
    return 0;
}
