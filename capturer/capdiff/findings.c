#include "capturer/capdiff/findings.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"

const char *hop_text(enum hop hop)
{
    static const char *const texts[HOPS] = {"on the way from the client to the proxy",
        "in the proxy", "on the way from the proxy to the server",
        "between the exchange log and the wire", "between the captures"};

    return texts[hop];
}

const char *hop_word(enum hop hop)
{
    static const char *const words[HOPS] = {
        "client_to_proxy", "proxy", "proxy_to_server", "log", "between_captures"};

    return words[hop];
}

const char *finding_word(enum finding_kind kind)
{
    static const char *const words[FINDING_KINDS] = {"changed", "cut", "unasked", "invented",
        "duplicated", "lost", "overlap", "log_body", "log_status", "log_change", "log_request",
        "log_only", "unlogged", "dropped", "forged"};

    return words[kind];
}

const char *doubt_word(enum doubt_kind kind)
{
    static const char *const words[DOUBT_KINDS] = {"nothing", "no_leg", "same_ends", "tls", "cut",
        "damaged", "late", "gap", "fragments", "dropped", "missed", "outside_window",
        "inconclusive", "incomplete", "log_alone", "log_torn", "unlogged", "log_change", "crowded"};

    return words[kind];
}

const char *verdict_word(enum verdict verdict)
{
    static const char *const words[] = {"same", "differ", "inconclusive"};

    return words[verdict];
}

const char *crossing_call_id(const struct crossing *crossing)
{
    for (int view = 0; view < VIEWS; view++) {
        const char *call_id =
            crossing->at[view] != NULL ? exchange_call_id(crossing->at[view]) : NULL;

        if (call_id != NULL)
            return call_id;
    }
    return crossing->record != NULL ? crossing->record->call_id : NULL;
}

static char *shown_call_id(const struct crossing *crossing)
{
    const char *call_id = crossing != NULL ? crossing_call_id(crossing) : NULL;

    return call_id != NULL ? excerpt_text(slice_str(call_id), CALL_ID_MAX) : NULL;
}

/* A patch stays as long as there is room for all of it. */
static void take_patch(struct findings *findings, struct place *place)
{
    size_t len = place->patch != NULL ? strlen(place->patch) : 0;

    if (len > FINDINGS_PATCH_MAX - findings->patch_bytes) {
        free(place->patch);
        place->patch = NULL;
        place->patch_cut = true;
        return;
    }
    findings->patch_bytes += len;
}

/* Operations went that are missing from their message's, if some were told before. */
static void lose_patch(struct findings *findings, enum hop hop, const struct crossing *crossing)
{
    struct finding *last = &findings->items[findings->count - 1];

    if (last->place.patch != NULL && last->hop == hop && last->crossing == crossing)
        last->place.patch_cut = true;
}

void findings_add(struct findings *findings, enum finding_kind kind, enum hop hop,
    const struct crossing *crossing, struct place *place)
{
    struct finding *finding;

    findings->total++;
    findings->per_hop[hop]++;
    if (findings_full(findings)) {
        if (place->patch != NULL)
            lose_patch(findings, hop, crossing);
        place_deinit(place);
        return;
    }
    take_patch(findings, place);
    findings->items =
        memory_room(findings->items, findings->count, &findings->room, sizeof(struct finding));
    finding = &findings->items[findings->count++];
    *finding = (struct finding){.kind = kind, .hop = hop, .place = *place};
    if (crossing != NULL) {
        finding->number = crossing->number;
        finding->time_ns = crossing->time_ns;
        finding->crossing = crossing->stored ? crossing : NULL;
        finding->call_id = shown_call_id(crossing);
    }
    memset(place, 0, sizeof(*place));
}

void findings_say(struct findings *findings, enum finding_kind kind, enum hop hop,
    const struct crossing *crossing, const char *text)
{
    struct place place = {.text = memory_copy(text)};

    findings_add(findings, kind, hop, crossing, &place);
}

void findings_doubt(struct findings *findings, enum doubt_kind kind, enum source source,
    const struct crossing *crossing)
{
    struct doubt *doubt = &findings->doubts[kind][source];
    uint64_t time_ns = crossing != NULL ? crossing->time_ns : 0;

    if (doubt->count++ == 0 && crossing != NULL) {
        doubt->first_ns = time_ns;
        doubt->first_number = crossing->number;
        doubt->first_call_id = shown_call_id(crossing);
    }
    if (time_ns > doubt->last_ns)
        doubt->last_ns = time_ns;
}

uint64_t findings_lacking(const struct findings *findings, enum source source)
{
    return findings->doubts[DOUBT_MISSED][source].count +
           findings->doubts[DOUBT_OUTSIDE][source].count +
           findings->doubts[DOUBT_LACKS][source].count;
}

bool findings_full(const struct findings *findings)
{
    return findings->counting || findings->count == FINDINGS_MAX;
}

size_t findings_patch_room(const struct findings *findings)
{
    return FINDINGS_PATCH_MAX - findings->patch_bytes;
}

void findings_deinit(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].call_id);
        place_deinit(&findings->items[i].place);
    }
    for (int kind = 0; kind < DOUBT_KINDS; kind++) {
        for (int source = 0; source < SOURCES; source++)
            free(findings->doubts[kind][source].first_call_id);
    }
    free(findings->items);
    memset(findings, 0, sizeof(*findings));
}

static bool has_doubt(const struct findings *findings, enum doubt_kind kind)
{
    for (int source = 0; source < SOURCES; source++) {
        if (findings->doubts[kind][source].count > 0)
            return true;
    }
    return false;
}

enum verdict findings_verdict(const struct findings *findings)
{
    if (findings->total > 0)
        return VERDICT_DIFFER;
    for (int kind = 0; kind < DOUBT_KINDS; kind++) {
        if (has_doubt(findings, (enum doubt_kind)kind))
            return VERDICT_INCONCLUSIVE;
    }
    return VERDICT_SAME;
}

bool findings_may_heal(const struct findings *findings)
{
    static const enum doubt_kind healing[] = {DOUBT_NOTHING, DOUBT_NO_LEG, DOUBT_CUT, DOUBT_MISSED,
        DOUBT_OUTSIDE, DOUBT_LACKS, DOUBT_INCOMPLETE, DOUBT_LOG_ALONE, DOUBT_LOG_TORN,
        DOUBT_UNLOGGED};

    for (size_t i = 0; i < sizeof(healing) / sizeof(healing[0]); i++) {
        if (has_doubt(findings, healing[i]))
            return true;
    }
    for (size_t i = 0; i < findings->count; i++) {
        switch (findings->items[i].kind) {
        case FINDING_CHANGED:
        case FINDING_OVERLAP:
        case FINDING_LOG_BODY:
        case FINDING_LOG_STATUS:
        case FINDING_LOG_CHANGE:
        case FINDING_LOG_REQUEST:
            break;
        default:
            return true;
        }
    }
    return findings->torn > 0;
}
