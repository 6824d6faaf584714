#include "mitm_proxy/event_edits.h"

#include <stdlib.h>
#include <uv.h>

#include "mitm_proxy/event_stream.h"
#include "mitm_proxy/event_text.h"

#define TOO_LARGE "event_too_large"

static const char MARK[] = {'\xef', '\xbb', '\xbf'}; /* the byte order mark in UTF-8 */

struct event_edit {
    const struct rule_action *action;
    uint64_t seen; /* events of its type */
};

struct event_edits {
    struct event_stream stream;
    bool begun;   /* behind the byte order mark */
    size_t marks; /* bytes of it that have come */
    uint64_t events;
    bool in_block;
    bool wanted;     /* the block may be an event that has to be changed */
    bool too_large;  /* it was, but does not fit */
    struct buf held; /* the block so far, where it is wanted */
    struct buf made; /* what an action makes of it */
    struct buf data, spliced;
    const struct event_sink *sink; /* while being fed */
    struct slice passed;           /* not yet told to the sink */
    int status;
    size_t count;
    struct event_edit list[];
};

struct event_edits *event_edits_new(const struct rule_action *const *actions, size_t count)
{
    struct event_edits *edits = calloc(1, sizeof *edits + count * sizeof edits->list[0]);
    if (edits == NULL)
        return NULL;
    buf_init(&edits->held, EVENT_MAX);
    buf_init(&edits->made, EVENT_MAX);
    buf_init(&edits->data, EVENT_MAX);
    buf_init(&edits->spliced, EVENT_MAX);
    edits->count = count;
    for (size_t i = 0; i < count; i++)
        edits->list[i].action = actions[i];
    return edits;
}

void event_edits_free(struct event_edits *edits)
{
    if (edits == NULL)
        return;
    buf_deinit(&edits->held);
    buf_deinit(&edits->made);
    buf_deinit(&edits->data);
    buf_deinit(&edits->spliced);
    free(edits);
}

/* What was passed goes to the sink. */
static void flush(struct event_edits *edits)
{
    struct slice passed = edits->passed;
    edits->passed = slice_of(NULL, 0);
    if (passed.len > 0 && edits->status == 0)
        edits->status = edits->sink->on_bytes(edits->sink->arg, passed);
}

/* Runs that lie side by side are told as one. */
static void pass(struct event_edits *edits, struct slice bytes)
{
    if (edits->passed.len > 0 && edits->passed.data + edits->passed.len != bytes.data)
        flush(edits);
    if (edits->passed.len == 0)
        edits->passed.data = bytes.data;
    edits->passed.len += bytes.len;
}

/* The bytes of BUF, which is empty afterwards. */
static void pass_buf(struct event_edits *edits, struct buf *buf)
{
    flush(edits);
    pass(edits, slice_of(buf->data, buf->len));
    flush(edits);
    buf_clear(buf);
}

static void tell_done(const struct event_edits *edits, size_t index)
{
    edits->sink->on_done(edits->sink->arg, index);
}

static void tell_failed(
    const struct event_edits *edits, size_t index, const char *word, const char *reason)
{
    edits->sink->on_failed(edits->sink->arg, index, word, reason);
}

/* What making an event came to. True when it was made. */
static bool is_made(struct event_edits *edits, size_t index, int err)
{
    if (err == 0)
        return true;
    buf_clear(&edits->made);
    if (err == UV_ENOBUFS)
        tell_failed(edits, index, TOO_LARGE, "the event would be larger than it may be");
    else
        edits->status = err;
    return false;
}

static bool changes_events(const struct rule_action *action)
{
    return action->kind == ACTION_EDIT_EVENT || action->kind == ACTION_DROP_EVENT;
}

static const struct rule_events *events_of(const struct rule_action *action)
{
    return action->kind == ACTION_EDIT_EVENT ? &action->edit_event.events
                                             : &action->drop_event.events;
}

/* True when the event that comes may be one that an action is for. */
static bool is_wanted(const struct event_edits *edits)
{
    for (size_t i = 0; i < edits->count; i++) {
        const struct event_edit *edit = &edits->list[i];
        if (!changes_events(edit->action))
            continue;
        uint64_t nth = events_of(edit->action)->nth;
        if (nth == 0 || nth == edit->seen + 1)
            return true;
    }
    return false;
}

/* Counts the event that is over and says whether the action is for it. */
static bool is_for(struct event_edit *edit, struct slice type)
{
    const struct rule_events *events = events_of(edit->action);
    if (events->type.given && !rule_glob(events->type.text, type))
        return false;
    edit->seen++;
    return events->nth == 0 || events->nth == edit->seen;
}

/* The data that the event is to have; absent where it cannot be. */
static struct slice new_data(struct event_edits *edits, size_t index, struct slice old)
{
    const struct rule_action *action = edits->list[index].action;
    const struct rule_patch *patch = &action->edit_event.json_patch;
    struct json_splice_problem problem;
    struct content document = content_of(old);
    if (action->edit_event.data.given)
        return action->edit_event.data.text;
    buf_clear(&edits->spliced);
    bool good = json_splice(&document, patch->ops, patch->count, &edits->spliced, NULL, &problem);
    content_deinit(&document);
    if (good)
        return slice_of(edits->spliced.data, edits->spliced.len);
    tell_failed(edits, index, problem.word, problem.reason);
    return slice_of(NULL, 0);
}

static void edit(struct event_edits *edits, size_t index)
{
    struct slice event = slice_of(edits->held.data, edits->held.len);
    buf_clear(&edits->data);
    buf_clear(&edits->made);
    edits->status = event_text_data(event, &edits->data);
    if (edits->status != 0)
        return;
    struct slice old = slice_of(edits->data.data, edits->data.len);
    struct slice data = new_data(edits, index, old);
    if (data.data == NULL || slice_equal(data, old) ||
        !is_made(edits, index, event_text_replace(event, data, &edits->made)))
        return;
    struct buf made = edits->made;
    edits->made = edits->held;
    edits->held = made;
    tell_done(edits, index);
}

/* The event that is over is changed, where it is held. */
static void change(struct event_edits *edits)
{
    struct slice type = event_stream_type(&edits->stream);
    bool dropped = false;
    for (size_t i = 0; i < edits->count && edits->status == 0; i++) {
        struct event_edit *one = &edits->list[i];
        if (!changes_events(one->action) || !is_for(one, type) || dropped)
            continue;
        if (edits->too_large) {
            tell_failed(edits, i, TOO_LARGE, "the event is larger than it may be to be changed");
        } else if (one->action->kind == ACTION_DROP_EVENT) {
            dropped = true;
            buf_clear(&edits->held);
            tell_done(edits, i);
        } else {
            edit(edits, i);
        }
    }
}

static void inject(struct event_edits *edits, size_t index)
{
    const struct rule_action *action = edits->list[index].action;
    const char *line_break = edits->stream.line_break;
    buf_clear(&edits->made);
    if (!is_made(edits, index,
            event_text_make(action->inject_event.type.text, action->inject_event.id.text,
                action->inject_event.data.text, line_break != NULL ? line_break : "\n",
                &edits->made)))
        return;
    pass_buf(edits, &edits->made);
    tell_done(edits, index);
}

/* What is to come behind the events so far. */
static void follow(struct event_edits *edits)
{
    for (size_t i = 0; i < edits->count && edits->status == 0; i++) {
        const struct rule_action *action = edits->list[i].action;
        if (action->kind == ACTION_INJECT_EVENT &&
            action->inject_event.after_nth == edits->events) {
            inject(edits, i);
        } else if (action->kind == ACTION_STALL && action->stall.after_nth == edits->events) {
            flush(edits);
            if (edits->status == 0)
                edits->status = edits->sink->on_stall(edits->sink->arg, action->stall.ms, i);
        }
    }
}

static void end_block(struct event_edits *edits, bool is_event)
{
    if (is_event)
        change(edits);
    if (edits->held.len > 0)
        pass_buf(edits, &edits->held);
    edits->in_block = false;
    if (is_event) {
        edits->events++;
        follow(edits);
    }
}

/* Holds bytes of a block, or passes what is held and them, as there is no room. */
static void hold(struct event_edits *edits, struct slice bytes)
{
    int err = buf_append(&edits->held, bytes.data, bytes.len);
    if (err == UV_ENOBUFS) {
        edits->too_large = true;
        pass_buf(edits, &edits->held);
        pass(edits, bytes);
    } else if (err != 0) {
        edits->status = err;
    }
}

static void take(struct event_edits *edits, struct slice bytes)
{
    while (bytes.len > 0 && edits->status == 0) {
        struct event_run run = event_stream_next(&edits->stream, bytes);
        struct slice text = slice_of(bytes.data, run.len);
        if (!edits->in_block && !run.aside) {
            edits->in_block = true;
            edits->wanted = is_wanted(edits);
            edits->too_large = false;
        }
        if (edits->in_block && edits->wanted && !edits->too_large)
            hold(edits, text);
        else
            pass(edits, text);
        bytes = slice_of(bytes.data + run.len, bytes.len - run.len);
        if (run.end != EVENT_GOES_ON && edits->status == 0)
            end_block(edits, run.end == EVENT_IS_OVER);
    }
}

/* Takes what may be a byte order mark, and begins behind it; or with it, if it is none. */
static void take_mark(struct event_edits *edits, struct slice *content, bool last)
{
    while (
        edits->marks < sizeof MARK && content->len > 0 && content->data[0] == MARK[edits->marks]) {
        edits->marks++;
        *content = slice_of(content->data + 1, content->len - 1);
    }
    bool whole = edits->marks == sizeof MARK;
    if (!whole && content->len == 0 && !last)
        return;
    edits->begun = true;
    if (whole)
        pass(edits, slice_of(MARK, edits->marks));
    follow(edits);
    if (!whole)
        take(edits, slice_of(MARK, edits->marks));
}

static void take_end(struct event_edits *edits)
{
    enum event_end end = event_stream_end(&edits->stream);
    if (end != EVENT_GOES_ON)
        end_block(edits, end == EVENT_IS_OVER);
    if (edits->held.len > 0)
        pass_buf(edits, &edits->held);
}

int event_edits_feed(
    struct event_edits *edits, struct slice content, bool last, const struct event_sink *sink)
{
    edits->sink = sink;
    if (!edits->begun)
        take_mark(edits, &content, last);
    if (edits->status == 0)
        take(edits, content);
    if (last && edits->status == 0)
        take_end(edits);
    flush(edits);
    edits->sink = NULL;
    return edits->status;
}
