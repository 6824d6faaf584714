#include "capturer/capdiff/exchanges.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/exchanges_state.h"
#include "capturer/capdiff/memory.h"

#define PENDING_MAX 256 /* requests that one response is held against */
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

void exchange_part_after(struct exchange *exchange)
{
    if (exchange->after != NULL)
        exchange->after->before = NULL;
    exchange->after = NULL;
}

void exchange_part_before(struct exchange *exchange)
{
    if (exchange->before != NULL)
        exchange->before->after = NULL;
    exchange->before = NULL;
}

void exchange_join(struct exchange *near, struct exchange *far)
{
    exchange_part_after(near);
    exchange_part_before(far);
    near->after = far;
    far->before = near;
}

void exchange_settle(struct exchange *exchange)
{
    exchange->settled = true;
    exchange->had_others = exchange->before != NULL || exchange->after != NULL;
}

bool exchange_is_certain(const struct exchange *exchange)
{
    return exchange->order != 0;
}

bool exchange_is_whole(const struct exchange *exchange)
{
    return exchange->request.state == MESSAGE_WHOLE && exchange->response.state == MESSAGE_WHOLE;
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
        buf_init(&http->sides[side].waiting, EXCHANGES_WAITING_MAX);
        message_writer_init(&http->sides[side].writer, &shared->messages);
    }
}

void exchanges_not_late(struct exchanges *http)
{
    http->unsure = http->sides[SIDE_CLIENT].seeking = http->sides[SIDE_SERVER].seeking = false;
}

void exchange_free(struct exchanges *http, struct exchange *exchange)
{
    struct exchanges_shared *shared = http->shared;

    exchange_part_before(exchange);
    exchange_part_after(exchange);
    message_drop(&exchange->request, &shared->messages);
    message_drop(&exchange->response, &shared->messages);
    shared->messages.held -= sizeof(*exchange);
    free(exchange->call_id);
    free(exchange);
}

void exchanges_side_deinit(struct http_side *side)
{
    http_parser_free(side->parser);
    side->parser = NULL;
    side->current = NULL;
    message_writer_deinit(&side->writer);
    buf_deinit(&side->waiting);
}

void exchanges_deinit(struct exchanges *http)
{
    exchanges_side_deinit(&http->sides[SIDE_CLIENT]);
    exchanges_side_deinit(&http->sides[SIDE_SERVER]);
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

        if (i < decided || (exchange->settled && exchange->had_others))
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
