#include "base/log.h"

#include <glib.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/printable.h"

struct log {
    unsigned references;  /* atomic */
    enum log_level level; /* atomic */
    pthread_mutex_t lock;
    enum log_target target; /* guarded by lock */
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static void enter_target(enum log_target target)
{
    if (target == LOG_TO_SYSLOG)
        openlog("forkfs", LOG_PID, LOG_DAEMON);
}

struct log *log_new(enum log_level level, enum log_target target)
{
    struct log *log = g_new0(struct log, 1);
    log->references = 1;
    log->level = level;
    log->target = target;
    pthread_mutex_init(&log->lock, NULL);
    enter_target(target);
    return log;
}

struct log *log_ref(struct log *log)
{
    if (log)
        __atomic_fetch_add(&log->references, 1, __ATOMIC_RELAXED);
    return log;
}

void log_unref(struct log *log)
{
    if (!log || __atomic_sub_fetch(&log->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (log->target == LOG_TO_SYSLOG)
        closelog();
    pthread_mutex_destroy(&log->lock);
    g_free(log);
}

void log_set_level(struct log *log, enum log_level level)
{
    if (log)
        __atomic_store_n(&log->level, level, __ATOMIC_RELAXED);
}

void log_set_target(struct log *log, enum log_target target)
{
    if (!log)
        return;
    LOCK_SCOPE(&log->lock);
    log->target = target;
    enter_target(target);
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    if (!log || level > __atomic_load_n(&log->level, __ATOMIC_RELAXED))
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autoptr(GString) line = g_string_new(NULL);
    printable_append(line, text);
    LOCK_SCOPE(&log->lock);
    if (log->target == LOG_TO_SYSLOG)
        syslog(priorities[level], "%s: %s", level_names[level], line->str);
    else
        fprintf(stderr, "forkfs: %s: %s\n", level_names[level], line->str);
}

int log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < G_N_ELEMENTS(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return ERR_INVALID;
}
