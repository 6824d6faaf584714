#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report_index.h"
#include "capturer/capdiff/story.h"
#include "capturer/capdiff/timing.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define LINE_SHOWN_MAX 120
#define STORIES_MAX 50 /* declared changes of an exchange that are told */

struct suite {
    FILE *file;
    const struct report *report;
    struct report_index index;
};

struct counts {
    uint64_t tests, failures, errors, skipped;
};

static void write_text(const struct suite *suite, const char *text)
{
    xml_bytes(suite->file, slice_str(text));
}

static void open_suite(const struct suite *suite, const char *name, const struct counts *counts)
{
    fprintf(suite->file,
        "  <testsuite name=\"%s\" tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64
        "\" skipped=\"%" PRIu64 "\">\n",
        name, counts->tests, counts->failures, counts->errors, counts->skipped);
}

/* --- the captures --- */

static bool has_doubt(const struct suite *suite, int source)
{
    for (int kind = 0; kind < DOUBT_KINDS; kind++) {
        if (suite->report->findings->doubts[kind][source].count > 0)
            return true;
    }
    return false;
}

static struct counts count_captures(const struct suite *suite)
{
    struct counts counts = {0};

    for (int source = 0; source < SOURCES; source++) {
        counts.tests += suite->report->evidence->has[source];
        counts.errors += suite->report->evidence->has[source] && has_doubt(suite, source);
    }
    return counts;
}

static void write_doubts(const struct suite *suite, enum source source)
{
    fputs("      <error type=\"inconclusive\" message=\"missing evidence\">", suite->file);
    for (int kind = 0; kind < DOUBT_KINDS; kind++) {
        struct buf text;

        if (suite->report->findings->doubts[kind][source].count == 0)
            continue;
        buf_init(&text, TEXT_MAX);
        report_doubt(suite->report, (enum doubt_kind)kind, source, &text);
        xml_bytes(suite->file, slice_of(text.data, text.len));
        fputc('\n', suite->file);
        buf_deinit(&text);
    }
    fputs("</error>\n", suite->file);
}

static void write_captures(const struct suite *suite)
{
    static const char *const who[SOURCES] = {"the client's", "the proxy's", "the server's"};
    struct counts counts = count_captures(suite);

    open_suite(suite, "captures", &counts);
    for (int source = 0; source < SOURCES; source++) {
        if (!suite->report->evidence->has[source])
            continue;
        fprintf(
            suite->file, "    <testcase classname=\"capdiff.captures\" name=\"%s ", who[source]);
        write_text(suite, suite->report->evidence->recordings[source].name);
        fputs("\">\n", suite->file);
        if (has_doubt(suite, source))
            write_doubts(suite, (enum source)source);
        fputs("    </testcase>\n", suite->file);
    }
    fputs("  </testsuite>\n", suite->file);
}

/* --- the exchanges --- */

static struct counts count_exchanges(const struct suite *suite)
{
    struct counts counts = {0};

    for (size_t i = 0; i < suite->report->evidence->count; i++) {
        for (int hop = 0; hop < HOPS; hop++) {
            enum standing standing = report_index_hop(&suite->index, i, (enum hop)hop);

            counts.tests += standing != CAME_NOT;
            counts.failures += standing == CAME_DIFFERENT;
            counts.skipped += standing == CAME_UNSURE;
        }
    }
    return counts;
}

static void write_name(const struct suite *suite, const struct crossing *crossing)
{
    const struct exchange *exchange = crossing_exchange(crossing);
    const char *call_id = crossing_call_id(crossing);
    struct slice line = exchange != NULL ? align_title(exchange) : slice_of(NULL, 0);

    if (crossing->number != 0)
        fprintf(suite->file, "exchange %" PRIu64 " ", crossing->number);
    else
        fprintf(suite->file, "exchange without a number, %zu ",
            (size_t)(crossing - suite->report->evidence->crossings) + 1);
    if (call_id != NULL) {
        write_text(suite, call_id);
        fputc(' ', suite->file);
    }
    xml_bytes(
        suite->file, slice_of(line.data, line.len < LINE_SHOWN_MAX ? line.len : LINE_SHOWN_MAX));
}

static void write_finding(const struct suite *suite, const struct finding *finding)
{
    const struct place *place = &finding->place;

    write_text(suite, place->text);
    fputc('\n', suite->file);
    if (place->before == NULL && place->after == NULL)
        return;
    fputs("- ", suite->file);
    write_text(suite, place->before != NULL ? place->before : "(absent)");
    fputs("\n+ ", suite->file);
    write_text(suite, place->after != NULL ? place->after : "(absent)");
    fputc('\n', suite->file);
    if (place->patch == NULL)
        return;
    fputs("JSON Patch: ", suite->file);
    write_text(suite, place->patch);
    fputc('\n', suite->file);
}

static void write_failure(const struct suite *suite, size_t crossing, enum hop hop)
{
    bool open = false;

    for (const struct finding *finding = report_index_first(&suite->index, crossing);
         finding != NULL; finding = report_index_next(&suite->index, finding)) {
        if (finding->hop != hop)
            continue;
        if (!open) {
            fprintf(
                suite->file, "      <failure type=\"%s\" message=\"", finding_word(finding->kind));
            write_text(suite, finding->place.text);
            fputs("\">", suite->file);
        }
        open = true;
        write_finding(suite, finding);
    }
    fputs("</failure>\n", suite->file);
}

/* How what one side of the hop saw was found on the other. */
static void write_pairing(const struct suite *suite, const struct crossing *crossing, enum hop hop)
{
    enum view near = hop_near(hop);
    enum pair_how how;
    enum pair_sureness sure;

    if (hop == HOP_LOG || crossing->at[near] == NULL || crossing->at[near + 1] == NULL)
        return;
    pairing_of(crossing->at[near], &how, &sure);
    fprintf(suite->file, "      <system-out>paired %s: %s</system-out>\n", pair_how_text(how),
        pair_sureness_word(sure));
}

/* What the log declares of it: in the proxy. */
static void write_declared(const struct suite *suite, const struct crossing *crossing, enum hop hop)
{
    const struct log_record *record = crossing->record;

    for (size_t i = 0;
         hop == HOP_PROXY && record != NULL && i < record->n_changes && i < STORIES_MAX; i++) {
        struct buf sentence;

        buf_init(&sentence, STORY_MAX);
        story_append(crossing, &record->changes[i], &sentence);
        fputs("      <system-out>declared: ", suite->file);
        xml_bytes(suite->file, slice_of(sentence.data, sentence.len));
        fputs("</system-out>\n", suite->file);
        buf_deinit(&sentence);
    }
}

static void write_case(
    const struct suite *suite, size_t crossing, enum hop hop, enum standing standing)
{
    const struct crossing *at = &suite->report->evidence->crossings[crossing];
    struct timing timing;

    timing_of(at, &timing);
    fputs("    <testcase classname=\"capdiff.exchanges\" name=\"", suite->file);
    write_name(suite, at);
    fprintf(suite->file, " %s\" time=\"%.6f\"", hop_text(hop), (double)timing.total_ns / 1e9);
    fputs(">\n", suite->file);
    if (standing == CAME_DIFFERENT)
        write_failure(suite, crossing, hop);
    else if (standing == CAME_UNSURE)
        fputs("      <skipped message=\"not whole in both captures\"/>\n", suite->file);
    write_pairing(suite, at, hop);
    write_declared(suite, at, hop);
    fputs("    </testcase>\n", suite->file);
}

static void write_exchanges(const struct suite *suite)
{
    struct counts counts = count_exchanges(suite);

    open_suite(suite, "exchanges", &counts);
    for (size_t i = 0; i < suite->report->evidence->count; i++) {
        for (int hop = 0; hop < HOPS; hop++) {
            enum standing standing = report_index_hop(&suite->index, i, (enum hop)hop);

            if (standing != CAME_NOT)
                write_case(suite, i, (enum hop)hop, standing);
        }
    }
    fputs("  </testsuite>\n", suite->file);
}

/* --- what belongs to no exchange, or was only counted --- */

static struct counts count_rest(const struct suite *suite)
{
    const struct findings *findings = suite->report->findings;
    uint64_t rest = findings->total > findings->count;

    for (size_t i = 0; i < findings->count; i++)
        rest += findings->items[i].crossing == NULL;
    return (struct counts){rest, rest, 0, 0};
}

static void write_rest(const struct suite *suite)
{
    const struct findings *findings = suite->report->findings;
    struct counts counts = count_rest(suite);

    if (counts.tests == 0)
        return;
    open_suite(suite, "other", &counts);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if (finding->crossing != NULL)
            continue;
        fprintf(suite->file,
            "    <testcase classname=\"capdiff.other\" name=\"difference %zu, %s\">\n", i + 1,
            hop_text(finding->hop));
        fprintf(suite->file, "      <failure type=\"%s\">", finding_word(finding->kind));
        write_finding(suite, finding);
        fputs("</failure>\n    </testcase>\n", suite->file);
    }
    if (findings->total > findings->count)
        fprintf(suite->file,
            "    <testcase classname=\"capdiff.other\" name=\"all others\"><failure "
            "type=\"counted\" message=\"%" PRIu64 " more differences\"/></testcase>\n",
            findings->total - findings->count);
    fputs("  </testsuite>\n", suite->file);
}

/* All that came the same and is not held in memory: one case for the lot. */
static void write_forgotten(const struct suite *suite)
{
    struct counts counts = {1, 0, 0, 0};

    if (suite->report->evidence->settled.exchanges == 0)
        return;
    open_suite(suite, "not listed", &counts);
    fprintf(suite->file,
        "    <testcase classname=\"capdiff.same\" name=\"%" PRIu64
        " exchanges more, the same in every view\"/>\n  </testsuite>\n",
        suite->report->evidence->settled.exchanges);
}

void report_junit(const struct report *report, FILE *file)
{
    struct suite suite = {.file = file, .report = report};
    struct counts captures, exchanges, rest;
    struct buf text;

    report_index_init(&suite.index, report);
    captures = count_captures(&suite);
    exchanges = count_exchanges(&suite);
    rest = count_rest(&suite);
    rest.tests += report->evidence->settled.exchanges > 0;
    buf_init(&text, TEXT_MAX);
    report_summary(report, &text);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"", file);
    xml_bytes(file, slice_of(text.data, text.len));
    buf_deinit(&text);
    fprintf(file,
        "\" tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64
        "\" skipped=\"%" PRIu64 "\">\n",
        captures.tests + exchanges.tests + rest.tests, exchanges.failures + rest.failures,
        captures.errors, exchanges.skipped);
    write_captures(&suite);
    write_exchanges(&suite);
    write_rest(&suite);
    write_forgotten(&suite);
    fputs("</testsuites>\n", file);
    report_index_deinit(&suite.index);
}
