/* The messages of one side, by lib/http_parser, or without it where that is not needed. */
#include <ctype.h>
#include <uv.h>

#include "capturer/capdiff/exchanges_state.h"
#include "capturer/capdiff/memory.h"

#define TLS_HANDSHAKE 22 /* the first byte of a connection */

static void on_body(void *arg, const char *data, size_t len)
{
    const struct exchanges_shared *shared = arg;

    message_content(shared->reading, data, len);
}

/* A parser that stands before a message. */
static struct http_parser *parser_take(struct exchanges_shared *shared, int which)
{
    struct http_parser *parser = shared->spare[which];

    shared->spare[which] = NULL;
    if (parser == NULL)
        parser = http_parser_new(
            which == SIDE_CLIENT ? HTTP_KIND_REQUEST : HTTP_KIND_RESPONSE, on_body, shared);
    if (parser == NULL)
        memory_need(UV_ENOMEM);
    return parser;
}

/* Makes the parser ready for a message, which the side has begun. */
static void parser_prepare(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];

    if (side->parser == NULL)
        side->parser = parser_take(http->shared, which);
    if (which == SIDE_SERVER && side->current->head_request)
        http_parser_expect_no_body(side->parser);
}

static void take_facts(struct exchanges *http, int which, const struct head_facts *facts)
{
    struct http_side *side = &http->sides[which];
    struct exchange *exchange = side->current;

    if (which == SIDE_CLIENT) {
        exchanges_order(http, exchange);
        exchange->head_request = facts->head_request;
        exchange->connect_request = facts->connect_request;
        exchange->upgrade = facts->upgrade;
        return;
    }
    if (facts->status < 200 && facts->status != 101)
        return;
    exchange->status = facts->status;
    exchange->connected = exchange->connect_request && facts->status / 100 == 2;
    exchange->tunnel = facts->status == 101;
    side->opaque = exchange->tunnel;
}

static void skip(struct tcp_run *run, size_t len)
{
    run->data += len;
    run->len -= len;
    run->seq += (uint32_t)len;
}

/* The body's end has come; with a gap in it the message is not whole. */
void exchanges_counted(struct exchanges *http, int which)
{
    struct http_side *side = &http->sides[which];

    side->counting = false;
    if (side->writer.message->gap) {
        exchanges_end(http, which, MESSAGE_PARTIAL);
        return;
    }
    if (which == SIDE_CLIENT && side->current->upgrade && side->current->status == 0)
        side->undecided = true;
    else if (which == SIDE_CLIENT || side->current->status != 0) /* not after an interim response */
        exchanges_end(http, which, MESSAGE_WHOLE);
}

/*
 * A body whose length is known is not shown to the parser: it is counted, so that a gap in it does
 * not matter for what follows. The parser stands before the next head already. False: it is not
 * known.
 */
static bool count_body(struct exchanges *http, int which, const struct head_facts *facts)
{
    struct http_side *side = &http->sides[which];

    if (which == SIDE_SERVER && side->current->connected) { /* whatever it says of a body */
        exchanges_connected(http, which);
        return true;
    }
    if (side->opaque || !facts->sized)
        return false;
    if (which == SIDE_CLIENT ||
        side->current->status != 0) /* behind an interim one it is not known */
        message_plain(&side->writer);
    side->left = facts->body;
    side->counting = true;
    if (side->left == 0)
        exchanges_counted(http, which);
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
    side->writer.message->head_len = side->writer.message->len;
    take_facts(http, which, &facts);
    if (facts.sized && !side->opaque && !side->current->connected)
        http_parser_pass_body(side->parser);
    return count_body(http, which, &facts) ? HTTP_EVENT_END : HTTP_EVENT_HEAD;
}

/* The facts of a head that was read before, and its length; NULL: it is another one, or not whole.
 */
static const struct head_facts *find_known_head(
    struct exchanges *http, int which, const struct tcp_run *run, size_t *len)
{
    struct http_side *side = &http->sides[which];
    const struct head_facts *facts;

    if (side->closing || (which == SIDE_SERVER && side->current->head_request))
        return NULL;
    facts = head_cache_find(
        http->shared->heads, slice_of((const char *)run->data, run->len), len, &side->head_guess);
    if (facts == NULL || (facts->status != 0) != (which == SIDE_SERVER))
        return NULL; /* a server may well send what is the head of a request */
    return facts;
}

/* All of the message is in the run, and nothing follows from it but the next one. */
static bool is_all_there(
    const struct http_side *side, const struct head_facts *facts, size_t head, size_t len)
{
    return !side->opaque && !side->current->connected && facts->status / 100 != 1 &&
           (facts->status != 0 || !facts->upgrade) && facts->body <= len - head;
}

/* Reads a message whose head was read before, as far as the run goes. False: it was not. */
static bool read_known_head(struct exchanges *http, int which, struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];
    size_t len;
    const struct head_facts *facts = find_known_head(http, which, run, &len);

    if (facts == NULL)
        return false;
    take_facts(http, which, facts);
    if (is_all_there(side, facts, len, run->len) &&
        message_all(&side->writer, run->data, len, len + (size_t)facts->body, run->time_ns)) {
        skip(run, len + (size_t)facts->body);
        exchanges_over(http, which);
        return true;
    }
    message_append(&side->writer, run->data, len, run->time_ns);
    side->writer.message->head_len = len;
    skip(run, len);
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
        exchanges_counted(http, which);
}

static void on_problem(struct http_side *side)
{
    side->writer.message->problem = http_parser_problem(side->parser)->word;
    side->opaque = true;
}

/*
 * No HTTP begins with RUN: TLS, whose first record is of a handshake (RFC 8446 §5.1), or what no
 * method begins with, where anything may come.
 */
static bool is_unread(const struct exchanges *http, const struct tcp_run *run)
{
    return http->begins && !http->unsure && run->len > 0 &&
           (run->data[0] == TLS_HANDSHAKE || (http->connected && !isupper(run->data[0])));
}

/* The message at hand has just begun: true if all that comes of its side belongs to it. */
static bool begin_unread(struct exchanges *http, int which, const struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];

    if (which == SIDE_CLIENT) {
        side->current->tunnel = is_unread(http, run);
        side->current->tls = side->current->tunnel && run->data[0] == TLS_HANDSHAKE;
        http->tls = http->tls || side->current->tls;
        http->begins = false;
    }
    side->opaque = side->current->tunnel;
    if (side->opaque)
        exchanges_order(http, side->current);
    return side->opaque;
}

/* Reads the next message, or a part of it. Returns the parser's event, or what it comes to. */
enum http_event exchanges_read(struct exchanges *http, int which, struct tcp_run *run)
{
    struct http_side *side = &http->sides[which];
    enum http_event event;
    size_t used = 0;

    if (side->counting) {
        read_counted(http, which, run);
        return HTTP_EVENT_MORE;
    }
    if (side->current == NULL) {
        exchanges_begin(http, which, run);
        if (begin_unread(http, which, run) || read_known_head(http, which, run))
            return HTTP_EVENT_MORE;
        parser_prepare(http, which);
    }
    http->shared->reading = &side->writer;
    event = http_parser_feed(side->parser, (const char *)run->data, run->len, &used);
    message_append(&side->writer, run->data, used, run->time_ns);
    skip(run, used);
    if (event == HTTP_EVENT_HEAD)
        return on_head(http, which);
    if (event == HTTP_EVENT_END)
        exchanges_counted(http, which);
    else if (event == HTTP_EVENT_ERROR)
        on_problem(side);
    return event;
}
