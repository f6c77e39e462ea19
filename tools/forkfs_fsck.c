/*
 * forkfs-fsck: checks the fork catalog of a database and prints what is wrong, one line each; with
 * --repair it first puts right what can be proven, and prints what that was.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "catalog/catalog.h"
#include "catalog/fsck/fsck.h"
#include "catalog/repair/repair.h"
#include "config.h"
#include "program/daemon.h"
#include "program/open_catalog.h"
#include "program/option_table.h"
#include "program/paths.h"
#include "store/preview_store.h"
#include "store/s3/wire/s3_endpoint.h"

/* To see whether a server works at all. Then it takes as long as it takes. */
#define OPEN_TIMEOUT_MS 30000

/* For so long a bucket is watched before it is repaired: as a mount does before it takes over. */
#define WATCH_S 120

enum { EXIT_CLEAN = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct fsck_options {
    bool show_help, show_version;
    bool repair, dry_run, adopt, purge;
    bool single_writer;
    uint64_t watch_s;
    const char *catalog;
    struct catalog_options where;
};

static const struct option_row rows[] = {
    CATALOG_OPTION_ROWS(struct fsck_options, where),
    {"single_writer", OPTION_SET, 0, 0, offsetof(struct fsck_options, single_writer), NULL,
     "S3: with --repair, nothing else writes"},
    {"watch", OPTION_NUMBER, 0, 3600, offsetof(struct fsck_options, watch_s), "SECONDS",
     "S3: with --repair, how long nothing may change before (120)"},
    {NULL, OPTION_IGNORE, 0, 0, 0, NULL, NULL},
};

/* NULL: the option is more than a flag. */
static bool *flag_of(struct fsck_options *options, int letter)
{
    switch (letter) {
    case 'h':
        return &options->show_help;
    case 'V':
        return &options->show_version;
    case 'r':
        return &options->repair;
    case 'n':
        return &options->dry_run;
    case 'a':
        return &options->adopt;
    case 'p':
        return &options->purge;
    default:
        return NULL;
    }
}

static int check_options(const struct fsck_options *options, struct error *err)
{
    if (!options->repair && (options->dry_run || options->adopt || options->purge))
        return error_set(err, ERR_INVALID, "--dry-run, --adopt and --purge go with --repair");
    if (options->adopt && options->purge)
        return error_set(err, ERR_INVALID, "orphans can be adopted or purged, not both");
    int code = catalog_option_needs_s3(options->catalog, "watch", options->watch_s != WATCH_S, err);
    if (code == 0)
        code =
            catalog_option_needs_s3(options->catalog, "single_writer", options->single_writer, err);
    return code ? code : catalog_options_check(&options->where, options->catalog, err);
}

static int parse(int argc, char *argv[], struct fsck_options *options, struct error *err)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"repair", no_argument, NULL, 'r'},
        {"dry-run", no_argument, NULL, 'n'},
        {"adopt", no_argument, NULL, 'a'},
        {"purge", no_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int letter, code = 0;
    opterr = 0;
    while (code == 0 && (letter = getopt_long(argc, argv, ":hVo:", long_options, NULL)) != -1) {
        bool *flag = flag_of(options, letter);
        if (flag)
            *flag = true;
        else if (letter == 'o')
            code = option_table_parse(rows, optarg, options, err);
        else
            code = error_set(err, ERR_INVALID,
                             letter == ':' ? "%s needs an argument" : "unknown option '%s'",
                             argv[optind - 1]);
    }
    if (code != 0 || options->show_help || options->show_version)
        return code;
    if (optind + 1 != argc)
        return error_set(err, ERR_INVALID, "there must be one CATALOG");
    options->catalog = argv[optind];
    return check_options(options, err);
}

static void print_usage(void)
{
    g_autoptr(GString) out = g_string_new("usage: forkfs-fsck [options] CATALOG\n"
                                          "\n"
                                          "Checks the fork catalog of a Uni graph database and "
                                          "prints one line for each thing that is\n"
                                          "wrong. Changes nothing without --repair.\n"
                                          "\n"
                                          "options:\n"
                                          "    -h, --help                print this text\n"
                                          "    -V, --version             print the version\n"
                                          "    --repair                  put right what can be "
                                          "proven, print what is done\n"
                                          "    --repair --dry-run        print what would be done\n"
                                          "    --repair --adopt          and make forks of what "
                                          "the registry has lost\n"
                                          "    --repair --purge          and remove what no fork "
                                          "knows, with its data and tags\n"
                                          "    -o OPTION[,OPTION...]\n");
    option_table_usage(rows, out);
    g_string_append(out,
                    "\n"
                    "Exit status: 0 clean, 1 something found, 2 wrong usage, 3 could not "
                    "read or repair the\ncatalog. With --repair what counts is what is left.\n");
    fputs(out->str, stdout);
}

static int open_place(const struct fsck_options *options, struct opened_catalog *ret,
                      struct error *err)
{
    g_autofree char *path = NULL;
    g_autofree char *local_metadata = NULL;
    int code = s3_url_is(options->catalog)
                   ? local_metadata_resolve(options->where.local_metadata, &local_metadata, err)
                   : catalog_path_resolve(options->catalog, &path, err);
    if (code != 0)
        return code;
    const struct catalog_location location = {
        .catalog = path ? path : options->catalog,
        .options = &options->where,
        .local_metadata = local_metadata,
        .writable = options->repair && (path || !options->dry_run),
        .single_writer = options->single_writer,
    };
    auto_operation struct operation operation;
    operation_init(&operation, OPEN_TIMEOUT_MS);
    code = open_catalog(&location, &operation, ret, err);
    return code;
}

static int check(const struct fsck_options *options, GPtrArray **ret_findings, struct error *err)
{
    struct opened_catalog opened;
    int code = open_place(options, &opened, err);
    if (code != 0)
        return code;
    code = catalog_fsck(opened.store, opened.layout, NULL, ret_findings, err);
    opened_catalog_close(&opened);
    return error_prefix(err, code, "catalog '%s'", options->catalog);
}

static void print_findings(const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++)
        printf("%s\n", ((const struct fsck_finding *)findings->pdata[i])->text);
}

static int check_and_print(const struct fsck_options *options)
{
    g_autoptr(GPtrArray) findings = NULL;
    struct error failure;
    if (check(options, &findings, &failure) != 0) {
        fprintf(stderr, "forkfs-fsck: %s\n", failure.text);
        return EXIT_FAILED;
    }
    print_findings(findings);
    g_autofree char *summary = fsck_summary(findings);
    fprintf(stderr, "forkfs-fsck: %s\n", summary);
    return findings->len > 0 ? EXIT_FINDINGS : EXIT_CLEAN;
}

/* ---- Repairing ---- */

static int repair(const struct fsck_options *options, struct repair_report *report,
                  struct error *err)
{
    struct opened_catalog opened;
    struct repair_settings settings = {
        .orphans = options->adopt   ? REPAIR_ADOPT
                   : options->purge ? REPAIR_PURGE
                                    : REPAIR_LEAVE,
        .shared = s3_url_is(options->catalog),
        .lease_ms = LEASE_DEFAULT_MS,
        .watch_ms = options->dry_run ? 0 : (int64_t)options->watch_s * 1000,
    };
    int code = open_place(options, &opened, err);
    if (code != 0)
        return code;
    settings.unconditional = opened.needs_single_writer;
    struct store *store = options->dry_run ? preview_store_new(opened.store) : opened.store;
    code = catalog_repair(store, opened.layout, &settings, NULL, report, err);
    return error_prefix(err, code, "catalog '%s'", options->catalog);
}

static void print_report(const struct fsck_options *options, const struct repair_report *report)
{
    guint actions = report->actions->len;
    for (guint i = 0; i < actions; i++)
        printf("repair: %s\n", (const char *)g_ptr_array_index(report->actions, i));
    if (!report->findings)
        return;
    print_findings(report->findings);
    g_autofree char *summary = fsck_summary(report->findings);
    if (actions == 0)
        fprintf(stderr, "forkfs-fsck: %s\n", summary);
    else
        fprintf(stderr, "forkfs-fsck: %u repair%s%s; then: %s\n", actions, actions == 1 ? "" : "s",
                options->dry_run ? " would be made" : "", summary);
}

static int repair_and_print(const struct fsck_options *options)
{
    struct repair_report report = {0};
    struct error failure;
    int code = repair(options, &report, &failure);
    int status = EXIT_FAILED;
    if (report.actions)
        print_report(options, &report);
    if (code != 0) {
        fprintf(stderr, "forkfs-fsck: %s\n", failure.text);
    } else {
        bool is_wrong = report.findings->len > 0 || (options->dry_run && report.actions->len > 0);
        status = is_wrong ? EXIT_FINDINGS : EXIT_CLEAN;
    }
    repair_report_clear(&report);
    return status;
}

static int dispatch(const struct fsck_options *options)
{
    if (options->show_help) {
        print_usage();
        return EXIT_CLEAN;
    }
    if (options->show_version) {
        printf("forkfs-fsck (%s)\n", PACKAGE_STRING);
        return EXIT_CLEAN;
    }
    return options->repair ? repair_and_print(options) : check_and_print(options);
}

int main(int argc, char *argv[])
{
    daemon_open_standard_descriptors();
    signal(SIGXFSZ, SIG_IGN); /* a repair fails, and says so */
    struct fsck_options options = {.watch_s = WATCH_S};
    catalog_options_init(&options.where);
    struct error failure;
    int status;
    if (parse(argc, argv, &options, &failure) == 0) {
        status = dispatch(&options);
    } else {
        fprintf(stderr, "forkfs-fsck: %s (forkfs-fsck -h prints the usage)\n", failure.text);
        status = EXIT_USAGE;
    }
    catalog_options_clear(&options.where);
    if (fflush(stdout) != 0)
        status = EXIT_FAILED;
    return status;
}
