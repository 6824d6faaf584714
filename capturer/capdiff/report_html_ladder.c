/* The way of some exchanges through every view, with time running down, as one drawing. */
#include <inttypes.h>
#include <stdlib.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/timing.h"

#define LADDER_MAX 4 /* exchanges drawn */
#define TOP 46.0
#define TITLE 30.0
#define STEP_MIN 15.0
#define STEP_DECADE 6.0
#define POINTS_MAX (2 * VIEWS)

/* A message's arrival in a view. */
struct point {
    int view;
    bool response;
    uint64_t ns; /* 0: nobody recorded it */
    double y;
};

struct ladder {
    const struct html *html;
    double y;
};

static double lane(const struct ladder *ladder, int view)
{
    static const double lanes[VIEWS] = {130, 390, 570, 830}, one_leg[VIEWS] = {0, 0, 130, 830};

    return ladder->html->report->evidence->legs.one_leg ? one_leg[view] : lanes[view];
}

static bool is_seen(const struct crossing *crossing, int view, bool response)
{
    const struct exchange *at = crossing->at[view];

    return at != NULL && (response ? at->response.state : at->request.state) != MESSAGE_NONE;
}

/* Time runs down by its logarithm, more or less: a microsecond can be seen, and a second fits. */
static double step(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t tens = from_ns != 0 && to_ns > from_ns ? 1 + (to_ns - from_ns) / 10000 : 1;
    double height = STEP_MIN;

    for (; tens >= 10; tens /= 10)
        height += STEP_DECADE;
    return height + (double)(tens - 1) / 9 * STEP_DECADE;
}

static void add_point(struct ladder *ladder, struct point *points, size_t *count, int view,
    bool response, uint64_t ns)
{
    struct point *point = &points[*count];
    const struct point *last = *count > 0 ? point - 1 : NULL;

    if (last != NULL)
        ladder->y += step(last->ns, ns != 0 ? ns : last->ns);
    *point = (struct point){view, response, ns != 0 || last == NULL ? ns : last->ns, ladder->y};
    (*count)++;
}

/*
 * Where the exchange was seen, in the order of its way. The client itself, where its host was not
 * recorded, is taken to be where its leg begins.
 */
static size_t find_points(
    struct ladder *ladder, const struct crossing *crossing, struct point *points)
{
    const struct evidence *evidence = ladder->html->report->evidence;
    bool guess = !evidence->has[SOURCE_CLIENT_HOST];
    size_t count = 0;

    for (int view = 0; view < VIEWS; view++) {
        if (is_seen(crossing, view, false))
            add_point(ladder, points, &count, view, false,
                evidence_time(
                    evidence, view_source((enum view)view), crossing->at[view]->request.first_ns));
        else if (view == 0 && guess && is_seen(crossing, 1, false))
            add_point(ladder, points, &count, 0, false, crossing->at[1]->request.first_ns);
    }
    for (int view = VIEWS; view-- > 0;) {
        if (is_seen(crossing, view, true))
            add_point(ladder, points, &count, view, true,
                evidence_time(
                    evidence, view_source((enum view)view), crossing->at[view]->response.last_ns));
        else if (view == 0 && guess && is_seen(crossing, 1, true))
            add_point(ladder, points, &count, 0, true, crossing->at[1]->response.last_ns);
    }
    return count;
}

/* The hop between two views has changed the message. */
static bool has_changed(
    const struct crossing *crossing, const struct point *a, const struct point *b)
{
    const struct exchange *x = crossing->at[a->view], *y = crossing->at[b->view];

    if (x == NULL || y == NULL)
        return false;
    return a->response ? !message_equal(&x->response, &y->response)
                       : !message_equal(&x->request, &y->request);
}

static void draw_arrow(
    const struct ladder *ladder, size_t crossing, const struct point *a, const struct point *b)
{
    const struct crossing *at = &ladder->html->report->evidence->crossings[crossing];
    FILE *file = ladder->html->file;
    double from = lane(ladder, a->view), to = lane(ladder, b->view), middle = (from + to) / 2;
    double y = (a->y + b->y) / 2;
    bool skips = b->view > a->view + 1 || a->view > b->view + 1;
    bool changed = has_changed(at, a, b);
    char text[HTML_DURATION_MAX];

    fprintf(file, "<path class=\"%s%s%s\" marker-end=\"url(#%s)\" d=\"M%.0f %.1fL%.0f %.1f\"/>",
        a->response ? "p" : "q", skips ? " skip" : "", changed ? " ne" : "",
        changed       ? "hn"
        : a->response ? "hp"
                      : "hq",
        from, a->y, to + (to > from ? -5 : 5), b->y);
    if (changed)
        fprintf(file,
            "<circle class=\"ne\" cx=\"%.0f\" cy=\"%.1f\" r=\"8\"/><text class=\"ne\" x=\"%.0f\" "
            "y=\"%.1f\">≠</text>",
            middle, y, middle, y + 4);
    else if (a->view + b->view == VIEW_CLIENT_LEG + VIEW_UPSTREAM_LEG && b->ns > a->ns)
        fprintf(file, "<text class=\"dt\" x=\"%.0f\" y=\"%.1f\">%s</text>", middle, y - 8,
            html_duration(b->ns - a->ns, text));
    fputc('\n', file);
}

/* The time in which the last to be asked thought, or the message's end where it never came. */
static void draw_turn(const struct ladder *ladder, const struct point *a, const struct point *b)
{
    char text[HTML_DURATION_MAX];

    fprintf(ladder->html->file,
        "<rect class=\"busy\" x=\"%.0f\" y=\"%.1f\" width=\"8\" height=\"%.1f\" rx=\"2\"/><text "
        "class=\"dt l\" x=\"%.0f\" y=\"%.1f\">%s</text>\n",
        lane(ladder, a->view) - 4, a->y, b->y - a->y, lane(ladder, a->view) + 8,
        (a->y + b->y) / 2 + 4, html_duration(b->ns > a->ns ? b->ns - a->ns : 0, text));
}

/* Where the message was to come next, and was not seen. */
static void draw_end(
    const struct ladder *ladder, const struct crossing *crossing, const struct point *last)
{
    int next = last->view + (last->response ? -1 : 1);
    double from = lane(ladder, last->view), to;

    if (next < 0 || next >= VIEWS ||
        !evidence_has_view(ladder->html->report->evidence, (enum view)next) ||
        is_seen(crossing, next, last->response))
        return;
    to = from + (lane(ladder, next) - from) * 0.6;
    fprintf(ladder->html->file,
        "<path class=\"gone\" d=\"M%.0f %.1fL%.0f %.1f\"/><text class=\"gone\" x=\"%.0f\" "
        "y=\"%.1f\">not seen</text>\n",
        from, last->y, to, last->y, to + (to > from ? 30 : -30), last->y + 4);
}

static void draw_title(const struct ladder *ladder, size_t crossing)
{
    const struct crossing *at = &ladder->html->report->evidence->crossings[crossing];
    FILE *file = ladder->html->file;
    char text[HTML_TIME_MAX + HTML_DURATION_MAX];
    struct timing timing;

    timing_of(at, &timing);
    fprintf(file, "<text class=\"at\" x=\"118\" y=\"%.1f\">%s</text>", ladder->y + 22,
        html_time(at->time_ns, text));
    fprintf(file, "<a href=\"#x%zu\"><text class=\"title %s\" x=\"140\" y=\"%.1f\">", crossing + 1,
        html_standing(report_index_standing(ladder->html->index, crossing)), ladder->y + 6);
    if (at->number != 0)
        fprintf(file, "exchange %" PRIu64 " · ", at->number);
    html_request_line(ladder->html, at);
    if (crossing_call_id(at) != NULL) {
        char *shown = excerpt_text(slice_str(crossing_call_id(at)), CALL_ID_MAX);

        fputs(" · ", file);
        html_text(file, shown);
        free(shown);
    }
    if (html_status(at) != 0)
        fprintf(file, " → %d", html_status(at));
    if (timing.total_ns != 0)
        fprintf(file, " · %s", html_duration(timing.total_ns, text));
    fputs("</text></a>\n", file);
}

static void draw_crossing(struct ladder *ladder, size_t crossing)
{
    const struct crossing *at = &ladder->html->report->evidence->crossings[crossing];
    struct point points[POINTS_MAX];
    size_t count;

    draw_title(ladder, crossing);
    ladder->y += 18;
    count = find_points(ladder, at, points);
    for (size_t i = 0; i + 1 < count; i++) {
        if (points[i].view == points[i + 1].view)
            draw_turn(ladder, &points[i], &points[i + 1]);
        else if (points[i].response == points[i + 1].response)
            draw_arrow(ladder, crossing, &points[i], &points[i + 1]);
        if (points[i].response != points[i + 1].response)
            draw_end(ladder, at, &points[i]);
    }
    if (count > 0)
        draw_end(ladder, at, &points[count - 1]);
    ladder->y += TITLE;
}

static void draw_lanes(const struct ladder *ladder)
{
    const struct evidence *evidence = ladder->html->report->evidence;
    FILE *file = ladder->html->file;

    bool one_leg = evidence->legs.one_leg;

    if (!one_leg)
        fprintf(file,
            "<rect class=\"proxy\" x=\"%.0f\" y=\"0\" width=\"%.0f\" height=\"%.0f\" rx=\"10\"/>",
            lane(ladder, 1) - 62, lane(ladder, 2) - lane(ladder, 1) + 124, ladder->y);
    for (int view = one_leg ? VIEW_UPSTREAM_LEG : 0; view < VIEWS; view++) {
        bool recorded = evidence->has[view_source((enum view)view)];

        fprintf(file,
            "<text class=\"lane\" x=\"%.0f\" y=\"20\">%s</text><path class=\"lane%s\" d=\"M%.0f "
            "30V%.0f\"/>\n",
            lane(ladder, view), html_view(ladder->html, (enum view)view), recorded ? "" : " skip",
            lane(ladder, view), ladder->y);
    }
}

/* How high the drawing will be: the same steps, without drawing. */
static double measure(const struct html *html, const size_t *chosen, size_t count)
{
    struct ladder ladder = {html, TOP};
    struct point points[POINTS_MAX];

    for (size_t i = 0; i < count; i++) {
        ladder.y += 18;
        (void)find_points(&ladder, &html->report->evidence->crossings[chosen[i]], points);
        ladder.y += TITLE;
    }
    return ladder.y;
}

static void write_marker(FILE *file, const char *name)
{
    fprintf(file,
        "<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"3\" refY=\"4\" markerWidth=\"7\" "
        "markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"%s\" "
        "d=\"M0 0L8 4L0 8z\"/></marker>",
        name, name);
}

static int by_index(const void *left, const void *right)
{
    const size_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* The first of the list, but not what only the server saw; then by time. */
static size_t choose(const struct html *html, size_t *chosen)
{
    size_t count = 0;

    for (size_t i = 0; i < html->report->evidence->count && count < LADDER_MAX; i++) {
        if (report_index_standing(html->index, html->order[i]) != CAME_NOT)
            chosen[count++] = html->order[i];
    }
    if (count > 0)
        qsort(chosen, count, sizeof(*chosen), by_index);
    return count;
}

static void write_caption(const struct html *html, size_t count)
{
    fputs("<p class=\"cap\">Time runs down, and distances are its logarithm. Red is asked, blue is "
          "answered, ≠ is where the bytes changed.",
        html->file);
    if (count < html->report->evidence->count)
        fprintf(html->file,
            " Drawn are %zu of %zu exchanges, those with differences before others.", count,
            html->report->evidence->count);
    fputs("</p>\n", html->file);
}

void html_ladder(const struct html *html)
{
    struct ladder ladder = {html, 0};
    size_t chosen[LADDER_MAX], count = choose(html, chosen);

    if (count == 0)
        return;
    ladder.y = measure(html, chosen, count);
    fputs("<section id=\"ladder\"><h2>The way</h2>\n", html->file);
    write_caption(html, count);
    fprintf(html->file,
        "<div class=\"wide\"><svg class=\"ladder\" viewBox=\"0 0 940 %.0f\" role=\"img\" "
        "aria-label=\"ladder diagram\"><defs>",
        ladder.y);
    write_marker(html->file, "hq");
    write_marker(html->file, "hp");
    write_marker(html->file, "hn");
    fputs("</defs>\n", html->file);
    draw_lanes(&ladder);
    ladder.y = TOP;
    for (size_t i = 0; i < count; i++)
        draw_crossing(&ladder, chosen[i]);
    fputs("</svg></div></section>\n", html->file);
}
