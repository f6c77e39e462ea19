/*
 * Text of others, made safe to print: it ends no line, and no terminal acts on it.
 *
 * Pure, thread-safe.
 */
#ifndef FORKFS_BASE_PRINTABLE_H
#define FORKFS_BASE_PRINTABLE_H

#include <glib.h>
#include <stdbool.h>

/* Appends `text` with its control characters (C0, DEL and C1), and what is no UTF-8, written byte
 * by byte as "\x1b". */
void printable_append(GString *out, const char *text);
/* Escapes as in /proc/mounts ("\033"), also for the characters in `also`: with a blank in it, the
 * text does not look like several fields. */
void printable_append_field(GString *out, const char *text, const char *also);

/* Whether there is no control character of ASCII in the text. */
bool printable_is(const char *text);
/* Overwrites the control characters of ASCII in the text. */
void printable_replace(char *text, char replacement);

#endif
