#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report.h"
#include "capturer/capdiff/report_groups.h"
#include "capturer/capdiff/story.h"
#include "lib/clock.h"

#define TOLD_MAX 20     /* differences shown; the JSON report has them all */
#define STORIES_MAX 12  /* declared changes shown */
#define ALIKE_SHOWN 3   /* of those that are alike */
#define ALIKE_LISTED 12 /* numbers of the others */
#define TEXT_MAX ((size_t)64 * 1024)
#define NAME_WIDTH_MAX 40
#define LINE_SHOWN_MAX 80
#define NS_PER_S 1e9

enum paint {
    PAINT_PLAIN,
    PAINT_BOLD,
    PAINT_DIM,
    PAINT_RED,
    PAINT_GREEN,
    PAINT_YELLOW,
};

struct page {
    FILE *file;
    bool color;
    const struct report *report;
};

static const char *paint(const struct page *page, enum paint paint)
{
    static const char *const codes[] = {
        "\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"};

    return page->color ? codes[paint] : "";
}

static void print_painted(const struct page *page, enum paint color, const char *text)
{
    fprintf(page->file, "%s%s%s", paint(page, color), text, paint(page, PAINT_PLAIN));
}

static void print_verdict(const struct page *page)
{
    static const enum paint colors[] = {PAINT_GREEN, PAINT_RED, PAINT_YELLOW};
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_summary(page->report, &text);
    memory_need(buf_append_char(&text, '\0'));
    fputs(paint(page, PAINT_BOLD), page->file);
    print_painted(page, colors[findings_verdict(page->report->findings)], text.data);
    fputs("\n\n", page->file);
    buf_deinit(&text);
}

static const char *end_text(enum capture_end end)
{
    return end == CAPTURE_WHOLE ? "whole" : end == CAPTURE_CUT ? "cut" : "damaged";
}

static void print_recording(const struct page *page, const struct recording *recording, int width)
{
    char begins[CLOCK_RFC3339_SIZE] = "-";
    const struct capture_facts *facts = &recording->facts;

    if (facts->packets > 0)
        clock_rfc3339(facts->first_ns, begins);
    fprintf(page->file,
        "%-*.*s %9" PRIu64 " %11" PRIu64 " %12zu %10" PRIu64 " %5" PRIu64 " %5" PRIu64
        "  %-8s %-27s %9.3f\n",
        width, width, recording->name, facts->packets, facts->bytes,
        recording_connections(recording), recording->exchanges, recording->gaps,
        recording->late_connections, end_text(facts->end), begins,
        (double)(facts->last_ns - facts->first_ns) / NS_PER_S);
}

static void print_clock(const struct page *page, enum source source)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_clock(page->report, source, &text);
    if (text.len > 0)
        fprintf(page->file, "%.*s\n", (int)text.len, text.data);
    buf_deinit(&text);
}

static void print_quality(const struct page *page)
{
    const struct evidence *evidence = page->report->evidence;
    int width = 8;

    for (int i = 0; i < SOURCES; i++) {
        int len = evidence->has[i] ? (int)strlen(evidence->recordings[i].name) : 0;

        if (len > width)
            width = len < NAME_WIDTH_MAX ? len : NAME_WIDTH_MAX;
    }
    fprintf(page->file, "%s%-*s %9s %11s %12s %10s %5s %5s  %-8s %-27s %9s%s\n",
        paint(page, PAINT_DIM), width, "capture", "packets", "bytes", "connections", "exchanges",
        "gaps", "late", "end", "begins", "seconds", paint(page, PAINT_PLAIN));
    for (int i = 0; i < SOURCES; i++) {
        if (evidence->has[i])
            print_recording(page, &evidence->recordings[i], width);
    }
    for (int i = 0; i < SOURCES; i++)
        print_clock(page, (enum source)i);
}

static bool any_pair(const uint64_t *counts)
{
    bool any = false;

    for (int how = 1; how < PAIR_HOWS; how++)
        any = any || counts[how] > 0;
    return any;
}

static void print_pairs(const struct page *page, const char *what, const uint64_t *counts)
{
    for (int how = 1; how < PAIR_HOWS; how++) {
        if (counts[how] > 0)
            fprintf(page->file, "%s: %" PRIu64 " connection%s %s\n", what, counts[how],
                counts[how] == 1 ? "" : "s", pair_how_text((enum pair_how)how));
    }
}

static void print_bullet(const struct page *page, const char *text, size_t len)
{
    fprintf(page->file, "  - %.*s\n", (int)len, text);
}

static void print_pairing(const struct page *page)
{
    const struct evidence *evidence = page->report->evidence;

    if (any_pair(evidence->paired) || any_pair(evidence->matched))
        fputc('\n', page->file);
    print_pairs(page, "in the proxy, client leg to upstream leg", evidence->paired);
    print_pairs(page,
        evidence->legs.one_leg ? "first capture to second"
                               : "proxy's upstream leg to server's capture",
        evidence->matched);
}

static void print_notes(const struct page *page)
{
    struct buf text;
    const char *at;

    buf_init(&text, TEXT_MAX);
    report_notes(page->report, &text);
    memory_need(buf_append_char(&text, '\0'));
    if (text.len > 1)
        fputs("\nnotes:\n", page->file);
    for (at = text.data; *at != '\0'; at = strchr(at, '\n') + 1)
        print_bullet(page, at, strcspn(at, "\n"));
    buf_deinit(&text);
}

static void print_story(void *arg, const struct crossing *crossing, const struct log_change *change,
    const struct buf *sentence)
{
    FILE *file = arg;
    const char *call_id = crossing_call_id(crossing);
    char *shown = call_id != NULL ? excerpt_text(slice_str(call_id), CALL_ID_MAX) : NULL;

    (void)change;
    fprintf(file, "  - exchange %" PRIu64 "%s%s, %.*s\n", crossing->number,
        shown != NULL ? " " : "", shown != NULL ? shown : "", (int)sentence->len, sentence->data);
    free(shown);
}

/* What the log says that was done on purpose. */
static void print_declared(const struct page *page)
{
    uint64_t count = story_count(page->report->evidence);

    if (count == 0)
        return;
    fputs("\ndeclared by the exchange log:\n", page->file);
    story_each(page->report->evidence, STORIES_MAX, print_story, page->file);
    if (count > STORIES_MAX)
        fprintf(page->file, "  … and %" PRIu64 " more; --format json tells of them\n",
            count - STORIES_MAX);
}

static void print_doubts(const struct page *page)
{
    bool any = false;

    for (int i = 0; i < DOUBT_KINDS * SOURCES; i++) {
        enum doubt_kind kind = (enum doubt_kind)(i / SOURCES);
        enum source source = (enum source)(i % SOURCES);
        struct buf text;

        if (page->report->findings->doubts[kind][source].count == 0)
            continue;
        if (!any) {
            fputc('\n', page->file);
            print_painted(page, PAINT_YELLOW, "missing evidence:\n");
        }
        any = true;
        buf_init(&text, TEXT_MAX);
        report_doubt(page->report, kind, source, &text);
        print_bullet(page, text.data, text.len);
        buf_deinit(&text);
    }
}

static void print_side(
    const struct page *page, char mark, enum paint color, const char *text, const char *absent)
{
    fprintf(page->file, "%s%c %s%s\n", paint(page, color), mark, text != NULL ? text : absent,
        paint(page, PAINT_PLAIN));
}

static void print_title(const struct page *page, const struct finding *finding)
{
    char time[CLOCK_RFC3339_SIZE];

    fputs(paint(page, PAINT_BOLD), page->file);
    if (finding->number != 0)
        fprintf(page->file, "exchange %" PRIu64, finding->number);
    else
        fputs(finding->crossing != NULL ? "exchange without a number" : "connection", page->file);
    if (finding->call_id != NULL)
        fprintf(page->file, "  %s", finding->call_id);
    fprintf(page->file, "  %s%s", hop_text(finding->hop), paint(page, PAINT_PLAIN));
    if (finding->time_ns != 0)
        fprintf(page->file, "  %s%s%s", paint(page, PAINT_DIM),
            clock_rfc3339(finding->time_ns, time), paint(page, PAINT_PLAIN));
    fputc('\n', page->file);
}

static void print_request_line(const struct page *page, const struct finding *finding)
{
    const struct crossing *crossing = finding->crossing;
    char *line = NULL;

    for (int view = 0; crossing != NULL && line == NULL && view < VIEWS; view++) {
        if (crossing->at[view] != NULL)
            line = excerpt_text(align_title(crossing->at[view]), LINE_SHOWN_MAX);
    }
    if (line != NULL)
        fprintf(page->file, "%s%s%s\n", paint(page, PAINT_DIM), line, paint(page, PAINT_PLAIN));
    free(line);
}

static bool same_exchange(const struct finding *a, const struct finding *b)
{
    return a->crossing != NULL && a->crossing == b->crossing && a->hop == b->hop;
}

static void print_finding(const struct page *page, const struct finding *finding)
{
    fprintf(page->file, "@@ %s @@\n", finding->place.text);
    if (finding->place.before == NULL && finding->place.after == NULL)
        return;
    print_side(page, '-', PAINT_RED, finding->place.before, "(absent)");
    print_side(page, '+', PAINT_GREEN, finding->place.after, "(absent)");
}

/* The exchanges of those that are like FIRST and were not shown, as far as they fit. */
static void print_alike(const struct page *page, const struct report_groups *groups, size_t first)
{
    const struct findings *findings = page->report->findings;
    size_t listed = 0;

    fprintf(page->file, "%s… and %zu more like this", paint(page, PAINT_DIM),
        groups->size[first] - ALIKE_SHOWN);
    for (size_t i = first; i < findings->count && listed < ALIKE_LISTED; i++) {
        if (groups->group[i] != first || groups->rank[i] < ALIKE_SHOWN ||
            findings->items[i].number == 0)
            continue;
        fprintf(page->file, "%s%" PRIu64, listed == 0 ? ": exchanges " : ", ",
            findings->items[i].number);
        listed++;
    }
    fprintf(page->file, "%s%s\n",
        groups->size[first] - ALIKE_SHOWN > listed && listed > 0 ? ", …" : "",
        paint(page, PAINT_PLAIN));
}

static void print_rest(const struct page *page, uint64_t told)
{
    const struct findings *findings = page->report->findings;

    if (findings->total > told)
        fprintf(page->file, "\n… and %" PRIu64 " more; --format json tells of up to %d\n",
            findings->total - told, FINDINGS_MAX);
}

/* Of those that are alike some are shown, and the others named below the last of them. */
static void print_findings(const struct page *page)
{
    const struct findings *findings = page->report->findings;
    const struct finding *last = NULL;
    struct report_groups groups;
    uint64_t shown = 0, told = 0;

    report_groups_init(&groups, findings);
    for (size_t i = 0; i < findings->count && shown < TOLD_MAX; i++) {
        const struct finding *finding = &findings->items[i];
        size_t first = groups.group[i];

        if (groups.rank[i] >= ALIKE_SHOWN)
            continue;
        if (last == NULL || !same_exchange(last, finding)) {
            fputc('\n', page->file);
            print_title(page, finding);
            print_request_line(page, finding);
        }
        print_finding(page, finding);
        last = finding;
        shown++;
        told++;
        if (groups.rank[i] == ALIKE_SHOWN - 1 && groups.size[first] > ALIKE_SHOWN) {
            print_alike(page, &groups, first);
            told += groups.size[first] - ALIKE_SHOWN;
        }
    }
    print_rest(page, told);
    report_groups_deinit(&groups);
}

void report_text_quality(const struct report *report, FILE *file, bool color)
{
    struct page page = {file, color, report};

    print_quality(&page);
    fputc('\n', file);
}

void report_text(const struct report *report, FILE *file, bool color)
{
    struct page page = {file, color, report};

    print_verdict(&page);
    print_quality(&page);
    print_pairing(&page);
    print_notes(&page);
    print_declared(&page);
    print_doubts(&page);
    print_findings(&page);
}
