#include "program/hangup.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void only_hangup(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGHUP);
}

bool hangup_claim(bool background)
{
    if (!background && isatty(STDERR_FILENO))
        return false;
    sigset_t signals;
    only_hangup(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return true;
}

int hangup_log_level(const char *file, enum log_level otherwise, enum log_level *ret,
                     struct error *err)
{
    *ret = otherwise;
    g_autofree char *text = NULL;
    g_autoptr(GError) failure = NULL;
    if (!file)
        return 0;
    if (!g_file_get_contents(file, &text, NULL, &failure)) {
        if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return 0;
        return error_set(err, ERR_ACCESS, "the level of the log: %s", failure->message);
    }
    text[strcspn(text, "\n")] = '\0';
    g_strstrip(text);
    if (log_level_parse(text, ret) == 0)
        return 0;
    return error_set(err, ERR_INVALID,
                     "the level of the log: '%s' in %s is none of error, warning, info, debug",
                     text, file);
}

static void read_again(const struct hangup *hangup)
{
    enum log_level level;
    struct error failure;
    if (hangup_log_level(hangup->level_file, hangup->level, &level, &failure) == 0)
        log_set_level(hangup->log, level);
    else
        log_error(hangup->log, "%s", failure.text);
    if (hangup->profile && s3_profile_read_again(hangup->profile, &failure) != 0)
        log_error(hangup->log, "credentials: %s", failure.text);
    log_info(hangup->log, "SIGHUP: read again what was read at the start");
}

static void wait_for_hangups(void *argument)
{
    struct hangup *hangup = argument;
    while (!thread_is_ending(&hangup->thread)) {
        struct signalfd_siginfo signal;
        if (thread_wait(&hangup->thread, hangup->fd, INT64_MAX) &&
            read(hangup->fd, &signal, sizeof signal) == (ssize_t)sizeof signal)
            read_again(hangup);
    }
}

int hangup_start(struct hangup *hangup, struct error *err)
{
    sigset_t signals;
    only_hangup(&signals);
    hangup->fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (hangup->fd < 0)
        return error_set_errno(err, errno, "waiting for SIGHUP");
    int code = thread_start(&hangup->thread, "hangup", wait_for_hangups, hangup, err);
    if (code != 0)
        close(hangup->fd);
    return code;
}

void hangup_stop(struct hangup *hangup)
{
    if (!hangup->thread.started)
        return;
    thread_stop(&hangup->thread);
    close(hangup->fd);
}
