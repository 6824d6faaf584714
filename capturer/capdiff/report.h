/*
 * What was found, for people (text, HTML) and for programs (JSON, see
 * report.schema.json; JUnit).
 */
#ifndef CAPDIFF_REPORT_H
#define CAPDIFF_REPORT_H

#include <stdio.h>

#include "capturer/capdiff/findings.h"

struct report {
    const struct evidence *evidence;
    const struct findings *findings;
    int exit_status;
};

/* All of them write to FILE, whose error flag tells whether all of it arrived. */
void report_text(const struct report *report, FILE *file, bool color);
/* The part of the text report that says what the captures are worth. */
void report_text_quality(const struct report *report, FILE *file, bool color);
void report_json(const struct report *report, FILE *file);

/* One page that needs nothing else: no network, no fonts, and no script to be read. */
void report_html(const struct report *report, FILE *file);

/*
 * JUnit's XML, as CI systems read it. A test case for each hop of each exchange: a failure where it
 * differs, skipped where the captures cannot tell. Missing evidence is an error of the captures'
 * suite, so that what is inconclusive does not pass.
 */
void report_junit(const struct report *report, FILE *file);

/* The verdict in one line, without an end of line; appended to OUT. */
void report_summary(const struct report *report, struct buf *out);

/* One doubt as a sentence without an end; appended to OUT. */
void report_doubt(
    const struct report *report, enum doubt_kind kind, enum source source, struct buf *out);

/*
 * How far SOURCE's clock is from the proxy's, as a sentence without an end; appended to OUT.
 * Nothing where it is not known.
 */
void report_clock(const struct report *report, enum source source, struct buf *out);

/* Things to know that decide nothing; each is appended to OUT and ended by a line feed. */
void report_notes(const struct report *report, struct buf *out);

#endif
