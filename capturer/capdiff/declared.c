#include "capturer/capdiff/declared.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_view.h"
#include "lib/json_text.h"

#define SHOWN_MAX ((size_t)200)

struct declared_change {
    bool looked_up;       /* both messages are whole, and were read */
    bool shown;           /* the wire bears it out */
    bool used;            /* for a difference of its own name and texts */
    char *before, *after; /* what the wire has there, escaped; NULL: nothing */
};

void declared_init(struct declared *declared, const struct log_record *record)
{
    declared->record = record;
    declared->changes =
        record != NULL ? memory_new(record->n_changes, sizeof(*declared->changes)) : NULL;
}

void declared_deinit(struct declared *declared)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        free(declared->changes[i].before);
        free(declared->changes[i].after);
    }
    free(declared->changes);
}

/* The log may write a JSON string with its quotes or without. */
static bool is_text(struct slice value, const char *text)
{
    if (value.data == NULL || text == NULL)
        return value.data == NULL && text == NULL;
    if (slice_is(value, text))
        return true;
    return value.len >= 2 && value.data[0] == '"' &&
           slice_is(slice_of(value.data + 1, value.len - 2), text);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What a change speaks of, in one of the messages; absent: it is not there. */
static struct slice value_in(
    const struct log_change *change, const struct message_view *view, const struct json_text *json)
{
    if (change->pointer == NULL)
        return message_view_field(view, change->field);
    return json != NULL ? json_text_raw(json, json_text_find(json, change->pointer))
                        : slice_of(NULL, 0);
}

static void look_up(struct declared_change *state, const struct log_change *change,
    struct slice before, struct slice after)
{
    state->looked_up = true;
    state->shown = is_text(before, change->before) && is_text(after, change->after);
    state->before = excerpt_text(before, SHOWN_MAX);
    state->after = excerpt_text(after, SHOWN_MAX);
}

static bool has_changes(const struct declared *declared, bool response, bool of_json)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        const struct log_change *change = &declared->record->changes[i];

        if (change->response == response && (change->pointer != NULL || !of_json))
            return true;
    }
    return false;
}

void declared_look_up(struct declared *declared, bool response, const struct message *before,
    const struct message *after)
{
    const struct log_record *record = declared->record;
    struct message_view x, y;
    struct json_text *a = NULL, *b = NULL;

    if (!has_changes(declared, response, false))
        return;
    message_view_open(&x, before, response);
    message_view_open(&y, after, response);
    if (has_changes(declared, response, true)) {
        a = json_text_parse(x.content, NULL, NULL);
        b = json_text_parse(y.content, NULL, NULL);
    }
    for (size_t i = 0; i < record->n_changes && x.missing == 0 && y.missing == 0; i++) {
        const struct log_change *change = &record->changes[i];

        if (change->response == response && (change->pointer != NULL || change->field != NULL))
            look_up(
                &declared->changes[i], change, value_in(change, &x, a), value_in(change, &y, b));
    }
    json_text_free(a);
    json_text_free(b);
    message_view_close(&x);
    message_view_close(&y);
}

/* A difference of the very name and texts. */
static bool is_exactly(const struct log_change *change, enum place_kind kind, struct slice name,
    struct slice before, struct slice after)
{
    if (name.data == NULL)
        return false;
    if (kind == PLACE_JSON
            ? change->pointer == NULL || !slice_is(name, change->pointer)
            : kind != PLACE_FIELD || change->field == NULL || !slice_is_nocase(name, change->field))
        return false;
    return is_text(before, change->before) && is_text(after, change->after);
}

static bool is_beneath(struct slice pointer, const char *top)
{
    size_t len = strlen(top);

    return pointer.data != NULL && pointer.len > len && memcmp(pointer.data, top, len) == 0 &&
           pointer.data[len] == '/';
}

bool declared_covers(struct declared *declared, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        const struct log_change *change = &declared->record->changes[i];
        struct declared_change *state = &declared->changes[i];

        if (change->response != response)
            continue;
        if (!state->used && is_exactly(change, kind, name, before, after)) {
            state->used = true;
            return true;
        }
        if (kind == PLACE_JSON && state->shown && change->pointer != NULL &&
            is_beneath(name, change->pointer))
            return true;
    }
    return false;
}

static char *shown_change(const char *who, const char *before, const char *after)
{
    struct buf text;

    buf_init(&text, 16 * SHOWN_MAX);
    memory_need(buf_printf(&text, "%s %s -> %s", who, before != NULL ? before : "(absent)",
        after != NULL ? after : "(absent)"));
    memory_need(buf_append_char(&text, '\0'));
    return text.data;
}

static char *shown_name(const struct log_change *change)
{
    const char *name = change->pointer != NULL ? change->pointer : change->field;
    char *escaped = excerpt_text(slice_str(name), SHOWN_MAX);
    struct buf text;

    buf_init(&text, 16 * SHOWN_MAX);
    memory_need(buf_printf(&text, "%s %s%s, declared as changed, and the wire does not bear it out",
        change->response ? "response" : "request", change->pointer != NULL ? "body: " : "field ",
        escaped[0] != '\0' ? escaped : "all of it"));
    memory_need(buf_append_char(&text, '\0'));
    free(escaped);
    return text.data;
}

void declared_say_rest(
    const struct declared *declared, struct findings *findings, const struct crossing *crossing)
{
    for (size_t i = 0; declared->record != NULL && i < declared->record->n_changes; i++) {
        const struct log_change *change = &declared->record->changes[i];
        const struct declared_change *state = &declared->changes[i];
        char *before, *after;
        struct place place = {0};

        if (!state->looked_up || state->used || state->shown ||
            same_text(change->before, change->after))
            continue;
        before = change->before != NULL ? excerpt_text(slice_str(change->before), SHOWN_MAX) : NULL;
        after = change->after != NULL ? excerpt_text(slice_str(change->after), SHOWN_MAX) : NULL;
        place.text = shown_name(change);
        place.before = shown_change("log: ", before, after);
        place.after = shown_change("wire:", state->before, state->after);
        findings_add(findings, FINDING_LOG_CHANGE, HOP_LOG, crossing, &place);
        free(before);
        free(after);
    }
}
