/*
 * What a program says about itself, on stderr: one line each, "NAME: text".
 *
 * Text that came from the network goes through log_escape first, so that it is shown as what it is.
 * Whatever does not: no control character reaches a terminal.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stddef.h>

#include "lib/slice.h"

/* Sets the name that starts each line; NAME must outlive the program. */
void log_init(const char *name);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Writes TEXT into OUT as utf8_show has it, cut to fit with "…" at the end (SIZE is 4 at least).
 * Returns OUT.
 */
const char *log_escape(struct slice text, char *out, size_t size);

#endif
