/*
 * Lines that a program prints for people and scripts: one write(2) each, none lost in silence.
 */
#ifndef LIB_LINE_OUT_H
#define LIB_LINE_OUT_H

#include <stdint.h>

#include "lib/slice.h"

#define LINE_OUT_WAIT 1000 /* ms that a non-blocking descriptor may stay full */

struct line_out {
    int fd;
    const char *name; /* for the complaint, as in "stdout" */
    uint64_t lost;    /* lines that could not be written whole */
};

/*
 * Writes LINE, which brings its own line end. When that fails it is counted and, the first time,
 * said on stderr. A blocking descriptor blocks; one that takes nothing for LINE_OUT_WAIT loses the
 * line.
 */
void line_out_write(struct line_out *out, struct slice line);

/* Says on stderr how many lines were lost, if any were. At the end of a program. */
void line_out_report(const struct line_out *out);

#endif
