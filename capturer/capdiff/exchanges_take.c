/* What the streams bring: bytes, gaps, ends. One side waits where the other has to be read first.
 */
#include "capturer/capdiff/exchanges_state.h"
#include "capturer/capdiff/memory.h"

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
    buf_init(&side->waiting, EXCHANGES_WAITING_MAX);
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
    exchanges_side_deinit(side);
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
    exchanges_side_deinit(&http->sides[SIDE_CLIENT]);
    exchanges_side_deinit(&http->sides[SIDE_SERVER]);
}
