#include "capturer/capdiff/declared.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/declared_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_again.h"

#define SHOWN_MAX ((size_t)200)
#define TEXT_MAX (16 * SHOWN_MAX)

void declared_init(struct declared *declared, const struct log_record *record)
{
    memset(declared, 0, sizeof(*declared));
    declared->record = record;
    if (record != NULL)
        declared->changes = memory_new(record->n_changes, sizeof(*declared->changes));
}

void declared_deinit(struct declared *declared)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        free(declared->changes[i].before);
        free(declared->changes[i].after);
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < declared->sides[side].n_others; i++)
            free(declared->sides[side].others[i]);
    }
    free(declared->changes);
}

bool declared_is_of(const struct declared *declared, size_t i, bool response)
{
    return declared->record->changes[i].response == response;
}

static bool is_beneath(struct slice pointer, struct slice top)
{
    return pointer.len >= top.len && memcmp(pointer.data, top.data, top.len) == 0 &&
           (pointer.len == top.len || pointer.data[top.len] == '/');
}

bool declared_overlap(struct slice a, struct slice b)
{
    return is_beneath(a, b) || is_beneath(b, a);
}

static void message_open(
    struct declared_message *opened, const struct message *message, bool response)
{
    opened->message = message;
    message_view_open(&opened->view, message, response);
    buf_init(&opened->again, MESSAGE_AGAIN_MAX);
    opened->known = opened->view.missing == 0;
    opened->content = opened->view.content;
    if (!opened->known && message_again_content(message, response, &opened->again)) {
        opened->known = true;
        opened->content = slice_of(opened->again.data, opened->again.len);
    }
}

static void message_close(struct declared_message *opened)
{
    message_view_close(&opened->view);
    buf_deinit(&opened->again);
}

/* Framings are declared one after the other, from how it came to how it went. */
static void follow_framing(struct declared *declared, bool response,
    const struct declared_message *before, const struct declared_message *after)
{
    struct declared_side *side = &declared->sides[response];
    enum message_framing was = message_view_framing(&before->view, response);
    enum message_framing is = message_view_framing(&after->view, response), now = was;
    struct declared_change *last = NULL;

    side->framing_holds = true;
    for (size_t i = 0; i < declared->record->n_changes; i++) {
        const struct log_change *change = &declared->record->changes[i];
        struct declared_change *state = &declared->changes[i];

        if (!declared_is_of(declared, i, response) || change->kind != LOG_CHANGE_FRAMING)
            continue;
        last = state;
        state->followed = true;
        state->failed = change->numbers[0] != (uint64_t)now;
        state->before = memory_copy(message_framing_text(was));
        state->after = memory_copy(message_framing_text(is));
        side->has_framing = true;
        side->framing_holds = side->framing_holds && !state->failed;
        side->unchunked = side->unchunked || (change->numbers[0] == MESSAGE_CHUNKED &&
                                                 change->numbers[1] != MESSAGE_CHUNKED);
        now = (enum message_framing)change->numbers[1];
    }
    if (last != NULL && side->framing_holds &&
        (now != is || message_equal(before->message, after->message))) {
        last->failed = true;
        side->framing_holds = false;
    }
}

static bool has_changes(const struct declared *declared, bool response)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        if (declared_is_of(declared, i, response))
            return true;
    }
    return false;
}

void declared_follow(struct declared *declared, bool response, const struct message *before,
    const struct message *after)
{
    struct declared_message was, is;

    if (!has_changes(declared, response) || before->head_len == 0 || after->head_len == 0)
        return;
    message_open(&was, before, response);
    message_open(&is, after, response);
    declared_follow_fields(declared, response, &was, &is);
    if (!response)
        declared_follow_target(declared, &was, &is);
    if ((before->state == MESSAGE_WHOLE && after->state == MESSAGE_WHOLE) ||
        (!before->gap && !after->gap &&
            log_record_change(declared->record, LOG_CHANGE_BODY, response) != NULL))
        declared_follow_content(declared, response, &was, &is);
    follow_framing(declared, response, &was, &is);
    message_close(&was);
    message_close(&is);
}

void declared_continue(struct declared *declared, const struct message *request)
{
    struct message_view view;

    if (!has_changes(declared, false))
        return;
    message_view_open(&view, request, false);
    declared->sides[1].continued = message_view_field(&view, "Expect").data != NULL;
    message_view_close(&view);
}

void declared_leave_content(struct declared *declared, bool response)
{
    for (size_t i = 0; i < declared->record->n_changes; i++) {
        if (declared_is_of(declared, i, response) &&
            declared_is_content(&declared->record->changes[i]))
            declared->changes[i].followed = false;
    }
    declared->sides[response].has_content = false;
}

void declared_replace(struct declared *declared, bool response)
{
    declared->sides[response].replaced = true;
}

/* All that is declared of the field comes to what went out; MOVED: and that it was put in anew. */
static bool covers_field(
    const struct declared *declared, bool response, struct slice name, bool moved)
{
    bool declares = false;

    for (size_t i = 0; i < declared->record->n_changes; i++) {
        const struct log_change *change = &declared->record->changes[i];

        if (!declared_is_of(declared, i, response) || change->kind != LOG_CHANGE_FIELD ||
            change->name.len != name.len ||
            strncasecmp(change->name.data, name.data, name.len) != 0)
            continue;
        if (!declared->changes[i].followed || declared->changes[i].failed)
            return false;
        declares = declares || !moved || change->before.data == NULL;
    }
    return declares;
}

/* The value is declared as changed, and is what it should have become. */
static bool covers_value(const struct declared *declared, bool response, struct slice pointer)
{
    const struct declared_side *side = &declared->sides[response];
    bool declares = false;

    for (size_t i = 0; i < declared->record->n_changes && !declares; i++) {
        const struct log_change *change = &declared->record->changes[i];

        declares = declared_is_of(declared, i, response) && change->kind == LOG_CHANGE_JSON &&
                   declared->changes[i].followed && !declared->changes[i].failed &&
                   declared_overlap(pointer, change->name);
    }
    for (size_t i = 0; i < side->n_others; i++)
        declares = declares && !declared_overlap(pointer, slice_str(side->others[i]));
    return declares && side->others_known;
}

static bool covers_content(
    struct declared *declared, enum place_kind kind, bool response, struct slice name)
{
    struct declared_side *side = &declared->sides[response];
    bool covers =
        side->has_content && (side->content_holds || (kind == PLACE_JSON && name.data != NULL &&
                                                         covers_value(declared, response, name)));

    side->real += !covers;
    return covers;
}

bool declared_covers(struct declared *declared, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    const struct declared_side *side = &declared->sides[response];

    if (declared->record == NULL || side->replaced)
        return side->replaced;
    switch (kind) {
    case PLACE_START_LINE:
        if (!response && declared_covers_target(declared, before, after))
            return true;
        return side->continued && before.data == NULL &&
               (slice_is(after, "HTTP/1.1 100 Continue") || slice_is(after, ""));
    case PLACE_FIELD:
    case PLACE_FIELD_ORDER:
        if (name.data == NULL)
            return side->continued && slice_is(after, ""); /* the end of that head */
        return covers_field(declared, response, name, kind == PLACE_FIELD_ORDER);
    case PLACE_TRAILER:
        return side->has_framing && side->framing_holds && side->unchunked && after.data == NULL;
    case PLACE_FRAMING:
        return side->has_framing && side->framing_holds;
    case PLACE_BODY:
    case PLACE_JSON:
    case PLACE_BEYOND:
        return covers_content(declared, kind, response, name);
    default:
        return false;
    }
}

/* --- what is declared, and is not there --- */

static char *take_text(struct buf *text)
{
    memory_need(buf_append_char(text, '\0'));
    return text->data;
}

static char *shown_change(const char *who, const char *before, const char *after)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    memory_need(buf_printf(&text, "%s %s -> %s", who, before != NULL ? before : "(absent)",
        after != NULL ? after : "(absent)"));
    return take_text(&text);
}

static void append_name(struct buf *text, const struct log_change *change)
{
    char *name = excerpt_text(change->name, SHOWN_MAX);

    if (change->kind == LOG_CHANGE_JSON)
        memory_need(buf_printf(text, "body: %s", name[0] != '\0' ? name : "all of it"));
    else if (change->kind == LOG_CHANGE_FIELD)
        memory_need(buf_printf(text, "field %s", name));
    else if (change->kind == LOG_CHANGE_TARGET)
        memory_need(buf_append_str(text, "target"));
    else
        memory_need(buf_append_str(text, change->kind == LOG_CHANGE_FRAMING ? "framing" : "body"));
    free(name);
}

static char *shown_old_or_new(const struct log_change *change, int after)
{
    struct buf text;

    if (change->kind == LOG_CHANGE_JSON || change->kind == LOG_CHANGE_FIELD ||
        change->kind == LOG_CHANGE_TARGET)
        return log_change_shown(change, after, SHOWN_MAX);
    buf_init(&text, TEXT_MAX);
    if (change->kind == LOG_CHANGE_FRAMING)
        memory_need(buf_append_str(
            &text, message_framing_text((enum message_framing)change->numbers[after])));
    else
        memory_need(
            buf_printf(&text, "%llu bytes, SHA-256 %s", (unsigned long long)change->numbers[after],
                after ? change->after.data : change->before.data));
    return take_text(&text);
}

static void say_change(const struct declared *declared, size_t i, struct findings *findings,
    const struct crossing *crossing)
{
    const struct log_change *change = &declared->record->changes[i];
    const struct declared_change *state = &declared->changes[i];
    char *before = shown_old_or_new(change, 0), *after = shown_old_or_new(change, 1);
    struct place place = {.before = shown_change("log: ", before, after),
        .after = shown_change("wire:", state->before, state->after)};
    struct buf text;

    buf_init(&text, TEXT_MAX);
    memory_need(buf_append_str(&text, change->response ? "response " : "request "));
    append_name(&text, change);
    memory_need(buf_append_str(&text, ", declared as changed, and the wire does not bear it out"));
    place.text = take_text(&text);
    findings_add(findings, FINDING_LOG_CHANGE, HOP_LOG, crossing, &place);
    free(before);
    free(after);
}

/* Not all that is declared of the content is there, and that was not said by any other finding. */
static bool is_unsaid(const struct declared *declared, bool response)
{
    const struct declared_side *side = &declared->sides[response];

    if (!side->has_content || side->content_holds || side->replaced || side->real > 0)
        return false;
    for (size_t i = 0; i < declared->record->n_changes; i++) {
        if (declared_is_of(declared, i, response) && declared->changes[i].failed &&
            declared_is_content(&declared->record->changes[i]))
            return false;
    }
    return true;
}

void declared_say_rest(
    const struct declared *declared, struct findings *findings, const struct crossing *crossing)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        const struct declared_change *state = &declared->changes[i];

        if (state->followed && state->failed &&
            !declared->sides[declared->record->changes[i].response].replaced)
            say_change(declared, i, findings, crossing);
    }
    for (int response = 0; declared->record != NULL && response < 2; response++) {
        if (is_unsaid(declared, response != 0))
            findings_say(findings, FINDING_LOG_CHANGE, HOP_LOG, crossing,
                response ? "response body, which is not what the declared changes come to"
                         : "request body, which is not what the declared changes come to");
    }
}
