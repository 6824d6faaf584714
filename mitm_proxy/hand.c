#include "mitm_proxy/hand_private.h"

#include <stdlib.h>

#include "mitm_proxy/replay.h"
#include "mitm_proxy/waiting.h"

#define RAW_FACTOR 8 /* framing may make a body so many times as long as its content … */
#define RAW_MORE (64UL * 1024) /* … and a short one by so much */
#define RAW_MOST (1UL << 30)   /* bytes, so that twice that is still one write */
#define GATHERED_MAX 4         /* times raw_max: of all messages that are at hand as a whole */

static void on_valve_out(struct valve *valve, struct slice bytes, bool last);

static void on_valve_moved(struct valve *valve)
{
    struct hand *hand = valve->data;
    hand->owner->on_moved(hand->arg);
}

static void on_valve_closed(struct valve *valve)
{
    struct hand *hand = valve->data;
    hand->owner->on_closed(hand->arg);
}

void hand_init(struct hand *hand, struct proxy *proxy, struct sha256 *sha,
    const struct hand_owner *owner, void *arg)
{
    hand->proxy = proxy;
    hand->sha = sha;
    hand->owner = owner;
    hand->arg = arg;
    hand->raw_max = proxy->config->rule_body_max * RAW_FACTOR + RAW_MORE;
    if (hand->raw_max > RAW_MOST)
        hand->raw_max = RAW_MOST;
    hand->duplicates = TAMPER_NONE;
    message_init(&hand->message, SIZE_MAX);
    valve_init(&hand->valve, proxy->loop, SIZE_MAX); /* who fills it looks at hand_queued */
    hand->valve.on_out = on_valve_out;
    hand->valve.on_moved = on_valve_moved;
    hand->valve.on_closed = on_valve_closed;
    hand->valve.data = hand;
}

/* Ready for the next message. */
static void clear(struct hand *hand)
{
    for (size_t i = 0; hand->waiters && i < hand->tamper.count; i++) {
        waiting_remove(&hand->waiters[i]);
        waiting_unpair(&hand->proxy->waiting, hand->waiters[i].lets_go);
    }
    free(hand->waiters);
    hand->waiters = NULL;
    valve_reset(&hand->valve);
    tamper_deinit(&hand->tamper);
    body_pass_free(hand->pass);
    hand->pass = NULL;
    message_deinit(&hand->message);
    hand->proxy->gathered -= hand->gathered;
    hand->gathered = 0;
    hand->whole = false;
    replay_discard(&hand->copies);
    rules_free(hand->rules);
    hand->rules = NULL;
    hand->exchange = NULL;
    hand->state = HAND_EMPTY;
    hand->end = HAND_PASSES;
    hand->begun = false;
    hand->duplicates = TAMPER_NONE;
}

size_t hand_queued(const struct hand *hand)
{
    return valve_queued(&hand->valve);
}

/* Hold and reorder keep the message no more: for how long they did. */
static void note_waited(struct hand *hand)
{
    static const char *const name[] = {"held_ms"};
    for (size_t i = 0; hand->waiters && i < hand->tamper.count; i++) {
        struct waiter *waiter = &hand->waiters[i];
        if (!waiter->valve)
            continue;
        waiting_remove(waiter);
        uint64_t ms = waiter->since ? uv_now(hand->proxy->loop) - waiter->since : 0;
        struct change change = tamper_change(&hand->tamper, i);
        change_note_numbers(&change, name, &ms, 1);
    }
}

/* The step that changed the body as it passed, or TAMPER_NONE. */
static size_t changing_step(const struct hand *hand)
{
    for (size_t i = 0; hand->pass && i < hand->tamper.n_pass; i++) {
        enum rule_action_kind kind = hand->tamper.pass_actions[i]->kind;
        if (body_pass_did(hand->pass, i) && kind != ACTION_REFRAME && kind != ACTION_STALL)
            return hand->tamper.pass_steps[i];
    }
    return TAMPER_NONE;
}

/* Events that were changed moved the chunks: what was called chunked is so in another way. */
static void note_moved_chunks(struct hand *hand)
{
    const struct tamper *tamper = &hand->tamper;
    size_t by = TAMPER_NONE;
    if (!hand->pass || !body_pass_moved_chunks(hand->pass))
        return;
    for (size_t i = 0; i < tamper->n_pass; i++) {
        if (tamper->pass_actions[i]->kind == ACTION_REFRAME)
            return; /* that says so itself */
        if (by == TAMPER_NONE && body_pass_reframes(tamper->pass_actions[i]))
            by = tamper->pass_steps[i];
    }
    struct change change = tamper_change(&hand->tamper, by);
    change_note_framing(&change, "chunked", "chunked");
}

/* What goes on of the content, where that is not what came; no digest: there was no memory. */
static void digest_out(struct hand *hand, struct change_body *now)
{
    struct content content = content_of(slice_of(NULL, 0));
    if (hand->pass)
        now->bytes = body_pass_digest(hand->pass, now->sha256);
    if (hand->pass || !hand->tamper.content_changed)
        return;
    now->sha256[0] = '\0';
    if (message_content(&hand->message, &content.text) == 0) {
        memcpy(now->sha256, content_digest(&content, hand->sha), sizeof now->sha256);
        now->bytes = content.text.len;
    }
}

/* What came of the body, and what went on: noted where that is not the same. */
static struct change_body note_body(struct hand *hand)
{
    struct change_body old = hand->came;
    if (!hand->whole)
        hand->owner->received(hand->arg, &old);
    struct change_body now = old;
    digest_out(hand, &now);
    if (hand->tamper.steps)
        tamper_note_body(&hand->tamper, changing_step(hand), &old, &now);
    note_moved_chunks(hand);
    return now;
}

/* The message is about to leave: its record says what went on, and what was done. */
static void record(struct hand *hand)
{
    struct exchange *exchange = hand->exchange;
    bool goes_on = hand->end == HAND_PASSES || hand->end == HAND_CUT;
    if (!goes_on && hand->head.response) {
        exchange->status = 0; /* the client gets none */
        exchange->response_bytes = 0;
    } else if (goes_on && hand->head.response) {
        struct change_body now = note_body(hand);
        exchange->response_bytes = now.bytes;
        memcpy(exchange->response_sha256, now.sha256, sizeof now.sha256);
    } else if (goes_on) {
        struct change_body now = note_body(hand);
        exchange->request_bytes = now.bytes;
        memcpy(exchange->request_sha256, now.sha256, sizeof now.sha256);
    }
}

/*
 * Those that reorder keeps until this one has gone: a response has, now; a request may have to wait
 * for its connection.
 */
static void let_others_go(struct hand *hand)
{
    struct buf *ids = &hand->exchange->lets_go;
    for (size_t i = 0; hand->waiters && i < hand->tamper.count; i++) {
        uint64_t id = hand->waiters[i].lets_go;
        if (id && (hand->head.response || buf_append(ids, &id, sizeof id)))
            waiting_let_go(&hand->proxy->waiting, id);
        hand->waiters[i].lets_go = 0;
    }
}

static void leave(struct hand *hand, struct slice bytes)
{
    enum hand_end end = hand->end;
    record(hand);
    let_others_go(hand);
    replay_start_copies(&hand->copies, hand->exchange);
    if (hand->copies)
        hand->exchange->replays = hand->copies; /* for when it is answered */
    hand->copies = NULL;
    clear(hand);
    hand->owner->on_left(hand->arg, bytes, end);
}

static void on_valve_out(struct valve *valve, struct slice bytes, bool last)
{
    struct hand *hand = valve->data;
    if (!hand->begun)
        note_waited(hand);
    hand->begun = true;
    if (last)
        leave(hand, bytes);
    else
        hand->owner->on_out(hand->arg, bytes);
}

static int on_stall(void *arg, size_t at, uint64_t ms, size_t action)
{
    static const char *const name[] = {"ms"};
    struct hand *hand = arg;
    struct change change = tamper_change(&hand->tamper, hand->tamper.pass_steps[action]);
    change_note_numbers(&change, name, &ms, 1);
    return valve_pause(&hand->valve, at, ms);
}

static void on_failed(void *arg, size_t action, const char *word, const char *reason)
{
    struct hand *hand = arg;
    struct change change = tamper_change(&hand->tamper, hand->tamper.pass_steps[action]);
    change_note_failed(&change, word, reason);
}

/* Writes a response behind itself where a rule wants that, and it has an end. */
static int duplicate(struct hand *hand, struct buf *out)
{
    if (hand->duplicates == TAMPER_NONE || hand->end != HAND_PASSES)
        return 0;
    struct change change = tamper_change(&hand->tamper, hand->duplicates);
    int err = buf_reserve(out, out->len); /* what is appended stays in its place then */
    if (!err)
        err = buf_append(out, out->data, out->len);
    if (!err)
        change_note_numbers(&change, NULL, NULL, 0);
    return err;
}

/* BODY through what changes it; behind OUT, which is the head or has nothing in it. */
static int change(struct hand *hand, struct slice body, bool last, struct buf *out)
{
    struct body_pass_watch watch = {.on_stall = on_stall, .on_failed = on_failed, .arg = hand};
    bool complete = out->len > 0 && last;
    int err = hand->pass ? body_pass_feed(hand->pass, body, last, out, &watch)
                         : buf_append(out, body.data, body.len);
    if (!err && hand->pass && body_pass_is_cut(hand->pass))
        hand->end = HAND_CUT;
    if (!err && complete)
        err = hand_copy(hand, slice_of(out->data, out->len));
    return err ? err : duplicate(hand, out);
}

/* Bytes of the message go on, behind HEAD where that has not gone yet: its memory is used up. */
static int pass_on(struct hand *hand, struct buf head, struct slice body, bool last)
{
    struct buf out = head;
    int err = 0;
    out.max = SIZE_MAX;
    if (hand->pass || out.len > 0) {
        err = change(hand, body, last, &out);
        body = slice_of(out.len > 0 ? out.data : "", out.len);
    }
    last = last || hand->end == HAND_CUT;
    if (last)
        hand->state = HAND_LEAVING;
    if (!err)
        err = valve_put(&hand->valve, body, last);
    buf_deinit(&out);
    return err;
}

/* Nothing of the message goes on: it leaves as soon as it may. */
static int end_now(struct hand *hand)
{
    hand->state = HAND_LEAVING;
    return valve_put(&hand->valve, slice_of("", 0), true);
}

/* The rules have been asked, or need not be: what is here goes on. */
static int go_on(struct hand *hand, bool whole)
{
    struct message *message = &hand->message;
    struct buf head = message->head;
    bool at_once = whole || hand->end == HAND_RESETS;
    hand->state = HAND_PASSING;
    if (hand->end != HAND_PASSES)
        return at_once ? end_now(hand) : 0;
    buf_init(&message->head, head.max);
    return pass_on(hand, head, slice_of(message->body.data, message->body.len), whole);
}

int hand_begin(struct hand *hand, struct exchange *exchange, const struct hand_head *head,
    enum rules_need need)
{
    uint64_t max = hand->proxy->config->rule_body_max;
    bool whole = need == RULES_NEED_WHOLE;
    hand->exchange = exchange;
    hand->rules = rules_ref(hand->proxy->rules);
    hand->head = *head;
    if (hand->rules->waits)
        uv_update_time(hand->proxy->loop); /* from now, not from the loop's turn */
    hand->since = uv_now(hand->proxy->loop);
    hand->state = HAND_GATHERING;
    int err = message_begin(&hand->message, head->bytes, head->framing);
    if (!err && whole && head->head->has_content_length && !head->bodiless &&
        head->head->content_length > max)
        err = UV_ENOBUFS;
    if (!err && !whole)
        err = hand_fire(hand, false);
    if (!err && !whole)
        err = go_on(hand, false);
    if (err)
        clear(hand);
    return err;
}

static int room_for(const struct hand *hand, struct slice body)
{
    uint64_t content =
        hand->head.response ? hand->exchange->response_bytes : hand->exchange->request_bytes;
    if (content > hand->proxy->config->rule_body_max ||
        hand->message.body.len + body.len > hand->raw_max)
        return UV_ENOBUFS;
    return hand->proxy->gathered + body.len > GATHERED_MAX * hand->raw_max ? UV_EBUSY : 0;
}

static int gather(struct hand *hand, struct slice body, bool last)
{
    int refused = room_for(hand, body);
    int err = refused && !last ? refused : message_append(&hand->message, body);
    if (err)
        return err;
    if (refused) {
        hand_read(hand);
        return refused;
    }
    hand->gathered += body.len;
    hand->proxy->gathered += body.len;
    if (!last)
        return 0;
    err = hand_fire(hand, true);
    return err ? err : go_on(hand, true);
}

int hand_take(struct hand *hand, struct slice body, bool last)
{
    int err = 0;
    if (hand->state == HAND_GATHERING)
        err = gather(hand, body, last);
    else if (hand->state == HAND_PASSING && hand->end == HAND_PASSES)
        err = pass_on(hand, (struct buf){NULL}, body, last);
    else if (hand->state == HAND_PASSING && last)
        err = end_now(hand);
    if (err)
        clear(hand);
    return err;
}

void hand_forget(struct hand *hand)
{
    if (hand->state == HAND_EMPTY)
        return;
    if (!hand->begun)
        note_waited(hand);
    else if (hand->pass)
        (void)note_body(hand); /* its beginning has gone on */
    clear(hand);
}

void hand_close(struct hand *hand)
{
    hand_forget(hand);
    valve_close(&hand->valve);
}

bool hand_is_live(const struct hand *hand)
{
    return hand->valve.live;
}
