#include "capturer/capdiff/compare.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "lib/http_parser.h"

#define PLACE_TEXT_MAX 512

/* The contents of the two bodies. */
struct bodies {
    struct comparison *comparison;
    struct buf before, after;
};

const char *comparison_side(const struct comparison *comparison)
{
    return comparison->response ? "response" : "request";
}

void comparison_add(struct comparison *comparison, enum place_kind kind, uint64_t offset,
    const struct place_texts *texts, const char *format, ...)
{
    struct places *places = comparison->places;
    struct place *place = &places->items[places->count];
    struct buf text;
    va_list args;

    if (places->count == COMPARE_PLACES_MAX) {
        free(texts->patch);
        places->more++;
        return;
    }
    places->count++;
    memset(place, 0, sizeof(*place));
    place->kind = kind;
    if (comparison->judge != NULL)
        place->standing = comparison->judge(comparison->arg, kind, comparison->response,
            texts->unnamed ? slice_of(NULL, 0) : texts->name, texts->value_before,
            texts->value_after);
    place->change = texts->change;
    place->note = texts->note;
    place->patch = texts->patch;
    place->offset = offset;
    place->name = excerpt_text(texts->name, PLACE_TEXT_MAX);
    place->before = excerpt_around(texts->shown_before, texts->at_before);
    place->after = excerpt_around(texts->shown_after, texts->at_after);
    buf_init(&text, (size_t)PLACE_TEXT_MAX * 8);
    va_start(args, format);
    memory_need(buf_vprintf(&text, format, args));
    va_end(args);
    if (texts->note != NULL)
        memory_need(buf_printf(&text, " (%s)", texts->note));
    memory_need(buf_append_char(&text, '\0'));
    place->text = text.data;
}

const char *place_change_word(enum place_change change)
{
    static const char *const words[PLACE_CHANGES] = {
        NULL, "value", "added", "removed", "repeated", "moved", "name_case", "spaces", "order"};

    return words[change];
}

void place_deinit(struct place *place)
{
    free(place->text);
    free(place->name);
    free(place->before);
    free(place->after);
    free(place->patch);
    memset(place, 0, sizeof(*place));
}

void places_deinit(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        place_deinit(&places->items[i]);
    memset(places, 0, sizeof(*places));
}

static void collect(void *arg, const char *data, size_t len)
{
    memory_need(buf_append(arg, data, len));
}

/* The content of what was kept of a message: its body without the chunk framing. */
static void read_content(const struct message *message, bool response, struct buf *content)
{
    struct http_parser *parser =
        http_parser_new(response ? HTTP_KIND_RESPONSE : HTTP_KIND_REQUEST, collect, content);
    const char *data = message->raw.data;
    size_t len = message->raw.len;
    enum http_event event = HTTP_EVENT_HEAD;

    if (parser == NULL)
        memory_need(UV_ENOMEM);
    while (len > 0 && event != HTTP_EVENT_MORE && event != HTTP_EVENT_ERROR) {
        size_t used = 0;

        event = http_parser_feed(parser, data, len, &used);
        data += used;
        len -= used;
    }
    http_parser_free(parser);
}

static struct slice slice_from(const struct buf *buf)
{
    return slice_of(buf->data != NULL ? buf->data : "", buf->len);
}

/* The message's bytes as they are, where there is nothing to take apart. */
static void add_bytes(
    struct comparison *comparison, enum place_kind kind, size_t from, const char *what)
{
    struct slice before = slice_from(&comparison->before->raw);
    struct slice after = slice_from(&comparison->after->raw);
    size_t at = excerpt_first_difference(before, after);
    struct place_texts texts = {
        .value_before = before,
        .value_after = after,
        .shown_before = before,
        .shown_after = after,
        .at_before = at,
        .at_after = at,
    };

    comparison_add(comparison, kind, at, &texts, "%s%s, byte %zu", comparison_side(comparison),
        what, at - (at >= from ? from : 0));
}

static void compare_content(struct bodies *bodies, bool all_kept)
{
    struct slice before = slice_from(&bodies->before), after = slice_from(&bodies->after);
    size_t at = excerpt_first_difference(before, after);
    struct place_texts texts = {
        .value_before = before,
        .value_after = after,
        .shown_before = before,
        .shown_after = after,
        .at_before = at,
        .at_after = at,
    };

    if (all_kept && compare_json(bodies->comparison, before, after))
        return;
    comparison_add(bodies->comparison, PLACE_BODY, at, &texts, "%s body, byte %zu",
        comparison_side(bodies->comparison), at);
}

static bool is_kept(const struct message *message)
{
    return message->raw.len == message->len;
}

static void add_beyond(struct comparison *comparison)
{
    struct place_texts texts = {0};
    char before[128], after[128], hex[SHA256_HEX_SIZE];

    snprintf(before, sizeof(before), "%llu bytes, SHA-256 %s",
        (unsigned long long)comparison->before->len, message_raw_sha256(comparison->before, hex));
    snprintf(after, sizeof(after), "%llu bytes, SHA-256 %s",
        (unsigned long long)comparison->after->len, message_raw_sha256(comparison->after, hex));
    texts.shown_before = slice_str(before); /* both are shorter than an excerpt */
    texts.shown_after = slice_str(after);
    comparison_add(comparison, PLACE_BEYOND, comparison->before->raw.len, &texts,
        "%s body, beyond the first %zu bytes, which are all that is kept",
        comparison_side(comparison), comparison->before->raw.len);
}

static struct slice body_of(const struct message *message)
{
    size_t head =
        message->head_len < message->raw.len ? (size_t)message->head_len : message->raw.len;

    return slice_of(message->raw.data + head, message->raw.len - head);
}

static void compare_bodies(struct comparison *comparison)
{
    struct bodies bodies = {.comparison = comparison};
    bool all_kept = is_kept(comparison->before) && is_kept(comparison->after);
    struct slice raw_before = body_of(comparison->before), raw_after = body_of(comparison->after);

    if (all_kept && slice_equal(raw_before, raw_after))
        return;
    buf_init(&bodies.before, MESSAGE_KEPT_MAX);
    buf_init(&bodies.after, MESSAGE_KEPT_MAX);
    read_content(comparison->before, comparison->response, &bodies.before);
    read_content(comparison->after, comparison->response, &bodies.after);

    size_t at = excerpt_first_difference(slice_from(&bodies.before), slice_from(&bodies.after));
    size_t shorter = bodies.before.len < bodies.after.len ? bodies.before.len : bodies.after.len;
    bool same_content =
        all_kept ? bodies.before.len == bodies.after.len && at == shorter : at == shorter;

    if (!same_content)
        compare_content(&bodies, all_kept);
    if (all_kept)
        compare_framing(comparison, raw_before, raw_after, same_content);
    else if (same_content && excerpt_first_difference(raw_before, raw_after) <
                                 (raw_before.len < raw_after.len ? raw_before.len : raw_after.len))
        add_bytes(comparison, PLACE_FRAMING, (size_t)comparison->before->head_len,
            " body framing (the content is the same)");
    else if (same_content && !message_equal(comparison->before, comparison->after))
        add_beyond(comparison);
    buf_deinit(&bodies.before);
    buf_deinit(&bodies.after);
}

/* How all changes of the content stand; real if there is none. */
static enum place_standing content_standing(const struct places *places)
{
    enum place_standing standing = STANDING_REAL;

    for (size_t i = 0; i < places->count; i++) {
        const struct place *place = &places->items[i];

        if (place->kind != PLACE_JSON && place->kind != PLACE_BODY && place->kind != PLACE_BEYOND)
            continue;
        if (place->standing == STANDING_REAL)
            return STANDING_REAL;
        if (standing != STANDING_IGNORED)
            standing = place->standing;
    }
    return places->more == 0 ? standing : STANDING_REAL;
}

static bool follows_content(const struct place *place)
{
    return place->kind == PLACE_FRAMING ||
           (place->kind == PLACE_FIELD && place->before != NULL && place->after != NULL &&
               strcasecmp(place->name, "Content-Length") == 0);
}

void compare_messages(const struct message *before, const struct message *after, bool response,
    compare_judge_cb judge, void *arg, struct places *places)
{
    struct comparison comparison = {before, after, response, judge, arg, places};
    enum place_standing standing;

    memset(places, 0, sizeof(*places));
    if (message_equal(before, after))
        return;
    if (before->head_len == 0 || after->head_len == 0 || before->problem != NULL ||
        after->problem != NULL) {
        add_bytes(&comparison, PLACE_BYTES, 0, "");
        return;
    }
    compare_heads(&comparison);
    compare_bodies(&comparison);
    if (places->count == 0)
        add_bytes(&comparison, PLACE_BYTES, 0, "");
    standing = content_standing(places);
    for (size_t i = 0; i < places->count && standing != STANDING_REAL; i++) {
        if (places->items[i].standing == STANDING_REAL && follows_content(&places->items[i]))
            places->items[i].standing = standing;
    }
}
