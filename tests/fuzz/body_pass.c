/*
 * Bodies of any content, changed as they pass. Input: the framing, how many actions, a byte for the
 * kind and one for the choices of each, the lengths of PIECES pieces, which come again and again,
 * and the content; it is put into chunks of those lengths where the framing is chunked.
 */
#include <string.h>

#include "lib/chunks.h"
#include "mitm_proxy/body_pass.h"
#include "tests/fuzz/fuzz.h"

#define ACTIONS_MAX 4
#define PIECES 4
#define OUT_MAX (64 << 20)
#define TRAILERS "T: 1\r\n\r\n"

struct outcome {
    struct buf out;
    size_t before, stalls, failures;
    uint64_t bytes;
    char sha256[SHA256_HEX_SIZE];
    bool cut, did[ACTIONS_MAX];
};

static int on_stall(void *arg, size_t at, uint64_t ms, size_t action)
{
    struct outcome *outcome = arg;
    PROMISE(ms == 1 && action < ACTIONS_MAX && at <= outcome->out.len - outcome->before);
    outcome->stalls++;
    return 0;
}

static void on_failed(void *arg, size_t action, const char *word, const char *reason)
{
    struct outcome *outcome = arg;
    PROMISE(action < ACTIONS_MAX && word[0] != '\0' && reason[0] != '\0');
    outcome->failures++;
}

static struct rule_action choose_action(unsigned kind, unsigned choice)
{
    static const enum rule_action_kind kinds[] = {ACTION_CORRUPT, ACTION_TRUNCATE, ACTION_REFRAME,
        ACTION_EDIT_EVENT, ACTION_DROP_EVENT, ACTION_INJECT_EVENT, ACTION_STALL};
    static uint64_t sizes[] = {1, 3, 16};
    struct rule_action action = {.kind = kinds[kind % (sizeof kinds / sizeof kinds[0])]};
    switch (action.kind) {
    case ACTION_CORRUPT:
        action.corrupt.at_byte = choice % 32;
        action.corrupt.xor = 1 + choice / 32;
        break;
    case ACTION_TRUNCATE:
        action.truncate.at_byte = choice;
        break;
    case ACTION_REFRAME:
        action.reframe.to = RULE_FRAMING_CHUNKED;
        action.reframe.chunk_bytes = sizes;
        action.reframe.n_chunk_bytes = choice % 4;
        break;
    case ACTION_EDIT_EVENT:
        action.edit_event.events.nth = choice % 4;
        action.edit_event.data = (struct rule_text){true, slice_str("x\ny")};
        break;
    case ACTION_DROP_EVENT:
        action.drop_event.events.nth = choice % 4;
        break;
    case ACTION_INJECT_EVENT:
        action.inject_event.after_nth = choice % 4;
        action.inject_event.data = (struct rule_text){true, slice_str("z")};
        break;
    default:
        action.stall.after_nth = choice % 4;
        action.stall.ms = 1;
    }
    return action;
}

/* How long piece I is, of LEFT bytes. */
static size_t piece_of(const uint8_t *lengths, size_t i, size_t left)
{
    size_t len = i % PIECES == 0 ? lengths[0] + 1U : lengths[i % PIECES];
    return len < left ? len : left;
}

/* In such pieces, or whole where there are none. */
static void pass_body(struct body_pass *pass, size_t count, struct slice body,
    const uint8_t *lengths, struct outcome *outcome)
{
    const struct body_pass_watch watch = {on_stall, on_failed, outcome};
    PROMISE(pass != NULL);
    *outcome = (struct outcome){0};
    buf_init(&outcome->out, OUT_MAX);
    for (size_t i = 0; lengths != NULL && body.len > 0; i++) {
        size_t len = piece_of(lengths, i, body.len);
        outcome->before = outcome->out.len;
        PROMISE(body_pass_feed(pass, slice_of(body.data, len), false, &outcome->out, &watch) == 0);
        body = slice_of(body.data + len, body.len - len);
    }
    outcome->before = outcome->out.len;
    PROMISE(body_pass_feed(pass, body, true, &outcome->out, &watch) == 0);
    outcome->cut = body_pass_is_cut(pass);
    for (size_t i = 0; i < count; i++)
        outcome->did[i] = body_pass_did(pass, i);
    outcome->bytes = body_pass_digest(pass, outcome->sha256);
    body_pass_free(pass);
}

static void put(struct buf *buf, struct slice text)
{
    PROMISE(buf_append(buf, text.data, text.len) == 0);
}

/* The content in chunks of such lengths. */
static void put_chunks(struct buf *body, struct slice content, const uint8_t *lengths)
{
    for (size_t i = 0; content.len > 0; i++) {
        size_t len = piece_of(lengths, i, content.len);
        if (len == 0)
            continue;
        PROMISE(buf_printf(body, "0%zX;x\r\n", len) == 0);
        put(body, slice_of(content.data, len));
        put(body, slice_str("\r\n"));
        content = slice_of(content.data + len, content.len - len);
    }
    put(body, slice_str("0\r\n" TRAILERS));
}

/* The content, and nothing else, is what the digest says; a whole one has its end and trailers. */
static void check_out(const struct outcome *outcome, bool chunked, bool trailers)
{
    struct slice rest = slice_of(outcome->out.data, outcome->out.len);
    struct sha256 *sha = sha256_new();
    char hex[SHA256_HEX_SIZE];
    struct chunk chunk = {.size = 1};
    uint64_t bytes = chunked ? 0 : rest.len;
    PROMISE(sha != NULL);
    sha256_reset(sha);
    if (!chunked)
        sha256_update(sha, rest.data, rest.len);
    while (chunked && chunk.size > 0 && chunks_next(&rest, &chunk)) {
        sha256_update(sha, chunk.data.data, chunk.data.len);
        bytes += chunk.data.len;
    }
    sha256_hex(sha, hex);
    sha256_free(sha);
    PROMISE(bytes == outcome->bytes && strcmp(hex, outcome->sha256) == 0);
    if (chunked && !outcome->cut)
        PROMISE(chunk.size == 0 && slice_is(rest, trailers ? TRAILERS : "\r\n"));
}

/* The pieces make no difference to the content; where no chunks are made, to no byte. */
static void check(const struct rule_action *const *actions, size_t count, enum message_framing in,
    struct slice body, const uint8_t *lengths)
{
    struct outcome whole, pieces;
    bool reframes = false, to_chunks = false;
    for (size_t i = 0; i < count; i++) {
        reframes = reframes || body_pass_reframes(actions[i]);
        to_chunks = to_chunks || actions[i]->kind == ACTION_REFRAME;
    }
    bool chunked = in == MESSAGE_CHUNKED || to_chunks || (reframes && in == MESSAGE_LENGTH);
    pass_body(body_pass_new(actions, count, in), count, body, NULL, &whole);
    pass_body(body_pass_new(actions, count, in), count, body, lengths, &pieces);
    check_out(&whole, chunked, in == MESSAGE_CHUNKED);
    check_out(&pieces, chunked, in == MESSAGE_CHUNKED);
    PROMISE(whole.bytes == pieces.bytes && strcmp(whole.sha256, pieces.sha256) == 0);
    PROMISE(whole.cut == pieces.cut && memcmp(whole.did, pieces.did, sizeof whole.did) == 0);
    PROMISE(whole.stalls == pieces.stalls && whole.failures == pieces.failures);
    if (!chunked || !reframes)
        PROMISE(slice_equal(
            slice_of(whole.out.data, whole.out.len), slice_of(pieces.out.data, pieces.out.len)));
    buf_deinit(&whole.out);
    buf_deinit(&pieces.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rule_action actions[ACTIONS_MAX];
    const struct rule_action *list[ACTIONS_MAX];
    enum message_framing in = len > 0 ? (enum message_framing)(data[0] % 3) : MESSAGE_LENGTH;
    size_t count = len > 1 ? data[1] % (ACTIONS_MAX + 1) : 0;
    size_t start = 2 + 2 * count + PIECES;
    struct buf body;
    if (len < start)
        return 0;
    for (size_t i = 0; i < count; i++) {
        actions[i] = choose_action(data[2 + 2 * i], data[3 + 2 * i]);
        list[i] = &actions[i];
    }
    const uint8_t *lengths = data + start - PIECES;
    struct slice content = slice_of((const char *)data + start, len - start);
    buf_init(&body, OUT_MAX);
    if (in == MESSAGE_CHUNKED)
        put_chunks(&body, content, lengths);
    else
        put(&body, content);
    check(list, count, in, slice_of(body.data != NULL ? body.data : "", body.len), lengths);
    buf_deinit(&body);
    return 0;
}
