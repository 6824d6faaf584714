/* What each capture is worth as evidence, and how what is in them was paired. */
#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report_html.h"
#include "lib/clock.h"

#define SECONDS_END 19 /* of an RFC 3339 time: what is behind is its fraction */
#define TEXT_MAX ((size_t)64 * 1024)

static void write_pairs(const struct html *html, const char *what, const uint64_t *counts)
{
    for (int how = 1; how < PAIR_HOWS; how++) {
        if (counts[how] > 0)
            fprintf(html->file, "<li>%s: %" PRIu64 " connection%s %s</li>\n", what, counts[how],
                counts[how] == 1 ? "" : "s", pair_how_text((enum pair_how)how));
    }
}

static void write_clock(const struct html *html, enum source source)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_clock(html->report, source, &text);
    if (text.len > 0) {
        fputs("<li>", html->file);
        html_bytes(html->file, slice_of(text.data, text.len));
        fputs("</li>\n", html->file);
    }
    buf_deinit(&text);
}

static void write_notes(const struct html *html)
{
    struct buf text;
    size_t at = 0;

    fputs("<ul class=\"notes\">\n", html->file);
    for (int i = 0; i < SOURCES; i++)
        write_clock(html, (enum source)i);
    write_pairs(html, "client leg to upstream leg", html->report->evidence->paired);
    write_pairs(html,
        html->report->evidence->legs.one_leg ? "first capture to second"
                                             : "upstream leg to agent_b's capture",
        html->report->evidence->matched);
    buf_init(&text, TEXT_MAX);
    report_notes(html->report, &text);
    while (at < text.len) {
        const char *eol = memchr(text.data + at, '\n', text.len - at);
        size_t end = eol != NULL ? (size_t)(eol - text.data) : text.len;

        fputs("<li>", html->file);
        html_bytes(html->file, slice_of(text.data + at, end - at));
        fputs("</li>\n", html->file);
        at = end + 1;
    }
    buf_deinit(&text);
    fputs("</ul>\n", html->file);
}

static void write_cell(FILE *file, uint64_t count, bool bad)
{
    fprintf(file, "<td class=\"num%s\">%" PRIu64 "</td>", bad && count > 0 ? " bad" : "", count);
}

static void write_recording(const struct html *html, const struct recording *recording)
{
    static const char *const ends[] = {"whole", "cut", "damaged"};
    const struct capture_facts *facts = &recording->facts;
    FILE *file = html->file;
    char begins[CLOCK_RFC3339_SIZE + 1] = "–";

    if (facts->packets > 0)
        clock_rfc3339(facts->first_ns, begins);
    begins[SECONDS_END] = '\0';
    fputs("<tr><th>", file);
    html_text(file, recording->name);
    fputs("</th>", file);
    write_cell(file, facts->packets, false);
    write_cell(file, facts->bytes, false);
    write_cell(file, recording_connections(recording), false);
    write_cell(file, recording->exchanges, false);
    write_cell(file, recording->gaps, true);
    write_cell(file, recording->late_connections, true);
    write_cell(file, recording->clashes, true);
    write_cell(file, recording->retransmissions, false);
    write_cell(file, facts->snapped, true);
    write_cell(file, facts->fragments + facts->malformed + facts->unread, true);
    if (facts->drops_known)
        write_cell(file, facts->dropped, true);
    else
        fputs("<td class=\"num\">–</td>", file);
    fprintf(file, "<td class=\"%s\">%s</td><td>%s</td><td class=\"num\">%.3f</td></tr>\n",
        facts->end == CAPTURE_WHOLE ? "good" : "bad", ends[facts->end], begins,
        (double)(facts->last_ns - facts->first_ns) / 1e9);
}

void html_quality(const struct html *html)
{
    fputs(
        "<section id=\"quality\"><h2>What the captures are worth</h2>\n<div class=\"wide\"><table>"
        "<thead><tr><th>capture</th><th>packets</th><th>bytes</th><th>connections</th>"
        "<th>exchanges</th><th>gaps</th><th>late</th><th>overlaps</th><th>sent again</th>"
        "<th>snapped</th><th>unread</th><th>dropped</th><th>end</th><th>begins</th><th>seconds</"
        "th></tr></thead>"
        "<tbody>\n",
        html->file);
    for (int i = 0; i < SOURCES; i++) {
        if (html->report->evidence->has[i])
            write_recording(html, &html->report->evidence->recordings[i]);
    }
    fputs("</tbody></table></div>\n", html->file);
    write_notes(html);
    fputs("</section>\n", html->file);
}
