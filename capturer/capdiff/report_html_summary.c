/* The page's beginning: the verdict, which hop it speaks of, and what is missing for a better one.
 */
#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report_html.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define LONE_MAX 200 /* findings told that belong to no exchange */

static void write_verdict(const struct html *html)
{
    static const char *const marks[] = {"✓", "≠", "?"};
    static const char *const classes[] = {"same", "differ", "unsure"};
    enum verdict verdict = findings_verdict(html->report->findings);
    const char *sentence;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_summary(html->report, &text);
    memory_need(buf_append_char(&text, '\0'));
    sentence = strstr(text.data, ": ");
    fprintf(html->file,
        "<section class=\"verdict %s\"><span class=\"mark\">%s</span><div><h1>%s</h1><p>",
        classes[verdict], marks[verdict], verdict_word(verdict));
    html_text(html->file, sentence != NULL ? sentence + 2 : text.data);
    fputs("</p></div></section>\n", html->file);
    buf_deinit(&text);
}

/* The way from the client to the server, and what is known of each hop. */
static void write_hop(const struct html *html, enum hop hop)
{
    static const enum standing order[] = {CAME_DIFFERENT, CAME_UNSURE, CAME_EXCUSED, CAME_SAME};
    uint64_t counts[CAME_NOT + 1] = {0};
    enum standing worst = CAME_NOT;

    for (size_t i = 0; i < html->report->evidence->count; i++)
        counts[report_index_hop(html->index, i, hop)]++;
    if (evidence_has_view(html->report->evidence, hop_near(hop)) &&
        evidence_has_view(html->report->evidence, hop_near(hop) + 1))
        counts[CAME_SAME] += html->report->evidence->settled.exchanges;
    counts[CAME_DIFFERENT] += html->report->evidence->settled.tally.per_hop[hop];
    for (size_t i = 4; i-- > 0;)
        worst = counts[order[i]] > 0 ? order[i] : worst;
    fprintf(html->file, "<li class=\"hop %s\"><small>%s</small><b>", html_standing(worst),
        hop == HOP_PROXY     ? "in the proxy"
        : hop == HOP_BETWEEN ? "between them"
                             : "on the way");
    if (worst == CAME_NOT)
        fputs("not recorded", html->file);
    else if (worst == CAME_SAME)
        fputs("same bytes", html->file);
    else if (worst == CAME_DIFFERENT)
        fprintf(html->file, "%" PRIu64 " difference%s", html->report->findings->per_hop[hop],
            html->report->findings->per_hop[hop] == 1 ? "" : "s");
    else
        fprintf(html->file, "%" PRIu64 " %s", counts[worst],
            worst == CAME_EXCUSED ? "as declared" : "not sure");
    fputs("</b></li>", html->file);
}

static void write_view(const struct html *html, enum view view)
{
    const struct evidence *evidence = html->report->evidence;
    bool recorded = evidence->has[view_source(view)];
    uint64_t count = html_total(html);

    for (size_t i = 0; i < evidence->count; i++)
        count -= evidence->crossings[i].at[view] == NULL;
    fprintf(html->file, "<li class=\"view%s\"><b>%s</b>", recorded ? "" : " aside",
        html_view(html, view));
    if (recorded)
        fprintf(
            html->file, "<small>%" PRIu64 " exchange%s</small></li>", count, count == 1 ? "" : "s");
    else
        fputs("<small>no capture</small></li>", html->file);
}

static void write_path(const struct html *html)
{
    bool one_leg = html->report->evidence->legs.one_leg;
    int first = one_leg ? VIEW_UPSTREAM_LEG : 0;

    fputs("<ol class=\"path\">", html->file);
    for (int view = first; view < VIEWS; view++) {
        if (view > first)
            write_hop(html, one_leg ? HOP_BETWEEN : (enum hop)(view - 1));
        write_view(html, (enum view)view);
    }
    fputs("</ol>\n", html->file);
}

static void write_doubts(const struct html *html)
{
    bool any = false;

    for (int i = 0; i < DOUBT_KINDS * SOURCES; i++) {
        enum doubt_kind kind = (enum doubt_kind)(i / SOURCES);
        enum source source = (enum source)(i % SOURCES);
        struct buf text;

        if (html->report->findings->doubts[kind][source].count == 0)
            continue;
        if (!any)
            fputs("<section class=\"doubts\"><h2>Missing evidence</h2><ul>\n", html->file);
        any = true;
        buf_init(&text, TEXT_MAX);
        report_doubt(html->report, kind, source, &text);
        fputs("<li>", html->file);
        html_bytes(html->file, slice_of(text.data, text.len));
        fputs("</li>\n", html->file);
        buf_deinit(&text);
    }
    if (any)
        fputs("</ul></section>\n", html->file);
}

/* What was found that belongs to no exchange: of connections, and of the log alone. */
static void write_lone(const struct html *html)
{
    const struct findings *findings = html->report->findings;
    size_t told = 0;

    for (size_t i = 0; i < findings->count && told < LONE_MAX; i++) {
        const struct finding *finding = &findings->items[i];

        if (finding->crossing != NULL)
            continue;
        if (told++ == 0)
            fputs("<section class=\"lone\"><h2>Not of one exchange</h2><ul class=\"found\">\n",
                html->file);
        html_finding(html, finding);
    }
    if (told > 0)
        fputs("</ul></section>\n", html->file);
    if (findings->total > findings->count)
        fprintf(html->file,
            "<p class=\"cap\">%zu of %" PRIu64 " differences are told; the rest is counted.</p>\n",
            findings->count, findings->total);
}

void html_summary(const struct html *html)
{
    write_verdict(html);
    write_path(html);
    write_doubts(html);
    write_lone(html);
}
