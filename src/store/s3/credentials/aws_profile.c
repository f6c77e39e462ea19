#include "store/s3/credentials/aws_profile.h"

#include <errno.h>
#include <glib.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "store/s3/credentials/aws_config.h"
#include "store/s3/credentials/s3_credentials.h"

/* ---- Where the files are ---- */

/* The user's home, g_free(); NULL when nobody says. */
static char *home_directory(void)
{
    const char *home = g_getenv("HOME");
    if (home && home[0] != '\0')
        return g_strdup(home);
    struct passwd entry, *found = NULL;
    char buffer[16 * 1024];
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return NULL;
    return g_strdup(found->pw_dir);
}

/* Absolute, whatever the current directory becomes. A leading "~/" is the home directory: not every
 * file of settings is read by a shell. */
static char *expand_home(const char *path, const char *home)
{
    if (home && g_str_has_prefix(path, "~/"))
        return g_build_filename(home, path + 2, NULL);
    return g_canonicalize_filename(path, NULL);
}

void aws_profile_files_locate(struct aws_profile_files *ret)
{
    static const struct {
        const char *variable, *name;
    } places[AWS_PROFILE_FILES] = {
        [AWS_CREDENTIALS_FILE] = {"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
        [AWS_CONFIG_FILE] = {"AWS_CONFIG_FILE", "config"},
    };
    *ret = (struct aws_profile_files){0};
    g_autofree char *home = home_directory();
    for (int i = 0; i < AWS_PROFILE_FILES; i++) {
        const char *chosen = g_getenv(places[i].variable);
        if (chosen && chosen[0] != '\0') {
            ret->paths[i] = expand_home(chosen, home);
            ret->chosen = true;
        } else if (home) {
            ret->paths[i] = g_build_filename(home, ".aws", places[i].name, NULL);
        }
    }
}

void aws_profile_files_clear(struct aws_profile_files *files)
{
    for (int i = 0; i < AWS_PROFILE_FILES; i++)
        g_free(files->paths[i]);
    *files = (struct aws_profile_files){0};
}

void aws_profile_look(const struct aws_profile_files *files, struct aws_profile_state *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int i = 0; i < AWS_PROFILE_FILES; i++) {
        struct stat status;
        if (!files->paths[i] || stat(files->paths[i], &status) < 0 || !S_ISREG(status.st_mode))
            continue;
        ret->files[i].modified_ns = timespec_ns(status.st_mtim);
        ret->files[i].changed_ns = timespec_ns(status.st_ctim);
        ret->files[i].size = status.st_size;
        ret->files[i].inode = status.st_ino;
    }
}

/* ---- What they say ---- */

struct search {
    const char *section, *other_section; /* either; other_section may be NULL */
    struct aws_profile *found;
};

static void replace_text(char **field, const char *value)
{
    secret_free(*field);
    *field = value[0] != '\0' ? g_strdup(value) : NULL;
}

/* The settings that are taken over as they are. */
static char **field_of(struct aws_profile *profile, const char *key)
{
    static const struct {
        const char *key;
        size_t offset;
    } fields[] = {
        {"aws_access_key_id", offsetof(struct aws_profile, access_key)},
        {"aws_secret_access_key", offsetof(struct aws_profile, secret_key)},
        {"aws_session_token", offsetof(struct aws_profile, session_token)},
        {"expiration", offsetof(struct aws_profile, expiration)},
        {"aws_credential_expiration", offsetof(struct aws_profile, expiration)},
        {"x_security_token_expires", offsetof(struct aws_profile, expiration)},
        {"region", offsetof(struct aws_profile, region)},
        {"endpoint_url", offsetof(struct aws_profile, endpoint)},
        {"services", offsetof(struct aws_profile, services)},
        {"role_arn", offsetof(struct aws_profile, role)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (strcmp(fields[i].key, key) == 0)
            return (char **)((char *)profile + fields[i].offset);
    return NULL;
}

static const char *other_source(const char *key)
{
    static const char *const sources[] = {"credential_process", "sso_session",
                                          "sso_start_url",      "web_identity_token_file",
                                          "credential_source",  "login_session"};
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        if (strcmp(sources[i], key) == 0)
            return sources[i];
    return NULL;
}

static void take_setting(void *argument, const char *section, const char *key, const char *value)
{
    const struct search *search = argument;
    if (strcmp(section, search->section) != 0 &&
        (!search->other_section || strcmp(section, search->other_section) != 0))
        return;
    search->found->found = true;
    char **field = field_of(search->found, key);
    if (field)
        replace_text(field, value);
    else if (other_source(key))
        search->found->other_source = other_source(key);
}

static void take_service_endpoint(void *argument, const char *section, const char *key,
                                  const char *value)
{
    const struct search *search = argument;
    if (strcmp(section, search->section) == 0 && strcmp(key, "s3.endpoint_url") == 0)
        replace_text(&search->found->endpoint, value);
}

/* Visits the settings of a file; of one that is absent, none. */
static int read_file(const char *path, aws_config_visitor *visit, struct search *search,
                     struct error *err)
{
    struct stat status;
    if (!path || (stat(path, &status) < 0 && (errno == ENOENT || errno == ENOTDIR)))
        return 0;
    struct error failure;
    int code = aws_config_read(path, visit, search, &failure);
    return code == 0 || code == ERR_NOT_FOUND ? 0 : error_copy(err, &failure);
}

static int read_config(const char *path, const char *name, struct aws_profile *ret,
                       struct error *err)
{
    g_autofree char *section = g_strconcat("profile ", name, NULL);
    struct search search = {section, strcmp(name, "default") == 0 ? name : NULL, ret};
    int code = read_file(path, take_setting, &search, err);
    if (code != 0 || !ret->services)
        return code;
    g_autofree char *services = g_strconcat("services ", ret->services, NULL);
    struct search service_search = {services, NULL, ret};
    return read_file(path, take_service_endpoint, &service_search, err);
}

static void clear_keys(struct aws_profile *profile)
{
    g_clear_pointer(&profile->access_key, secret_free);
    g_clear_pointer(&profile->secret_key, secret_free);
    g_clear_pointer(&profile->session_token, secret_free);
    g_clear_pointer(&profile->expiration, g_free);
}

static void move_text(char **to, char **from)
{
    if (!*from)
        return;
    secret_free(*to);
    *to = g_steal_pointer(from);
}

/* What `own`, of the credentials file, says comes first. */
static void merge_profile(struct aws_profile *ret, struct aws_profile *own)
{
    ret->found |= own->found;
    ret->file = AWS_CONFIG_FILE;
    if (own->access_key || own->secret_key) {
        ret->file = AWS_CREDENTIALS_FILE;
        clear_keys(ret);
        move_text(&ret->access_key, &own->access_key);
        move_text(&ret->secret_key, &own->secret_key);
        move_text(&ret->session_token, &own->session_token);
        move_text(&ret->expiration, &own->expiration);
    }
    move_text(&ret->region, &own->region);
    move_text(&ret->endpoint, &own->endpoint);
    move_text(&ret->role, &own->role);
    if (own->other_source)
        ret->other_source = own->other_source;
}

int aws_profile_read(const struct aws_profile_files *files, const char *name,
                     struct aws_profile *ret, struct error *err)
{
    *ret = (struct aws_profile){0};
    struct aws_profile own = {0};
    struct search search = {name, NULL, &own};
    int code = read_file(files->paths[AWS_CREDENTIALS_FILE], take_setting, &search, err);
    if (code == 0)
        code = read_config(files->paths[AWS_CONFIG_FILE], name, ret, err);
    if (code == 0)
        merge_profile(ret, &own);
    aws_profile_clear(&own);
    return code;
}

void aws_profile_clear(struct aws_profile *profile)
{
    clear_keys(profile);
    g_free(profile->region);
    g_free(profile->endpoint);
    g_free(profile->services);
    g_free(profile->role);
    *profile = (struct aws_profile){0};
}
