/* Where the time of an exchange went, as a bar of coloured parts in the order of its way. */
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/timing.h"

#define PART_OTHER SPANS /* time of which no view tells whose it was */
#define PARTS 7
#define WIDTH_MIN 0.1 /* of a part that is drawn */

struct part {
    int kind; /* enum span, or PART_OTHER */
    uint64_t ns;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* From SINCE_NS to where VIEW saw the request begin, by the proxy's clock; at most MAX_NS. */
static uint64_t until_view(const struct html *html, const struct crossing *crossing, enum view view,
    uint64_t since_ns, uint64_t max_ns)
{
    const struct exchange *at = crossing->at[view];
    uint64_t ns =
        at != NULL ? evidence_time(html->report->evidence, view_source(view), at->request.first_ns)
                   : 0;

    return ns > since_ns ? smaller(ns - since_ns, max_ns) : 0;
}

/* The way from the proxy to the server; the rest of SPAN_WAY is the way back. */
static uint64_t way_there(
    const struct html *html, const struct crossing *crossing, const struct timing *timing)
{
    const struct exchange *upstream = crossing->at[VIEW_UPSTREAM_LEG];

    if (upstream == NULL || timing->spans[SPAN_SERVER] == 0)
        return timing->spans[SPAN_WAY];
    return until_view(
        html, crossing, VIEW_SERVER, upstream->request.first_ns, timing->spans[SPAN_WAY]);
}

/* Whose the time is that lies around all spans: before the first and after the last of them. */
static int around(const struct html *html, const struct crossing *crossing, bool legs)
{
    bool way =
        html->report->evidence->legs.one_leg || (legs && crossing->at[VIEW_CLIENT_HOST] != NULL);

    return way ? SPAN_WAY : PART_OTHER;
}

static void find_parts(
    const struct html *html, const struct crossing *crossing, struct part parts[PARTS])
{
    struct timing timing;
    uint64_t told = 0, rest, before, there;
    bool legs;

    timing_of(crossing, &timing);
    for (int i = 0; i < SPANS; i++)
        told += timing.spans[i];
    legs = told > timing.spans[SPAN_SERVER];
    rest = timing.total_ns > told ? timing.total_ns - told : 0;
    before =
        until_view(html, crossing, legs ? VIEW_CLIENT_LEG : VIEW_SERVER, crossing->time_ns, rest);
    there = way_there(html, crossing, &timing);
    parts[0] = (struct part){around(html, crossing, legs), before};
    parts[1] = (struct part){SPAN_PROXY_IN, timing.spans[SPAN_PROXY_IN]};
    parts[2] = (struct part){SPAN_WAY, there};
    parts[3] = (struct part){SPAN_SERVER, timing.spans[SPAN_SERVER]};
    parts[4] = (struct part){SPAN_WAY, timing.spans[SPAN_WAY] - there};
    parts[5] = (struct part){SPAN_PROXY_OUT, timing.spans[SPAN_PROXY_OUT]};
    parts[6] = (struct part){parts[0].kind, rest - before};
}

void html_bar(
    const struct html *html, const struct crossing *crossing, const struct html_bar_place *place)
{
    struct part parts[PARTS];
    double x = place->x, end = place->x + place->width_max;

    find_parts(html, crossing, parts);
    for (int i = 0; i < PARTS && x < end; i++) {
        double width = (double)parts[i].ns * place->per_ns;

        if (x + width > end)
            width = end - x;
        if (width >= WIDTH_MIN)
            fprintf(html->file,
                "<rect class=\"s%d\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"10\"/>",
                parts[i].kind, x, place->y, width);
        x += width;
    }
}

void html_legend(const struct html *html)
{
    fputs("<span class=\"legend\">", html->file);
    for (int i = 0; i < SPANS; i++)
        fprintf(html->file, "<span><span class=\"k s%d\"></span>%s</span> ", i,
            span_text((enum span)i));
    fprintf(
        html->file, "<span><span class=\"k s%d\"></span>not told apart</span></span>", PART_OTHER);
}
