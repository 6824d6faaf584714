/* When each exchange was under way: a bar each on one axis of time, as they began. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/timing.h"

#define DRAWN_MAX 40
#define LINE_SHOWN 16 /* bytes of the request line */
#define CALL_ID_SHOWN 13
#define LEFT 264.0
#define RIGHT 860.0
#define TOP 32.0
#define ROW 18.0
#define CUT_WIDTH 14.0
#define CUTS_WIDTH 200.0 /* of all cuts together */
#define BAR_MIN 3.0      /* a shorter one would not show its parts */
#define LABEL_WIDTH 64.0
#define TICKS 6

/* Time in which at least one of the exchanges was under way. */
struct stretch {
    uint64_t from_ns, to_ns;
    double x;
};

/* Where nothing was under way for long, the axis is cut. */
struct axis {
    struct stretch stretches[DRAWN_MAX];
    size_t count;
    double per_ns, cut_width;
};

static uint64_t duration(const struct crossing *crossing)
{
    struct timing timing;

    timing_of(crossing, &timing);
    return timing.total_ns;
}

static int by_index(const void *left, const void *right)
{
    const size_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* The first of the list, but not what only the server saw; then by time. */
static size_t choose(const struct html *html, size_t *chosen)
{
    const struct evidence *evidence = html->report->evidence;
    size_t count = 0;

    for (size_t i = 0; i < evidence->count && count < DRAWN_MAX; i++) {
        if (report_index_standing(html->index, html->order[i]) != CAME_NOT &&
            evidence->crossings[html->order[i]].time_ns != 0)
            chosen[count++] = html->order[i];
    }
    if (count > 0)
        qsort(chosen, count, sizeof(*chosen), by_index);
    return count;
}

/* GAP_NS: idle time up to this much is no reason to cut the axis. */
static void axis_take(struct axis *axis, uint64_t from_ns, uint64_t to_ns, uint64_t gap_ns)
{
    struct stretch *last = axis->count > 0 ? &axis->stretches[axis->count - 1] : NULL;

    if (last == NULL || from_ns > last->to_ns + gap_ns)
        axis->stretches[axis->count++] = (struct stretch){from_ns, to_ns, 0};
    else if (to_ns > last->to_ns)
        last->to_ns = to_ns;
}

static void axis_lay_out(struct axis *axis)
{
    size_t cuts = axis->count - 1;
    uint64_t busy_ns = 0;
    double x = LEFT;

    for (size_t i = 0; i < axis->count; i++)
        busy_ns += axis->stretches[i].to_ns - axis->stretches[i].from_ns;
    axis->cut_width = (double)cuts * CUT_WIDTH > CUTS_WIDTH ? CUTS_WIDTH / (double)cuts : CUT_WIDTH;
    axis->per_ns =
        (RIGHT - LEFT - (double)cuts * axis->cut_width) / (double)(busy_ns > 0 ? busy_ns : 1);
    for (size_t i = 0; i < axis->count; i++) {
        struct stretch *stretch = &axis->stretches[i];

        stretch->x = x;
        x += (double)(stretch->to_ns - stretch->from_ns) * axis->per_ns + axis->cut_width;
    }
}

static void axis_make(
    struct axis *axis, const struct evidence *evidence, const size_t *chosen, size_t count)
{
    uint64_t longest_ns = 0;

    axis->count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t ns = duration(&evidence->crossings[chosen[i]]);

        longest_ns = ns > longest_ns ? ns : longest_ns;
    }
    for (size_t i = 0; i < count; i++) {
        const struct crossing *crossing = &evidence->crossings[chosen[i]];

        axis_take(axis, crossing->time_ns, crossing->time_ns + duration(crossing), 2 * longest_ns);
    }
    axis_lay_out(axis);
}

static double axis_x(const struct axis *axis, uint64_t ns)
{
    size_t i = axis->count - 1;

    while (i > 0 && ns < axis->stretches[i].from_ns)
        i--;
    return axis->stretches[i].x + (double)(ns - axis->stretches[i].from_ns) * axis->per_ns;
}

static void draw_tick(const struct html *html, double x, double bottom, uint64_t ns)
{
    char text[HTML_DURATION_MAX];

    fprintf(html->file,
        "<path class=\"tick\" d=\"M%.1f 24V%.0f\"/><text class=\"at\" x=\"%.1f\" "
        "y=\"18\">+%s</text>\n",
        x, bottom, x, ns == 0 ? "0" : html_duration(ns, text));
}

/* 1, 2 or 5 times a power of ten: the least of them that makes no more than TICKS steps. */
static uint64_t tick_step(uint64_t ns)
{
    uint64_t step = 1;

    for (int i = 0; step * TICKS < ns; i++)
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

/* Steps of one length where the axis is whole, else each beginning that there is room to name. */
static void draw_axis(const struct html *html, const struct axis *axis, double bottom)
{
    const struct stretch *first = &axis->stretches[0];
    uint64_t length_ns = first->to_ns - first->from_ns, step = tick_step(length_ns);
    double named = 0;

    for (uint64_t ns = 0; axis->count == 1 && ns <= length_ns; ns += step)
        draw_tick(html, LEFT + (double)ns * axis->per_ns, bottom, ns);
    for (size_t i = 0; axis->count > 1 && i < axis->count; i++) {
        const struct stretch *stretch = &axis->stretches[i];

        if (i > 0)
            fprintf(html->file,
                "<rect class=\"cut\" x=\"%.1f\" y=\"24\" width=\"%.1f\" height=\"%.0f\"/>",
                stretch->x - axis->cut_width, axis->cut_width, bottom - 24);
        if (i > 0 && stretch->x < named + LABEL_WIDTH)
            continue;
        named = stretch->x;
        draw_tick(html, stretch->x, bottom, stretch->from_ns - first->from_ns);
    }
}

static void draw_call_id(const struct html *html, const struct crossing *crossing)
{
    const char *call_id = crossing_call_id(crossing);
    size_t len = call_id != NULL ? strlen(call_id) : 0;

    if (len == 0)
        return;
    fputs(" <tspan class=\"id\">", html->file);
    xml_bytes(html->file, slice_of(call_id, len < CALL_ID_SHOWN ? len : CALL_ID_SHOWN));
    fprintf(html->file, "%s</tspan>", len > CALL_ID_SHOWN ? "…" : "");
}

static void draw_row(const struct html *html, const struct axis *axis, size_t crossing, double y)
{
    const struct crossing *at = &html->report->evidence->crossings[crossing];
    enum standing standing = report_index_standing(html->index, crossing);
    struct html_bar_place place = {axis_x(axis, at->time_ns), y + 4, RIGHT - LEFT, axis->per_ns};
    uint64_t ns = duration(at);
    char text[HTML_DURATION_MAX];

    fprintf(html->file,
        "<a href=\"#x%zu\"><text class=\"m %s\" x=\"8\" y=\"%.0f\">%s</text><text class=\"num\" "
        "x=\"46\" y=\"%.0f\">",
        crossing + 1, html_standing(standing), y + 13, html_mark(standing), y + 13);
    if (at->number != 0)
        fprintf(html->file, "%" PRIu64, at->number);
    fprintf(html->file, "</text><text class=\"line %s\" x=\"56\" y=\"%.0f\">",
        html_standing(standing), y + 13);
    html_request_line(html, crossing_exchange(at), LINE_SHOWN, xml_bytes);
    draw_call_id(html, at);
    fputs("</text></a>", html->file);
    if ((double)ns * axis->per_ns < BAR_MIN)
        fprintf(html->file,
            "<rect class=\"tiny\" x=\"%.1f\" y=\"%.0f\" width=\"%.0f\" height=\"10\"/>", place.x,
            place.y, BAR_MIN);
    else
        html_bar(html, at, &place);
    fprintf(html->file, "<text class=\"num\" x=\"932\" y=\"%.0f\">%s</text>\n", y + 13,
        html_duration(ns, text));
}

static void write_caption(
    const struct html *html, const struct axis *axis, const size_t *chosen, size_t count)
{
    const struct evidence *evidence = html->report->evidence;
    char text[HTML_TIME_MAX];

    fprintf(html->file, "<p class=\"cap\">Time runs to the right, from %s UTC%s.",
        html_time(evidence->crossings[chosen[0]].time_ns, text),
        axis->count > 1 ? "; where none of these was under way for long, it is cut" : "");
    if (count < html_total(html))
        fprintf(html->file,
            " Drawn are %zu of %" PRIu64 " exchanges, those with differences before others.", count,
            html_total(html));
    html_legend(html);
    fputs("</p>\n", html->file);
}

void html_waterfall(const struct html *html)
{
    size_t chosen[DRAWN_MAX], count = choose(html, chosen);
    double bottom = TOP + ROW * (double)count + 6;
    struct axis axis;

    if (count == 0)
        return;
    axis_make(&axis, html->report->evidence, chosen, count);
    fputs("<section id=\"waterfall\"><h2>When each was under way</h2>\n", html->file);
    write_caption(html, &axis, chosen, count);
    fprintf(html->file,
        "<div class=\"wide\"><svg class=\"waterfall\" viewBox=\"0 0 940 %.0f\" role=\"img\" "
        "aria-label=\"waterfall of latencies\">\n",
        bottom);
    draw_axis(html, &axis, bottom);
    for (size_t i = 0; i < count; i++)
        draw_row(html, &axis, chosen[i], TOP + ROW * (double)i);
    fputs("</svg></div></section>\n", html->file);
}
