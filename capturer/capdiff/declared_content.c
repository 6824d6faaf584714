/* Changes of content, done again: values as texts, and bodies by their digests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/declared_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/json_diff.h"
#include "capturer/capdiff/json_edit.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/redaction.h"
#include "lib/sha256.h"

#define SHOWN_MAX ((size_t)200)
#define VALUE_MAX ((uint64_t)16 * 1024 * 1024)      /* bytes; no rule has a longer one */
#define WORK_MAX ((uint64_t)2 * 1024 * 1024 * 1024) /* bytes; more than any honest log asks for */

struct walk {
    struct declared *declared;
    bool response;
    const struct declared_message *before, *after;
    struct buf text; /* what came in, as the changes so far have left it */
    uint64_t work;   /* bytes that were read for that */
};

static struct slice text_of(const struct walk *walk)
{
    return slice_of(walk->text.data != NULL ? walk->text.data : "", walk->text.len);
}

bool declared_is_content(const struct log_change *change)
{
    return change->kind == LOG_CHANGE_JSON || change->kind == LOG_CHANGE_BODY;
}

/* --- bodies: their digests stand for all that was done to a message's content --- */

static bool is_digest(const struct declared_message *message, uint64_t bytes, struct slice sha256)
{
    char hex[SHA256_HEX_SIZE];

    return message->message->content_len == bytes &&
           slice_is(sha256, message_content_sha256(message->message, hex));
}

/* The first BYTES of it: what of a message had come when the rest was not wanted any more. */
static bool is_beginning(
    const struct declared_message *message, uint64_t bytes, struct slice sha256)
{
    char hex[SHA256_HEX_SIZE];
    struct sha256 *sha;

    if (!message->known || bytes > message->content.len)
        return false;
    sha = sha256_new();
    if (sha == NULL)
        memory_need(UV_ENOMEM);
    sha256_reset(sha);
    sha256_update(sha, message->content.data, (size_t)bytes);
    sha256_hex(sha, hex);
    sha256_free(sha);
    return slice_is(sha256, hex);
}

/* One that went through to its end came to its end, too. */
static bool follow_body(const struct walk *walk, const struct log_change *change)
{
    bool cut = change->action != NULL && strcmp(change->action, "truncate") == 0;

    cut = cut || walk->before->message->state != MESSAGE_WHOLE ||
          walk->after->message->state != MESSAGE_WHOLE;
    return is_digest(walk->after, change->numbers[1], change->after) &&
           (is_digest(walk->before, change->numbers[0], change->before) ||
               (cut && is_beginning(walk->before, change->numbers[0], change->before)));
}

static bool follow_bodies(struct walk *walk, bool *all)
{
    const struct log_record *record = walk->declared->record;
    bool any = false;

    *all = true;
    for (size_t i = 0; i < record->n_changes; i++) {
        struct declared_change *state = &walk->declared->changes[i];

        if (!declared_is_of(walk->declared, i, walk->response) ||
            record->changes[i].kind != LOG_CHANGE_BODY)
            continue;
        any = true;
        state->followed = true;
        state->failed = !follow_body(walk, &record->changes[i]);
        *all = *all && !state->failed;
    }
    return any;
}

/* --- values: done again, in their order --- */

/* Appends the value that TEXT has there, where it is as long; false: it has no such. */
static bool take_value(struct slice text, struct slice pointer, uint64_t len, struct buf *out)
{
    struct json_text *json = json_text_parse(text, NULL, NULL);
    int value = json != NULL ? json_text_at(json, pointer) : -1;
    struct slice raw = json_text_raw(json, value);
    bool fits = value >= 0 && raw.len == len;

    if (fits)
        memory_need(buf_append(out, raw.data, raw.len));
    json_text_free(json);
    return fits;
}

/* Of a value that the log hides its length is known: the wire has the rest. */
static bool reveal_before(const struct walk *walk, const struct log_change *change, struct buf *out)
{
    return take_value(text_of(walk), change->name, change->numbers[0], out);
}

/* One that another change has changed again is not there any more: any of its length will do. */
static void reveal_after(const struct walk *walk, const struct log_change *change, struct buf *out)
{
    uint64_t len = change->numbers[1];

    if ((walk->after->known && take_value(walk->after->content, change->name, len, out)) ||
        len > VALUE_MAX)
        return;
    for (uint64_t i = 0; i < len; i++)
        memory_need(buf_append_str(out, len == 1 ? "0" : i == 0 || i + 1 == len ? "\"" : "*"));
}

static bool follow_value(struct walk *walk, const struct log_change *change)
{
    struct slice before = change->before, after = change->after;
    struct buf out, was, is;
    bool done = true;

    walk->work += walk->text.len;
    if (walk->work > WORK_MAX)
        return false;
    buf_init(&out, SIZE_MAX);
    buf_init(&was, SIZE_MAX);
    buf_init(&is, SIZE_MAX);
    if (change->hidden[0]) {
        done = reveal_before(walk, change, &was);
        before = slice_of(was.data, was.len);
    }
    if (change->hidden[1]) {
        reveal_after(walk, change, &is);
        after = slice_of(is.data, is.len);
    }
    done = done && json_edit(text_of(walk), change->name, before, after, &out);
    if (done) {
        buf_deinit(&walk->text);
        walk->text = out;
    }
    buf_deinit(&was);
    buf_deinit(&is);
    return done;
}

/* True if all of them can be done; nothing is known where not all of a content can be had. */
static bool follow_values(struct walk *walk)
{
    const struct log_record *record = walk->declared->record;
    bool all = walk->before->known && walk->after->known;

    if (walk->before->known)
        memory_need(buf_append(&walk->text, walk->before->content.data, walk->before->content.len));
    for (size_t i = 0; i < record->n_changes; i++) {
        struct declared_change *state = &walk->declared->changes[i];

        if (!declared_is_of(walk->declared, i, walk->response) ||
            record->changes[i].kind != LOG_CHANGE_JSON)
            continue;
        state->followed = true;
        state->failed = !follow_value(walk, &record->changes[i]);
        all = all && !state->failed;
    }
    return all;
}

/* --- where what should have come out is not what did --- */

static void note_other(void *arg, const struct json_difference *difference)
{
    struct declared_side *side = arg;

    if (side->n_others == DECLARED_OTHERS_MAX || difference->cut || difference->shadowed) {
        side->others_known = false;
        return;
    }
    side->others[side->n_others++] = memory_text(difference->pointer.data, difference->pointer.len);
}

static void find_others(struct walk *walk)
{
    struct declared_side *side = &walk->declared->sides[walk->response];
    struct json_text *a = json_text_parse(text_of(walk), NULL, NULL);
    struct json_text *b = NULL;

    if (a != NULL && walk->after->known)
        b = json_text_parse(walk->after->content, NULL, NULL);
    side->others_known = b != NULL;
    if (b != NULL)
        json_diff(a, b, note_other, side);
    json_text_free(a);
    json_text_free(b);
}

static bool overlaps_others(const struct declared_side *side, struct slice name)
{
    for (size_t i = 0; i < side->n_others; i++) {
        if (declared_overlap(name, slice_str(side->others[i])))
            return true;
    }
    return !side->others_known;
}

/* All changes could be done; those are wrong whose values are not what they should have become. */
static void fail_values(struct walk *walk)
{
    const struct log_record *record = walk->declared->record;

    for (size_t i = 0; i < record->n_changes; i++) {
        if (declared_is_of(walk->declared, i, walk->response) &&
            record->changes[i].kind == LOG_CHANGE_JSON &&
            overlaps_others(&walk->declared->sides[walk->response], record->changes[i].name))
            walk->declared->changes[i].failed = true;
    }
}

static char *show_value(const struct json_text *json, struct slice pointer)
{
    int value = json != NULL ? json_text_at(json, pointer) : -1;

    if (value >= 0 && redaction_hides_value(pointer))
        return redaction_words(json_text_raw(json, value));
    return value >= 0 ? excerpt_text(json_text_raw(json, value), SHOWN_MAX) : NULL;
}

static char *show_digest(const struct declared_message *message)
{
    char text[SHA256_HEX_SIZE + 64], hex[SHA256_HEX_SIZE];

    snprintf(text, sizeof(text), "%llu bytes, SHA-256 %s",
        (unsigned long long)message->message->content_len,
        message_content_sha256(message->message, hex));
    return memory_copy(text);
}

/* What the wire has of what was changed. */
static void show_contents(struct walk *walk)
{
    const struct log_record *record = walk->declared->record;
    struct json_text *a =
        walk->before->known ? json_text_parse(walk->before->content, NULL, NULL) : NULL;
    struct json_text *b =
        walk->after->known ? json_text_parse(walk->after->content, NULL, NULL) : NULL;

    for (size_t i = 0; i < record->n_changes; i++) {
        const struct log_change *change = &record->changes[i];

        struct declared_change *state = &walk->declared->changes[i];
        bool of_body = change->kind == LOG_CHANGE_BODY;

        if (!declared_is_of(walk->declared, i, walk->response) || !declared_is_content(change))
            continue;
        state->before = of_body ? show_digest(walk->before) : show_value(a, change->name);
        state->after = of_body ? show_digest(walk->after) : show_value(b, change->name);
    }
    json_text_free(a);
    json_text_free(b);
}

static bool is_declared(const struct declared *declared, bool response)
{
    for (size_t i = 0; i < declared->record->n_changes; i++) {
        if (declared_is_of(declared, i, response) &&
            declared_is_content(&declared->record->changes[i]))
            return true;
    }
    return false;
}

static bool values_hold(struct walk *walk)
{
    bool all = follow_values(walk);

    if (all && slice_equal(text_of(walk), walk->after->content))
        return true;
    find_others(walk);
    if (all)
        fail_values(walk);
    return false;
}

void declared_follow_content(struct declared *declared, bool response,
    const struct declared_message *before, const struct declared_message *after)
{
    struct walk walk = {declared, response, before, after, {NULL, 0, 0, SIZE_MAX}, 0};
    struct declared_side *side = &declared->sides[response];
    bool all;

    if (!is_declared(declared, response))
        return;
    side->has_content = true;
    side->content_holds = follow_bodies(&walk, &all) ? all : values_hold(&walk);
    if (!side->content_holds)
        show_contents(&walk);
    buf_deinit(&walk.text);
}
