#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report.h"
#include "lib/clock.h"

#define REPORT_FORMAT 1 /* raised when a reader of the former would be misled */
#define TEXT_MAX ((size_t)64 * 1024)
#define REQUEST_LINE_MAX 200

static const char *const view_words[VIEWS] = {
    "client_host", "client_leg", "upstream_leg", "server"};

static cJSON *need(cJSON *item)
{
    if (item == NULL)
        memory_need(UV_ENOMEM);
    return item;
}

static void add_text(cJSON *object, const char *name, const char *text)
{
    need(text != NULL ? cJSON_AddStringToObject(object, name, text)
                      : cJSON_AddNullToObject(object, name));
}

static void add_number(cJSON *object, const char *name, uint64_t number)
{
    need(cJSON_AddNumberToObject(object, name, (double)number));
}

static void add_time(cJSON *object, const char *name, uint64_t ns)
{
    char text[CLOCK_RFC3339_SIZE];

    add_text(object, name, ns != 0 ? clock_rfc3339(ns, text) : NULL);
}

static cJSON *append_object(cJSON *array)
{
    cJSON *object = need(cJSON_CreateObject());

    cJSON_AddItemToArray(array, object);
    return object;
}

static void add_summary(cJSON *root, const struct report *report)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_summary(report, &text);
    memory_need(buf_append_char(&text, '\0'));
    add_text(root, "verdict", verdict_word(findings_verdict(report->findings)));
    add_number(root, "exit_status", (uint64_t)report->exit_status);
    add_text(root, "summary", text.data);
    buf_deinit(&text);
}

static uint64_t count_view(const struct evidence *evidence, int view)
{
    uint64_t count = 0;

    for (size_t i = 0; i < evidence->count; i++)
        count += evidence->crossings[i].at[view] != NULL;
    return count;
}

static void add_views(cJSON *root, const struct evidence *evidence)
{
    cJSON *views = need(cJSON_AddArrayToObject(root, "views"));

    for (int view = 0; view < VIEWS; view++) {
        enum source source = view_source((enum view)view);
        cJSON *item;

        if (!evidence_has_view(evidence, (enum view)view))
            continue;
        item = append_object(views);
        add_text(item, "view", view_words[view]);
        add_text(item, "text", view_text((enum view)view));
        add_text(item, "capture", evidence->recordings[source].name);
        add_number(item, "exchanges", count_view(evidence, view));
    }
}

/* Against the proxy's clock. */
static void add_clock(cJSON *quality, const struct evidence *evidence, enum source source)
{
    const struct clock_offset *clock = &evidence->clocks[source];
    bool turned = source == SOURCE_CLIENT_HOST; /* its clock is the near one of the two */
    cJSON *item;

    if (!clock_offset_known(clock)) {
        add_text(quality, "clock", NULL);
        return;
    }
    item = need(cJSON_AddObjectToObject(quality, "clock"));
    need(cJSON_AddNumberToObject(item, "offset_ns", (double)evidence_offset_ns(evidence, source)));
    add_number(item, "uncertainty_ns", clock_offset_uncertainty_ns(clock));
    need(cJSON_AddNumberToObject(
        item, "low_ns", (double)(turned ? -clock->high_ns : clock->low_ns)));
    need(cJSON_AddNumberToObject(
        item, "high_ns", (double)(turned ? -clock->low_ns : clock->high_ns)));
    add_number(item, "requests", clock->requests);
    add_number(item, "responses", clock->responses);
    need(cJSON_AddBoolToObject(item, "consistent", !clock->crossed));
}

static void add_quality(cJSON *root, const struct evidence *evidence)
{
    static const char *const ends[] = {"whole", "cut", "damaged"};
    static const char *const sources[SOURCES] = {"client_host", "proxy", "server"};
    cJSON *quality = need(cJSON_AddArrayToObject(root, "quality"));

    for (int i = 0; i < SOURCES; i++) {
        const struct recording *recording = &evidence->recordings[i];
        const struct capture_facts *facts = &recording->facts;
        cJSON *item;

        if (!evidence->has[i])
            continue;
        item = append_object(quality);
        add_text(item, "capture", recording->name);
        add_text(item, "source", sources[i]);
        add_number(item, "packets", facts->packets);
        add_number(item, "bytes", facts->bytes);
        add_time(item, "first", facts->first_ns);
        add_time(item, "last", facts->last_ns);
        add_number(item, "connections", recording->connections.count);
        add_number(item, "exchanges", recording->exchanges);
        add_number(item, "gaps", recording->gaps);
        add_number(item, "gap_bytes", recording->gap_bytes);
        add_number(item, "late_connections", recording->late_connections);
        add_number(item, "retransmissions", recording->retransmissions);
        add_number(item, "overlaps", recording->clashes);
        add_number(item, "fragments", facts->fragments);
        add_number(item, "malformed", facts->malformed);
        add_number(item, "snapped", facts->snapped);
        add_number(item, "unread", facts->unread);
        if (facts->drops_known)
            add_number(item, "dropped", facts->dropped);
        else
            add_text(item, "dropped", NULL);
        add_text(item, "end", ends[facts->end]);
        add_text(item, "end_reason", facts->end == CAPTURE_WHOLE ? NULL : facts->end_reason);
        add_clock(item, evidence, (enum source)i);
    }
}

static void add_pairs(cJSON *pairing, const char *name, const uint64_t *counts)
{
    cJSON *array = need(cJSON_AddArrayToObject(pairing, name));

    for (int how = 1; how < PAIR_HOWS; how++) {
        cJSON *item = counts[how] > 0 ? append_object(array) : NULL;

        if (item == NULL)
            continue;
        add_text(item, "how", pair_how_word((enum pair_how)how));
        add_text(item, "text", pair_how_text((enum pair_how)how));
        add_number(item, "connections", counts[how]);
    }
}

static void add_pooled(cJSON *pairing, const struct evidence *evidence)
{
    cJSON *array = need(cJSON_AddArrayToObject(pairing, "pooled"));

    for (int i = PAIR_SURENESSES; i < PAIR_HOWS * PAIR_SURENESSES; i++) {
        enum pair_how how = (enum pair_how)(i / PAIR_SURENESSES);
        enum pair_sureness sure = (enum pair_sureness)(i % PAIR_SURENESSES);
        cJSON *item = evidence->pooled[how][sure] > 0 ? append_object(array) : NULL;

        if (item == NULL)
            continue;
        add_text(item, "how", pair_how_word(how));
        add_text(item, "sure", pair_sureness_word(sure));
        add_text(item, "text", pair_how_text(how));
        add_number(item, "exchanges", evidence->pooled[how][sure]);
    }
}

static void add_finding(cJSON *array, const struct finding *finding)
{
    static const char *const kinds[PLACE_KINDS] = {"start_line", "field", "field_order", "trailer",
        "framing", "body", "json", "bytes", "beyond"};
    cJSON *item = append_object(array);
    bool placed = finding->kind == FINDING_CHANGED;
    bool field =
        placed && (finding->place.kind == PLACE_FIELD || finding->place.kind == PLACE_FIELD_ORDER ||
                      finding->place.kind == PLACE_TRAILER);

    if (finding->number != 0)
        add_number(item, "exchange", finding->number);
    else
        add_text(item, "exchange", NULL);
    add_text(item, "call_id", finding->call_id);
    add_time(item, "time", finding->time_ns);
    add_text(item, "kind", finding_word(finding->kind));
    add_text(item, "hop", hop_word(finding->hop));
    add_text(item, "hop_text", hop_text(finding->hop));
    add_text(item, "place", finding->place.text);
    add_text(item, "place_kind", placed ? kinds[finding->place.kind] : NULL);
    add_text(
        item, "pointer", placed && finding->place.kind == PLACE_JSON ? finding->place.name : NULL);
    add_text(item, "field", field ? finding->place.name : NULL);
    if (placed)
        add_number(item, "offset", finding->place.offset);
    else
        add_text(item, "offset", NULL);
    add_text(item, "change", place_change_word(finding->place.change));
    add_text(item, "note", finding->place.note);
    if (finding->place.patch != NULL)
        need(cJSON_AddRawToObject(item, "patch", finding->place.patch));
    else
        add_text(item, "patch", NULL);
    need(cJSON_AddBoolToObject(item, "patch_cut", finding->place.patch_cut));
    add_text(item, "before", finding->place.before);
    add_text(item, "after", finding->place.after);
}

static void add_differences(cJSON *root, const struct findings *findings)
{
    cJSON *differences = need(cJSON_AddObjectToObject(root, "differences"));
    cJSON *hops, *items;

    add_number(differences, "total", findings->total);
    add_number(differences, "told", findings->count);
    add_number(differences, "declared", findings->declared);
    add_number(differences, "ignored", findings->ignored);
    hops = need(cJSON_AddObjectToObject(differences, "by_hop"));
    for (int hop = 0; hop < HOPS; hop++)
        add_number(hops, hop_word((enum hop)hop), findings->per_hop[hop]);
    items = need(cJSON_AddArrayToObject(differences, "items"));
    for (size_t i = 0; i < findings->count; i++)
        add_finding(items, &findings->items[i]);
}

static void add_pairing(cJSON *item, const struct crossing *crossing)
{
    cJSON *array = need(cJSON_AddArrayToObject(item, "pairing"));

    for (int view = 0; view + 1 < VIEWS; view++) {
        enum pair_how how;
        enum pair_sureness sure;
        cJSON *step;

        if (crossing->at[view] == NULL || crossing->at[view + 1] == NULL)
            continue;
        pairing_of(crossing->at[view], &how, &sure);
        step = append_object(array);
        add_text(step, "from", view_words[view]);
        add_text(step, "to", view_words[view + 1]);
        add_text(step, "how", pair_how_word(how));
        add_text(step, "sure", pair_sureness_word(sure));
    }
}

static void add_exchange(cJSON *array, const struct finding *finding, uint64_t differences)
{
    const struct crossing *crossing = finding->crossing;
    cJSON *item = append_object(array), *seen;
    char *line = NULL;
    int status = 0;

    if (crossing->number != 0)
        add_number(item, "exchange", crossing->number);
    else
        add_text(item, "exchange", NULL);
    add_text(item, "call_id", finding->call_id);
    add_time(item, "time", crossing->time_ns);
    seen = need(cJSON_AddArrayToObject(item, "seen_in"));
    for (int view = 0; view < VIEWS; view++) {
        const struct exchange *exchange = crossing->at[view];

        if (exchange == NULL)
            continue;
        cJSON_AddItemToArray(seen, need(cJSON_CreateString(view_words[view])));
        if (line == NULL)
            line = excerpt_text(align_start_line(exchange), REQUEST_LINE_MAX);
        if (status == 0)
            status = exchange->status;
    }
    add_text(item, "request_line", line);
    add_number(item, "status", (uint64_t)status);
    add_pairing(item, crossing);
    add_number(item, "differences", differences);
    free(line);
}

/* Totals, and those exchanges that have findings: the others are all the same. */
static void add_exchanges(cJSON *root, const struct findings *findings)
{
    cJSON *exchanges = need(cJSON_AddObjectToObject(root, "exchanges"));
    cJSON *items;

    add_number(exchanges, "compared", findings->compared);
    add_number(exchanges, "with_differences", findings->exchanges);
    add_number(exchanges, "answered_by_proxy_as_logged", findings->declared_unasked);
    add_number(exchanges, "cut_alike_as_logged", findings->consistent_cuts);
    add_number(exchanges, "without_proxy", findings->aside);
    items = need(cJSON_AddArrayToObject(exchanges, "items"));
    for (size_t i = 0; i < findings->count;) {
        const struct finding *finding = &findings->items[i];
        uint64_t differences = 0;

        while (i < findings->count && findings->items[i].crossing == finding->crossing) {
            differences++;
            i++;
        }
        if (finding->crossing != NULL)
            add_exchange(items, finding, differences);
    }
}

static void add_doubts(cJSON *root, const struct report *report)
{
    cJSON *array = need(cJSON_AddArrayToObject(root, "doubts"));

    for (int i = 0; i < DOUBT_KINDS * SOURCES; i++) {
        enum doubt_kind kind = (enum doubt_kind)(i / SOURCES);
        enum source source = (enum source)(i % SOURCES);
        const struct doubt *doubt = &report->findings->doubts[kind][source];
        struct buf text;
        cJSON *item;

        if (doubt->count == 0)
            continue;
        buf_init(&text, TEXT_MAX);
        report_doubt(report, kind, source, &text);
        memory_need(buf_append_char(&text, '\0'));
        item = append_object(array);
        add_text(item, "kind", doubt_word(kind));
        add_text(item, "capture", report->evidence->recordings[source].name);
        add_number(item, "count", doubt->count);
        add_time(item, "first", doubt->first_ns);
        add_time(item, "last", doubt->last_ns);
        add_text(item, "first_call_id", doubt->first_call_id);
        add_text(item, "text", text.data);
        buf_deinit(&text);
    }
}

static void add_notes(cJSON *root, const struct report *report)
{
    cJSON *array = need(cJSON_AddArrayToObject(root, "notes"));
    struct buf text;
    char *at, *eol;

    buf_init(&text, TEXT_MAX);
    report_notes(report, &text);
    memory_need(buf_append_char(&text, '\0'));
    for (at = text.data; (eol = strchr(at, '\n')) != NULL; at = eol + 1) {
        *eol = '\0';
        cJSON_AddItemToArray(array, need(cJSON_CreateString(at)));
    }
    buf_deinit(&text);
}

void report_json(const struct report *report, FILE *file)
{
    cJSON *root = need(cJSON_CreateObject());
    cJSON *pairing;
    char *text;

    add_number(root, "report_format", REPORT_FORMAT);
    add_text(root, "capdiff", AGENT_MITM_VERSION);
    add_summary(root, report);
    add_views(root, report->evidence);
    add_quality(root, report->evidence);
    pairing = need(cJSON_AddObjectToObject(root, "pairing"));
    add_pairs(pairing, "client_leg_to_upstream_leg", report->evidence->paired);
    add_pairs(pairing, "upstream_leg_to_server", report->evidence->matched);
    add_pooled(pairing, report->evidence);
    add_exchanges(root, report->findings);
    add_differences(root, report->findings);
    add_doubts(root, report);
    add_notes(root, report);
    text = cJSON_Print(root);
    if (text == NULL)
        memory_need(UV_ENOMEM);
    fprintf(file, "%s\n", text);
    free(text);
    cJSON_Delete(root);
}
