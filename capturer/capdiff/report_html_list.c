/* All exchanges, findings first: a row each, and as many of them as can be opened. */
#include <inttypes.h>
#include <stdlib.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/timing.h"

#define ROWS_MAX 5000  /* exchanges listed; the rest is counted */
#define OPENED_MAX 200 /* of them that can be opened, besides those with findings */
#define BAR_WIDTH 160.0

/* What a bar of full length stands for: nine in ten exchanges are no longer. */
static int by_number(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static uint64_t full_bar(const struct html *html)
{
    const struct evidence *evidence = html->report->evidence;
    uint64_t *totals = memory_new(evidence->count, sizeof(*totals)), full;
    struct timing timing;

    for (size_t i = 0; i < evidence->count; i++) {
        timing_of(&evidence->crossings[i], &timing);
        if (report_index_standing(html->index, i) != CAME_NOT)
            totals[i] = timing.total_ns;
    }
    if (evidence->count > 0)
        qsort(totals, evidence->count, sizeof(*totals), by_number);
    full = evidence->count > 0 ? totals[(evidence->count - 1) * 9 / 10] : 0;
    if (evidence->count > 0 && totals[evidence->count - 1] < 4 * full)
        full = totals[evidence->count - 1];
    free(totals);
    return full > 0 ? full : 1;
}

static void write_bar(const struct html *html, const struct timing *timing, uint64_t full)
{
    double x = 0;

    fputs("<svg class=\"bar\" viewBox=\"0 0 160 10\" preserveAspectRatio=\"none\">", html->file);
    for (int i = 0; i < SPANS; i++) {
        double width = (double)timing->spans[i] * BAR_WIDTH / (double)full;

        if (x + width > BAR_WIDTH)
            width = BAR_WIDTH - x;
        if (width >= 0.1)
            fprintf(html->file, "<rect class=\"s%d\" x=\"%.1f\" width=\"%.1f\" height=\"10\"/>", i,
                x, width);
        x += width;
    }
    fputs("</svg>", html->file);
}

static void write_row(
    const struct html *html, const struct crossing *crossing, enum standing standing, uint64_t full)
{
    static const char marks[][4] = {"=", "≈", "?", "≠", "·"};
    const char *call_id = crossing_call_id(crossing);
    char text[HTML_TIME_MAX + HTML_DURATION_MAX];
    struct timing timing;

    timing_of(crossing, &timing);
    fprintf(html->file, "<b class=\"m\">%s</b><span class=\"n\">", marks[standing]);
    if (crossing->number != 0)
        fprintf(html->file, "%" PRIu64, crossing->number);
    fprintf(html->file, "</span><span class=\"t\">%s</span><span class=\"r\">",
        html_time(crossing->time_ns, text));
    html_request_line(html, crossing);
    fputs("</span><span class=\"c\">", html->file);
    html_text(html->file, call_id != NULL ? call_id : "");
    fprintf(html->file, "</span><span class=\"s\">");
    if (html_status(crossing) != 0)
        fprintf(html->file, "%d", html_status(crossing));
    fputs("</span>", html->file);
    write_bar(html, &timing, full);
    fprintf(html->file, "<span class=\"d\">%s</span>", html_duration(timing.total_ns, text));
}

static uint64_t size_of(const struct crossing *crossing)
{
    uint64_t size = 0;

    for (int view = 0; view < VIEWS; view++) {
        if (crossing->at[view] != NULL)
            size += crossing->at[view]->request.raw.len + crossing->at[view]->response.raw.len;
    }
    return size;
}

static void write_crossing(struct html *html, size_t rank, uint64_t full, size_t *opened)
{
    size_t i = html->order[rank];
    const struct crossing *crossing = &html->report->evidence->crossings[i];
    enum standing standing = report_index_standing(html->index, i);
    bool opens = rank < *opened && size_of(crossing) <= html->budget;
    const char *tag = opens ? "details" : "div";

    fprintf(html->file, "<%s class=\"x %s\" id=\"x%zu\">%s", tag, html_standing(standing), i + 1,
        opens ? "<summary>" : "");
    write_row(html, crossing, standing, full);
    if (opens) {
        fputs("</summary>\n", html->file);
        html_exchange(html, i);
    }
    fprintf(html->file, "</%s>\n", tag);
    if (!opens && rank < *opened)
        *opened = rank; /* the budget is gone */
}

static void write_caption(const struct html *html, size_t listed, uint64_t full)
{
    char text[HTML_DURATION_MAX];
    size_t count = html->report->evidence->count;

    fputs("<p class=\"cap\">Those with differences come first, then those that are not sure, then "
          "by time.",
        html->file);
    if (listed < count)
        fprintf(html->file, " <b>%zu of %zu exchanges are listed</b>; the rest is counted above.",
            listed, count);
    fprintf(html->file, " A full bar is %s:", html_duration(full, text));
    for (int i = 0; i < SPANS; i++)
        fprintf(html->file, " <span class=\"k s%d\"></span>%s", i, span_text((enum span)i));
    fputs(".</p>\n", html->file);
}

static size_t count_found(const struct html *html)
{
    size_t count = 0;

    while (count < html->report->evidence->count &&
           report_index_standing(html->index, html->order[count]) == CAME_DIFFERENT)
        count++;
    return count;
}

void html_list(struct html *html)
{
    size_t count = html->report->evidence->count;
    size_t listed = count < ROWS_MAX ? count : ROWS_MAX;
    size_t found = count_found(html), may_open = found + OPENED_MAX, opened;
    uint64_t full = full_bar(html);

    if (may_open > listed)
        may_open = listed;
    opened = may_open;
    fprintf(html->file, "<section id=\"exchanges\"><h2>Exchanges <small>%zu</small></h2>\n", count);
    write_caption(html, listed, full);
    fputs(
        "<div class=\"list\">\n<div class=\"x head\"><span></span><span class=\"n\">#</span><span "
        "class=\"t\">time, UTC</span><span class=\"r\">request</span><span class=\"c\">call "
        "id</span><span class=\"s\">status</span><span>latency</span><span "
        "class=\"d\"></span></div>\n",
        html->file);
    for (size_t rank = 0; rank < listed; rank++)
        write_crossing(html, rank, full, &opened);
    fputs("</div>\n", html->file);
    if (opened < listed)
        fprintf(html->file,
            "<p class=\"cap\">The first %zu of these rows can be opened: a page with everything "
            "would be too big to use.</p>\n",
            opened);
    fputs("</section>\n", html->file);
}
