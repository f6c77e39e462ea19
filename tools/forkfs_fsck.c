/*
 * forkfs-fsck: checks the fork catalog of a database and prints what is wrong, one line each.
 */
#include <getopt.h>
#include <stdio.h>

#include "catalog/fsck/fsck.h"
#include "config.h"
#include "program/daemon.h"
#include "program/open_catalog.h"
#include "program/option_table.h"
#include "program/paths.h"
#include "store/s3/wire/s3_endpoint.h"

/* To see whether a server works at all. Then it takes as long as it takes. */
#define OPEN_TIMEOUT_MS 30000

enum { EXIT_CLEAN = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct fsck_options {
    bool show_help, show_version;
    const char *catalog;
    struct catalog_options where;
};

static const struct option_row rows[] = {
    CATALOG_OPTION_ROWS(struct fsck_options, where),
    {NULL, OPTION_IGNORE, 0, 0, 0, NULL, NULL},
};

static int parse(int argc, char *argv[], struct fsck_options *options, struct error *err)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int letter, code = 0;
    opterr = 0;
    while (code == 0 && (letter = getopt_long(argc, argv, ":hVo:", long_options, NULL)) != -1) {
        if (letter == 'o')
            code = option_table_parse(rows, optarg, options, err);
        else if (letter == 'h')
            options->show_help = true;
        else if (letter == 'V')
            options->show_version = true;
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
    return catalog_options_check(&options->where, options->catalog, err);
}

static void print_usage(void)
{
    g_autoptr(GString) out = g_string_new("usage: forkfs-fsck [options] CATALOG\n"
                                          "\n"
                                          "Checks the fork catalog of a Uni graph database, "
                                          "changes nothing, and prints one line for\n"
                                          "each thing that is wrong.\n"
                                          "\n"
                                          "options:\n"
                                          "    -h, --help                print this text\n"
                                          "    -V, --version             print the version\n"
                                          "    -o OPTION[,OPTION...]\n");
    option_table_usage(rows, out);
    g_string_append(out, "\n"
                         "Exit status: 0 clean, 1 something found, 2 wrong usage, 3 could not "
                         "read the catalog.\n");
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

static int check_and_print(const struct fsck_options *options)
{
    g_autoptr(GPtrArray) findings = NULL;
    struct error failure;
    if (check(options, &findings, &failure) != 0) {
        fprintf(stderr, "forkfs-fsck: %s\n", failure.text);
        return EXIT_FAILED;
    }
    for (guint i = 0; i < findings->len; i++)
        printf("%s\n", ((const struct fsck_finding *)findings->pdata[i])->text);
    g_autofree char *summary = fsck_summary(findings);
    fprintf(stderr, "forkfs-fsck: %s\n", summary);
    return findings->len > 0 ? EXIT_FINDINGS : EXIT_CLEAN;
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
    return check_and_print(options);
}

int main(int argc, char *argv[])
{
    daemon_open_standard_descriptors();
    struct fsck_options options = {0};
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
