#include "tests/unit/body_outcome.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int on_stall(void *arg, size_t at, uint64_t ms, size_t action)
{
    struct body_outcome *outcome = arg;
    assert_true(action < EVENT_ACTIONS_MAX);
    assert_true(at <= outcome->out.len - outcome->before);
    return buf_printf(&outcome->told, "@%zu+%" PRIu64 " ", outcome->before + at, ms);
}

static void on_failed(void *arg, size_t action, const char *word, const char *reason)
{
    struct body_outcome *outcome = arg;
    assert_non_null(reason);
    assert_int_equal(buf_printf(&outcome->told, "%zu!%s ", action, word), 0);
}

struct body_pass_watch body_outcome_watch(struct body_outcome *outcome)
{
    return (struct body_pass_watch){on_stall, on_failed, outcome};
}

struct body_pass *body_pass_of(const struct rules *rules, enum message_framing in)
{
    const struct rule_action *actions[EVENT_ACTIONS_MAX];
    size_t count = rules->list[0].n_actions;
    assert_in_range(count, 1, EVENT_ACTIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        actions[i] = &rules->list[0].actions[i];
        assert_true(body_pass_does(actions[i]));
    }
    return body_pass_new(actions, count, in);
}

void body_outcome_pass(const struct rules *rules, enum message_framing in, struct slice body,
    event_piece *piece, bool together, struct body_outcome *outcome)
{
    const struct body_pass_watch watch = body_outcome_watch(outcome);
    struct body_pass *pass = body_pass_of(rules, in);
    bool last = false;
    assert_non_null(pass);
    *outcome = (struct body_outcome){0};
    buf_init(&outcome->out, BODY_OUT_MAX);
    buf_init(&outcome->told, BODY_OUT_MAX);
    while (!last) {
        size_t len = piece(body.len);
        last = len == body.len && (together || len == 0);
        char *exact = malloc(len > 0 ? len : 1); /* so that a read outside, or later, is seen */
        assert_non_null(exact);
        if (len > 0)
            memcpy(exact, body.data, len);
        body = slice_of(body.data + len, body.len - len);
        outcome->before = outcome->out.len;
        assert_int_equal(
            body_pass_feed(pass, slice_of(exact, len), last, &outcome->out, &watch), 0);
        free(exact);
    }
    outcome->cut = body_pass_is_cut(pass);
    outcome->moved = body_pass_moved_chunks(pass);
    for (size_t i = 0; i < rules->list[0].n_actions; i++)
        outcome->did[i] = body_pass_did(pass, i);
    outcome->bytes = body_pass_digest(pass, outcome->sha256);
    body_pass_free(pass);
}

void body_outcome_deinit(struct body_outcome *outcome)
{
    buf_deinit(&outcome->out);
    buf_deinit(&outcome->told);
}

/* The content of a chunked body, which may be cut, and its trailers. */
static void decode(struct slice body, struct buf *content, struct slice *trailers)
{
    size_t size = 1;
    *trailers = slice_of("", 0);
    while (body.len > 0 && size > 0) {
        const char *eol = memchr(body.data, '\n', body.len);
        char *end;
        assert_non_null(eol);
        size = strtoul(body.data, &end, 16);
        assert_true(end > body.data);
        body = slice_of(eol + 1, body.len - (size_t)(eol + 1 - body.data));
        size_t there = size < body.len ? size : body.len;
        assert_int_equal(buf_append(content, body.data, there), 0);
        if (size == 0)
            *trailers = body;
        there = there + 2 < body.len ? there + 2 : body.len;
        body = slice_of(body.data + there, body.len - there);
    }
}

void body_outcome_content(
    struct slice body, bool chunked, struct buf *content, struct slice *trailers)
{
    buf_init(content, BODY_OUT_MAX);
    *trailers = slice_of("", 0);
    if (chunked)
        decode(body, content, trailers);
    else
        assert_int_equal(buf_append(content, body.data, body.len), 0);
}

void body_outcome_check_digest(const struct body_outcome *outcome, struct slice content)
{
    char hex[SHA256_HEX_SIZE];
    struct sha256 *sha = sha256_new();
    assert_non_null(sha);
    sha256_reset(sha);
    sha256_update(sha, content.data, content.len);
    sha256_hex(sha, hex);
    sha256_free(sha);
    assert_int_equal(outcome->bytes, content.len);
    assert_string_equal(outcome->sha256, hex);
}
