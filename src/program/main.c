/*
 * forkfs: start and stop.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "catalog/care/caretaker.h"
#include "catalog/catalog.h"
#include "config.h"
#include "fs/session.h"
#include "program/daemon.h"
#include "program/hangup.h"
#include "program/open_catalog.h"
#include "program/options.h"
#include "program/paths.h"
#include "store/s3/wire/s3_endpoint.h"
#include "store/s3/wire/s3_wire.h"

/* For so long a mount watches the unfinished work of another one before it takes that over. */
#define TAKEOVER_MS 120000

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct program {
    const struct options *options;
    struct daemon *daemon;
    struct log *log;
    struct session *session;
    struct catalog *catalog;
    struct local_watch *watch; /* until the caretaker takes it over; NULL: there is none */
    struct caretaker *caretaker;
    struct hangup hangup;
    int unrecovered;     /* what the recovery at the start failed with; 0: it went well */
    bool hangup_is_ours; /* SIGHUP does not mean that the terminal is gone */
    bool on_s3;
    bool warn_single_writer;
};

/* Where all is, as absolute paths. */
struct places {
    char *path;           /* of the catalog; NULL: on S3 */
    char *local_metadata; /* NULL: none */
    char *mountpoint;
};

static void places_clear(struct places *places)
{
    g_free(places->path);
    g_free(places->local_metadata);
    g_free(places->mountpoint);
}

static void complain(const struct error *failure)
{
    fprintf(stderr, "forkfs: %s\n", failure->text);
}

static int64_t operation_timeout_ms(const struct program *program)
{
    return (int64_t)program->options->operation_timeout_s * 1000;
}

static struct session *make_session(const struct program *program, const struct places *places)
{
    const struct options *options = program->options;
    const struct session_settings settings = {
        .source = places->path ? places->path : options->catalog,
        .mountpoint = places->mountpoint,
        .fuse_options = options->fuse_options->len > 0 ? options->fuse_options->str : NULL,
        .read_only = options->read_only,
        .allow_other = options->allow_other,
        .uid = options->uid,
        .gid = options->gid,
        .umask = options->umask,
        .confirm_drop = options->confirm_drop,
        .write_buffer_bytes = (size_t)options->write_buffer_mib << 20,
        .operation_timeout_ms = operation_timeout_ms(program),
        .max_forks = options->max_forks,
        .debug = options->debug,
        .log = program->log,
    };
    return session_new(&settings);
}

/* Takes over store and layout, also on failure. path NULL: on S3. */
static int start_catalog(struct program *program, const char *path, struct opened_catalog *opened,
                         struct operation *operation, struct error *err)
{
    const struct options *options = program->options;
    g_autofree char *compaction_lock =
        path ? open_compaction_lock_path(path, opened->layout) : NULL;
    const struct catalog_settings settings = {
        .read_only = options->read_only,
        .drain_timeout_ms = (int64_t)options->drain_timeout_ms,
        .max_forks = options->max_forks,
        .default_ttl_s = options->default_ttl_s,
        .shared = program->on_s3 && !options->single_writer && !options->read_only,
        .takeover_ms = TAKEOVER_MS,
        .compaction_lock = compaction_lock,
        .log = program->log,
        .observer = session_registry_changed,
        .observer_argument = program->session,
    };
    int code =
        catalog_open(opened->store, opened->layout, &settings, operation, &program->catalog, err);
    if (code == 0)
        return 0;
    opened_catalog_close(opened);
    return error_prefix(err, code, "catalog '%s'", options->catalog);
}

/* Takes as long as there is work left over; a store that stops answering ends it. Where there is
 * no room for it, people need the mount to make some. */
static int recover_catalog(struct program *program, struct error *err)
{
    if (program->options->read_only)
        return 0;
    struct recovery_report report = {0};
    struct error failure = {0};
    int code = catalog_recover(program->catalog, NULL, &report, &failure);
    program->unrecovered = code == ERR_NO_SPACE ? code : 0;
    if (code == 0 || code == ERR_NO_SPACE)
        session_recovered(program->session, &report, code ? &failure : NULL);
    recovery_report_clear(&report);
    return code == 0 || code == ERR_NO_SPACE ? 0 : error_copy(err, &failure);
}

static int start_caretaker(struct program *program, struct error *err)
{
    const struct caretaker_settings settings = {
        .catalog = program->catalog,
        .sweep_interval_ms = (int64_t)program->options->sweep_interval_s * 1000,
        .recovery_interval_ms = catalog_recovery_interval_ms(program->catalog),
        .unrecovered = program->unrecovered,
        .refresh_ms = (int64_t)program->options->refresh_s * 1000,
        .operation_timeout_ms = operation_timeout_ms(program),
        .watch = g_steal_pointer(&program->watch),
        .sweeping = session_sweeping,
        .failed = session_care_failed,
        .recovered = session_recovered,
        .overlay_changed = session_overlay_changed,
        .argument = program->session,
    };
    return caretaker_start(&settings, &program->caretaker, err);
}

static void warn_single_writer(const struct program *program)
{
    if (program->warn_single_writer)
        log_warning(program->log,
                    "%s: the server ignores preconditions: if anything else writes this catalog, "
                    "forks will be lost",
                    program->options->catalog);
}

static void mount_answers(void *argument)
{
    struct program *program = argument;
    daemon_ready(program->daemon, program->log);
    if (!program->options->foreground)
        warn_single_writer(program); /* once more: the log goes elsewhere now */
    log_info(program->log, "%s is mounted at %s", program->options->catalog,
             program->options->mountpoint);
}

static int mount_and_serve(struct program *program, struct error *err)
{
    int code = recover_catalog(program, err);
    if (code == 0)
        code = session_mount(program->session, program->catalog, err);
    if (code == 0)
        code = start_caretaker(program, err);
    if (code == 0 && program->hangup_is_ours)
        code = hangup_start(&program->hangup, err);
    if (code == 0)
        code = session_serve(program->session, mount_answers, program, err);
    return code;
}

/* Where everything lies, checked before anything is touched. */
static int resolve_places(const struct program *program, struct places *ret, struct error *err)
{
    const struct options *options = program->options;
    int code = program->on_s3 ? local_metadata_resolve(options->where.local_metadata,
                                                       &ret->local_metadata, err)
                              : catalog_path_resolve(options->catalog, &ret->path, err);
    if (code != 0)
        return code;
    const struct mountpoint_neighbour neighbour = {
        program->on_s3 ? "local_metadata" : "catalog",
        program->on_s3 ? ret->local_metadata : ret->path,
    };
    return mountpoint_resolve(options->mountpoint, &neighbour, &ret->mountpoint, err);
}

static int open_place(struct program *program, const struct places *places,
                      struct operation *operation, struct opened_catalog *ret, struct error *err)
{
    const struct options *options = program->options;
    const struct catalog_location location = {
        .catalog = places->path ? places->path : options->catalog,
        .options = &options->where,
        .local_metadata = places->local_metadata,
        .writable = !options->read_only,
        .single_writer = options->single_writer,
        .log = program->log,
    };
    int code = open_catalog(&location, operation, ret, err);
    if (code != 0)
        return code;
    program->hangup.profile = ret->profile;
    program->warn_single_writer = ret->needs_single_writer;
    warn_single_writer(program);
    if (places->path) /* from before the first read, so that no change is missed */
        program->watch = open_watch(places->path, ret->layout);
    return 0;
}

/* Loads the catalog from the store, within the time of one operation. */
static int load_catalog(struct program *program, const struct places *places,
                        struct operation *operation, struct error *err)
{
    struct opened_catalog opened;
    int code = open_place(program, places, operation, &opened, err);
    if (code != 0)
        return code;
    if (!program->options->foreground && chdir("/") < 0) {
        opened_catalog_close(&opened);
        return error_set_errno(err, errno, "changing to the root directory");
    }
    program->session = make_session(program, places);
    return start_catalog(program, places->path, &opened, operation, err);
}

static int load_from_places(struct program *program, struct error *err)
{
    struct places places = {0};
    int code = resolve_places(program, &places, err);
    if (code == 0) {
        struct operation operation;
        operation_init(&operation, program->on_s3 ? operation_timeout_ms(program) : -1);
        code = load_catalog(program, &places, &operation, err);
        operation_destroy(&operation);
    }
    places_clear(&places);
    return code;
}

static int run_program(struct program *program, struct error *err)
{
    int code = load_from_places(program, err);
    if (code == 0)
        code = mount_and_serve(program, err);
    hangup_stop(&program->hangup);
    caretaker_stop(program->caretaker);
    session_free(program->session);
    catalog_free(program->catalog);
    local_watch_free(program->watch);
    return code;
}

/* The log begins with the level of its file. */
static int start_log(struct program *program, const char *level_file, struct error *err)
{
    const struct options *options = program->options;
    enum log_level level = options->debug ? LOG_LEVEL_DEBUG : options->log_level;
    program->log = log_new(level, LOG_TO_STDERR);
    program->hangup.log = program->log;
    program->hangup.level = level;
    program->hangup.level_file = level_file;
    int code = hangup_log_level(level_file, level, &level, err);
    if (code == 0)
        log_set_level(program->log, level);
    return code;
}

/* In the background errors after the start go to syslog; before it, to the terminal. */
static int run_logged(const struct options *options, struct daemon *daemon)
{
    bool background = daemon->ready_fd >= 0;
    /* A daemon does not stay in the directory where a relative path leads there. */
    g_autofree char *level_file =
        options->log_level_file ? g_canonicalize_filename(options->log_level_file, NULL) : NULL;
    struct program program = {
        .options = options,
        .daemon = daemon,
        .hangup_is_ours = hangup_claim(background),
        .on_s3 = s3_url_is(options->catalog),
    };
    struct error failure;
    int code = start_log(&program, level_file, &failure);
    if (code == 0)
        code = run_program(&program, &failure);
    if (code != 0 && background && daemon->ready_fd < 0)
        log_error(program.log, "%s", failure.text);
    else if (code != 0)
        complain(&failure);
    log_unref(program.log);
    return code == 0 ? EXIT_OK : EXIT_FAILED;
}

static int start_program(const struct options *options)
{
    struct daemon daemon = DAEMON_FOREGROUND;
    struct error failure;
    if (!options->foreground && daemon_split(&daemon, &failure) != 0) {
        complain(&failure);
        return EXIT_FAILED;
    }
    return daemon.is_parent ? daemon.exit_status : run_logged(options, &daemon);
}

static int print(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
}

static int run_command(const struct options *options)
{
    if (options->show_help) {
        g_autofree char *usage = options_usage();
        return print(usage);
    }
    if (options->show_version) {
        g_autofree char *curl = s3_wire_curl_name();
        const char *libs3 = s3_wire_libs3_name();
        g_autofree char *version =
            g_strdup_printf("%s\nlibfuse %s\nS3 clients: %s%s%s\n", PACKAGE_STRING,
                            session_fuse_version(), libs3 ? libs3 : "", libs3 ? ", " : "", curl);
        return print(version);
    }
    return start_program(options);
}

int main(int argc, char *argv[])
{
    daemon_open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file larger than "ulimit -f" is a failed write, not our end */
    signal(SIGUSR1, SIG_IGN); /* asked of many daemons for other things, so harmless here */
    signal(SIGUSR2, SIG_IGN);
    struct options options;
    struct error failure;
    int status;
    if (options_parse(argc, argv, &options, &failure) == 0) {
        status = run_command(&options);
    } else {
        fprintf(stderr, "forkfs: %s (forkfs -h prints the usage)\n", failure.text);
        status = EXIT_USAGE;
    }
    options_clear(&options);
    return status;
}
