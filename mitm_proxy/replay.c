#include "mitm_proxy/replay.h"

#include <stdlib.h>
#include <string.h>

#include "mitm_proxy/replay_private.h"

#define REQUEST_MAX SIZE_MAX /* it was gathered, and so is within --rule-body-max */
#define BESIDES 4096         /* bytes that a replay takes besides its request, at least */
#define CUT_OFF_MS 1         /* of the loop's time at most */

static void free_replay(struct replay *replay)
{
    if (!replay)
        return;
    replay->proxy->replays_keep -= replay->keeps;
    buf_deinit(&replay->request);
    exchange_free(replay->like);
    exchange_free(replay->exchange);
    http_parser_free(replay->responses);
    sha256_free(replay->sha);
    rules_free(replay->rules);
    free(replay);
}

bool replay_has_room(const struct proxy *proxy, size_t bytes)
{
    return proxy->replays_keep + BESIDES + bytes <= REPLAYS_KEEP_MAX;
}

/* As it is sent: a forward proxy passes another target on than it was given. */
static struct slice target_of(struct slice request)
{
    const char *end = request.data + request.len;
    const char *from = memchr(request.data, ' ', request.len);
    const char *to = from ? memchr(from + 1, ' ', (size_t)(end - from) - 1) : NULL;
    return to ? slice_of(from + 1, (size_t)(to - from) - 1) : slice_of(NULL, 0);
}

struct replay *replay_new(struct proxy *proxy, const struct exchange *exchange,
    struct slice request, bool cut, const struct rule *rule, struct rules *rules,
    const struct rule_action *action)
{
    bool once = action->kind == ACTION_DUPLICATE;
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return NULL;
    replay->proxy = proxy;
    replay->rules = rules_ref(rules);
    replay->rule = rule;
    replay->action = action;
    replay->of = exchange->id;
    replay->to = *exchange->to;
    replay->times_left = once ? 1 : action->replay.times;
    replay->after_ms = once ? 0 : action->replay.after_ms;
    replay->cut = cut;
    buf_init(&replay->request, REQUEST_MAX);
    replay->like = exchange_copy_request(exchange, target_of(request));
    replay->sha = sha256_new();
    if (buf_append(&replay->request, request.data, request.len) || !replay->like || !replay->sha) {
        free_replay(replay);
        return NULL;
    }
    replay->keeps = request.len + BESIDES;
    proxy->replays_keep += replay->keeps;
    return replay;
}

void replay_push(struct replay **list, struct replay *replay)
{
    replay->next = *list;
    *list = replay;
}

struct replay *replay_next(const struct replay *replay)
{
    return replay->next;
}

void replay_discard(struct replay **list)
{
    while (*list) {
        struct replay *replay = *list;
        *list = replay->next;
        free_replay(replay);
    }
}

static void leave(struct replay *replay)
{
    struct proxy *proxy = replay->proxy;
    *replay->link = replay->next;
    if (replay->next)
        replay->next->link = replay->link;
    free_replay(replay);
    proxy_session_gone(proxy);
}

static void on_timer_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

/* The loop has the time of its turn, cut to milliseconds: no wait is to be too short for that. */
static void wait_for_time(struct replay *replay)
{
    replay->state = REPLAY_WAITING;
    uv_update_time(replay->proxy->loop);
    replay_set_timer(replay, replay->after_ms > 0 ? replay->after_ms + CUT_OFF_MS : 0);
}

void replay_go_on(struct replay *replay)
{
    if (replay->times_left > 0 && !replay->aborted && !replay->proxy->draining) {
        wait_for_time(replay);
        return;
    }
    uv_close((uv_handle_t *)&replay->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct replay *replay = timer->data;
    if (replay->state == REPLAY_WAITING)
        replay_begin(replay);
    else if (replay->state == REPLAY_DIALING)
        replay_fail(replay, UV_ETIMEDOUT);
    else
        replay_finish(replay, "upstream_timeout", "the upstream did not answer in time");
}

void replay_set_timer(struct replay *replay, uint64_t ms)
{
    if (replay->state != REPLAY_CLOSING)
        uv_timer_start(&replay->timer, on_timer, ms, 0);
}

/* The request has gone, as EXCHANGE tells. */
static void start(struct replay *replay, const struct exchange *exchange)
{
    struct proxy *proxy = replay->proxy;
    replay->like->request_bytes = exchange->request_bytes;
    memcpy(replay->like->request_sha256, exchange->request_sha256, sizeof exchange->request_sha256);
    proxy->open_connections++;
    replay->next = proxy->replays;
    replay->link = &proxy->replays;
    if (replay->next)
        replay->next->link = &replay->next;
    proxy->replays = replay;
    uv_timer_init(proxy->loop, &replay->timer);
    replay->timer.data = replay;
    wait_for_time(replay);
}

void replay_start(struct replay **list, const struct exchange *exchange)
{
    while (*list) {
        struct replay *replay = *list;
        *list = replay->next;
        if (replay->proxy->draining)
            free_replay(replay);
        else
            start(replay, exchange);
    }
}

void replay_start_copies(struct replay **list, const struct exchange *exchange)
{
    while (*list) {
        struct replay *replay = *list;
        if (replay->action->kind != ACTION_DUPLICATE) {
            list = &replay->next;
            continue;
        }
        *list = replay->next;
        start(replay, exchange);
    }
}

void replay_abort(struct replay *replay)
{
    replay->aborted = true;
    if (replay->state == REPLAY_WAITING)
        replay_drain(replay);
    else
        replay_finish(replay, "shutdown", NULL);
}

void replay_drain(struct replay *replay)
{
    replay->times_left = 0;
    if (replay->state == REPLAY_WAITING && !uv_is_closing((uv_handle_t *)&replay->timer))
        replay_go_on(replay);
}
