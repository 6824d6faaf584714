/* The way of one exchange through every view, with time running down, as a small drawing. */
#include <inttypes.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/report_html.h"

#define LANES 940.0 /* the drawing's width */
#define TOP 48.0
#define BOTTOM 22.0
#define STEP_MIN 15.0
#define STEP_DECADE 4.0
#define POINTS_MAX (2 * VIEWS)
#define LABEL_ASIDE 24.0 /* of a request's label, away from the time at the arrow's beginning */
#define LINE_SHOWN 16    /* bytes of the request line */

/* A message's arrival in a view. */
struct point {
    int view;
    bool response;
    bool turn; /* the first of the response: where it was made, as far as anybody saw */
    bool guess;
    uint64_t ns; /* by the proxy's clock; 0: nobody recorded it */
    double y;
};

struct ladder {
    const struct html *html;
    const struct crossing *crossing;
    struct point points[POINTS_MAX];
    size_t count;
    double y;
};

static double lane(const struct ladder *ladder, int view)
{
    static const double lanes[VIEWS] = {130, 390, 570, 830}, one_leg[VIEWS] = {0, 0, 130, 830};

    return ladder->html->report->evidence->legs.one_leg ? one_leg[view] : lanes[view];
}

static const struct message *message_of(const struct exchange *exchange, bool response)
{
    return response ? &exchange->response : &exchange->request;
}

static bool is_seen(const struct ladder *ladder, int view, bool response)
{
    const struct exchange *at = ladder->crossing->at[view];

    return at != NULL && message_of(at, response)->state != MESSAGE_NONE;
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

static void add_point(struct ladder *ladder, int view, bool response, bool guess)
{
    const struct evidence *evidence = ladder->html->report->evidence;
    int from = guess ? VIEW_CLIENT_LEG : view;
    const struct message *message = message_of(ladder->crossing->at[from], response);
    struct point *point = &ladder->points[ladder->count];
    const struct point *last = ladder->count > 0 ? point - 1 : NULL;
    uint64_t ns = evidence_time(
        evidence, view_source((enum view)from), response ? message->last_ns : message->first_ns);

    if (ns == 0 && last != NULL)
        ns = last->ns;
    if (last != NULL)
        ladder->y += step(last->ns, ns);
    *point = (struct point){
        view, response, response && last != NULL && !last->response, guess, ns, ladder->y};
    ladder->count++;
}

/*
 * Where the exchange was seen, in the order of its way. The client itself, where its host was not
 * recorded, is taken to be where its leg begins.
 */
static void find_points(struct ladder *ladder)
{
    bool no_host = !ladder->html->report->evidence->has[SOURCE_CLIENT_HOST];

    for (int i = 0; i < POINTS_MAX; i++) {
        bool response = i >= VIEWS;
        int view = response ? POINTS_MAX - 1 - i : i;

        if (is_seen(ladder, view, response))
            add_point(ladder, view, response, false);
        else if (view == 0 && no_host && is_seen(ladder, VIEW_CLIENT_LEG, response))
            add_point(ladder, view, response, true);
    }
}

/* The hop between two views has changed the message. */
static bool has_changed(const struct ladder *ladder, const struct point *a, const struct point *b)
{
    const struct exchange *x = ladder->crossing->at[a->view], *y = ladder->crossing->at[b->view];

    return x != NULL && y != NULL &&
           !message_equal(message_of(x, a->response), message_of(y, a->response));
}

/* "POST /tool · 228 bytes", as the view at the arrow's end saw it, or else its beginning's. */
static void draw_label(
    const struct ladder *ladder, const struct point *a, const struct point *b, double x, double y)
{
    const struct crossing *crossing = ladder->crossing;
    const struct exchange *at = crossing->at[b->guess ? a->view : b->view];
    const struct message *message = message_of(at, a->response);
    FILE *file = ladder->html->file;

    fprintf(file, "<text class=\"dt\" x=\"%.0f\" y=\"%.1f\">", x, y);
    if (!a->response)
        html_request_line(ladder->html, at, LINE_SHOWN, xml_bytes);
    else if (at->status != 0)
        fprintf(file, "%d", at->status);
    if (message->state == MESSAGE_WHOLE)
        fprintf(file, " · %" PRIu64 " bytes</text>", message->len);
    else
        fputs(", not whole</text>", file);
}

static void draw_arrow(const struct ladder *ladder, const struct point *a, const struct point *b)
{
    FILE *file = ladder->html->file;
    double from = lane(ladder, a->view), to = lane(ladder, b->view), middle = (from + to) / 2;
    double y = (a->y + b->y) / 2;
    bool skips = b->view > a->view + 1 || a->view > b->view + 1;
    bool changed = has_changed(ladder, a, b);
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
    if (a->view + b->view != VIEW_CLIENT_LEG + VIEW_UPSTREAM_LEG)
        draw_label(ladder, a, b, middle + (a->response ? 0 : LABEL_ASIDE), y - (changed ? 12 : 8));
    else if (!changed && b->ns > a->ns)
        fprintf(file, "<text class=\"dt\" x=\"%.0f\" y=\"%.1f\">%s</text>", middle, y - 8,
            html_duration(b->ns - a->ns, text));
    fputc('\n', file);
}

/* The time in which the last to be asked thought. */
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
static void draw_end(const struct ladder *ladder, const struct point *last)
{
    int next = last->view + (last->response ? -1 : 1);
    double from = lane(ladder, last->view), to;

    if (next < 0 || next >= VIEWS ||
        !evidence_has_view(ladder->html->report->evidence, (enum view)next) ||
        is_seen(ladder, next, last->response))
        return;
    to = from + (lane(ladder, next) - from) * 0.5;
    fprintf(ladder->html->file,
        "<path class=\"gone\" d=\"M%.0f %.1fL%.0f %.1f\"/><text class=\"gone\" x=\"%.0f\" "
        "y=\"%.1f\">not seen</text>\n",
        from, last->y, to, last->y, to + (to > from ? 30 : -30), last->y + 4);
}

/* When it was there, since the exchange began: where no arrow goes. */
static void draw_time(const struct ladder *ladder, const struct point *point)
{
    bool left = point->view == 0 || (point->response && !point->turn);
    uint64_t begin = ladder->crossing->time_ns;
    char text[HTML_TIME_MAX + HTML_DURATION_MAX];

    if (point->guess || point->ns == 0)
        return;
    fprintf(ladder->html->file, "<text class=\"at%s\" x=\"%.0f\" y=\"%.1f\">+%s</text>",
        left ? "" : " l", lane(ladder, point->view) + (left ? -8 : 8),
        point->y + (point->turn ? 13 : -4),
        point->ns > begin ? html_duration(point->ns - begin, text) : "0");
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
            "<text class=\"lane\" x=\"%.0f\" y=\"18\">%s</text><path class=\"lane%s\" d=\"M%.0f "
            "26V%.0f\"/>\n",
            lane(ladder, view), html_view(ladder->html, (enum view)view), recorded ? "" : " skip",
            lane(ladder, view), ladder->y);
    }
}

static void draw_points(const struct ladder *ladder)
{
    for (size_t i = 0; i < ladder->count; i++) {
        const struct point *point = &ladder->points[i], *next = point + 1;

        draw_time(ladder, point);
        if (i + 1 == ladder->count || next->turn)
            draw_end(ladder, point);
        if (i + 1 == ladder->count)
            break;
        if (point->view == next->view)
            draw_turn(ladder, point, next);
        else if (point->response == next->response)
            draw_arrow(ladder, point, next);
    }
}

void html_ladder(const struct html *html, const struct crossing *crossing)
{
    struct ladder ladder = {.html = html, .crossing = crossing, .y = TOP};

    find_points(&ladder);
    if (ladder.count == 0)
        return;
    ladder.y += BOTTOM;
    fprintf(html->file,
        "<div class=\"wide\"><svg class=\"ladder\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
        "aria-label=\"ladder diagram\">\n",
        LANES, ladder.y);
    draw_lanes(&ladder);
    draw_points(&ladder);
    fputs("</svg></div>\n", html->file);
}

static void write_marker(FILE *file, const char *name)
{
    fprintf(file,
        "<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"3\" refY=\"4\" markerWidth=\"7\" "
        "markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"%s\" "
        "d=\"M0 0L8 4L0 8z\"/></marker>",
        name, name);
}

void html_ladder_markers(const struct html *html)
{
    fputs("<svg class=\"markers\" aria-hidden=\"true\"><defs>", html->file);
    write_marker(html->file, "hq");
    write_marker(html->file, "hp");
    write_marker(html->file, "hn");
    fputs("</defs></svg>\n", html->file);
}
