#include <stdlib.h>

#include "mitm_proxy/canned.h"
#include "mitm_proxy/hand_private.h"
#include "mitm_proxy/replay.h"
#include "mitm_proxy/waiting.h"

static bool is_event_stream(const struct http_head *head)
{
    static const char type[] = "text/event-stream";
    struct slice value = http_head_field(head, "Content-Type");
    const char *end = value.len > 0 ? memchr(value.data, ';', value.len) : NULL;
    if (end)
        value.len = (size_t)(end - value.data);
    return value.data && slice_is_nocase(slice_trim(value), type);
}

static struct rule_facts facts_of(const struct exchange *exchange, const struct hand_head *head)
{
    return (struct rule_facts){
        .side = head->response ? RULE_RESPONSE : RULE_REQUEST,
        .method = exchange->method,
        .target = exchange->target,
        .client = slice_str(exchange->connection->client),
        .tool = exchange->tool_name,
        .fields = head->head->fields,
        .n_fields = head->head->n_fields,
    };
}

enum rules_need hand_need(
    const struct proxy *proxy, const struct exchange *exchange, const struct hand_head *head)
{
    struct rule_facts facts = facts_of(exchange, head);
    enum rules_need need = rules_need(proxy->rules, &facts, false);
    if (need == RULES_NEED_NOTHING || !head->response || !is_event_stream(head->head))
        return need;
    return rules_need(proxy->rules, &facts, true); /* which is no more */
}

static void note_rules(struct exchange *exchange, const struct rule *const *fired, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!fired[i]->concealed)
            exchange_note_rule(exchange, fired[i]->name);
    }
}

static struct tamper_facts tamper_facts_of(const struct hand *hand, bool whole)
{
    const struct hand_head *head = &hand->head;
    bool events = head->response && is_event_stream(head->head);
    return (struct tamper_facts){
        .response = head->response,
        .gathered = whole,
        .event_stream = events,
        .bodiless = head->bodiless,
        .empty = !head->head->has_content_length || head->head->content_length == 0,
        .http_1_0 = hand->exchange->http_1_0,
        .status = hand->exchange->status,
        .sha = hand->sha,
        .saved = &hand->proxy->saved,
    };
}

static int add_waiter(struct hand *hand, size_t step, uint64_t ms)
{
    if (!hand->waiters)
        hand->waiters = calloc(hand->tamper.count, sizeof *hand->waiters);
    if (!hand->waiters)
        return UV_ENOMEM;
    struct waiting *waiting = &hand->proxy->waiting;
    struct waiter *waiter = &hand->waiters[step];
    const struct rule *rule = hand->tamper.steps[step].rule;
    bool reorder = hand->tamper.steps[step].action->kind == ACTION_REORDER;
    struct waiter *before = reorder ? waiting_unpaired(waiting, rule) : NULL;
    waiter->valve = &hand->valve;
    waiter->rule = rule;
    waiter->exchange = hand->exchange;
    waiter->reorder = reorder;
    if (before && before->valve != &hand->valve) {
        before->paired = true; /* it goes when this one has gone */
        waiter->lets_go = before->id;
    } else {
        waiting_add(waiting, waiter, ms);
    }
    return 0;
}

/* What one step keeps the message waiting for. */
static int set_gate(struct hand *hand, size_t step)
{
    static const char *const ms[] = {"ms"}, *const rate[] = {"bytes_per_second"};
    const struct rule_action *action = hand->tamper.steps[step].action;
    struct change change = tamper_change(&hand->tamper, step);
    switch (action->kind) {
    case ACTION_DELAY:
        valve_delay(&hand->valve, hand->since, action->delay.ms);
        change_note_numbers(&change, ms, &action->delay.ms, 1);
        return 0;
    case ACTION_THROTTLE:
        valve_throttle(&hand->valve, action->throttle.bytes_per_second, hand->message.head.len);
        change_note_numbers(&change, rate, &action->throttle.bytes_per_second, 1);
        return 0;
    case ACTION_HOLD:
        return add_waiter(hand, step, action->hold.max_ms);
    case ACTION_REORDER:
        return add_waiter(hand, step, action->reorder.within_ms);
    default:
        return 0;
    }
}

static int set_gates(struct hand *hand)
{
    int err = 0;
    for (size_t i = 0; !err && i < hand->tamper.count; i++)
        err = set_gate(hand, i);
    return err;
}

/* The response that takes the place of what the upstream says, or would say. */
static int make_answer(
    struct hand *hand, const struct rule_action *respond, struct message *answer, int *status)
{
    const struct exchange *exchange = hand->exchange;
    bool closes = !hand->head.head->keep_alive || exchange->http_1_0;
    int err;
    if (!respond->respond.saved.given) {
        *status = (int)respond->respond.status;
        err = canned_response(answer, respond, closes);
    } else {
        const struct saved_response *saved =
            saved_find(&hand->proxy->saved, respond->respond.saved.text);
        const struct message *kept = &saved->message;
        *status = saved->status;
        err = message_begin(answer, slice_of(kept->head.data, kept->head.len), kept->framing);
        if (!err)
            err = message_append(answer, slice_of(kept->body.data, kept->body.len));
    }
    if (exchange->head_request)
        buf_clear(&answer->body);
    return err;
}

/* Of a request: the answer is kept until its turn comes. */
static int keep_answer(struct hand *hand, struct message *answer)
{
    struct exchange *exchange = hand->exchange;
    struct content content = content_of(slice_of(NULL, 0));
    int err = buf_append(&exchange->answer, answer->head.data, answer->head.len);
    if (!err)
        err = buf_append(&exchange->answer, answer->body.data, answer->body.len);
    if (!err)
        err = message_content(answer, &content.text);
    if (err)
        return err;
    memcpy(exchange->response_sha256, content_digest(&content, hand->sha), SHA256_HEX_SIZE);
    exchange->response_bytes = content.text.len;
    exchange->answer_closes =
        !hand->head.head->keep_alive || exchange->http_1_0 || answer->framing == MESSAGE_CLOSE;
    return 0;
}

static int respond(struct hand *hand, size_t step)
{
    struct exchange *exchange = hand->exchange;
    const struct rule_action *action = hand->tamper.steps[step].action;
    struct change change = tamper_change(&hand->tamper, step);
    struct message answer;
    int status, old = exchange->status;
    message_init(&answer, SIZE_MAX);
    int err = make_answer(hand, action, &answer, &status);
    if (!err && !hand->head.response)
        err = keep_answer(hand, &answer);
    if (err) {
        message_deinit(&answer);
        return err;
    }
    exchange->status = status;
    change_note_status(&change, old, status);
    if (!hand->head.response) {
        message_deinit(&answer);
        hand->end = HAND_ANSWERS;
        return 0;
    }
    /* Of a response: it goes on in the place of the other. */
    message_deinit(&hand->message);
    hand->message = answer;
    exchange->answer_closes = answer.framing == MESSAGE_CLOSE;
    hand->tamper.content_changed = true;
    hand->tamper.n_pass = 0;
    return 0;
}

/* What is done in the place of passing on. */
static int take_end(struct hand *hand)
{
    static const char *const sides[] = {"both", "client", "upstream"};
    size_t step = hand->tamper.end_step;
    if (step == TAMPER_NONE)
        return 0;
    const struct rule_action *action = hand->tamper.steps[step].action;
    struct change change = tamper_change(&hand->tamper, step);
    if (action->kind == ACTION_RESPOND)
        return respond(hand, step);
    if (action->kind == ACTION_DROP) {
        hand->end = HAND_DROPS;
        change_note_numbers(&change, NULL, NULL, 0);
    } else {
        hand->end = HAND_RESETS;
        hand->exchange->reset_side = action->reset.side;
        change_note_text(&change, "reset", slice_str(sides[action->reset.side]));
    }
    return 0;
}

/* A response is written twice: it says so when that is done. */
static void plan_duplicate(struct hand *hand)
{
    bool can = hand->head.response && hand->end == HAND_PASSES && hand->tamper.facts.gathered;
    for (size_t i = 0; can && i < hand->tamper.count; i++) {
        if (hand->tamper.steps[i].action->kind == ACTION_DUPLICATE)
            hand->duplicates = i;
    }
}

/* By one step, which is replay or duplicate. */
static int copy_request(struct hand *hand, size_t step, struct slice request)
{
    static const char *const names[] = {"times", "after_ms"};
    const struct rule *rule = hand->tamper.steps[step].rule;
    const struct rule_action *action = hand->tamper.steps[step].action;
    struct change change = tamper_change(&hand->tamper, step);
    uint64_t numbers[] = {action->replay.times, action->replay.after_ms};
    if (!replay_has_room(hand->proxy, request.len)) {
        change_note_failed(&change, "too_large", "too much is kept already to be sent again");
        return 0;
    }
    struct replay *copy = replay_new(
        hand->proxy, hand->exchange, request, hand->end == HAND_CUT, rule, hand->rules, action);
    if (!copy)
        return UV_ENOMEM;
    change_note_numbers(&change, names, numbers, action->kind == ACTION_REPLAY ? 2 : 0);
    replay_push(&hand->copies, copy);
    return 0;
}

int hand_copy(struct hand *hand, struct slice request)
{
    int err = 0;
    for (size_t i = 0; !err && !hand->head.response && i < hand->tamper.count; i++) {
        enum rule_action_kind kind = hand->tamper.steps[i].action->kind;
        if (kind == ACTION_REPLAY || kind == ACTION_DUPLICATE)
            err = copy_request(hand, i, request);
    }
    return err;
}

static int tamper(
    struct hand *hand, const struct rule *const *fired, size_t count, struct content *content)
{
    bool whole = content != NULL;
    struct tamper_facts facts = tamper_facts_of(hand, whole);
    int err = tamper_begin(&hand->tamper, fired, count, &facts, &hand->exchange->changes);
    if (!err)
        err = tamper_edit(&hand->tamper, &hand->message, content);
    if (!err)
        err = set_gates(hand);
    if (!err)
        err = take_end(hand);
    if (err)
        return err;
    plan_duplicate(hand);
    if (!whole) /* the body's note comes last: what is known of the head need not wait for it */
        tamper_note_late(&hand->tamper);
    if (hand->tamper.n_pass == 0 || hand->end != HAND_PASSES)
        return 0;
    hand->pass =
        body_pass_new(hand->tamper.pass_actions, hand->tamper.n_pass, hand->tamper.pass_framing);
    return hand->pass ? 0 : UV_ENOMEM;
}

/* CONTENT is NULL where it is still to come. */
static int fire(struct hand *hand, struct content *content)
{
    struct rule_facts facts = facts_of(hand->exchange, &hand->head);
    size_t count;
    facts.content = content;
    if (!rules_fire(hand->rules, &facts, &count))
        return UV_ENOMEM;
    if (count == 0)
        return 0;
    note_rules(hand->exchange, hand->rules->firing, count);
    return tamper(hand, hand->rules->firing, count, content);
}

/* What came, of a message that is whole; the names in a request are looked for. */
static int read_content(struct hand *hand, struct content *content)
{
    *content = content_of(slice_of(NULL, 0));
    int err = message_content(&hand->message, &content->text);
    if (!err && content->text.len == 0)
        content->text = slice_str("");
    if (!err && !hand->head.response && content->text.len > 0)
        exchange_take_names(hand->exchange, content_json(content, NULL));
    return err;
}

/* What has become another needs its old digest only where somebody has asked for it. */
static void note_came(struct hand *hand, struct content *content)
{
    if (!hand->tamper.content_changed)
        (void)content_digest(content, hand->sha);
    hand->whole = true;
    hand->came.bytes = content->text.len;
    memcpy(hand->came.sha256, content->sha256, sizeof hand->came.sha256);
    if (!hand->head.response)
        memcpy(hand->exchange->request_sha256, content->sha256, SHA256_HEX_SIZE);
}

void hand_read(struct hand *hand)
{
    struct content content;
    if (read_content(hand, &content) == 0)
        note_came(hand, &content);
    content_deinit(&content);
}

int hand_fire(struct hand *hand, bool whole)
{
    struct content content;
    if (!whole)
        return fire(hand, NULL);
    int err = read_content(hand, &content);
    if (!err)
        err = fire(hand, &content);
    if (!err)
        note_came(hand, &content);
    content_deinit(&content);
    return err;
}
