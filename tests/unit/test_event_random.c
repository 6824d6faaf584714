#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include <cmocka.h>

#include "mitm_proxy/rules.h"
#include "tests/unit/event_outcome.h"
#include "tests/unit/scarce_memory.h"

#define ROUNDS 3000
#define SPLITS 8
#define LISTED_MAX (1 << 20)
#define PICK(list) ((list)[(size_t)rand() % (sizeof(list) / sizeof(list)[0])])
#define MARK "\xef\xbb\xbf"

/* What a client makes of a stream: an event's type and data, one behind the other, in LIST. */
struct client {
    struct buf type, data;
    bool has_data;
    void (*on_event)(void *arg, struct slice type, struct slice data);
    void *arg;
};

static void add(struct buf *out, struct slice text)
{
    assert_int_equal(buf_append(out, text.data, text.len), 0);
}

static struct slice all_of(const struct buf *buf)
{
    return slice_of(buf->data, buf->len);
}

static void take_field(struct client *client, struct slice name, struct slice value)
{
    if (value.len > 0 && value.data[0] == ' ')
        value = slice_of(value.data + 1, value.len - 1);
    if (slice_is(name, "event")) {
        buf_clear(&client->type);
        add(&client->type, value);
    } else if (slice_is(name, "data")) {
        if (client->has_data)
            add(&client->data, slice_str("\n"));
        client->has_data = true;
        add(&client->data, value);
    }
}

static void take_line(struct client *client, struct slice line)
{
    if (line.len > 0) {
        const char *colon = memchr(line.data, ':', line.len);
        size_t name = colon != NULL ? (size_t)(colon - line.data) : line.len;
        size_t value = colon != NULL ? name + 1 : name;
        take_field(
            client, slice_of(line.data, name), slice_of(line.data + value, line.len - value));
        return;
    }
    if (client->has_data)
        client->on_event(client->arg,
            client->type.len > 0 ? all_of(&client->type) : slice_str("message"),
            all_of(&client->data));
    client->has_data = false;
    buf_clear(&client->type);
    buf_clear(&client->data);
}

/* A line that the end cuts off is none. */
static void read_stream(
    struct slice bytes, void (*on_event)(void *, struct slice, struct slice), void *arg)
{
    struct client client = {.on_event = on_event, .arg = arg};
    size_t start = bytes.len >= 3 && memcmp(bytes.data, MARK, 3) == 0 ? 3 : 0;
    buf_init(&client.type, LISTED_MAX);
    buf_init(&client.data, LISTED_MAX);
    for (size_t i = start; i < bytes.len; i++) {
        if (bytes.data[i] != '\r' && bytes.data[i] != '\n')
            continue;
        take_line(&client, slice_of(bytes.data + start, i - start));
        if (bytes.data[i] == '\r' && i + 1 < bytes.len && bytes.data[i + 1] == '\n')
            i++;
        start = i + 1;
    }
    buf_deinit(&client.type);
    buf_deinit(&client.data);
}

/* A list of events as text. */
static void list_event(void *arg, struct slice type, struct slice data)
{
    add(arg, type);
    add(arg, slice_str("="));
    add(arg, data);
    add(arg, slice_str(";\n"));
}

/* An action, and what should come of it. */
struct wanted_action {
    enum rule_action_kind kind;
    const char *type, *data; /* NULL: not given; what a client would read */
    uint64_t nth, seen;
};

struct wanted {
    struct wanted_action actions[3];
    size_t count;
    uint64_t events;
    struct buf list;
};

static void list_injected(struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const struct wanted_action *action = &wanted->actions[i];
        if (action->kind == ACTION_INJECT_EVENT && action->nth == wanted->events)
            list_event(&wanted->list, slice_str(action->type != NULL ? action->type : "message"),
                slice_str(action->data));
    }
}

static void list_wanted(void *arg, struct slice type, struct slice data)
{
    struct wanted *wanted = arg;
    bool dropped = false;
    for (size_t i = 0; i < wanted->count; i++) {
        struct wanted_action *action = &wanted->actions[i];
        if (action->kind == ACTION_INJECT_EVENT ||
            (action->type != NULL && !slice_is(type, action->type)))
            continue;
        action->seen++;
        if (action->nth != 0 && action->nth != action->seen)
            continue;
        if (action->kind == ACTION_DROP_EVENT)
            dropped = true;
        else
            data = slice_str(action->data);
    }
    if (!dropped)
        list_event(&wanted->list, type, data);
    wanted->events++;
    list_injected(wanted);
}

/* A random action, as a rule has it and as it is wanted. */
static void random_action(struct wanted_action *action, struct buf *text)
{
    static const enum rule_action_kind kinds[] = {
        ACTION_DROP_EVENT, ACTION_EDIT_EVENT, ACTION_INJECT_EVENT};
    static const char *const types[] = {NULL, "a", "message"};
    static const struct {
        const char *in_json, *read;
    } data[] = {{"", ""}, {"x", "x"}, {" x", " x"}, {"x\\n\\ny\\n", "x\n\ny\n"},
        {"x\\r\\ny\\rz", "x\ny\nz"}};
    size_t index = (size_t)rand() % (sizeof data / sizeof data[0]);
    *action =
        (struct wanted_action){PICK(kinds), PICK(types), data[index].read, (uint64_t)rand() % 4, 0};
    bool injects = action->kind == ACTION_INJECT_EVENT;
    assert_int_equal(
        buf_printf(text, "%s{\"%s\":{", text->len > 0 ? "," : "", rule_action_name(action->kind)),
        0);
    if (action->type != NULL)
        assert_int_equal(buf_printf(text, "\"type\":\"%s\",", action->type), 0);
    if (action->kind != ACTION_DROP_EVENT)
        assert_int_equal(buf_printf(text, "\"data\":\"%s\",", data[index].in_json), 0);
    if (injects || action->nth > 0)
        assert_int_equal(
            buf_printf(text, "\"%s\":%d,", injects ? "after_nth" : "nth", (int)action->nth), 0);
    if (text->data[text->len - 1] == ',')
        text->len--;
    assert_int_equal(buf_append_str(text, "}}"), 0);
}

/* Lines that end in one way, mostly; the last one may not end at all. */
static void random_stream(struct buf *stream)
{
    static const char *const lines[] = {"", "", "", "data: a", "data: a", "data:b", "data",
        "data:", "data:  c", "event: a", "event:a", "event", "event: b", "id: 1", ":c", ":",
        "retry: 1", "x", "dat", "datas: a", " data: a"};
    static const char *const breaks[] = {"\r\n", "\n", "\r"};
    const char *usual = PICK(breaks);
    if (rand() % 4 == 0)
        add(stream, slice_str(MARK));
    for (int left = rand() % 30; left > 0; left--) {
        add(stream, slice_str(PICK(lines)));
        if (left > 1 || rand() % 2 == 0)
            add(stream, slice_str(rand() % 8 != 0 ? usual : PICK(breaks)));
    }
}

static void show(const char *what, struct slice text)
{
    print_error("%s: \"", what);
    for (size_t i = 0; i < text.len; i++)
        print_error(text.data[i] == '\r'   ? "\\r"
                    : text.data[i] == '\n' ? "\\n"
                                           : "%c",
            text.data[i]);
    print_error("\"\n");
}

static void check_equal(
    struct slice is, struct slice should, struct slice actions, struct slice stream)
{
    if (slice_equal(is, should))
        return;
    show("actions", actions);
    show("stream", stream);
    show("is", is);
    show("should be", should);
    fail();
}

static void check_splits(const struct rules *rules, struct slice actions, struct slice stream,
    const struct event_outcome *whole)
{
    static event_piece *const pieces[] = {event_whole, event_one_byte, event_some};
    for (int i = 0; i < SPLITS; i++) {
        struct event_outcome split;
        event_edit(rules, stream, pieces[i < 2 ? i : 2], i % 2, &split);
        check_equal(all_of(&split.bytes), all_of(&whole->bytes), actions, stream);
        check_equal(all_of(&split.told), all_of(&whole->told), actions, stream);
        event_outcome_deinit(&split);
    }
}

static void check_round(struct slice actions, struct slice stream, struct wanted *wanted)
{
    struct rules *rules = event_rules(actions);
    struct event_outcome whole;
    struct buf list;
    buf_init(&list, LISTED_MAX);
    event_edit(rules, stream, event_whole, true, &whole);
    check_splits(rules, actions, stream, &whole);
    list_injected(wanted);
    read_stream(stream, list_wanted, wanted);
    read_stream(all_of(&whole.bytes), list_event, &list);
    check_equal(all_of(&list), all_of(&wanted->list), actions, stream);
    if (whole.told.len == 0)
        check_equal(all_of(&whole.bytes), stream, actions, stream);
    event_outcome_deinit(&whole);
    buf_deinit(&list);
    rules_free(rules);
}

/* A client reads the events that the actions say, however the stream came in. */
static void test_events_are_as_wanted(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < ROUNDS; round++) {
        struct wanted wanted = {.count = 1 + (size_t)rand() % 3};
        struct buf actions, stream;
        buf_init(&wanted.list, LISTED_MAX);
        buf_init(&actions, LISTED_MAX);
        buf_init(&stream, LISTED_MAX);
        for (size_t i = 0; i < wanted.count; i++)
            random_action(&wanted.actions[i], &actions);
        random_stream(&stream);
        check_round(all_of(&actions), all_of(&stream), &wanted);
        buf_deinit(&wanted.list);
        buf_deinit(&actions);
        buf_deinit(&stream);
    }
}

static const char STREAM[] = "data: {\"a\":1}\n\n:c\ndata: 2\n\n:d\nid: 7\n\ndata";
static const char ACTIONS[] =
    "{\"edit_event\":{\"nth\":1,\"json_patch\":[{\"op\":\"replace\",\"path\":\"/"
    "a\",\"value\":2}]}},"
    "{\"stall\":{\"after_nth\":1,\"ms\":5}},"
    "{\"inject_event\":{\"after_nth\":1,\"data\":\"x\"}},{\"drop_event\":{\"nth\":2}}";

/* When the sink fails it hears no more, and no more can be fed. */
static void test_sink_fails(void **state)
{
    struct rules *rules = event_rules(slice_str(ACTIONS));
    int err = UV_EPIPE;
    (void)state;
    for (long calls = 0; err != 0; calls++) {
        struct event_outcome outcome;
        struct event_edits *edits = event_edits_of(rules);
        event_outcome_init(&outcome);
        const struct event_sink sink = event_outcome_sink(&outcome);
        outcome.calls = calls;
        err = event_feed(edits, slice_str(STREAM), event_one_byte, false, &outcome);
        if (err != 0) {
            assert_int_equal(err, UV_EPIPE);
            assert_int_equal(event_edits_feed(edits, slice_str(STREAM), true, &sink), UV_EPIPE);
        } else {
            assert_true(calls > 4);
            assert_true(slice_is(
                all_of(&outcome.bytes), "data: {\"a\":2}\n\n<5>data: x\n\n:c\n:d\nid: 7\n\ndata"));
        }
        event_edits_free(edits);
        event_outcome_deinit(&outcome);
    }
    rules_free(rules);
}

/* Wherever memory runs out: an end, or an event that passes as it came, and is told of. */
static void test_without_memory(void **state)
{
    struct rules *rules = event_rules(slice_str(ACTIONS));
    bool done = false;
    long count = 0, ends = 0, failures = 0;
    (void)state;
    for (; !done && count < 100; count++) {
        struct event_outcome outcome;
        int err = UV_ENOMEM;
        event_outcome_init(&outcome);
        const struct event_sink sink = event_outcome_sink(&outcome);
        scarce_memory(count);
        struct event_edits *edits = event_edits_of(rules);
        if (edits != NULL)
            err = event_edits_feed(edits, slice_str(STREAM), true, &sink);
        scarce_memory(-1);
        event_edits_free(edits);
        done = err == 0 && slice_is(all_of(&outcome.told), "0 2 3");
        if (err == 0 && !done) {
            failures++;
            assert_true(slice_is(all_of(&outcome.told), "0!no_memory 2 3"));
            assert_memory_equal(outcome.bytes.data, STREAM, 15);
        } else if (err != 0) {
            ends++;
            assert_int_equal(err, UV_ENOMEM);
            assert_int_equal(outcome.bytes.len, 0);
        }
        event_outcome_deinit(&outcome);
    }
    assert_true(done && ends > 3 && failures > 1);
    rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_as_wanted),
        cmocka_unit_test(test_sink_fails),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
