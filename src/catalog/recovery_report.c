#include "catalog/recovery_report.h"

void recovery_report_clear(struct recovery_report *report)
{
    if (report->problems)
        g_ptr_array_unref(report->problems);
    report->problems = NULL;
}

void recovery_report_problem(struct recovery_report *report, const struct error *reason,
                             const char *what, const char *object)
{
    struct error *problem = g_new0(struct error, 1);
    error_set(problem, reason->code, "%s %s was left alone: %s", what, object, reason->text);
    g_ptr_array_add(report->problems, problem);
}

/* The fork's documents, or an object of it that cannot be deleted. Only a store that is out of
 * reach ends recovery. */
bool recovery_is_about_one_fork(int code)
{
    return code == ERR_ACCESS || code == ERR_READ_ONLY || code == ERR_IO ||
           code == ERR_NOT_DURABLE || code == ERR_CORRUPT || code == ERR_UNSUPPORTED ||
           code == ERR_STALE || code == ERR_EXISTS || code == ERR_NOT_EMPTY || code == ERR_HELD ||
           code == ERR_AWAY;
}
