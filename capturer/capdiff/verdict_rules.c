/* What rules did to an exchange besides changing bytes: they ended it, or kept it waiting. */
#include <stdarg.h>
#include <stdio.h>

#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/verdict_state.h"

#define TEXT_MAX 300
#define NS_PER_MS UINT64_C(1000000)
#define SLACK_NS (10 * NS_PER_MS) /* that a wait may be shorter than it was to be */
#define THROTTLE_BURST_MS 250     /* that may go at once, however slow the rest is to be */
#define REFUSED 400               /* what the proxy answers itself is never less */

void verdict_say_false(struct court *court, const struct case_state *state, const char *log,
    const char *wire, const char *format, ...)
{
    struct place place = {.before = log != NULL ? memory_copy(log) : NULL,
        .after = wire != NULL ? memory_copy(wire) : NULL};
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    place.text = memory_copy(text);
    findings_add(court->findings, FINDING_LOG_CHANGE, HOP_LOG, state->crossing, &place);
}

static void say_status(struct court *court, const struct case_state *state,
    const struct log_change *change, int before, int after)
{
    char log[64], wire[64];

    snprintf(log, sizeof(log), "log:  %d -> %d", (int)change->numbers[0], (int)change->numbers[1]);
    snprintf(wire, sizeof(wire), "wire: %d -> %d", before, after);
    verdict_say_false(court, state, log, wire,
        "status, declared as answered by a rule, and the wire does not bear it out");
}

/* The proxy answered in the server's place, and its log says with what. */
static bool is_respond(struct court *court, struct case_state *state,
    const struct log_change *change, int before, const struct exchange *client)
{
    if (change->numbers[0] == (uint64_t)before && change->numbers[1] == (uint64_t)client->status &&
        client->status != 0)
        return true;
    say_status(court, state, change, before, client->status);
    return false;
}

static bool is_reset(struct court *court, struct case_state *state, const struct log_change *change,
    const struct connection *client, const struct connection *upstream)
{
    bool both = change->numbers[0] == LOG_RESET_BOTH;
    bool of_client = both || change->numbers[0] == LOG_RESET_CLIENT;
    bool of_upstream = (both || change->numbers[0] == LOG_RESET_UPSTREAM) && upstream != NULL;

    if ((!of_client || client->reset) && (!of_upstream || upstream->reset))
        return true;
    verdict_say_false(court, state, NULL, NULL, "%s connection, declared as reset, and it was not",
        of_client && !client->reset ? "the client's" : "the upstream");
    return false;
}

/* The log names an error of the proxy's own, and the client got the answer that goes with it. */
static bool is_refusal(const struct log_record *record, const struct exchange *client)
{
    return record != NULL && record->error != NULL && client->status >= REFUSED &&
           record->status == client->status;
}

/* Nothing of an answer is declared, and there is none. */
static bool is_dropped(struct court *court, const struct case_state *state, bool response)
{
    if (state->crossing->at[VIEW_CLIENT_LEG]->response.state == MESSAGE_NONE)
        return true;
    verdict_say_false(court, state, NULL, NULL,
        response ? "response, declared as dropped, and the client has it"
                 : "request, declared as dropped, and the client has an answer to it");
    return false;
}

bool verdict_ended_request(struct court *court, struct case_state *state)
{
    const struct log_record *record = state->crossing->record;
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];
    const struct log_change *change = record != NULL ? log_record_ending(record, false) : NULL;
    bool refused;

    if (record == NULL)
        return false;
    refused = record->error != NULL &&
              (client->response.state != MESSAGE_WHOLE || is_refusal(record, client));
    if (change == NULL || (refused && client->response.state == MESSAGE_NONE))
        return refused;
    if (change->kind == LOG_CHANGE_RESPOND)
        return is_respond(court, state, change, 0, client);
    if (change->kind == LOG_CHANGE_DROP)
        return is_dropped(court, state, false);
    return is_reset(court, state, change, client->connection, client->connection->towards_server) &&
           (refused || client->response.state != MESSAGE_WHOLE);
}

/* A response that the client did not get as it came, or not at all. True: that is declared. */
static bool is_ended(struct court *court, struct case_state *state, const struct log_change *change)
{
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];
    const struct exchange *upstream = state->crossing->at[VIEW_UPSTREAM_LEG];

    if (change->kind == LOG_CHANGE_RESPOND)
        return is_respond(court, state, change, upstream->status, client);
    if (change->kind == LOG_CHANGE_RESET)
        return is_reset(court, state, change, client->connection, upstream->connection);
    return is_dropped(court, state, true);
}

bool verdict_ended_response(struct court *court, struct case_state *state)
{
    const struct log_record *record = state->crossing->record;
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];
    const struct exchange *upstream = state->crossing->at[VIEW_UPSTREAM_LEG];
    const struct log_change *change = record != NULL ? log_record_ending(record, true) : NULL;

    if (record == NULL || (change == NULL && !is_refusal(record, client)))
        return false;
    if (change != NULL && !is_ended(court, state, change))
        return false;
    declared_replace(&state->declared, true);
    state->excused[1] = true;
    if (client->response.state == MESSAGE_WHOLE && upstream->response.state == MESSAGE_WHOLE)
        return false; /* each difference is counted as declared */
    if (change != NULL)
        court->findings->declared++;
    else
        court->findings->declared_unasked++;
    return true;
}

void verdict_not_ended(struct court *court, struct case_state *state)
{
    const struct log_record *record = state->crossing->record;
    const struct log_change *change = record != NULL ? log_record_ending(record, false) : NULL;

    if (change != NULL)
        verdict_say_false(court, state, NULL, NULL,
            "request, declared as %s, and the server was asked",
            change->kind == LOG_CHANGE_RESPOND ? "answered by a rule"
            : change->kind == LOG_CHANGE_DROP  ? "dropped"
                                               : "reset");
}

void verdict_sent_twice(struct court *court, struct case_state *state)
{
    const struct log_record *record = state->crossing->record;
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];

    if (record == NULL || log_record_change(record, LOG_CHANGE_DUPLICATE, true) == NULL)
        return;
    if (client->twice)
        court->findings->declared++;
    else if (connection_is_sure(client->connection) && connection_has_ended(client->connection))
        verdict_say_false(court, state, NULL, NULL,
            "response, declared as sent twice, and the client got it once");
    else
        state->incomplete[1] = true;
}

/* --- waits --- */

/* How long a message was kept at least: delays follow each other, what holds it may do so at once.
 */
static uint64_t kept_ms(const struct log_record *record, bool response)
{
    uint64_t delays = 0, held = 0;

    for (size_t i = 0; i < record->n_changes; i++) {
        const struct log_change *change = &record->changes[i];
        bool holds = change->kind == LOG_CHANGE_HOLD || change->kind == LOG_CHANGE_REORDER;

        if (change->response != response)
            continue;
        if (change->kind == LOG_CHANGE_DELAY)
            delays += change->numbers[0];
        if (holds && change->numbers[0] > held)
            held = change->numbers[0];
    }
    return delays > held ? delays : held;
}

static uint64_t stalled_ms(const struct log_record *record, bool response)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < record->n_changes; i++) {
        const struct log_change *change = &record->changes[i];

        if (change->response == response && change->kind == LOG_CHANGE_STALL)
            ms += change->numbers[0];
    }
    return ms;
}

/* Half of what it should have taken, as what the system has room for goes at once. */
static uint64_t throttled_ms(const struct log_record *record, bool response, uint64_t bytes)
{
    const struct log_change *change = log_record_change(record, LOG_CHANGE_THROTTLE, response);

    return change != NULL ? bytes * 500 / change->numbers[0] : 0;
}

static void check_wait(struct court *court, const struct case_state *state, bool response,
    uint64_t ms, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t took_ns = to_ns > from_ns ? to_ns - from_ns : 0;

    if ((took_ns + SLACK_NS + took_ns / 100) / NS_PER_MS >= ms)
        return;
    verdict_say_false(court, state, NULL, NULL,
        "%s, declared as kept waiting for %llu ms, and it took %.3f ms",
        response ? "response" : "request", (unsigned long long)ms,
        (double)took_ns / (double)NS_PER_MS);
}

void verdict_waits(struct court *court, const struct case_state *state, bool response,
    const struct message *before, const struct message *after)
{
    const struct log_record *record = state->crossing->record;
    uint64_t throttled;

    if (record == NULL || before->first_ns == 0 || after->first_ns == 0)
        return;
    check_wait(
        court, state, response, kept_ms(record, response), before->first_ns, after->first_ns);
    if (after->state != MESSAGE_WHOLE)
        return;
    throttled = throttled_ms(record, response, after->content_len);
    check_wait(
        court, state, response, stalled_ms(record, response), before->first_ns, after->last_ns);
    check_wait(court, state, response, throttled > THROTTLE_BURST_MS ? throttled : 0,
        before->first_ns, after->last_ns);
}
