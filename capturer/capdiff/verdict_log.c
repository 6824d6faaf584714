/* The exchange log's word against the wire. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/log_tunnel.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/verdict_state.h"

#define LINE_SHOWN_MAX ((size_t)200)

static void say_log_difference(struct court *court, const struct crossing *crossing,
    enum finding_kind kind, const char *what, const char *log, const char *wire)
{
    struct place place = {
        .text = memory_copy(what), .before = memory_copy(log), .after = memory_copy(wire)};

    findings_add(court->findings, kind, HOP_LOG, crossing, &place);
}

static void check_body(struct court *court, const struct crossing *crossing, const char *what,
    const char *logged, const struct exchange *exchange, bool response)
{
    const struct message *message = response ? &exchange->response : &exchange->request;
    char log[8 * SHA256_HEX_SIZE], wire[2 * SHA256_HEX_SIZE];
    char hex[SHA256_HEX_SIZE];
    char *shown;

    if (logged == NULL || message->state != MESSAGE_WHOLE || exchange->tunnel ||
        strcmp(logged, message_content_sha256(message, hex)) == 0)
        return;
    shown = excerpt_text(slice_str(logged), SHA256_HEX_SIZE - 1); /* it may be anything */
    snprintf(log, sizeof(log), "log:  SHA-256 %s", shown);
    snprintf(wire, sizeof(wire), "wire: SHA-256 %s", hex);
    free(shown);
    say_log_difference(court, crossing, FINDING_LOG_BODY, what, log, wire);
}

static void check_tunnel(struct court *court, const struct crossing *crossing, const char *what,
    const struct exchange *exchange, bool response)
{
    char log[40], wire[40];
    uint64_t bytes;

    if (log_tunnel_holds(crossing->record, exchange, response, &bytes))
        return;
    snprintf(log, sizeof(log), "log:  %" PRIu64 " bytes", crossing->record->tunnel_bytes[response]);
    snprintf(wire, sizeof(wire), "wire: %" PRIu64 " bytes", bytes);
    say_log_difference(court, crossing, FINDING_LOG_BODY, what, log, wire);
}

static void append_shown(struct buf *out, const char *text)
{
    char *shown = excerpt_text(slice_str(text != NULL ? text : ""), LINE_SHOWN_MAX / 2);

    memory_need(buf_append_str(out, shown));
    free(shown);
}

static void check_status(
    struct court *court, const struct crossing *crossing, const struct exchange *exchange)
{
    char log[32], wire[32];

    if (crossing->record->status == 0 || exchange->status == 0 ||
        crossing->record->status == exchange->status)
        return;
    snprintf(log, sizeof(log), "log:  %d", crossing->record->status);
    snprintf(wire, sizeof(wire), "wire: %d", exchange->status);
    say_log_difference(court, crossing, FINDING_LOG_STATUS, "status", log, wire);
}

/* A rule may have given the request another target on its way: either line will do. */
static void check_request(
    struct court *court, const struct crossing *crossing, const struct exchange *client)
{
    const struct log_record *record = crossing->record;
    const struct exchange *upstream = crossing->at[VIEW_UPSTREAM_LEG];
    struct buf log;
    char *wire;

    if (client->request.head_len == 0 || log_match_line(record, client) ||
        (upstream != NULL && log_match_line(record, upstream)))
        return;
    buf_init(&log, LINE_SHOWN_MAX * 8);
    wire = excerpt_text(align_start_line(client), LINE_SHOWN_MAX);
    append_shown(&log, record->method);
    memory_need(buf_append_char(&log, ' '));
    append_shown(&log, record->target);
    memory_need(buf_append_char(&log, '\0'));
    say_log_difference(
        court, crossing, FINDING_LOG_REQUEST, "method and target (log, wire)", log.data, wire);
    buf_deinit(&log);
    free(wire);
}

static void check_unlogged(struct court *court, const struct case_state *state)
{
    if (verdict_is_incomplete(state) || state->doubted)
        return;
    if (court->evidence->log.unreadable > 0)
        findings_doubt(court->findings, DOUBT_UNLOGGED, SOURCE_PROXY, state->crossing);
    else if (court->evidence->log.torn && court->findings->torn == 0)
        court->findings->torn++;
    else
        findings_say(court->findings, FINDING_UNLOGGED, HOP_LOG, state->crossing,
            "on the wire, and not in the exchange log");
}

/* ANSWERED: the leg that the answer is told of. */
static void check_record(
    struct court *court, const struct crossing *crossing, const struct exchange *answered)
{
    const struct log_record *record = crossing->record;
    const struct exchange *upstream = crossing->at[VIEW_UPSTREAM_LEG];

    /* What was forwarded: the request as it went on, the response as it came back. */
    if (upstream != NULL) {
        check_body(court, crossing, "request body", record->request_sha256, upstream, false);
        check_tunnel(court, crossing, "tunnel, to the server", upstream, false);
    }
    check_body(court, crossing, "response body", record->response_sha256, answered, true);
    check_tunnel(court, crossing, "tunnel, to the client", answered, true);
    check_status(court, crossing, answered);
    check_request(court, crossing, answered);
}

static void doubt_changes(struct court *court, const struct crossing *crossing)
{
    for (size_t i = 0; i < crossing->record->n_unknown; i++)
        findings_doubt(court->findings, DOUBT_LOG_CHANGE, SOURCE_PROXY, crossing);
}

void verdict_log_crossing(struct court *court, const struct case_state *state)
{
    const struct crossing *crossing = state->crossing;
    const struct exchange *answered = crossing->at[VIEW_CLIENT_LEG];

    /* A copy has no client: it is held against the upstream leg. */
    if (crossing->record != NULL && crossing->record->copy_of != 0)
        answered = crossing->at[VIEW_UPSTREAM_LEG];
    if (!court->evidence->has_log || answered == NULL)
        return;
    if (crossing->record == NULL) {
        check_unlogged(court, state);
        return;
    }
    check_record(court, crossing, answered);
    doubt_changes(court, crossing);
}

/* The proxy's capture was running then, and nothing is missing from it. */
static bool is_covered(const struct evidence *evidence, uint64_t ts_ns)
{
    const struct recording *proxy = &evidence->recordings[SOURCE_PROXY];

    return ts_ns != 0 && evidence_is_whole(evidence, SOURCE_PROXY) &&
           proxy->late_connections == 0 && ts_ns > proxy->facts.first_ns &&
           ts_ns < proxy->facts.last_ns;
}

/* A copy that never came to be: there was no connection for it. */
static bool was_nowhere(const struct log_record *record)
{
    return record->copy_of != 0 && !record->has_upstream_local && record->error != NULL;
}

void verdict_log_rest(struct court *court)
{
    const struct evidence *evidence = court->evidence;

    for (size_t i = 0; evidence->has_log && i < evidence->log.count; i++) {
        const struct log_record *record = evidence->log.items[i];
        struct crossing alone = {
            .record = record, .number = record->exchange, .time_ns = record->ts_ns};

        if (record->seen != NULL || was_nowhere(record) || verdict_log_unveils(court, record))
            continue;
        doubt_changes(court, &alone);
        if (is_covered(evidence, record->ts_ns))
            findings_say(court->findings, FINDING_LOG_ONLY, HOP_LOG, &alone,
                "in the exchange log, and not on the wire, which was being recorded then");
        else
            findings_doubt(court->findings, DOUBT_LOG_ALONE, SOURCE_PROXY, &alone);
    }
    if (evidence->has_log) {
        for (uint64_t i = 0; i < evidence->log.unreadable; i++)
            findings_doubt(court->findings, DOUBT_LOG_TORN, SOURCE_PROXY, NULL);
    }
}
