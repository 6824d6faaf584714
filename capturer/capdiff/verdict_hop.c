/* One hop of one exchange: what went in against what came out. */
#include <stdio.h>
#include <string.h>

#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/verdict_state.h"

#define POINTER_MAX 1024

/* Who judges a difference: the options, and what the log declares for the hop in the proxy. */
struct judge {
    const struct option_list *ignore;
    struct declared *declared; /* NULL: what the log says is no matter here */
};

/* The pointer itself, or something beneath it. */
static bool is_at_or_below(struct slice pointer, const char *top)
{
    size_t len = strlen(top);

    return pointer.len >= len && memcmp(pointer.data, top, len) == 0 &&
           (pointer.len == len || pointer.data[len] == '/');
}

static bool is_ignored(const struct option_list *ignore, enum place_kind kind, struct slice name)
{
    for (size_t i = 0; i < ignore->count && name.data != NULL; i++) {
        const char *item = ignore->items[i];

        if (kind == PLACE_JSON && item[0] == '/' && is_at_or_below(name, item))
            return true;
        if ((kind == PLACE_FIELD || kind == PLACE_FIELD_ORDER || kind == PLACE_TRAILER) &&
            item[0] != '/' && slice_is_nocase(name, item))
            return true;
    }
    return false;
}

static enum place_standing judge_place(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    const struct judge *judge = arg;

    if (judge->declared != NULL &&
        declared_covers(judge->declared, kind, response, name, before, after))
        return STANDING_DECLARED;
    return is_ignored(judge->ignore, kind, name) ? STANDING_IGNORED : STANDING_REAL;
}

/* One that goes through, to be held against what is declared, and against what came out. */
struct passage {
    enum hop hop;
    bool response, sure;
    bool
        tunnel; /* on one leg at least: it has no other end than the connection's, which has come */
    const struct message *before, *after;
};

static void compare(struct court *court, struct case_state *state, const struct passage *passage)
{
    struct judge judge = {court->ignore, passage->hop == HOP_PROXY ? &state->declared : NULL};
    struct findings *findings = court->findings;
    struct compare_terms terms = {.judge = judge_place,
        .arg = &judge,
        .patch_max = findings_patch_room(findings),
        .counting = findings_full(findings)};
    struct places places;

    if (message_equal(passage->before, passage->after))
        return;
    compare_messages(passage->before, passage->after, passage->response, &terms, &places);
    for (size_t i = 0; i < places.count; i++) {
        if (places.items[i].standing == STANDING_REAL)
            findings_add(
                findings, FINDING_CHANGED, passage->hop, state->crossing, &places.items[i]);
        else if (places.items[i].standing == STANDING_DECLARED)
            findings->declared++;
        else
            findings->ignored++;
    }
    findings->total += places.more;
    findings->per_hop[passage->hop] += places.more;
    places_deinit(&places);
}

/*
 * The response was there, its client waited for it until it was, and got nothing; or the other way
 * round, it was answered by something that was not there. All of both legs was recorded.
 */
static bool say_one_sided(struct court *court, struct case_state *state)
{
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];
    const struct exchange *upstream = state->crossing->at[VIEW_UPSTREAM_LEG];
    const struct message *asked = &upstream->response, *got = &client->response;
    bool given = asked->state == MESSAGE_WHOLE || (upstream->tunnel && asked->head_len > 0);
    uint64_t left_ns = connection_client_left_ns(client->connection);
    char text[80];

    if (!evidence_is_whole(court->evidence, SOURCE_PROXY))
        return false;
    if (given && got->state == MESSAGE_NONE && connection_has_ended(client->connection) &&
        (left_ns == 0 || left_ns > asked->last_ns)) {
        findings_say(court->findings, FINDING_DROPPED, HOP_PROXY, state->crossing,
            "response, which the server gave, and the client never got");
        return true;
    }
    if (asked->state != MESSAGE_NONE || got->state != MESSAGE_WHOLE ||
        !connection_has_ended(upstream->connection))
        return false;
    snprintf(text, sizeof(text),
        "answered by the proxy with %d, and not by the server, which was "
        "asked",
        client->status);
    findings_say(court->findings, FINDING_FORGED, HOP_PROXY, state->crossing, text);
    return true;
}

/* What there is of a message and what came out of it are the same, as far as it goes. */
static bool agree(const struct message *before, const struct message *after)
{
    return (before->len <= after->len ? message_is_prefix(before, after)
                                      : message_is_prefix(after, before)) ||
           before->gap || after->gap || before->state == MESSAGE_NONE ||
           after->state == MESSAGE_NONE;
}

/* Its sender ended it before its end, and all that it sent was recorded. */
static bool is_cut(const struct message *message)
{
    return message->state == MESSAGE_PARTIAL && message->finished && message->problem == NULL &&
           !message->gap;
}

/*
 * More of a response had come than its client was given, which had not left when the proxy closed
 * the connection, as if that were its end.
 */
static bool is_cut_early(const struct case_state *state, const struct passage *passage)
{
    const struct message *before = passage->before, *after = passage->after;
    const struct connection *client;
    uint64_t left_ns;

    if (passage->hop != HOP_PROXY || !passage->response || before->gap ||
        after->state != MESSAGE_WHOLE || before->len <= after->len)
        return false;
    client = state->crossing->at[VIEW_CLIENT_LEG]->connection;
    left_ns = connection_client_left_ns(client);
    return left_ns == 0 || left_ns > client->closed_ns[!client->client];
}

/* At least one of the two is not whole: does what there is agree? */
static void compare_partial(
    struct court *court, struct case_state *state, const struct passage *passage)
{
    const struct message *before = passage->before, *after = passage->after;
    const struct log_record *record = state->crossing->record;

    if (passage->tunnel && passage->sure && message_equal(before, after))
        return;
    if (!agree(before, after) ||
        (passage->sure && is_cut(before) && after->state == MESSAGE_WHOLE)) {
        uint64_t differences = court->findings->total;

        compare(court, state, passage);
        state->incomplete[passage->response] = court->findings->total == differences;
        return;
    }
    if (passage->sure &&
        ((before->state == MESSAGE_WHOLE && is_cut(after)) || is_cut_early(state, passage))) {
        findings_say(court->findings, FINDING_CUT, passage->hop, state->crossing,
            passage->response ? "response, cut short and then closed as if it were whole"
                              : "request, cut short and then closed as if it were whole");
        return;
    }
    if (passage->hop == HOP_PROXY && passage->response && passage->sure &&
        (record == NULL || record->error == NULL) && say_one_sided(court, state))
        return;
    state->incomplete[passage->response] = true;
}

/*
 * Not whole, and as much of it came out as the log declares of its body. A body that was cut by
 * nobody's declaration may be another one than the log could know.
 */
static bool is_as_declared(struct case_state *state, const struct passage *passage)
{
    const struct log_record *record = state->crossing->record;
    const struct log_change *change =
        record != NULL ? log_record_change(record, LOG_CHANGE_BODY, passage->response) : NULL;
    bool holds = state->declared.sides[passage->response].content_holds;

    if (change != NULL && !holds &&
        (change->action == NULL || strcmp(change->action, "truncate") != 0))
        declared_leave_content(&state->declared, passage->response);
    state->excused[passage->response] = change != NULL && holds;
    return state->excused[passage->response];
}

/* In the proxy: what the log declares comes first. */
static void pass_proxy(struct court *court, struct case_state *state, const struct passage *passage)
{
    const struct message *before = passage->before, *after = passage->after;
    bool whole = before->state == MESSAGE_WHOLE && after->state == MESSAGE_WHOLE;

    if (passage->response && verdict_ended_response(court, state))
        return;
    if (passage->response) {
        verdict_sent_twice(court, state);
        declared_continue(&state->declared, &state->crossing->at[VIEW_CLIENT_LEG]->request);
    }
    verdict_waits(court, state, passage->response, before, after);
    if (!state->declared.sides[passage->response].replaced)
        declared_follow(&state->declared, passage->response, before, after);
    if (whole || is_as_declared(state, passage))
        compare(court, state, passage);
    else
        compare_partial(court, state, passage);
}

static void pass(struct court *court, struct case_state *state, const struct passage *passage)
{
    if (passage->hop == HOP_PROXY)
        pass_proxy(court, state, passage);
    else if (passage->before->state == MESSAGE_WHOLE && passage->after->state == MESSAGE_WHOLE)
        compare(court, state, passage);
    else
        compare_partial(court, state, passage);
}

void verdict_hop(struct court *court, struct case_state *state, enum hop hop, enum view near)
{
    const struct exchange *a = state->crossing->at[near], *b = state->crossing->at[near + 1];
    struct passage passage = {.hop = hop,
        .sure = connection_is_sure(a->connection) && connection_is_sure(b->connection),
        .tunnel = (exchange_is_unread(a) || exchange_is_unread(b)) &&
                  connection_has_ended(a->connection) && connection_has_ended(b->connection)};

    if (hop == HOP_PROXY) {
        declared_init(&state->declared, state->crossing->record);
        verdict_not_ended(court, state);
    }
    for (int response = 0; response < 2; response++) {
        /* Requests go from near to far, responses come back. */
        passage.response = response != 0;
        passage.before = response ? &b->response : &a->request;
        passage.after = response ? &a->response : &b->request;
        pass(court, state, &passage);
    }
    if (hop == HOP_PROXY) {
        declared_say_rest(&state->declared, court->findings, state->crossing);
        declared_deinit(&state->declared);
    }
}
