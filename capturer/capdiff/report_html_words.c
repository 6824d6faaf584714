/* Names, times and lines that all rooms of the page write alike. */
#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/report_html.h"
#include "lib/clock.h"

uint64_t html_total(const struct html *html)
{
    return html->report->evidence->count + evidence_forgotten(html->report->evidence);
}

const char *html_view(const struct html *html, enum view view)
{
    static const char *const texts[VIEWS] = {
        "agent_a's wire", "proxy in", "proxy out", "agent_b's wire"};

    if (html->report->evidence->legs.one_leg)
        return view == VIEW_SERVER ? "second capture" : "first capture";
    if (view == VIEW_CLIENT_HOST && !html->report->evidence->has[SOURCE_CLIENT_HOST])
        return "agent_a";
    return texts[view];
}

const char *html_standing(enum standing standing)
{
    static const char *const words[] = {"same", "excused", "unsure", "differ", "aside"};

    return words[standing];
}

const char *html_mark(enum standing standing)
{
    static const char *const marks[] = {"=", "≈", "?", "≠", "·"};

    return marks[standing];
}

const char *html_duration(uint64_t ns, char *out)
{
    if (ns == 0)
        snprintf(out, HTML_DURATION_MAX, "–");
    else if (ns < 1000000)
        snprintf(out, HTML_DURATION_MAX, "%" PRIu64 " µs", (ns + 500) / 1000);
    else if (ns < 100000000)
        snprintf(out, HTML_DURATION_MAX, "%.2f ms", (double)ns / 1e6);
    else if (ns < 1000000000)
        snprintf(out, HTML_DURATION_MAX, "%.0f ms", (double)ns / 1e6);
    else
        snprintf(out, HTML_DURATION_MAX, "%.2f s", (double)ns / 1e9);
    return out;
}

const char *html_time(uint64_t ns, char *out)
{
    char text[CLOCK_RFC3339_SIZE];
    const char *t = ns != 0 ? strchr(clock_rfc3339(ns, text), 'T') : NULL;

    snprintf(out, HTML_TIME_MAX, "%.15s", t != NULL ? t + 1 : "");
    return out;
}

void html_request_line(const struct html *html, const struct exchange *exchange, size_t max,
    void (*write)(FILE *file, struct slice bytes))
{
    struct slice line = exchange != NULL ? align_title(exchange) : slice_of(NULL, 0);

    if (line.len > 9 && memcmp(line.data + line.len - 9, " HTTP/1.", 8) == 0)
        line.len -= 9; /* the version says nothing here */
    write(html->file, slice_of(line.data, line.len < max ? line.len : max));
    if (line.len > max)
        fputs("…", html->file);
}

int html_status(const struct crossing *crossing)
{
    int status = 0;

    for (int view = 0; status == 0 && view < VIEWS; view++)
        status = crossing->at[view] != NULL ? crossing->at[view]->status : 0;
    return status;
}
