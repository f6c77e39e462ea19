/*
 * Text of others in files of one line per item.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_FS_CONTENT_LINE_TEXT_H
#define FORKFS_FS_CONTENT_LINE_TEXT_H

#include <glib.h>

/* Appends `text` with its control characters, and the characters in `also`, written as in
 * /proc/mounts (\040): so it cannot end the line, nor look like several fields. */
void line_text_append(GString *line, const char *text, const char *also);

#endif
