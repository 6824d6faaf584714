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
#include "lib/sha256.h"

#define SHOWN_MAX ((size_t)200)

/* The content as the changes so far have left it. */
struct content {
    bool known; /* as a text; else by its digest, as far as it is */
    struct buf text;
    bool measured;
    uint64_t bytes;
    char sha256[SHA256_HEX_SIZE];
};

struct walk {
    struct declared *declared;
    bool response;
    const struct declared_message *before, *after;
    struct content content;
};

static void hash(struct slice text, char out[SHA256_HEX_SIZE])
{
    struct sha256 *sha = sha256_new();

    if (sha == NULL)
        memory_need(UV_ENOMEM);
    sha256_reset(sha);
    sha256_update(sha, text.data, text.len);
    sha256_hex(sha, out);
    sha256_free(sha);
}

static struct slice text_of(const struct content *content)
{
    return slice_of(content->text.data != NULL ? content->text.data : "", content->text.len);
}

static void set_text(struct content *content, struct slice text)
{
    struct buf copy;

    buf_init(&copy, SIZE_MAX);
    memory_need(buf_append(&copy, text.data, text.len));
    buf_deinit(&content->text);
    content->text = copy;
    content->known = true;
    content->measured = false;
}

/* By its digest alone. */
static void set_digest(struct content *content, uint64_t bytes, const char *sha256)
{
    content->known = false;
    content->measured = true;
    content->bytes = bytes;
    memcpy(content->sha256, sha256, SHA256_HEX_SIZE);
}

static void set_message(struct content *content, const struct declared_message *message)
{
    char hex[SHA256_HEX_SIZE];

    if (message->known)
        set_text(content, message->content);
    else
        set_digest(
            content, message->message->content_len, message_content_sha256(message->message, hex));
}

static void measure(struct content *content)
{
    if (content->measured || !content->known)
        return;
    content->bytes = content->text.len;
    hash(text_of(content), content->sha256);
    content->measured = true;
}

static bool is_digest(struct content *content, uint64_t bytes, struct slice sha256)
{
    measure(content);
    return content->measured && content->bytes == bytes && slice_is(sha256, content->sha256);
}

/* The first BYTES of it: what of a message had come when the rest was not wanted any more. */
static bool is_beginning(const struct content *content, uint64_t bytes, struct slice sha256)
{
    char hex[SHA256_HEX_SIZE];

    if (!content->known || bytes > content->text.len)
        return false;
    hash(slice_of(text_of(content).data, (size_t)bytes), hex);
    return slice_is(sha256, hex);
}

static bool is_truncation(const struct log_change *change)
{
    return change->action != NULL && strcmp(change->action, "truncate") == 0;
}

/* What it was before is not known where values were changed in what is known by its digest only. */
static bool change_body(struct walk *walk, const struct log_change *change)
{
    struct content *content = &walk->content, last = {.known = false};
    bool came =
        (!content->known && !content->measured) ||
        is_digest(content, change->numbers[0], change->before) ||
        (is_truncation(change) && is_beginning(content, change->numbers[0], change->before));

    set_message(&last, walk->after);
    if (is_digest(&last, change->numbers[1], change->after))
        set_message(content, walk->after);
    else
        set_digest(content, change->numbers[1], change->after.data);
    buf_deinit(&last.text);
    return came;
}

static bool change_value(struct walk *walk, const struct log_change *change)
{
    struct content *content = &walk->content;
    struct buf out;
    bool done;

    if (!content->known) {
        content->measured = false;
        return true;
    }
    buf_init(&out, SIZE_MAX);
    done = json_edit(text_of(content), change->name, change->before, change->after, &out);
    if (done) {
        buf_deinit(&content->text);
        content->text = out;
        content->measured = false;
    }
    return done;
}

bool declared_is_content(const struct log_change *change)
{
    return change->kind == LOG_CHANGE_JSON || change->kind == LOG_CHANGE_BODY;
}

static bool follow(struct walk *walk)
{
    const struct log_record *record = walk->declared->record;
    bool all = true;

    for (size_t i = 0; i < record->n_changes; i++) {
        const struct log_change *change = &record->changes[i];
        struct declared_change *state = &walk->declared->changes[i];

        if (!declared_is_of(walk->declared, i, walk->response) || !declared_is_content(change))
            continue;
        state->followed = true;
        state->failed = change->kind == LOG_CHANGE_JSON ? !change_value(walk, change)
                                                        : !change_body(walk, change);
        all = all && !state->failed;
    }
    return all;
}

/*
 * Values that were changed in a body of which only the digest is declared: undone in what went out,
 * they come to that.
 */
static bool follow_back(struct walk *walk)
{
    const struct log_record *record = walk->declared->record;
    struct content *content = &walk->content;

    set_message(content, walk->after);
    for (size_t i = record->n_changes; content->known && i-- > 0;) {
        const struct log_change *change = &record->changes[i];
        struct log_change undone = *change;

        if (!declared_is_of(walk->declared, i, walk->response) || !declared_is_content(change))
            continue;
        if (change->kind == LOG_CHANGE_BODY)
            return is_digest(content, change->numbers[1], change->after);
        undone.before = change->after;
        undone.after = change->before;
        if (!change_value(walk, &undone))
            return false;
    }
    return false;
}

static bool is_what_went_out(struct walk *walk)
{
    struct content *content = &walk->content;
    char hex[SHA256_HEX_SIZE];

    if (content->known && walk->after->known)
        return slice_equal(text_of(content), walk->after->content);
    if (!content->known && !content->measured)
        return follow_back(walk);
    return is_digest(content, walk->after->message->content_len,
        slice_str(message_content_sha256(walk->after->message, hex)));
}

static void note_other(void *arg, const struct json_difference *difference)
{
    struct declared_side *side = arg;

    if (side->n_others == DECLARED_OTHERS_MAX || difference->cut || difference->shadowed) {
        side->others_known = false;
        return;
    }
    side->others[side->n_others++] = memory_text(difference->pointer.data, difference->pointer.len);
}

/* Where what should have come out is not what did. */
static void find_others(struct walk *walk)
{
    struct declared_side *side = &walk->declared->sides[walk->response];
    struct json_text *a = NULL, *b = NULL;

    if (!walk->content.known || !walk->after->known)
        return;
    a = json_text_parse(text_of(&walk->content), NULL, NULL);
    b = a != NULL ? json_text_parse(walk->after->content, NULL, NULL) : NULL;
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

/* Values that are not what they should have become. */
static void fail_values(struct walk *walk)
{
    const struct log_record *record = walk->declared->record;

    for (size_t i = 0; i < record->n_changes; i++) {
        const struct log_change *change = &record->changes[i];

        if (declared_is_of(walk->declared, i, walk->response) && declared_is_content(change) &&
            (change->kind == LOG_CHANGE_BODY ||
                overlaps_others(&walk->declared->sides[walk->response], change->name)))
            walk->declared->changes[i].failed = true;
    }
}

static char *show_value(const struct json_text *json, struct slice pointer)
{
    int value = json != NULL ? json_text_at(json, pointer) : -1;

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
static void show_values(struct walk *walk)
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

void declared_follow_content(struct declared *declared, bool response,
    const struct declared_message *before, const struct declared_message *after)
{
    struct walk walk = {declared, response, before, after, {.known = false}};
    struct declared_side *side = &declared->sides[response];
    bool all;

    if (!is_declared(declared, response))
        return;
    side->has_content = true;
    set_message(&walk.content, before);
    all = follow(&walk);
    side->content_holds = is_what_went_out(&walk) && all;
    if (!side->content_holds) {
        find_others(&walk);
        if (all)
            fail_values(&walk);
        show_values(&walk);
    }
    buf_deinit(&walk.content.text);
}
