/* All exchanges, findings first: a row each, and as many of them as can be opened. */
#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/timing.h"

#define ROWS_MAX 5000  /* exchanges listed; the rest is counted */
#define OPENED_MAX 200 /* of them that can be opened, besides those with findings */
#define LINE_SHOWN 120 /* bytes of the request line */
#define BAR_WIDTH 160.0

/* What a bar of full length stands for, and how many are longer. */
struct scale {
    uint64_t full_ns, longest_ns;
    size_t longer;
};

static int by_number(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* Nine in ten exchanges with the proxy fit into a full bar; all, where that is not much more. */
static uint64_t full_bar(const struct html *html)
{
    const struct evidence *evidence = html->report->evidence;
    size_t count = evidence->count;
    uint64_t *totals = memory_new(count, sizeof(*totals)), full = 0, longest = 0;
    struct timing timing;

    for (size_t i = 0; i < count; i++) {
        timing_of(&evidence->crossings[i], &timing);
        if (report_index_standing(html->index, i) != CAME_NOT)
            totals[i] = timing.total_ns;
    }
    if (count > 0) {
        qsort(totals, count, sizeof(*totals), by_number);
        full = totals[(count - 1) * 9 / 10];
        longest = totals[count - 1];
    }
    free(totals);
    if (full == 0 || longest < 4 * full)
        full = longest;
    return full > 0 ? full : 1;
}

static struct scale find_scale(const struct html *html)
{
    const struct evidence *evidence = html->report->evidence;
    struct scale scale = {full_bar(html), 0, 0};
    struct timing timing;

    for (size_t i = 0; i < evidence->count; i++) {
        timing_of(&evidence->crossings[i], &timing);
        scale.longer += timing.total_ns > scale.full_ns;
        if (timing.total_ns > scale.longest_ns)
            scale.longest_ns = timing.total_ns;
    }
    return scale;
}

/* A bar that is longer than the scale is broken off at its end. */
static void write_bar(const struct html *html, const struct crossing *crossing,
    const struct timing *timing, const struct scale *scale)
{
    struct html_bar_place place = {0, 0, BAR_WIDTH, BAR_WIDTH / (double)scale->full_ns};

    fputs("<svg class=\"bar\" viewBox=\"0 0 160 10\" preserveAspectRatio=\"none\">", html->file);
    html_bar(html, crossing, &place);
    if (timing->total_ns > scale->full_ns)
        fputs("<path class=\"broken\" d=\"M142 11l6-12M150 11l6-12\"/>", html->file);
    fputs("</svg>", html->file);
}

static void write_row(const struct html *html, const struct crossing *crossing,
    enum standing standing, const struct scale *scale)
{
    const char *call_id = crossing_call_id(crossing);
    char text[HTML_TIME_MAX + HTML_DURATION_MAX];
    struct timing timing;

    timing_of(crossing, &timing);
    fprintf(html->file, "<b class=\"m\">%s</b><span class=\"n\">", html_mark(standing));
    if (crossing->number != 0)
        fprintf(html->file, "%" PRIu64, crossing->number);
    fprintf(html->file, "</span><span class=\"t\">%s</span><span class=\"r\">",
        html_time(crossing->time_ns, text));
    html_request_line(html, crossing_exchange(crossing), LINE_SHOWN, html_bytes);
    fputs("</span><span class=\"c\">", html->file);
    html_text(html->file, call_id != NULL ? call_id : "");
    fprintf(html->file, "</span><span class=\"s\">");
    if (html_status(crossing) != 0)
        fprintf(html->file, "%d", html_status(crossing));
    fputs("</span>", html->file);
    write_bar(html, crossing, &timing, scale);
    fprintf(html->file, "<span class=\"d%s\">%s</span>",
        timing.total_ns > scale->full_ns ? " longer" : "", html_duration(timing.total_ns, text));
}

/* The inside of a row that can be opened, if the budget is enough for it; else NULL. */
static char *render(struct html *html, size_t crossing)
{
    FILE *page = html->file;
    char *text = NULL;
    size_t size = 0;

    html->file = open_memstream(&text, &size);
    if (html->file == NULL)
        memory_need(UV_ENOMEM);
    html_exchange(html, crossing);
    if (fclose(html->file) != 0)
        memory_need(UV_ENOMEM);
    html->file = page;
    if (size > html->budget) {
        free(text);
        return NULL;
    }
    html->budget -= size;
    return text;
}

/* OPENED: how many rows may be opened; how many were, once the budget is gone. */
static void write_crossing(
    struct html *html, size_t rank, const struct scale *scale, size_t *opened)
{
    size_t i = html->order[rank];
    const struct crossing *crossing = &html->report->evidence->crossings[i];
    enum standing standing = report_index_standing(html->index, i);
    char *inside = rank < *opened ? render(html, i) : NULL;
    const char *tag = inside != NULL ? "details" : "div";

    fprintf(html->file, "<%s class=\"x %s\" id=\"x%zu\"%s>%s", tag, html_standing(standing), i + 1,
        inside != NULL && rank == 0 ? " open" : "", inside != NULL ? "<summary>" : "");
    write_row(html, crossing, standing, scale);
    if (inside != NULL)
        fprintf(html->file, "</summary>\n%s", inside);
    fprintf(html->file, "</%s>\n", tag);
    if (inside == NULL && rank < *opened)
        *opened = rank;
    free(inside);
}

static void write_caption(const struct html *html, size_t listed, const struct scale *scale)
{
    char text[HTML_DURATION_MAX];

    fputs("<p class=\"cap\">Those with differences come first, then those that are not sure, then "
          "by time.",
        html->file);
    if (listed < html_total(html))
        fprintf(html->file,
            " <b>%zu of %" PRIu64 " exchanges are listed</b>; the rest is counted above.", listed,
            html_total(html));
    fprintf(html->file, " A full bar is %s", html_duration(scale->full_ns, text));
    if (scale->longer > 0)
        fprintf(html->file, "; %zu took longer, up to %s, and %s broken off", scale->longer,
            html_duration(scale->longest_ns, text),
            scale->longer == 1 ? "its bar is" : "their bars are");
    fputs(". ", html->file);
    html_legend(html);
    fputs("</p>\n", html->file);
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
    struct scale scale = find_scale(html);

    if (may_open > listed)
        may_open = listed;
    opened = may_open;
    fprintf(html->file, "<section id=\"exchanges\"><h2>Exchanges <small>%" PRIu64 "</small></h2>\n",
        html_total(html));
    write_caption(html, listed, &scale);
    html_ladder_markers(html);
    fputs(
        "<div class=\"list\">\n<div class=\"x head\"><span></span><span class=\"n\">#</span><span "
        "class=\"t\">time, UTC</span><span class=\"r\">request</span><span class=\"c\">call "
        "id</span><span class=\"s\">status</span><span>latency</span><span "
        "class=\"d\"></span></div>\n",
        html->file);
    for (size_t rank = 0; rank < listed; rank++)
        write_crossing(html, rank, &scale, &opened);
    fputs("</div>\n", html->file);
    if (opened < listed)
        fprintf(html->file,
            "<p class=\"cap\">The first %zu of these rows can be opened: a page with everything "
            "would be too big to use.</p>\n",
            opened);
    fputs("</section>\n", html->file);
}
