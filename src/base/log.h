/*
 * The log: one line per message, to stderr (foreground) or syslog (daemon).
 *
 * A struct log is created by main and handed down; there is no global one. It is reference-counted:
 * a store that is left to requests which are stuck may still write. Thread-safe. A NULL log
 * swallows every message, which is what most unit tests want.
 */
#ifndef FORKFS_BASE_LOG_H
#define FORKFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

struct log;

/* Messages above `level` are dropped. */
struct log *log_new(enum log_level level, enum log_target target); /* log_unref() */
struct log *log_ref(struct log *log);                              /* NULL: NULL */
void log_unref(struct log *log);                                   /* NULL: nothing */

/* Messages above `level` are dropped from now on. */
void log_set_level(struct log *log, enum log_level level);

/* Switches the target, when a daemon lets go of its terminal. */
void log_set_target(struct log *log, enum log_target target);

/* Control characters in the text come out as \xNN, so that a message stays one line. */
void log_write(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_write(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write(log, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(log, ...) log_write(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

/* "error", "warning", "info", "debug" to a level; ERR_INVALID (and *ret untouched) otherwise. */
int log_level_parse(const char *text, enum log_level *ret);

#endif
