/*
 * What has failed: told to the file `errors` and to the log.
 */
#include "base/timestamp.h"
#include "fs/errno_map.h"
#include "fs/state/session_state.h"

void session_note_failure(struct session *session, const char *operation, const char *path,
                          const struct error *failure)
{
    failures_add(session->failures, timestamp_now(), operation, path, failure);
    log_warning(session->log, "%s %s: %s (%s)", operation, path, failure->text,
                errno_name(errno_of(failure->code)));
}
