#include "mitm_proxy/body_pass.h"

#include <stdlib.h>
#include <uv.h>

#include "lib/chunks.h"
#include "mitm_proxy/event_edits.h"

enum out_framing {
    OUT_AS_IT_CAME,
    OUT_PLAIN,
    OUT_CHUNKS,
};

struct body_pass {
    const struct rule_action **actions;
    bool *did; /* for each */
    size_t count;
    enum message_framing in;
    enum out_framing framing;
    const struct rule_action *reframe; /* NULL: none */
    size_t chunk;                      /* how many went out, up to the last size */
    struct event_edits *events;        /* NULL: none */
    size_t *event_actions;             /* their indexes */
    struct chunk_stream chunks;
    uint64_t at; /* bytes of content that came */
    bool ended;  /* the content */
    bool cut, moved;
    struct buf content; /* that goes out and is not framed yet */
    struct buf changed; /* a run of content with bytes corrupted */
    struct sha256 *sha;
    uint64_t bytes;     /* of content that went out */
    uint64_t events_at; /* bytes of content that events let go, where it is as it came */

    /* During one feed: */
    const struct body_pass_watch *watch;
    struct buf *out;
    size_t out_before; /* bytes that were in it */
    size_t raw_at;     /* where in it the content that events look at begins */
};

static bool is_event_action(const struct rule_action *action)
{
    return action->kind == ACTION_EDIT_EVENT || action->kind == ACTION_INJECT_EVENT ||
           action->kind == ACTION_DROP_EVENT || action->kind == ACTION_STALL;
}

static bool is_reframe(const struct rule_action *action)
{
    return action->kind == ACTION_REFRAME && action->reframe.to == RULE_FRAMING_CHUNKED;
}

bool body_pass_does(const struct rule_action *action)
{
    return action->kind == ACTION_CORRUPT || action->kind == ACTION_TRUNCATE ||
           is_reframe(action) || is_event_action(action);
}

bool body_pass_reframes(const struct rule_action *action)
{
    return is_reframe(action) || (is_event_action(action) && action->kind != ACTION_STALL);
}

static enum out_framing choose_framing(const struct body_pass *pass)
{
    bool reframes = false;
    for (size_t i = 0; i < pass->count; i++)
        reframes = reframes || body_pass_reframes(pass->actions[i]);
    if (!reframes)
        return OUT_AS_IT_CAME;
    return pass->in == MESSAGE_CLOSE && !pass->reframe ? OUT_PLAIN : OUT_CHUNKS;
}

static bool take_events(struct body_pass *pass)
{
    size_t count = 0;
    const struct rule_action **list = calloc(pass->count + 1, sizeof(void *));
    pass->event_actions = calloc(pass->count + 1, sizeof *pass->event_actions);
    if (list && pass->event_actions) {
        for (size_t i = 0; i < pass->count; i++) {
            if (!is_event_action(pass->actions[i]))
                continue;
            pass->event_actions[count] = i;
            list[count++] = pass->actions[i];
        }
    }
    if (list && pass->event_actions && count > 0)
        pass->events = event_edits_new(list, count);
    bool ok = list && pass->event_actions && (count == 0 || pass->events);
    free(list);
    return ok;
}

struct body_pass *body_pass_new(
    const struct rule_action *const *actions, size_t count, enum message_framing in)
{
    struct body_pass *pass = calloc(1, sizeof *pass);
    if (!pass)
        return NULL;
    pass->in = in;
    buf_init(&pass->content, SIZE_MAX); /* both hold what one feed brings, or a chunk */
    buf_init(&pass->changed, SIZE_MAX);
    pass->actions = calloc(count + 1, sizeof(void *));
    pass->did = calloc(count + 1, sizeof *pass->did);
    pass->sha = sha256_new();
    if (!pass->actions || !pass->did || !pass->sha) {
        body_pass_free(pass);
        return NULL;
    }
    sha256_reset(pass->sha);
    pass->count = count;
    for (size_t i = 0; i < count; i++) {
        pass->actions[i] = actions[i];
        if (is_reframe(actions[i]))
            pass->reframe = actions[i];
    }
    pass->framing = choose_framing(pass);
    if (!take_events(pass)) {
        body_pass_free(pass);
        return NULL;
    }
    return pass;
}

void body_pass_free(struct body_pass *pass)
{
    if (!pass)
        return;
    event_edits_free(pass->events);
    sha256_free(pass->sha);
    buf_deinit(&pass->content);
    buf_deinit(&pass->changed);
    free(pass->event_actions);
    free(pass->actions);
    free(pass->did);
    free(pass);
}

static void note_out(struct body_pass *pass, struct slice content)
{
    sha256_update(pass->sha, content.data, content.len);
    pass->bytes += content.len;
}

static int put_chunk(struct body_pass *pass, struct slice content)
{
    int err = buf_printf(pass->out, "%zx\r\n", content.len);
    if (!err)
        err = buf_append(pass->out, content.data, content.len);
    if (!err)
        err = buf_append_str(pass->out, "\r\n");
    note_out(pass, content);
    return err;
}

/* How long the next chunk is to be, where HERE bytes are for it. */
static size_t chunk_size(const struct body_pass *pass, size_t here)
{
    const struct rule_action *reframe = pass->reframe;
    if (!reframe || reframe->reframe.n_chunk_bytes == 0)
        return here;
    return (size_t)reframe->reframe.chunk_bytes[pass->chunk];
}

/* Frames what waits, as far as it fills chunks; ALL: the rest too. */
static int put_content(struct body_pass *pass, bool all)
{
    struct slice rest = slice_of(pass->content.data, pass->content.len);
    int err = 0;
    if (pass->framing == OUT_PLAIN) {
        err = buf_append(pass->out, rest.data, rest.len);
        note_out(pass, rest);
        rest.len = 0;
    }
    while (!err && rest.len > 0) {
        size_t size = chunk_size(pass, rest.len);
        if (size > rest.len && !all)
            break;
        size = size < rest.len ? size : rest.len;
        err = put_chunk(pass, slice_of(rest.data, size));
        rest = slice_of(rest.data + size, rest.len - size);
        if (pass->reframe && pass->chunk + 1 < pass->reframe->reframe.n_chunk_bytes)
            pass->chunk++;
    }
    buf_consume(&pass->content, pass->content.len - rest.len);
    return err;
}

static int on_event_bytes(void *arg, struct slice bytes)
{
    struct body_pass *pass = arg;
    if (pass->framing == OUT_AS_IT_CAME) {
        pass->events_at += bytes.len; /* they stand there already */
        return 0;
    }
    return buf_append(&pass->content, bytes.data, bytes.len);
}

static int on_event_stall(void *arg, uint64_t ms, size_t action)
{
    struct body_pass *pass = arg;
    size_t at = pass->raw_at;
    int err = 0;
    if (pass->framing != OUT_AS_IT_CAME) {
        err = put_content(pass, true);
        at = pass->out->len;
    } else if (pass->events_at > pass->at) { /* else it is held of what came before */
        at += (size_t)(pass->events_at - pass->at);
    }
    pass->did[pass->event_actions[action]] = true;
    if (err)
        return err;
    return pass->watch->on_stall(
        pass->watch->arg, at - pass->out_before, ms, pass->event_actions[action]);
}

static void on_event_done(void *arg, size_t action)
{
    struct body_pass *pass = arg;
    pass->did[pass->event_actions[action]] = true;
}

static void on_event_failed(void *arg, size_t action, const char *word, const char *reason)
{
    struct body_pass *pass = arg;
    pass->watch->on_failed(pass->watch->arg, pass->event_actions[action], word, reason);
}

static int feed_events(struct body_pass *pass, struct slice content, bool last)
{
    struct event_sink sink = {
        .on_bytes = on_event_bytes,
        .on_stall = on_event_stall,
        .on_done = on_event_done,
        .on_failed = on_event_failed,
        .arg = pass,
    };
    return event_edits_feed(pass->events, content, last, &sink);
}

/* XORs the bytes of a run that corrupt names; RUN begins at pass->at. */
static void corrupt(struct body_pass *pass, char *run, size_t len)
{
    for (size_t i = 0; i < pass->count; i++) {
        const struct rule_action *action = pass->actions[i];
        if (action->kind != ACTION_CORRUPT || action->corrupt.at_byte < pass->at ||
            action->corrupt.at_byte - pass->at >= len)
            continue;
        char *byte = &run[action->corrupt.at_byte - pass->at];
        *byte = (char)((unsigned char)*byte ^ action->corrupt.xor);
        pass->did[i] = true;
    }
}

static bool is_corrupted(const struct body_pass *pass, size_t len)
{
    for (size_t i = 0; i < pass->count; i++) {
        const struct rule_action *action = pass->actions[i];
        if (action->kind == ACTION_CORRUPT && action->corrupt.at_byte >= pass->at &&
            action->corrupt.at_byte - pass->at < len)
            return true;
    }
    return false;
}

/* How much of a run of content goes on before the body is cut, by the action that cuts first. */
static size_t before_cut(struct body_pass *pass, size_t len)
{
    size_t by = pass->count;
    for (size_t i = 0; i < pass->count; i++) {
        const struct rule_action *action = pass->actions[i];
        if (action->kind != ACTION_TRUNCATE || action->truncate.at_byte >= pass->at + len)
            continue;
        len = (size_t)(action->truncate.at_byte - pass->at);
        by = i;
    }
    if (by < pass->count)
        pass->cut = pass->did[by] = true;
    return len;
}

/* A run that already stands in OUT at AT. */
static int change_in_place(struct body_pass *pass, size_t at, size_t len)
{
    size_t kept = before_cut(pass, len);
    corrupt(pass, pass->out->data + at, kept);
    struct slice run = slice_of(pass->out->data + at, kept);
    note_out(pass, run);
    pass->raw_at = at;
    if (pass->cut)
        pass->out->len = at + kept;
    return pass->events ? feed_events(pass, run, pass->cut) : 0;
}

static int change_and_frame(struct body_pass *pass, struct slice run)
{
    int err = 0;
    run.len = before_cut(pass, run.len);
    if (is_corrupted(pass, run.len)) {
        buf_clear(&pass->changed);
        err = buf_append(&pass->changed, run.data, run.len);
        if (err)
            return err;
        corrupt(pass, pass->changed.data, run.len);
        run.data = pass->changed.data;
    }
    if (pass->events)
        err = feed_events(pass, run, pass->cut);
    else if (run.len > 0)
        err = on_event_bytes(pass, run);
    return err;
}

static int end_content(struct body_pass *pass)
{
    int err = 0;
    if (pass->ended || pass->cut)
        return 0;
    pass->ended = true;
    pass->raw_at = pass->out->len;
    if (pass->events)
        err = feed_events(pass, slice_of("", 0), true);
    if (!err && pass->framing != OUT_AS_IT_CAME)
        err = put_content(pass, true);
    if (!err && pass->framing == OUT_CHUNKS)
        err = buf_append_str(pass->out, pass->in == MESSAGE_CHUNKED ? "0\r\n" : "0\r\n\r\n");
    return err;
}

/* One byte of the framing that came. */
static int take_framing(struct body_pass *pass, struct slice byte)
{
    bool in_trailers = pass->chunks.part == CHUNK_TRAILERS;
    struct slice rest = byte, none;
    (void)chunk_stream_next(&pass->chunks, &rest, &none);
    if (pass->framing == OUT_AS_IT_CAME)
        return 0;
    if (in_trailers)
        return buf_append(pass->out, byte.data, 1);
    return pass->chunks.part == CHUNK_TRAILERS ? end_content(pass) : 0;
}

static int take_body(struct body_pass *pass, struct slice body)
{
    struct slice rest = body, run;
    int err = 0;
    while (!err && rest.len > 0 && !pass->cut) {
        if (pass->in == MESSAGE_CHUNKED && pass->chunks.part != CHUNK_DATA) {
            err = take_framing(pass, slice_of(rest.data, 1));
            rest = slice_of(rest.data + 1, rest.len - 1);
            continue;
        }
        run = rest;
        if (pass->in == MESSAGE_CHUNKED)
            (void)chunk_stream_next(&pass->chunks, &rest, &run);
        else
            rest.len = 0;
        if (pass->framing == OUT_AS_IT_CAME)
            err = change_in_place(pass, pass->out_before + (size_t)(run.data - body.data), run.len);
        else
            err = change_and_frame(pass, run);
        pass->at += run.len;
    }
    return err;
}

int body_pass_feed(struct body_pass *pass, struct slice body, bool last, struct buf *out,
    const struct body_pass_watch *watch)
{
    int err = 0;
    if (pass->cut)
        return 0;
    pass->watch = watch;
    pass->out = out;
    pass->out_before = out->len;
    if (pass->framing == OUT_AS_IT_CAME)
        err = buf_append(out, body.data, body.len);
    if (!err)
        err = take_body(pass, body);
    if (!err && pass->framing != OUT_AS_IT_CAME)
        err = put_content(pass, pass->cut);
    if (!err && last)
        err = end_content(pass);
    const char *went = out->len > 0 ? out->data + pass->out_before : "";
    pass->moved = pass->moved || !slice_equal(slice_of(went, out->len - pass->out_before), body);
    return err;
}

bool body_pass_is_cut(const struct body_pass *pass)
{
    return pass->cut;
}

bool body_pass_did(const struct body_pass *pass, size_t action)
{
    return pass->did[action];
}

bool body_pass_moved_chunks(const struct body_pass *pass)
{
    return pass->framing == OUT_CHUNKS && pass->in == MESSAGE_CHUNKED && pass->moved;
}

uint64_t body_pass_digest(struct body_pass *pass, char sha256[SHA256_HEX_SIZE])
{
    sha256_hex(pass->sha, sha256);
    return pass->bytes;
}
