/*
 * What the rooms of the HTML report hand to each other: report_html (the page), report_html_summary
 * (the verdict), report_html_quality (the captures), report_html_waterfall (when each exchange was
 * under way), report_html_list (all exchanges), report_html_exchange (one of them, opened),
 * report_html_ladder (its way in time), report_html_sides (messages next to each other),
 * report_html_bar (where the time went), report_html_words (what they write alike).
 *
 * Every text goes through html_bytes or html_text; attributes are made of numbers and of words that
 * stand in the source, never of what came from a file. There are no style attributes, so that the
 * page's Content-Security-Policy can name the one style sheet and the one script by their digests.
 */
#ifndef CAPDIFF_REPORT_HTML_H
#define CAPDIFF_REPORT_HTML_H

#include "capturer/capdiff/message_view.h"
#include "capturer/capdiff/report_index.h"

struct html {
    FILE *file;
    const struct report *report;
    const struct report_index *index;
    const size_t *order; /* crossings: those with findings first, then the unsure, then by time */
    size_t budget;       /* bytes that opened exchanges may still take in the page */
};

/* Exchanges that were compared, whether the page could list them or not. */
uint64_t html_total(const struct html *html);

/* A view, as the page calls it: "proxy in". */
const char *html_view(const struct html *html, enum view view);

/* "differ" and the like: a CSS class, which is the word people see too. */
const char *html_standing(enum standing standing);

/* The same as one character. */
const char *html_mark(enum standing standing);

/* "12.3 ms" into OUT of HTML_DURATION_MAX bytes; "–" for 0. Returns OUT. */
#define HTML_DURATION_MAX 32
const char *html_duration(uint64_t ns, char *out);

/* "12:34:56.123456" of the day, in UTC, into OUT of HTML_TIME_MAX bytes. Returns OUT. */
#define HTML_TIME_MAX 32
const char *html_time(uint64_t ns, char *out);

/*
 * "POST /tool", cut after MAX bytes; nothing where no request line was seen. WRITE is html_bytes,
 * or xml_bytes inside a drawing: an element of HTML would end it.
 */
void html_request_line(const struct html *html, const struct exchange *exchange, size_t max,
    void (*write)(FILE *file, struct slice bytes));

/* The final status; 0 without one. */
int html_status(const struct crossing *crossing);

void html_summary(const struct html *html);
void html_quality(const struct html *html);
void html_waterfall(const struct html *html);
void html_list(struct html *html);

/* The inside of one row of the list. */
void html_exchange(const struct html *html, size_t crossing);

/* One finding, as an item of a list. */
void html_finding(const struct html *html, const struct finding *finding);

/* The markers are needed once, in a part of the page that is always shown. */
void html_ladder(const struct html *html, const struct crossing *crossing);
void html_ladder_markers(const struct html *html);

/* Where a bar begins in its drawing, and how much of it an ns is; it ends at WIDTH_MAX. */
struct html_bar_place {
    double x, y, width_max, per_ns;
};

void html_bar(
    const struct html *html, const struct crossing *crossing, const struct html_bar_place *place);

/* What the colours of the bars mean. */
void html_legend(const struct html *html);

/*
 * A message, or two next to each other where AFTER is not NULL, with what differs marked. CLASS
 * gives it its colour.
 */
void html_message(const struct html *html, const struct message *before,
    const struct message *after, bool response);

#endif
