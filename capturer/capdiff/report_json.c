#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/json_object.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report.h"
#include "capturer/capdiff/report_json.h"
#include "capturer/capdiff/story.h"

#define REPORT_FORMAT 1 /* raised when a reader of the former would be misled */
#define TEXT_MAX ((size_t)64 * 1024)
#define REQUEST_LINE_MAX 200

static const char *const view_words[VIEWS] = {
    "client_host", "client_leg", "upstream_leg", "server"};

static void add_summary(cJSON *root, const struct report *report)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_summary(report, &text);
    memory_need(buf_append_char(&text, '\0'));
    json_object_add_text(root, "verdict", verdict_word(findings_verdict(report->findings)));
    json_object_add_number(root, "exit_status", (uint64_t)report->exit_status);
    json_object_add_text(root, "summary", text.data);
    buf_deinit(&text);
}

static uint64_t count_view(const struct evidence *evidence, int view)
{
    uint64_t count = evidence_forgotten(evidence);

    for (size_t i = 0; i < evidence->count; i++)
        count += evidence->crossings[i].at[view] != NULL;
    return count;
}

static void add_views(cJSON *root, const struct evidence *evidence)
{
    cJSON *views = json_object_need(cJSON_AddArrayToObject(root, "views"));

    for (int view = 0; view < VIEWS; view++) {
        enum source source = view_source((enum view)view);
        cJSON *item;

        if (!evidence_has_view(evidence, (enum view)view))
            continue;
        item = json_object_append(views);
        json_object_add_text(item, "view", view_words[view]);
        json_object_add_text(item, "text", view_text((enum view)view));
        json_object_add_text(item, "capture", evidence->recordings[source].name);
        json_object_add_number(item, "exchanges", count_view(evidence, view));
    }
}

/* Against the proxy's clock. */
static void add_clock(cJSON *quality, const struct evidence *evidence, enum source source)
{
    const struct clock_offset *clock = &evidence->clocks[source];
    bool turned = source == SOURCE_CLIENT_HOST; /* its clock is the near one of the two */
    cJSON *item;

    if (!clock_offset_known(clock)) {
        json_object_add_text(quality, "clock", NULL);
        return;
    }
    item = json_object_need(cJSON_AddObjectToObject(quality, "clock"));
    json_object_need(
        cJSON_AddNumberToObject(item, "offset_ns", (double)evidence_offset_ns(evidence, source)));
    json_object_add_number(item, "uncertainty_ns", clock_offset_uncertainty_ns(clock));
    json_object_need(cJSON_AddNumberToObject(
        item, "low_ns", (double)(turned ? -clock->high_ns : clock->low_ns)));
    json_object_need(cJSON_AddNumberToObject(
        item, "high_ns", (double)(turned ? -clock->low_ns : clock->high_ns)));
    json_object_add_number(item, "requests", clock->requests);
    json_object_add_number(item, "responses", clock->responses);
    json_object_need(cJSON_AddBoolToObject(item, "consistent", !clock->crossed));
}

static void add_recording(cJSON *item, const struct recording *recording)
{
    static const char *const ends[] = {"whole", "cut", "damaged"};
    const struct capture_facts *facts = &recording->facts;

    json_object_add_number(item, "packets", facts->packets);
    json_object_add_number(item, "bytes", facts->bytes);
    json_object_add_time(item, "first", facts->first_ns);
    json_object_add_time(item, "last", facts->last_ns);
    json_object_add_number(item, "connections", recording_connections(recording));
    json_object_add_number(item, "exchanges", recording->exchanges);
    json_object_add_number(item, "gaps", recording->gaps);
    json_object_add_number(item, "gap_bytes", recording->gap_bytes);
    json_object_add_number(item, "late_connections", recording->late_connections);
    json_object_add_number(item, "retransmissions", recording->retransmissions);
    json_object_add_number(item, "overlaps", recording->clashes);
    json_object_add_number(item, "fragments", facts->fragments);
    json_object_add_number(item, "malformed", facts->malformed);
    json_object_add_number(item, "snapped", facts->snapped);
    json_object_add_number(item, "unread", facts->unread);
    if (facts->drops_known)
        json_object_add_number(item, "dropped", facts->dropped);
    else
        json_object_add_text(item, "dropped", NULL);
    json_object_add_text(item, "end", ends[facts->end]);
    json_object_add_text(
        item, "end_reason", facts->end == CAPTURE_WHOLE ? NULL : facts->end_reason);
}

cJSON *report_json_quality(const struct evidence *evidence, bool alone)
{
    static const char *const sources[SOURCES] = {"client_host", "proxy", "server"};
    cJSON *quality = json_object_need(cJSON_CreateArray());

    for (int i = 0; i < SOURCES; i++) {
        cJSON *item;

        if (!evidence->has[i])
            continue;
        item = json_object_append(quality);
        json_object_add_text(item, "capture", evidence->recordings[i].name);
        json_object_add_text(item, "source", alone ? NULL : sources[i]);
        add_recording(item, &evidence->recordings[i]);
        add_clock(item, evidence, (enum source)i);
    }
    return quality;
}

static void add_pairs(cJSON *pairing, const char *name, const uint64_t *counts)
{
    cJSON *array = json_object_need(cJSON_AddArrayToObject(pairing, name));

    for (int how = 1; how < PAIR_HOWS; how++) {
        cJSON *item = counts[how] > 0 ? json_object_append(array) : NULL;

        if (item == NULL)
            continue;
        json_object_add_text(item, "how", pair_how_word((enum pair_how)how));
        json_object_add_text(item, "text", pair_how_text((enum pair_how)how));
        json_object_add_number(item, "connections", counts[how]);
    }
}

static void add_pooled(cJSON *pairing, const struct evidence *evidence)
{
    cJSON *array = json_object_need(cJSON_AddArrayToObject(pairing, "pooled"));

    for (int i = PAIR_SURENESSES; i < PAIR_HOWS * PAIR_SURENESSES; i++) {
        enum pair_how how = (enum pair_how)(i / PAIR_SURENESSES);
        enum pair_sureness sure = (enum pair_sureness)(i % PAIR_SURENESSES);
        cJSON *item = evidence->pooled[how][sure] > 0 ? json_object_append(array) : NULL;

        if (item == NULL)
            continue;
        json_object_add_text(item, "how", pair_how_word(how));
        json_object_add_text(item, "sure", pair_sureness_word(sure));
        json_object_add_text(item, "text", pair_how_text(how));
        json_object_add_number(item, "exchanges", evidence->pooled[how][sure]);
    }
}

static void add_finding(cJSON *array, const struct finding *finding)
{
    static const char *const kinds[PLACE_KINDS] = {"start_line", "field", "field_order", "trailer",
        "framing", "body", "json", "bytes", "beyond"};
    cJSON *item = json_object_append(array);
    bool placed = finding->kind == FINDING_CHANGED;
    bool field =
        placed && (finding->place.kind == PLACE_FIELD || finding->place.kind == PLACE_FIELD_ORDER ||
                      finding->place.kind == PLACE_TRAILER);

    if (finding->number != 0)
        json_object_add_number(item, "exchange", finding->number);
    else
        json_object_add_text(item, "exchange", NULL);
    json_object_add_text(item, "call_id", finding->call_id);
    json_object_add_time(item, "time", finding->time_ns);
    json_object_add_text(item, "kind", finding_word(finding->kind));
    json_object_add_text(item, "hop", hop_word(finding->hop));
    json_object_add_text(item, "hop_text", hop_text(finding->hop));
    json_object_add_text(item, "place", finding->place.text);
    json_object_add_text(item, "place_kind", placed ? kinds[finding->place.kind] : NULL);
    json_object_add_text(
        item, "pointer", placed && finding->place.kind == PLACE_JSON ? finding->place.name : NULL);
    json_object_add_text(item, "field", field ? finding->place.name : NULL);
    if (placed)
        json_object_add_number(item, "offset", finding->place.offset);
    else
        json_object_add_text(item, "offset", NULL);
    json_object_add_text(item, "change", place_change_word(finding->place.change));
    json_object_add_text(item, "note", finding->place.note);
    if (finding->place.patch != NULL)
        json_object_need(cJSON_AddRawToObject(item, "patch", finding->place.patch));
    else
        json_object_add_text(item, "patch", NULL);
    json_object_need(cJSON_AddBoolToObject(item, "patch_cut", finding->place.patch_cut));
    json_object_add_text(item, "before", finding->place.before);
    json_object_add_text(item, "after", finding->place.after);
}

static void add_differences(cJSON *root, const struct findings *findings)
{
    cJSON *differences = json_object_need(cJSON_AddObjectToObject(root, "differences"));
    cJSON *hops, *items;

    json_object_add_number(differences, "total", findings->total);
    json_object_add_number(differences, "told", findings->count);
    json_object_add_number(differences, "declared", findings->declared);
    json_object_add_number(differences, "ignored", findings->ignored);
    hops = json_object_need(cJSON_AddObjectToObject(differences, "by_hop"));
    for (int hop = 0; hop < HOPS; hop++)
        json_object_add_number(hops, hop_word((enum hop)hop), findings->per_hop[hop]);
    items = json_object_need(cJSON_AddArrayToObject(differences, "items"));
    for (size_t i = 0; i < findings->count; i++)
        add_finding(items, &findings->items[i]);
}

static void add_pairing(cJSON *item, const struct crossing *crossing)
{
    cJSON *array = json_object_need(cJSON_AddArrayToObject(item, "pairing"));

    for (int view = 0; view + 1 < VIEWS; view++) {
        enum pair_how how;
        enum pair_sureness sure;
        cJSON *step;

        if (crossing->at[view] == NULL || crossing->at[view + 1] == NULL)
            continue;
        pairing_of(crossing->at[view], &how, &sure);
        step = json_object_append(array);
        json_object_add_text(step, "from", view_words[view]);
        json_object_add_text(step, "to", view_words[view + 1]);
        json_object_add_text(step, "how", pair_how_word(how));
        json_object_add_text(step, "sure", pair_sureness_word(sure));
    }
}

static void add_exchange(cJSON *array, const struct finding *finding, uint64_t differences)
{
    const struct crossing *crossing = finding->crossing;
    cJSON *item = json_object_append(array), *seen;
    char *line = NULL;
    int status = 0;

    if (crossing->number != 0)
        json_object_add_number(item, "exchange", crossing->number);
    else
        json_object_add_text(item, "exchange", NULL);
    json_object_add_text(item, "call_id", finding->call_id);
    json_object_add_time(item, "time", crossing->time_ns);
    seen = json_object_need(cJSON_AddArrayToObject(item, "seen_in"));
    for (int view = 0; view < VIEWS; view++) {
        const struct exchange *exchange = crossing->at[view];

        if (exchange == NULL)
            continue;
        cJSON_AddItemToArray(seen, json_object_need(cJSON_CreateString(view_words[view])));
        if (line == NULL)
            line = excerpt_text(align_title(exchange), REQUEST_LINE_MAX);
        if (status == 0)
            status = exchange->status;
    }
    json_object_add_text(item, "request_line", line);
    json_object_add_number(item, "status", (uint64_t)status);
    add_pairing(item, crossing);
    json_object_add_number(item, "differences", differences);
    free(line);
}

/* Totals, and those exchanges that have findings: the others are all the same. */
static void add_exchanges(cJSON *root, const struct findings *findings)
{
    cJSON *exchanges = json_object_need(cJSON_AddObjectToObject(root, "exchanges"));
    cJSON *items;

    json_object_add_number(exchanges, "compared", findings->compared);
    json_object_add_number(exchanges, "with_differences", findings->exchanges);
    json_object_add_number(exchanges, "answered_by_proxy_as_logged", findings->declared_unasked);
    json_object_add_number(exchanges, "cut_alike_as_logged", findings->consistent_cuts);
    json_object_add_number(exchanges, "without_proxy", findings->aside);
    items = json_object_need(cJSON_AddArrayToObject(exchanges, "items"));
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

static void add_story(void *arg, const struct crossing *crossing, const struct log_change *change,
    const struct buf *sentence)
{
    cJSON *item = json_object_append(arg);
    const char *call_id = crossing_call_id(crossing);
    char *shown = call_id != NULL ? excerpt_text(slice_str(call_id), CALL_ID_MAX) : NULL;
    char *text = memory_text(sentence->data, sentence->len);
    char *rule =
        change->rule != NULL ? excerpt_text(slice_str(change->rule), REQUEST_LINE_MAX) : NULL;

    if (crossing->number != 0)
        json_object_add_number(item, "exchange", crossing->number);
    else
        json_object_add_text(item, "exchange", NULL);
    json_object_add_text(item, "call_id", shown);
    json_object_add_time(item, "time", crossing->time_ns);
    json_object_add_text(item, "rule", rule);
    json_object_add_text(item, "side",
        change->kind == LOG_CHANGE_UNKNOWN ? NULL
        : change->response                 ? "response"
                                           : "request");
    json_object_add_text(
        item, "action", change->kind == LOG_CHANGE_UNKNOWN ? NULL : change->action);
    json_object_add_text(item, "text", text);
    free(shown);
    free(text);
    free(rule);
}

/* What the log says that was done on purpose, in the order of the exchanges. */
static void add_declared(cJSON *root, const struct evidence *evidence)
{
    cJSON *declared = json_object_need(cJSON_AddObjectToObject(root, "declared"));

    json_object_add_number(declared, "total", story_count(evidence));
    story_each(evidence, FINDINGS_MAX, add_story,
        json_object_need(cJSON_AddArrayToObject(declared, "items")));
}

static void add_doubts(cJSON *root, const struct report *report)
{
    cJSON *array = json_object_need(cJSON_AddArrayToObject(root, "doubts"));

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
        item = json_object_append(array);
        json_object_add_text(item, "kind", doubt_word(kind));
        json_object_add_text(item, "capture", report->evidence->recordings[source].name);
        json_object_add_number(item, "count", doubt->count);
        json_object_add_time(item, "first", doubt->first_ns);
        json_object_add_time(item, "last", doubt->last_ns);
        json_object_add_text(item, "first_call_id", doubt->first_call_id);
        json_object_add_text(item, "text", text.data);
        buf_deinit(&text);
    }
}

static void add_notes(cJSON *root, const struct report *report)
{
    cJSON *array = json_object_need(cJSON_AddArrayToObject(root, "notes"));
    struct buf text;
    char *at, *eol;

    buf_init(&text, TEXT_MAX);
    report_notes(report, &text);
    memory_need(buf_append_char(&text, '\0'));
    for (at = text.data; (eol = strchr(at, '\n')) != NULL; at = eol + 1) {
        *eol = '\0';
        cJSON_AddItemToArray(array, json_object_need(cJSON_CreateString(at)));
    }
    buf_deinit(&text);
}

void report_json(const struct report *report, FILE *file)
{
    cJSON *root = json_object_need(cJSON_CreateObject());
    cJSON *pairing;

    json_object_add_number(root, "report_format", REPORT_FORMAT);
    json_object_add_text(root, "capdiff", AGENT_MITM_VERSION);
    add_summary(root, report);
    add_views(root, report->evidence);
    cJSON_AddItemToObject(root, "quality", report_json_quality(report->evidence, false));
    pairing = json_object_need(cJSON_AddObjectToObject(root, "pairing"));
    add_pairs(pairing, "client_leg_to_upstream_leg", report->evidence->paired);
    add_pairs(pairing, "upstream_leg_to_server", report->evidence->matched);
    add_pooled(pairing, report->evidence);
    add_exchanges(root, report->findings);
    add_differences(root, report->findings);
    add_declared(root, report->evidence);
    add_doubts(root, report);
    add_notes(root, report);
    json_object_print(root, false, file);
    fputc('\n', file);
}
