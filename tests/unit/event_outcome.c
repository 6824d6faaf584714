#include "tests/unit/event_outcome.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "mitm_proxy/rules_load.h"
#include "tests/unit/scarce_memory.h"

#define FAILED (-2)

void event_outcome_init(struct event_outcome *outcome)
{
    buf_init(&outcome->bytes, EVENT_OUT_MAX);
    buf_init(&outcome->told, EVENT_OUT_MAX);
    outcome->calls = -1;
}

void event_outcome_deinit(struct event_outcome *outcome)
{
    buf_deinit(&outcome->bytes);
    buf_deinit(&outcome->told);
}

/* Nothing may come once it did. */
static bool fails(struct event_outcome *outcome)
{
    assert_int_not_equal(outcome->calls, FAILED);
    if (outcome->calls == 0)
        outcome->calls = FAILED;
    else if (outcome->calls > 0)
        outcome->calls--;
    return outcome->calls == FAILED;
}

static int on_bytes(void *arg, struct slice bytes)
{
    struct event_outcome *outcome = arg;
    scarce_memory(-1); /* memory that runs out here is the matter of no test */
    assert_true(bytes.len > 0);
    if (fails(outcome))
        return UV_EPIPE;
    return buf_append(&outcome->bytes, bytes.data, bytes.len);
}

static int on_stall(void *arg, uint64_t ms, size_t action)
{
    struct event_outcome *outcome = arg;
    scarce_memory(-1);
    assert_true(action < EVENT_ACTIONS_MAX);
    if (fails(outcome))
        return UV_EPIPE;
    return buf_printf(&outcome->bytes, "<%" PRIu64 ">", ms);
}

static void tell(struct event_outcome *outcome, size_t action, const char *mark, const char *word)
{
    const char *space = outcome->told.len > 0 ? " " : "";
    scarce_memory(-1);
    assert_int_equal(buf_printf(&outcome->told, "%s%zu%s%s", space, action, mark, word), 0);
}

static void on_done(void *arg, size_t action)
{
    tell(arg, action, "", "");
}

static void on_failed(void *arg, size_t action, const char *word, const char *reason)
{
    assert_non_null(reason);
    tell(arg, action, "!", word);
}

struct event_sink event_outcome_sink(struct event_outcome *outcome)
{
    return (struct event_sink){on_bytes, on_stall, on_done, on_failed, outcome};
}

struct rules *event_rules(struct slice actions)
{
    struct buf text, errors;
    size_t n_errors;
    buf_init(&text, EVENT_OUT_MAX);
    buf_init(&errors, RULES_ERRORS_MAX);
    assert_int_equal(
        buf_append_str(&text, "{\"rules\":[{\"name\":\"r\",\"on\":\"response\",\"do\":["), 0);
    assert_int_equal(buf_append(&text, actions.data, actions.len), 0);
    assert_int_equal(buf_append_str(&text, "]}]}"), 0);
    struct rules *rules =
        rules_load_text("rules", slice_of(text.data, text.len), &errors, &n_errors);
    if (rules == NULL)
        fail_msg("%.*s", (int)errors.len, errors.data);
    buf_deinit(&text);
    buf_deinit(&errors);
    return rules;
}

struct event_edits *event_edits_of(const struct rules *rules)
{
    const struct rule_action *actions[EVENT_ACTIONS_MAX];
    size_t count = rules->list[0].n_actions;
    assert_in_range(count, 1, EVENT_ACTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        actions[i] = &rules->list[0].actions[i];
    return event_edits_new(actions, count);
}

size_t event_whole(size_t left)
{
    return left;
}

size_t event_one_byte(size_t left)
{
    return left > 0 ? 1 : 0;
}

size_t event_some(size_t left)
{
    return left > 0 ? (size_t)rand() % (left < 12 ? left + 1 : 12) : 0;
}

int event_feed(struct event_edits *edits, struct slice content, event_piece *piece, bool together,
    struct event_outcome *outcome)
{
    const struct event_sink sink = event_outcome_sink(outcome);
    bool last = false;
    int err = 0;
    while (!last && err == 0) {
        size_t len = piece(content.len);
        last = len == content.len && (together || len == 0);
        char *exact = malloc(len > 0 ? len : 1); /* so that a read outside, or later, is seen */
        assert_non_null(exact);
        if (len > 0)
            memcpy(exact, content.data, len);
        content = slice_of(content.data + len, content.len - len);
        err = event_edits_feed(edits, slice_of(exact, len), last, &sink);
        free(exact);
    }
    return err;
}

void event_edit(const struct rules *rules, struct slice content, event_piece *piece, bool together,
    struct event_outcome *outcome)
{
    struct event_edits *edits = event_edits_of(rules);
    assert_non_null(edits);
    event_outcome_init(outcome);
    assert_int_equal(event_feed(edits, content, piece, together, outcome), 0);
    event_edits_free(edits);
}
