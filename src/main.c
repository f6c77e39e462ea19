/*
 * forkfs: start and stop.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define FUSE_USE_VERSION 31
#include <fuse_lowlevel.h>

#include "catalog/caretaker.h"
#include "catalog/catalog.h"
#include "config.h"
#include "daemon.h"
#include "fs/session.h"
#include "open_catalog.h"
#include "options.h"
#include "paths.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct program {
    const struct options *options;
    struct daemon *daemon;
    struct log *log;
    struct session *session;
    struct catalog *catalog;
    struct local_watch *watch; /* until the caretaker takes it over; NULL: there is none */
    struct caretaker *caretaker;
};

static void complain(const struct error *failure)
{
    fprintf(stderr, "forkfs: %s\n", failure->text);
}

static void close_catalog(struct store *store, struct layout *layout)
{
    layout_free(layout);
    store_free(store);
}

static struct session *make_session(const struct program *program, const char *mountpoint)
{
    const struct options *options = program->options;
    const struct session_settings settings = {
        .source = options->catalog,
        .mountpoint = mountpoint,
        .fuse_options = options->fuse_options->len > 0 ? options->fuse_options->str : NULL,
        .read_only = options->read_only,
        .allow_other = options->allow_other,
        .uid = options->uid,
        .gid = options->gid,
        .umask = options->umask,
        .operation_timeout_ms = (int64_t)options->operation_timeout_s * 1000,
        .max_forks = options->max_forks,
        .debug = options->debug,
        .log = program->log,
    };
    return session_new(&settings);
}

/* Takes over store and layout, also on failure. */
static int start_catalog(struct program *program, struct store *store, struct layout *layout,
                         struct error *err)
{
    const struct catalog_settings settings = {
        .read_only = program->options->read_only,
        .drain_timeout_ms = (int64_t)program->options->drain_timeout_ms,
        .max_forks = program->options->max_forks,
        .default_ttl_s = program->options->default_ttl_s,
        .log = program->log,
        .observer = session_registry_changed,
        .observer_argument = program->session,
    };
    int code = catalog_open(store, layout, &settings, NULL, &program->catalog, err);
    if (code == 0)
        return 0;
    close_catalog(store, layout);
    return error_prefix(err, "catalog '%s'", program->options->catalog);
}

static int recover(struct program *program, struct error *err)
{
    if (program->options->read_only)
        return 0;
    struct recovery_report report = {0};
    int code = catalog_recover(program->catalog, NULL, &report, err);
    if (code == 0)
        session_recovered(program->session, &report, NULL);
    recovery_report_clear(&report);
    return code;
}

static int start_caretaker(struct program *program, struct error *err)
{
    const struct caretaker_settings settings = {
        .catalog = program->catalog,
        .sweep_interval_ms = (int64_t)program->options->sweep_interval_s * 1000,
        .recovery_interval_ms = catalog_recovery_interval_ms(program->catalog),
        .operation_timeout_ms = (int64_t)program->options->operation_timeout_s * 1000,
        .watch = g_steal_pointer(&program->watch),
        .sweeping = session_sweeping,
        .failed = session_care_failed,
        .recovered = session_recovered,
        .overlay_changed = session_overlay_changed,
        .argument = program->session,
    };
    return caretaker_start(&settings, &program->caretaker, err);
}

static void mount_answers(void *argument)
{
    struct program *program = argument;
    daemon_ready(program->daemon, program->log);
    log_info(program->log, "%s is mounted at %s", program->options->catalog,
             program->options->mountpoint);
}

static int mount_and_serve(struct program *program, struct error *err)
{
    int code = recover(program, err);
    if (code == 0)
        code = session_mount(program->session, program->catalog, err);
    if (code == 0)
        code = start_caretaker(program, err);
    if (code == 0)
        code = session_serve(program->session, mount_answers, program, err);
    return code;
}

/* From before the first read, so that no change is missed. What others change is then seen late, or
 * at the next commit; that is no reason not to mount. */
static void watch_catalog(struct program *program, const struct catalog_location *location,
                          const struct layout *layout)
{
    struct error failure;
    if (open_watch(location, layout, &program->watch, &failure) != 0)
        log_warning(program->log, "changes by other programs will not be noticed: %s",
                    failure.text);
}

/* Where everything lies, checked before anything is touched. */
static int open_places(struct program *program, struct store **ret_store,
                       struct layout **ret_layout, char **ret_mountpoint, struct error *err)
{
    const struct options *options = program->options;
    g_autofree char *catalog = NULL;
    int code = catalog_path_resolve(options->catalog, &catalog, err);
    if (code != 0)
        return code;
    const struct catalog_location location = {
        .path = catalog,
        .metadata = options->metadata,
        .storage = options->storage,
        .jobs = options->jobs,
        .lock = !options->read_only,
    };
    code = open_catalog(&location, ret_store, ret_layout, err);
    if (code != 0)
        return code;
    code = mountpoint_resolve(options->mountpoint, catalog, ret_mountpoint, err);
    if (code != 0)
        close_catalog(*ret_store, *ret_layout);
    else
        watch_catalog(program, &location, *ret_layout);
    return code;
}

static int run(struct program *program, struct error *err)
{
    g_autofree char *mountpoint = NULL;
    struct store *store;
    struct layout *layout;
    int code = open_places(program, &store, &layout, &mountpoint, err);
    if (code != 0)
        return code;
    if (!program->options->foreground && chdir("/") < 0) {
        close_catalog(store, layout);
        return error_set_errno(err, errno, "changing to the root directory");
    }
    program->session = make_session(program, mountpoint);
    code = start_catalog(program, store, layout, err);
    if (code == 0)
        code = mount_and_serve(program, err);
    caretaker_stop(program->caretaker);
    session_free(program->session);
    catalog_free(program->catalog);
    local_watch_free(program->watch);
    return code;
}

/* In the background errors after the start go to syslog; before it, to the terminal. */
static int run_logged(const struct options *options, struct daemon *daemon)
{
    enum log_level level = options->debug ? LOG_LEVEL_DEBUG : options->log_level;
    struct program program = {
        .options = options,
        .daemon = daemon,
        .log = log_new(level, LOG_TO_STDERR),
    };
    bool background = daemon->ready_fd >= 0;
    struct error failure;
    int code = run(&program, &failure);
    if (code != 0 && background && daemon->ready_fd < 0)
        log_error(program.log, "%s", failure.text);
    else if (code != 0)
        complain(&failure);
    log_free(program.log);
    return code == 0 ? EXIT_OK : EXIT_FAILED;
}

static int start(const struct options *options)
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

static int dispatch(const struct options *options)
{
    if (options->show_help) {
        g_autofree char *usage = options_usage();
        return print(usage);
    }
    if (options->show_version) {
        g_autofree char *version =
            g_strdup_printf("%s\nlibfuse %s\n", PACKAGE_STRING, fuse_pkgversion());
        return print(version);
    }
    return start(options);
}

int main(int argc, char *argv[])
{
    daemon_open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    struct options options;
    struct error failure;
    int status;
    if (options_parse(argc, argv, &options, &failure) == 0) {
        status = dispatch(&options);
    } else {
        fprintf(stderr, "forkfs: %s (forkfs -h prints the usage)\n", failure.text);
        status = EXIT_USAGE;
    }
    options_clear(&options);
    return status;
}
