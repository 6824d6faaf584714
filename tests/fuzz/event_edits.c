/*
 * Server-sent events of any bytes, changed as they pass. Input: how many actions, a byte for the
 * kind and one for the choices of each, the lengths of PIECES pieces, which come again and again,
 * and the content.
 */
#include <string.h>

#include "lib/buf.h"
#include "mitm_proxy/event_edits.h"
#include "tests/fuzz/fuzz.h"

#define ACTIONS_MAX 4
#define PIECES 4
#define OUT_MAX (64 << 20)

/* What came out, and what was told, as "+0 -1 @7 ": done, failed, stalled behind seven bytes. */
struct outcome {
    struct buf bytes, told;
};

static void tell(struct outcome *outcome, char what, size_t number)
{
    PROMISE(buf_printf(&outcome->told, "%c%zu ", what, number) == 0);
}

static int on_bytes(void *arg, struct slice bytes)
{
    struct outcome *outcome = arg;
    PROMISE(bytes.len > 0);
    return buf_append(&outcome->bytes, bytes.data, bytes.len);
}

static int on_stall(void *arg, uint64_t ms, size_t action)
{
    struct outcome *outcome = arg;
    PROMISE(ms == 1 && action < ACTIONS_MAX);
    tell(outcome, '@', outcome->bytes.len);
    return 0;
}

static void on_done(void *arg, size_t action)
{
    PROMISE(action < ACTIONS_MAX);
    tell(arg, '+', action);
}

static void on_failed(void *arg, size_t action, const char *word, const char *reason)
{
    PROMISE(action < ACTIONS_MAX && word[0] != '\0' && reason[0] != '\0');
    tell(arg, '-', action);
}

static struct rule_text choose_text(unsigned choice)
{
    static const char *const texts[] = {"", "x", " \r\n{\n\r", "message", "a*"};
    size_t index = choice % (sizeof texts / sizeof texts[0] + 1);
    if (index == sizeof texts / sizeof texts[0])
        return (struct rule_text){false, {NULL, 0}};
    return (struct rule_text){true, slice_str(texts[index])};
}

static struct rule_action choose_action(unsigned kind, unsigned choice)
{
    static struct json_op patch = {.kind = JSON_OP_REPLACE, .path = {"/a", 2}, .value = {"{}", 2}};
    struct rule_action action = {.kind = ACTION_EDIT_EVENT + kind % 4};
    struct rule_events events = {choice % 4, choose_text(choice >> 2)};
    switch (action.kind) {
    case ACTION_EDIT_EVENT:
        action.edit_event.events = events;
        action.edit_event.data = choose_text(choice >> 5);
        action.edit_event.json_patch = (struct rule_patch){&patch, 1};
        break;
    case ACTION_DROP_EVENT:
        action.drop_event.events = events;
        break;
    case ACTION_INJECT_EVENT:
        action.inject_event.after_nth = choice % 4;
        action.inject_event.data = (struct rule_text){true, slice_str("x\ny")};
        break;
    default:
        action.stall.after_nth = choice % 4;
        action.stall.ms = 1;
    }
    return action;
}

/* Feeds CONTENT in pieces of LENGTHS, again and again, or whole where there are none. */
static void edit(const struct rule_action *const *actions, size_t count, struct slice content,
    const uint8_t *lengths, struct outcome *outcome)
{
    const struct event_sink sink = {on_bytes, on_stall, on_done, on_failed, outcome};
    struct event_edits *edits = event_edits_new(actions, count);
    PROMISE(edits != NULL);
    buf_init(&outcome->bytes, OUT_MAX);
    buf_init(&outcome->told, OUT_MAX);
    for (size_t i = 0; lengths != NULL && content.len > 0; i++) {
        size_t len = i % PIECES == 0 ? lengths[0] + 1U : lengths[i % PIECES];
        if (len > content.len)
            len = content.len;
        PROMISE(event_edits_feed(edits, slice_of(content.data, len), false, &sink) == 0);
        content = slice_of(content.data + len, content.len - len);
    }
    PROMISE(event_edits_feed(edits, content, true, &sink) == 0);
    event_edits_free(edits);
}

/* The pieces make no difference, and without a change no byte is another. */
static void check(const struct rule_action *const *actions, size_t count, struct slice content,
    const uint8_t *lengths)
{
    struct outcome whole, pieces;
    edit(actions, count, content, NULL, &whole);
    edit(actions, count, content, lengths, &pieces);
    struct slice bytes = slice_of(whole.bytes.data, whole.bytes.len);
    PROMISE(slice_equal(bytes, slice_of(pieces.bytes.data, pieces.bytes.len)));
    PROMISE(slice_equal(
        slice_of(whole.told.data, whole.told.len), slice_of(pieces.told.data, pieces.told.len)));
    PROMISE(slice_equal(bytes, content) ||
            (whole.told.len > 0 && memchr(whole.told.data, '+', whole.told.len) != NULL));
    buf_deinit(&whole.bytes);
    buf_deinit(&whole.told);
    buf_deinit(&pieces.bytes);
    buf_deinit(&pieces.told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rule_action actions[ACTIONS_MAX];
    const struct rule_action *list[ACTIONS_MAX];
    size_t count = len > 0 ? data[0] % (ACTIONS_MAX + 1) : 0;
    size_t start = 1 + 2 * count + PIECES;
    if (len < start)
        return 0;
    for (size_t i = 0; i < count; i++) {
        actions[i] = choose_action(data[1 + 2 * i], data[2 + 2 * i]);
        list[i] = &actions[i];
    }
    check(list, count, slice_of((const char *)data + start, len - start), data + start - PIECES);
    return 0;
}
