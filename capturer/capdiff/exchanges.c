#include "capturer/capdiff/exchanges.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/exchanges_state.h"
#include "capturer/capdiff/memory.h"

#define WAITING_MAX ((size_t)1024 * 1024) /* bytes that wait for the other side */
#define PENDING_MAX 256                   /* requests that one response is held against */
#define METHOD_MAX 32

void exchanges_shared_init(struct exchanges_shared *shared, size_t keep)
{
    memset(shared, 0, sizeof(*shared));
    message_pool_init(&shared->messages, keep);
    shared->heads = head_cache_new();
}

void exchanges_shared_deinit(struct exchanges_shared *shared)
{
    head_cache_free(shared->heads);
    http_parser_free(shared->spare[SIDE_CLIENT]);
    http_parser_free(shared->spare[SIDE_SERVER]);
    message_pool_deinit(&shared->messages);
}

bool exchange_is_unread(const struct exchange *exchange)
{
    return exchange->tunnel || exchange->request.problem != NULL ||
           exchange->response.problem != NULL;
}

void exchanges_init(struct exchanges *http, const struct connection *connection,
    struct exchanges_shared *shared, bool late)
{
    memset(http, 0, sizeof(*http));
    http->connection = connection;
    http->shared = shared;
    http->unsure = late;
    http->begins = true;
    for (int side = 0; side < 2; side++) {
        http->sides[side].seeking = late;
        buf_init(&http->sides[side].waiting, WAITING_MAX);
        message_writer_init(&http->sides[side].writer, &shared->messages);
    }
}

void exchanges_not_late(struct exchanges *http)
{
    http->unsure = http->sides[SIDE_CLIENT].seeking = http->sides[SIDE_SERVER].seeking = false;
}

static void exchange_free(struct exchanges *http, struct exchange *exchange)
{
    struct exchanges_shared *shared = http->shared;

    message_drop(&exchange->request, &shared->messages);
    message_drop(&exchange->response, &shared->messages);
    shared->messages.held -= sizeof(*exchange);
    free(exchange->call_id);
    free(exchange);
}

static void side_deinit(struct http_side *side)
{
    http_parser_free(side->parser);
    side->parser = NULL;
    side->current = NULL;
    message_writer_deinit(&side->writer);
    buf_deinit(&side->waiting);
}

void exchanges_deinit(struct exchanges *http)
{
    side_deinit(&http->sides[SIDE_CLIENT]);
    side_deinit(&http->sides[SIDE_SERVER]);
    for (size_t i = 0; i < http->count; i++)
        exchange_free(http, http->items[i]);
    free(http->items);
}

int exchanges_recognise(const struct tcp_run *run)
{
    const char *text = (const char *)run->data;
    size_t i = 0;

    if (run->len >= 7 && memcmp(text, "HTTP/1.", 7) == 0)
        return SIDE_SERVER;
    while (i < run->len && i < METHOD_MAX && (isupper((unsigned char)text[i]) || text[i] == '-'))
        i++;
    return i >= 3 && i < run->len && text[i] == ' ' ? SIDE_CLIENT : -1;
}

static size_t waiting_len(const struct http_side *side)
{
    return side->waiting.len - side->waiting_at;
}

bool exchanges_are_idle(const struct exchanges *http)
{
    for (int side = 0; side < 2; side++) {
        if (http->sides[side].current != NULL || waiting_len(&http->sides[side]) > 0)
            return false;
    }
    return true;
}

void exchanges_forget(struct exchanges *http)
{
    size_t kept = 0, answered = http->answered, decided = http->decided;

    http->decided = 0;
    for (size_t i = 0; i < http->count; i++) {
        struct exchange *exchange = http->items[i];
        bool has_others = exchange->before != NULL || exchange->after != NULL;

        if (i < decided || (exchange->settled && has_others))
            http->decided = kept + !exchange->settled;
        if (!exchange->settled) {
            http->items[kept++] = exchange;
            continue;
        }
        exchange_free(http, exchange);
        http->answered -= i < answered;
    }
    http->count = kept;
    if (kept > 0)
        return;
    free(http->items); /* there may be many connections that are quiet now */
    http->items = NULL;
    http->room = 0;
}

static struct exchange *exchange_add(struct exchanges *http)
{
    struct exchange *exchange = memory_new(1, sizeof(*exchange));

    exchange->connection = http->connection;
    message_init(&exchange->request);
    message_init(&exchange->response);
    http->shared->messages.held += sizeof(*exchange);
    http->items = memory_room(http->items, http->count, &http->room, sizeof(struct exchange *));
    http->items[http->count++] = exchange;
    return exchange;
}

void exchanges_order(const struct exchanges *http, struct exchange *exchange)
{
    if (exchange->order == 0)
        exchange->order = ++http->shared->ordered;
}

/* The exchange that a response beginning with RUN belongs to; a new one where there is none. */
static struct exchange *exchange_answered(struct exchanges *http, const struct tcp_run *run)
{
    size_t end = http->count;
    struct exchange *alone;

    if (!http->unsure && http->answered < http->count)
        return http->items[http->answered];
    if (end - http->answered > PENDING_MAX)
        end = http->answered + PENDING_MAX;
    for (size_t i = http->answered; i < end; i++) {
        const struct exchange *exchange = http->items[i];

        if (exchange->request.state != MESSAGE_NONE && exchange->response.state == MESSAGE_NONE &&
            exchange->request_ack == run->seq) {
            http->answered = i;
            return http->items[i];
        }
    }
    alone = exchange_add(http);
    exchanges_order(http, alone);
    return alone;
}

static void message_starts(
    struct exchanges *http, int which, struct message *message, const struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];

    message_begin(&side->writer, message);
    message->connection = http->connection;
    message->place = run->place;
    message->seq = run->seq;
    message->ack = run->ack;
}

void exchanges_begin(struct exchanges *http, int which, const struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];

    if (which == SIDE_CLIENT) {
        side->current = exchange_add(http);
        side->current->request_ack = run->ack;
        message_starts(http, which, &side->current->request, run);
        return;
    }
    side->current = exchange_answered(http, run);
    message_starts(http, which, &side->current->response, run);
}

/* The parser stands before the next message: it may as well read that of another connection. */
static void give_back_parser(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];

    if (side->parser == NULL || side->closing || side->opaque || !http_parser_idle(side->parser))
        return;
    http_parser_free(http->shared->spare[which]);
    http->shared->spare[which] = side->parser;
    side->parser = NULL;
}

void exchanges_over(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];

    exchanges_order(http, side->current);
    if (which == SIDE_SERVER && http->answered < http->count &&
        http->items[http->answered] == side->current)
        http->answered++;
    side->current = NULL;
    give_back_parser(http, which);
}

void exchanges_end(struct exchanges *http, int which, enum message_state state)
{
    if (http->sides[which].current == NULL)
        return;
    message_end(&http->sides[which].writer, state);
    exchanges_over(http, which);
}

void exchanges_connected(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];

    exchanges_end(http, which, MESSAGE_WHOLE);
    http_parser_free(side->parser);
    side->parser = NULL;
    side->closing = false;
    http->begins = http->connected = true;
}

/*
 * The response has said whether the connection becomes a tunnel, so the request side may go on.
 * FORCED: it will not say.
 */
static void decide(struct exchanges *http, bool forced)
{
    struct http_side *side = &http->sides[SIDE_CLIENT];

    if (!side->undecided || side->current == NULL || (!forced && side->current->status == 0))
        return;
    side->undecided = false;
    if (side->current->connected)
        exchanges_connected(http, SIDE_CLIENT);
    else if (side->current->tunnel)
        side->opaque = true;
    else
        exchanges_end(http, SIDE_CLIENT, MESSAGE_WHOLE);
}

static bool fits(const struct http_side *side, const struct tcp_run *run)
{
    return run->len <= side->waiting.max - waiting_len(side);
}

static void wait(struct http_side *side, const struct tcp_run *run)
{
    if (waiting_len(side) == 0)
        side->waiting_from = *run;
    if (side->waiting.max - side->waiting.len < run->len) {
        buf_consume(&side->waiting, side->waiting_at);
        side->waiting_at = 0;
    }
    memory_need(buf_append(&side->waiting, run->data, run->len));
}

/* A response is read only once its request is known: whether it has a body depends on it. */
static bool must_wait(const struct exchanges *http, int which)
{
    const struct http_side *side = &http->sides[which];
    const struct exchange *asked;

    if (which == SIDE_CLIENT)
        return side->undecided;
    if (http->unsure || side->current != NULL)
        return false;
    if (http->answered >= http->count)
        return true;
    asked = http->items[http->answered];
    return asked->request.head_len == 0 && asked->request.problem == NULL && !asked->tunnel &&
           asked->request.state == MESSAGE_PARTIAL;
}

/*
 * Before the next message, or behind a request that asks for another protocol: true if what is left
 * of the run has to wait for the other side. It does not, where it has waited (FORCED) or is more
 * than may wait.
 */
static bool has_to_wait(struct exchanges *http, int which, const struct tcp_run *run, bool *forced)
{
    struct http_side *side = &http->sides[which];

    if (!side->undecided && (side->current != NULL || *forced || !must_wait(http, which)))
        return false;
    if (fits(side, run))
        return true;
    if (side->undecided)
        decide(http, true);
    *forced = true;
    return false;
}

/*
 * Reads a run to its end, or up to where the side has to wait, unless that is FORCED to end. RUN
 * moves on to what has to wait.
 */
static void side_read(struct exchanges *http, int which, struct tcp_run *run, bool forced)
{
    struct http_side *side = &http->sides[which];
    enum http_event event = HTTP_EVENT_MORE;

    if (side->seeking && (!run->head || exchanges_recognise(run) != which)) {
        side->skipped += run->len;
        run->len = 0;
        return;
    }
    side->seeking = false;
    while ((run->len > 0 || event == HTTP_EVENT_HEAD) && !side->opaque &&
           !has_to_wait(http, which, run, &forced))
        event = exchanges_read(http, which, run);
    if (side->opaque) {
        message_append(&side->writer, run->data, run->len, run->time_ns);
        run->len = 0;
    }
    decide(http, false);
}

/* Reads what had to wait. FORCED: whatever it waited for will not come. True if it got on. */
static bool read_waiting(struct exchanges *http, int which, bool forced)
{
    struct http_side *side = &http->sides[which];
    struct tcp_run run = side->waiting_from;
    struct buf waiting = side->waiting;
    size_t len = waiting_len(side);

    if (len == 0 || (!forced && must_wait(http, which)))
        return false;
    if (which == SIDE_CLIENT)
        decide(http, true);
    run.data = (const uint8_t *)waiting.data + side->waiting_at;
    run.len = len;
    buf_init(&side->waiting, WAITING_MAX);
    side->waiting_at = 0;
    side_read(http, which, &run, forced);
    if (run.len == 0) {
        buf_deinit(&waiting);
    } else { /* the rest waits where it is: it may be much, and wait often */
        side->waiting = waiting;
        side->waiting_at = waiting.len - run.len;
        side->waiting_from = run;
    }
    return run.len < len;
}

void exchanges_data(struct exchanges *http, int which, const struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];
    struct tcp_run rest = *run;

    if (side->closed) { /* bytes behind a FIN are of no stream */
        side->skipped += run->len;
        return;
    }
    if (!fits(side, run))
        (void)read_waiting(http, which, true);
    if (waiting_len(side) == 0 && (!must_wait(http, which) || !fits(side, run)))
        side_read(http, which, &rest, !fits(side, run));
    if (rest.len > 0)
        wait(side, &rest);
    while (read_waiting(http, SIDE_CLIENT, false) || read_waiting(http, SIDE_SERVER, false))
        continue;
}

void exchanges_gap(struct exchanges *http, int which, uint64_t len)
{
    struct http_side *side = &http->sides[which];

    if (side->closed)
        return;
    while (read_waiting(http, which, false))
        continue;
    if (waiting_len(side) == 0 && side->counting && len <= side->left) {
        message_gap(&side->writer, len);
        side->left -= len;
        if (side->left == 0)
            exchanges_counted(http, which);
        return;
    }
    http->unsure = true; /* also for what waits: it may have waited for what the gap swallowed */
    while (read_waiting(http, which, true))
        continue;
    if (which == SIDE_CLIENT)
        decide(http, true);
    if (side->current != NULL) {
        message_gap(&side->writer, 0);
        exchanges_end(http, which, MESSAGE_PARTIAL);
    }
    http_parser_free(side->parser);
    side->parser = NULL;
    side->opaque = side->counting = side->closing = false;
    side->seeking = true;
}

/* Empty lines after the last message are no exchange. */
static bool is_stray(const struct exchanges *http, const struct exchange *exchange)
{
    return exchange == http->items[http->count - 1] && !http->sides[SIDE_CLIENT].counting &&
           exchange->response.state == MESSAGE_NONE &&
           http_parser_idle(http->sides[SIDE_CLIENT].parser);
}

/* Nothing more is read from it; closed connections stay in the table, and may be many. */
static void side_close(struct http_side *side)
{
    side_deinit(side);
    side->closed = true;
}

void exchanges_fin(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];
    bool whole;

    while (read_waiting(http, which, true))
        continue;
    if (side->undecided)
        return;
    if (side->current == NULL) {
        side_close(side);
        return;
    }
    whole = side->opaque ? side->current->tunnel
                         : !side->counting && http_parser_eof(side->parser) == HTTP_EVENT_END;
    side->writer.message->finished = true;
    if (which == SIDE_CLIENT && !side->opaque && is_stray(http, side->current))
        exchange_free(http, http->items[--http->count]);
    else
        exchanges_end(http, which, whole ? MESSAGE_WHOLE : MESSAGE_PARTIAL);
    side_close(side);
}

void exchanges_finish(struct exchanges *http)
{
    for (int which = 0; which < 2; which++) {
        while (read_waiting(http, which, true))
            continue;
    }
    decide(http, true);
    exchanges_end(http, SIDE_CLIENT, MESSAGE_PARTIAL);
    exchanges_end(http, SIDE_SERVER, MESSAGE_PARTIAL);
    side_deinit(&http->sides[SIDE_CLIENT]);
    side_deinit(&http->sides[SIDE_SERVER]);
}
