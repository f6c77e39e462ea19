/*
 * What the files of AWS tools say of a profile. The input is both files: the credentials file, a
 * line "----", the config file. No message holds anything of what is in them.
 */
#include "fuzz/fuzz.h"

#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/s3/credentials/aws_profile.h"

#define SEPARATOR "\n----\n"
#define PROFILE "work"

/* A file that no other program sees; its path stays the same. */
struct memory_file {
    int fd;
    char *path;
};

static void write_file(struct memory_file *file, const char *data, size_t size)
{
    if (!file->path) {
        file->fd = memfd_create("aws", MFD_CLOEXEC);
        file->path = g_strdup_printf("/proc/self/fd/%d", file->fd);
    }
    HOLDS(ftruncate(file->fd, 0) == 0);
    HOLDS(pwrite(file->fd, data, size, 0) == (ssize_t)size);
}

static void check_profile(const struct aws_profile *profile)
{
    const char *const texts[] = {profile->access_key, profile->secret_key, profile->session_token,
                                 profile->expiration, profile->region,     profile->endpoint,
                                 profile->services,   profile->role};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        HOLDS(!texts[i] || (texts[i][0] && !strchr(texts[i], '\n')));
        HOLDS(!texts[i] || profile->found);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory_file credentials, config;
    const char *text = (const char *)data;
    const char *cut = size > 0 ? memmem(text, size, SEPARATOR, strlen(SEPARATOR)) : NULL;
    size_t first = cut ? (size_t)(cut - text) : size;
    size_t second = cut ? first + strlen(SEPARATOR) : size;
    struct aws_profile profile;
    struct error error = {0};
    write_file(&credentials, text, first);
    write_file(&config, text + second, size - second);
    const struct aws_profile_files files = {
        .paths = {[AWS_CREDENTIALS_FILE] = credentials.path, [AWS_CONFIG_FILE] = config.path}};
    int code = aws_profile_read(&files, PROFILE, &profile, &error);
    HOLDS(error.code == code && (code == 0 || code == ERR_INVALID));
    HOLDS(code == 0 || strstr(error.text, "/proc/self/fd/"));
    if (code == 0)
        check_profile(&profile);
    aws_profile_clear(&profile);
    return 0;
}
