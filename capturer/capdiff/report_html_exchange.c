/* One exchange, opened: what was found about it, where its time went, and its messages. */
#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/story.h"
#include "capturer/capdiff/timing.h"

#define PATCH_SHOWN_MAX ((size_t)4 * 1024)
#define STORIES_MAX 50 /* declared changes of an exchange that are told */

static void write_side(FILE *file, const char *class, const char *text)
{
    if (text == NULL) {
        fprintf(file, "<code class=\"%s no\">absent</code>", class);
        return;
    }
    fprintf(file, "<code class=\"%s\">", class);
    html_text(file, text);
    fputs("</code>", file);
}

/* What turns the one JSON text into the other, in RFC 6902's words. */
static void write_patch(FILE *file, const char *patch)
{
    size_t len = strlen(patch), shown = len;

    if (len > PATCH_SHOWN_MAX) {
        shown = PATCH_SHOWN_MAX;
        while (shown > 0 && ((unsigned char)patch[shown] & 0xc0) == 0x80)
            shown--; /* no character is split */
    }
    fputs("<p class=\"patch\">JSON Patch <code>", file);
    html_bytes(file, slice_of(patch, shown));
    fputs("</code>", file);
    if (shown < len)
        fprintf(file, " … and %zu bytes more, which the JSON report has", len - shown);
    fputs("</p>", file);
}

void html_finding(const struct html *html, const struct finding *finding)
{
    const struct place *place = &finding->place;

    fprintf(html->file, "<li><b>%s</b> ", hop_text(finding->hop));
    html_text(html->file, place->text);
    if (place->before != NULL || place->after != NULL) {
        fputs("<div>", html->file);
        write_side(html->file, "was", place->before);
        write_side(html->file, "is", place->after);
        fputs("</div>", html->file);
    }
    if (place->patch != NULL)
        write_patch(html->file, place->patch);
    fputs("</li>\n", html->file);
}

static void write_findings(const struct html *html, size_t crossing)
{
    const struct finding *finding = report_index_first(html->index, crossing);

    if (finding == NULL)
        return;
    fputs("<ul class=\"found\">\n", html->file);
    for (; finding != NULL; finding = report_index_next(html->index, finding))
        html_finding(html, finding);
    fputs("</ul>\n", html->file);
}

/* What the log declares of it, in its words. */
static void write_declared(const struct html *html, const struct crossing *crossing)
{
    const struct log_record *record = crossing->record;

    if (record == NULL || record->n_changes == 0)
        return;
    fputs("<ul class=\"told\"><li class=\"who\">The exchange log declares</li>\n", html->file);
    for (size_t i = 0; i < record->n_changes && i < STORIES_MAX; i++) {
        struct buf sentence;

        buf_init(&sentence, STORY_MAX);
        story_append(crossing, &record->changes[i], &sentence);
        fputs("<li>", html->file);
        html_bytes(html->file, slice_of(sentence.data, sentence.len));
        fputs("</li>\n", html->file);
        buf_deinit(&sentence);
    }
    if (record->n_changes > STORIES_MAX)
        fprintf(html->file, "<li>… and %zu more</li>\n", record->n_changes - STORIES_MAX);
    fputs("</ul>\n", html->file);
}

static void write_spans(const struct html *html, const struct crossing *crossing)
{
    char text[HTML_DURATION_MAX];
    struct timing timing;

    timing_of(crossing, &timing);
    if (timing.total_ns == 0)
        return;
    fprintf(html->file, "<p class=\"spans\">%s in all", html_duration(timing.total_ns, text));
    for (int i = 0; i < SPANS; i++) {
        if (timing.spans[i] > 0)
            fprintf(html->file, " · <span class=\"k s%d\"></span>%s %s", i, span_text((enum span)i),
                html_duration(timing.spans[i], text));
    }
    fputs("</p>\n", html->file);
}

/* How the exchange in VIEW was found from the one in the view before it. */
static void write_pairing(const struct html *html, const struct crossing *crossing, int view)
{
    enum pair_how how;
    enum pair_sureness sure;

    fputs("<td>", html->file);
    if (view > 0 && crossing->at[view - 1] != NULL) {
        pairing_of(crossing->at[view - 1], &how, &sure);
        fprintf(html->file, "paired with %s %s: <b class=\"%s\">%s</b>",
            html_view(html, (enum view)(view - 1)), pair_how_text(how),
            sure == PAIR_SURE ? "good" : "bad", pair_sureness_word(sure));
    }
    fputs("</td>", html->file);
}

static void write_end(const struct html *html, const struct crossing *crossing, int view)
{
    const struct exchange *exchange = crossing->at[view];
    char client[HOSTPORT_TEXT_MAX], server[HOSTPORT_TEXT_MAX], time[HTML_TIME_MAX];

    fprintf(html->file, "<tr><th>%s</th><td><code>%s → %s</code></td><td><code>%s</code></td>",
        html_view(html, (enum view)view),
        endpoint_text(connection_client(exchange->connection), client),
        endpoint_text(connection_server(exchange->connection), server),
        html_time(exchange->request.first_ns != 0 ? exchange->request.first_ns
                                                  : exchange->response.first_ns,
            time));
    write_pairing(html, crossing, view);
    fputs("</tr>\n", html->file);
}

static void write_ends(const struct html *html, const struct crossing *crossing)
{
    fputs("<div class=\"ends\"><table><tbody>\n", html->file);
    for (int view = 0; view < VIEWS; view++) {
        if (crossing->at[view] != NULL)
            write_end(html, crossing, view);
    }
    fputs("</tbody></table></div>\n", html->file);
}

static const struct message *message_at(const struct crossing *crossing, int view, bool response)
{
    return response ? &crossing->at[view]->response : &crossing->at[view]->request;
}

/* Consecutive views that saw the same bytes. */
struct group {
    int from, to;
};

static size_t group_views(const struct crossing *crossing, bool response, struct group *groups)
{
    size_t count = 0;

    for (int view = 0; view < VIEWS; view++) {
        if (crossing->at[view] == NULL)
            continue;
        if (count > 0 && message_equal(message_at(crossing, groups[count - 1].to, response),
                             message_at(crossing, view, response)))
            groups[count - 1].to = view;
        else
            groups[count++] = (struct group){view, view};
    }
    return count;
}

static void write_group(
    const struct html *html, const struct crossing *crossing, const struct group *group)
{
    const char *separator = "";

    fputs("<b>", html->file);
    for (int view = group->from; view <= group->to; view++) {
        if (crossing->at[view] == NULL)
            continue;
        fprintf(html->file, "%s%s", separator, html_view(html, (enum view)view));
        separator = " = ";
    }
    fputs("</b>", html->file);
}

/* What the views saw of a message: one pane where it is the same, else each step to the next. */
static void write_message(const struct html *html, const struct crossing *crossing, bool response)
{
    struct group groups[VIEWS];
    size_t count = group_views(crossing, response, groups);

    fputs("<div>\n", html->file);
    for (size_t i = 0; i < (count > 1 ? count - 1 : count); i++) {
        const struct message *before = message_at(crossing, groups[i].from, response);
        const struct message *after =
            count > 1 ? message_at(crossing, groups[i + 1].from, response) : NULL;

        fprintf(html->file, "<h4%s><span>%s</span> ", after != NULL ? " class=\"two\"" : "",
            response ? "response" : "request");
        write_group(html, crossing, &groups[i]);
        if (after != NULL)
            write_group(html, crossing, &groups[i + 1]);
        fputs("</h4>\n", html->file);
        html_message(html, before, after, response);
    }
    fputs("</div>\n", html->file);
}

/* Request and response have a half of the page each where one pane is enough for them. */
static void write_messages(const struct html *html, const struct crossing *crossing)
{
    struct group groups[VIEWS];
    bool one =
        group_views(crossing, false, groups) == 1 && group_views(crossing, true, groups) == 1;

    fputs(one ? "<div class=\"both\">\n" : "<div>\n", html->file);
    write_message(html, crossing, false);
    write_message(html, crossing, true);
    fputs("</div>\n", html->file);
}

void html_exchange(const struct html *html, size_t crossing)
{
    const struct crossing *at = &html->report->evidence->crossings[crossing];

    fputs("<div class=\"open\">\n", html->file);
    write_findings(html, crossing);
    write_declared(html, at);
    write_spans(html, at);
    html_ladder(html, at);
    write_messages(html, at);
    write_ends(html, at);
    fputs("</div>\n", html->file);
}
