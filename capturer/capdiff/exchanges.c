#include "capturer/capdiff/exchanges.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/memory.h"

#define WAITING_MAX ((size_t)1024 * 1024) /* bytes that wait for the other side */
#define PENDING_MAX 256                   /* requests that one response is held against */
#define METHOD_MAX 32

void exchanges_init(struct exchanges *http, const struct connection *connection,
    struct exchanges_shared *shared, bool late)
{
    memset(http, 0, sizeof(*http));
    http->connection = connection;
    http->shared = shared;
    http->unsure = late;
    for (int side = 0; side < 2; side++) {
        http->sides[side].seeking = late;
        buf_init(&http->sides[side].waiting, WAITING_MAX);
        message_writer_init(&http->sides[side].writer, &shared->messages);
    }
}

static void exchange_free(struct exchange *exchange)
{
    message_deinit(&exchange->request);
    message_deinit(&exchange->response);
    free(exchange->own_call_id);
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
        exchange_free(http->items[i]);
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

static struct exchange *exchange_add(struct exchanges *http)
{
    struct exchange *exchange = memory_new(1, sizeof(*exchange));

    exchange->connection = http->connection;
    message_init(&exchange->request);
    message_init(&exchange->response);
    http->items = memory_room(http->items, http->count, &http->room, sizeof(struct exchange *));
    http->items[http->count++] = exchange;
    return exchange;
}

/* The exchange that a response beginning with RUN belongs to; a new one where there is none. */
static struct exchange *exchange_answered(struct exchanges *http, const struct tcp_run *run)
{
    size_t end = http->count;

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
    return exchange_add(http);
}

static void on_body(void *arg, const char *data, size_t len)
{
    message_content(arg, data, len);
}

/* Makes the parser ready for a message, which the side has begun. */
static void parser_prepare(struct http_side *side, int which)
{
    if (side->parser == NULL)
        side->parser = http_parser_new(
            which == SIDE_CLIENT ? HTTP_KIND_REQUEST : HTTP_KIND_RESPONSE, on_body, &side->writer);
    if (side->parser == NULL)
        memory_need(UV_ENOMEM);
    if (which == SIDE_SERVER && side->current->head_request)
        http_parser_expect_no_body(side->parser);
}

static void message_starts(
    struct http_side *side, struct message *message, const struct tcp_run *run)
{
    message_begin(&side->writer, message);
    message->seq = run->seq;
    message->ack = run->ack;
}

static void begin(struct exchanges *http, int which, const struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];

    if (which == SIDE_CLIENT) {
        side->current = exchange_add(http);
        side->current->request_seq = run->seq;
        side->current->request_ack = run->ack;
        message_starts(side, &side->current->request, run);
        return;
    }
    side->current = exchange_answered(http, run);
    message_starts(side, &side->current->response, run);
}

/* Equal requests have equal call ids, so those are looked for once. */
static void name_call(struct exchange *exchange, struct slice body)
{
    struct message_bytes *stored = exchange->request.stored;

    if (stored == NULL || exchange->request.len != stored->len || !exchange->request.plain) {
        exchange->call_id = exchange->own_call_id = call_id_find(body);
        return;
    }
    if (!stored->named)
        stored->call_id = call_id_find(body);
    stored->named = true;
    exchange->call_id = stored->call_id;
}

static void end(struct exchanges *http, int which, enum message_state state)
{
    struct http_side *side = &http->sides[which];
    struct exchange *exchange = side->current;

    if (exchange == NULL)
        return;
    message_end(&side->writer, state);
    if (which == SIDE_CLIENT)
        name_call(exchange, message_writer_body(&side->writer, &exchange->request));
    else if (http->answered < http->count && http->items[http->answered] == exchange)
        http->answered++;
    side->current = NULL;
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
    if (side->current->tunnel)
        side->opaque = true;
    else
        end(http, SIDE_CLIENT, MESSAGE_WHOLE);
}

static void take_facts(struct exchanges *http, int which, const struct head_facts *facts)
{
    struct http_side *side = &http->sides[which];
    struct exchange *exchange = side->current;

    side->writer.message->head_len = side->writer.message->len;
    if (which == SIDE_CLIENT) {
        exchange->head_request = facts->head_request;
        exchange->connect_request = facts->connect_request;
        exchange->upgrade = facts->upgrade;
        return;
    }
    if (facts->status < 200 && facts->status != 101)
        return;
    exchange->status = facts->status;
    exchange->tunnel = facts->status == 101 || (exchange->connect_request && facts->status < 300);
    side->opaque = exchange->tunnel;
}

static void skip(struct tcp_run *run, size_t len)
{
    run->data += len;
    run->len -= len;
    run->seq += (uint32_t)len;
}

/* The body's end has come; with a gap in it the message is not whole. */
static void on_end(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];

    side->counting = false;
    if (side->writer.message->gap) {
        end(http, which, MESSAGE_PARTIAL);
        return;
    }
    if (which == SIDE_CLIENT && side->current->upgrade && side->current->status == 0)
        side->undecided = true;
    else if (which == SIDE_CLIENT || side->current->status != 0) /* not after an interim response */
        end(http, which, MESSAGE_WHOLE);
}

/*
 * A body whose length is known is not shown to the parser: it is counted, so that a gap in it does
 * not matter for what follows. The parser stands before the next head already. False: it is not
 * known.
 */
static bool count_body(struct exchanges *http, int which, const struct head_facts *facts)
{
    struct http_side *side = &http->sides[which];

    if (side->opaque || !facts->sized)
        return false;
    message_plain(&side->writer);
    side->left = facts->body;
    side->counting = true;
    if (side->left == 0)
        on_end(http, which);
    return true;
}

/* The parser has read a head. Returns the event that this comes to. */
static enum http_event on_head(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];
    const struct http_head *head = http_parser_head(side->parser);
    struct head_facts facts = {.status = head->status,
        .head_request = slice_is(head->method, "HEAD"),
        .connect_request = slice_is(head->method, "CONNECT"),
        .upgrade = head->upgrade || slice_is(head->method, "CONNECT")};
    bool final = which == SIDE_CLIENT || head->status >= 200;
    bool bodiless = which == SIDE_SERVER && side->current->head_request;

    facts.sized = http_parser_body_size(side->parser, &facts.body);
    if (facts.sized && final && head->keep_alive && !bodiless)
        head_cache_put(http->shared->heads, head->bytes, &facts);
    side->closing = final && !head->keep_alive;
    take_facts(http, which, &facts);
    if (facts.sized && !side->opaque)
        http_parser_pass_body(side->parser);
    return count_body(http, which, &facts) ? HTTP_EVENT_END : HTTP_EVENT_HEAD;
}

/* Reads a head that was read before. False: it is another one, or not whole. */
static bool read_known_head(struct exchanges *http, int which, struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];
    const struct head_facts *facts;
    size_t len;

    if (side->closing || (which == SIDE_SERVER && side->current->head_request))
        return false;
    facts = head_cache_find(http->shared->heads, slice_of((const char *)run->data, run->len), &len);
    if (facts == NULL)
        return false;
    message_append(&side->writer, run->data, len, run->time_ns);
    skip(run, len);
    take_facts(http, which, facts);
    (void)count_body(http, which, facts);
    return true;
}

static void read_counted(struct exchanges *http, int which, struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];
    size_t len = run->len < side->left ? run->len : (size_t)side->left;

    message_append(&side->writer, run->data, len, run->time_ns);
    skip(run, len);
    side->left -= len;
    if (side->left == 0)
        on_end(http, which);
}

static void on_problem(struct http_side *side)
{
    side->writer.message->problem = http_parser_problem(side->parser)->word;
    side->opaque = true;
}

static void wait(struct http_side *side, const struct tcp_run *run)
{
    if (side->waiting.len == 0)
        side->waiting_from = *run;
    memory_need(buf_append(&side->waiting, run->data, run->len));
}

/* Reads a run to its end, or up to where the side has to wait. */
static void side_read(struct exchanges *http, int which, struct tcp_run run)
{
    struct http_side *side = &http->sides[which];
    enum http_event event = HTTP_EVENT_MORE;

    if (side->seeking && (!run.head || exchanges_recognise(&run) != which)) {
        side->skipped += run.len;
        return;
    }
    side->seeking = false;
    while ((run.len > 0 || event == HTTP_EVENT_HEAD) && !side->opaque && !side->undecided) {
        size_t used = 0;

        if (side->counting) {
            read_counted(http, which, &run);
            event = HTTP_EVENT_MORE;
            continue;
        }
        if (side->current == NULL) {
            begin(http, which, &run);
            event = HTTP_EVENT_MORE;
            if (read_known_head(http, which, &run))
                continue;
            parser_prepare(side, which);
        }
        event = http_parser_feed(side->parser, (const char *)run.data, run.len, &used);
        message_append(&side->writer, run.data, used, run.time_ns);
        skip(&run, used);
        if (event == HTTP_EVENT_HEAD) {
            event = on_head(http, which);
        } else if (event == HTTP_EVENT_END)
            on_end(http, which);
        else if (event == HTTP_EVENT_ERROR)
            on_problem(side);
    }
    if (side->opaque)
        message_append(&side->writer, run.data, run.len, run.time_ns);
    else if (run.len > 0)
        wait(side, &run);
    decide(http, false);
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
    return asked->request.head_len == 0 && asked->request.problem == NULL &&
           asked->request.state == MESSAGE_PARTIAL;
}

/* Reads what had to wait. FORCED: whatever it waited for will not come. True if it got on. */
static bool read_waiting(struct exchanges *http, int which, bool forced)
{
    struct http_side *side = &http->sides[which];
    struct tcp_run run = side->waiting_from;
    struct buf waiting = side->waiting;

    if (waiting.len == 0 || (!forced && must_wait(http, which)))
        return false;
    if (which == SIDE_CLIENT)
        decide(http, true);
    buf_init(&side->waiting, WAITING_MAX);
    run.data = (const uint8_t *)waiting.data;
    run.len = waiting.len;
    side_read(http, which, run);
    buf_deinit(&waiting);
    return true;
}

void exchanges_data(struct exchanges *http, int which, const struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];

    if (side->waiting.max - side->waiting.len < run->len)
        (void)read_waiting(http, which, true);
    if (side->waiting.len > 0 || (must_wait(http, which) && run->len <= side->waiting.max))
        wait(side, run);
    else
        side_read(http, which, *run);
    while (read_waiting(http, SIDE_CLIENT, false) || read_waiting(http, SIDE_SERVER, false))
        continue;
}

void exchanges_gap(struct exchanges *http, int which, uint64_t len)
{
    struct http_side *side = &http->sides[which];

    while (read_waiting(http, which, false))
        continue;
    if (side->waiting.len == 0 && side->counting && len <= side->left) {
        message_gap(&side->writer, len);
        side->left -= len;
        if (side->left == 0)
            on_end(http, which);
        return;
    }
    http->unsure = true; /* also for what waits: it may have waited for what the gap swallowed */
    while (read_waiting(http, which, true))
        continue;
    if (which == SIDE_CLIENT)
        decide(http, true);
    if (side->current != NULL) {
        message_gap(&side->writer, 0);
        end(http, which, MESSAGE_PARTIAL);
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

void exchanges_fin(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];
    bool whole;

    while (read_waiting(http, which, true))
        continue;
    if (side->undecided)
        return;
    if (side->current == NULL) {
        side_deinit(side); /* closed connections stay in the table, and may be many */
        return;
    }
    whole = side->opaque ? side->current->tunnel
                         : !side->counting && http_parser_eof(side->parser) == HTTP_EVENT_END;
    side->writer.message->finished = true;
    if (which == SIDE_CLIENT && !side->opaque && is_stray(http, side->current))
        exchange_free(http->items[--http->count]);
    else
        end(http, which, whole ? MESSAGE_WHOLE : MESSAGE_PARTIAL);
    side_deinit(side);
}

void exchanges_finish(struct exchanges *http)
{
    for (int which = 0; which < 2; which++) {
        while (read_waiting(http, which, true))
            continue;
    }
    decide(http, true);
    end(http, SIDE_CLIENT, MESSAGE_PARTIAL);
    end(http, SIDE_SERVER, MESSAGE_PARTIAL);
    side_deinit(&http->sides[SIDE_CLIENT]);
    side_deinit(&http->sides[SIDE_SERVER]);
}
