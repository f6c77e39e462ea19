#include "program/options.h"

#include <getopt.h>
#include <unistd.h>

#include "program/option_table.h"
#include "store/s3/wire/s3_endpoint.h"

#define FIELD(member) offsetof(struct options, member)
#define LARGEST_ID (UINT32_MAX - 1) /* (uid_t)-1 means "none" */

#define MOST_FORKS 1000000000
#define LONGEST_TTL_S UINT64_C(3155760000) /* a hundred years */
#define LONGEST_INTERVAL_S 86400
#define LARGEST_WRITE_BUFFER_MIB 65536

/* Stands for "not given": what an interval then is depends on the catalog. */
#define NOT_GIVEN UINT64_MAX
#define S3_REFRESH_S 1

static const struct option_row rows[] = {
    {"ro", OPTION_SET, 0, 0, FIELD(read_only), NULL, "change nothing, take no lock"},
    {"allow_other", OPTION_SET, 0, 0, FIELD(allow_other), NULL,
     "let other users use the mount (see fuse.conf)"},
    {"uid", OPTION_USER, 0, LARGEST_ID, FIELD(uid), "USER",
     "owner of all files, number or name (default: you)"},
    {"gid", OPTION_GROUP, 0, LARGEST_ID, FIELD(gid), "GROUP",
     "group of all files, number or name (default: yours)"},
    {"umask", OPTION_OCTAL, 0, 0777, FIELD(umask), "OCTAL",
     "permissions to take from 0777 and 0666 (default: 022)"},
    {"confirm_drop", OPTION_SET, 0, 0, FIELD(confirm_drop), NULL,
     "rmdir drops only a fork whose status was written 'drop'"},
    {"drain_timeout", OPTION_NUMBER, 0, 60000, FIELD(drain_timeout_ms), "MS",
     "how long rmdir waits for open handles (default: 250)"},
    {"op_timeout", OPTION_NUMBER, 1, 60, FIELD(operation_timeout_s), "SECONDS",
     "limit of one change, sweep or look (1 to 60, default: 30)"},
    {"max_forks", OPTION_NUMBER, 0, MOST_FORKS, FIELD(max_forks), "N",
     "largest number of forks, in any status (default: 0, no limit)"},
    {"default_ttl", OPTION_NUMBER, 0, LONGEST_TTL_S, FIELD(default_ttl_s), "SECONDS",
     "after which new forks expire (default: 0, never)"},
    {"sweep_interval", OPTION_NUMBER, 0, LONGEST_INTERVAL_S, FIELD(sweep_interval_s), "SECONDS",
     "how often expired forks are dropped (default: 60; 0: never)"},
    {"refresh", OPTION_NUMBER, 0, LONGEST_INTERVAL_S, FIELD(refresh_s), "SECONDS",
     "how often to ask for changes (default: 1 on S3, else 0, never)"},
    {"write_buffer", OPTION_NUMBER, 1, LARGEST_WRITE_BUFFER_MIB, FIELD(write_buffer_mib), "MIB",
     "memory for writes to all open files together (default: 256)"},
    {"log_level", OPTION_LOG_LEVEL, 0, 0, FIELD(log_level), "LEVEL",
     "error, warning, info (default) or debug"},
    {"log_level_file", OPTION_TEXT, 0, 0, FIELD(log_level_file), "FILE",
     "where to read the level at the start and at SIGHUP"},
    CATALOG_OPTION_ROWS(struct options, where),
    {"single_writer", OPTION_SET, 0, 0, FIELD(single_writer), NULL,
     "S3: nothing else writes; accept a server without conditional puts"},

    /* What mount(8), fstab and the kernel know. */
    {"rw", OPTION_CLEAR, 0, 0, FIELD(read_only), NULL, NULL},
    {"dev", OPTION_PASS, 0, 0, FIELD(fuse_options), NULL, NULL},
    {"nodev", OPTION_PASS, 0, 0, FIELD(fuse_options), NULL, NULL},
    {"suid", OPTION_PASS, 0, 0, FIELD(fuse_options), NULL, NULL},
    {"nosuid", OPTION_PASS, 0, 0, FIELD(fuse_options), NULL, NULL},
    {"exec", OPTION_PASS, 0, 0, FIELD(fuse_options), NULL, NULL},
    {"noexec", OPTION_PASS, 0, 0, FIELD(fuse_options), NULL, NULL},
    /* Nothing here has an access time, so the variants make no difference. */
    {"atime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"noatime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"diratime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"nodiratime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"relatime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"norelatime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"strictatime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"nostrictatime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"lazytime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"nolazytime", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"auto", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"noauto", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"user", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"nouser", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"users", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"defaults", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"nofail", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"_netdev", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"comment", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"x-*", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {"X-*", OPTION_IGNORE, 0, 0, 0, NULL, NULL},
    {NULL, OPTION_IGNORE, 0, 0, 0, NULL, NULL},
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void set_defaults(struct options *options)
{
    *options = (struct options){
        .uid = geteuid(),
        .gid = getegid(),
        .umask = 022,
        .drain_timeout_ms = 250,
        .operation_timeout_s = 30,
        .sweep_interval_s = 60,
        .refresh_s = NOT_GIVEN,
        .write_buffer_mib = 256,
        .log_level = LOG_LEVEL_INFO,
        .fuse_options = g_string_new(NULL),
    };
    catalog_options_init(&options->where);
}

static int take_operand(struct options *options, const char *operand, struct error *err)
{
    char **field = !options->catalog ? &options->catalog : &options->mountpoint;
    if (*field)
        return error_set(err, ERR_INVALID, "unexpected argument '%s'", operand);
    if (operand[0] == '\0')
        return error_set(err, ERR_INVALID, "%s is empty",
                         field == &options->catalog ? "CATALOG" : "MOUNTPOINT");
    *field = g_strdup(operand);
    return 0;
}

static int take_switch(struct options *options, int letter, char *const argv[], struct error *err)
{
    switch (letter) {
    case 'f':
        options->foreground = true;
        return 0;
    case 'd':
        options->debug = options->foreground = true;
        return 0;
    case 'h':
        options->show_help = true;
        return 0;
    case 'V':
        options->show_version = true;
        return 0;
    case 'o':
        return option_table_parse(rows, optarg, options, err);
    case ':':
        return error_set(err, ERR_INVALID, "-%c needs an argument", optopt);
    case 1:
        return take_operand(options, optarg, err);
    default:
        if (optopt != 0)
            return error_set(err, ERR_INVALID, "unknown option '-%c'", optopt);
        return error_set(err, ERR_INVALID, "unknown option '%s'", argv[optind - 1]);
    }
}

/* Operands and options in any order, whatever POSIXLY_CORRECT says: mount(8) puts options last. */
static int take_arguments(struct options *options, int argc, char *const argv[], struct error *err)
{
    optind = 0; /* glibc: start over */
    opterr = 0;
    int letter;
    while ((letter = getopt_long(argc, argv, "-:fdhVo:", long_options, NULL)) != -1) {
        int code = take_switch(options, letter, argv, err);
        if (code != 0 || options->show_help || options->show_version)
            return code;
    }
    for (int i = optind; i < argc; i++) { /* after "--" */
        int code = take_operand(options, argv[i], err);
        if (code != 0)
            return code;
    }
    return 0;
}

int options_parse(int argc, char *const argv[], struct options *ret, struct error *err)
{
    set_defaults(ret);
    int code = take_arguments(ret, argc, argv, err);
    if (code != 0 || ret->show_help || ret->show_version)
        return code;
    if (!ret->catalog)
        return error_set(err, ERR_INVALID, "CATALOG and MOUNTPOINT are missing");
    if (!ret->mountpoint)
        return error_set(err, ERR_INVALID, "MOUNTPOINT is missing");
    if (ret->refresh_s == NOT_GIVEN)
        ret->refresh_s = s3_url_is(ret->catalog) ? S3_REFRESH_S : 0;
    code = catalog_options_check(&ret->where, ret->catalog, err);
    return code != 0
               ? code
               : catalog_option_needs_s3(ret->catalog, "single_writer", ret->single_writer, err);
}

void options_clear(struct options *options)
{
    g_free(options->catalog);
    g_free(options->mountpoint);
    g_free(options->log_level_file);
    catalog_options_clear(&options->where);
    if (options->fuse_options)
        g_string_free(options->fuse_options, TRUE);
    *options = (struct options){0};
}

char *options_usage(void)
{
    GString *out = g_string_new(
        "usage: forkfs [options] CATALOG MOUNTPOINT\n"
        "\n"
        "Mounts the fork catalog of a Uni graph database: mkdir MOUNTPOINT/forks/NAME creates a\n"
        "fork, rmdir drops it. CATALOG is the directory of the database, or s3://BUCKET[/PREFIX].\n"
        "\n"
        "options:\n"
        "    -f                        stay in the foreground, log to stderr\n"
        "    -d                        the same, and trace the FUSE requests\n"
        "    -h, --help                print this text\n"
        "    -V, --version             print the version, and those of libraries\n"
        "    -o OPTION[,OPTION...]     mount options; a comma within a value is written \\,\n"
        "\n"
        "mount options:\n");
    option_table_usage(rows, out);
    g_string_append(out, "\n"
                         "Also accepted: rw, [no]dev, [no]suid, [no]exec, and without effect: "
                         "the variants of atime,\n"
                         "[no]auto, [no]user, users, defaults, nofail, _netdev, comment=, x-*.\n"
                         "\n"
                         "Exit status: 0 mounted (or, with -f, orderly unmounted), 1 failed, 2 "
                         "wrong usage.\n"
                         "Unmount with: fusermount3 -u MOUNTPOINT\n");
    return g_string_free(out, FALSE);
}
