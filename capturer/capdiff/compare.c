#include "capturer/capdiff/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_again.h"
#include "capturer/capdiff/redaction.h"

#define PLACE_TEXT_MAX 512

const char *comparison_side(const struct comparison *comparison)
{
    return comparison->response ? "response" : "request";
}

/* Room for a place that stands so; NULL: it is only counted. */
static struct place *new_place(
    struct places *places, enum place_kind kind, enum place_standing standing)
{
    /* The last one is kept for JSON: the operations of all values stand there. */
    size_t max = kind == PLACE_JSON ? COMPARE_PLACES_MAX : COMPARE_PLACES_MAX - 1;
    struct place *place;

    if (standing == STANDING_REAL && places->told >= max) {
        places->more++;
        return NULL;
    }
    places->items =
        memory_room(places->items, places->count, &places->room, sizeof(*places->items));
    places->told += standing == STANDING_REAL;
    place = &places->items[places->count++];
    *place = (struct place){.kind = kind, .standing = standing};
    return place;
}

static enum redaction_part part_of(enum place_kind kind)
{
    if (kind == PLACE_FRAMING || kind == PLACE_BYTES)
        return REDACTION_BYTES;
    return kind == PLACE_BODY || kind == PLACE_JSON || kind == PLACE_BEYOND ? REDACTION_CONTENT
                                                                            : REDACTION_HEAD;
}

static void describe(
    struct place *place, uint64_t offset, const struct place_texts *texts, struct buf *text)
{
    place->change = texts->change;
    place->note = texts->note;
    place->offset = offset;
    place->name = excerpt_text(texts->name, PLACE_TEXT_MAX);
    place->before = redaction_excerpt(texts->shown_before, texts->at_before, part_of(place->kind));
    place->after = redaction_excerpt(texts->shown_after, texts->at_after, part_of(place->kind));
    if (texts->note != NULL)
        memory_need(buf_printf(text, " (%s)", texts->note));
    memory_need(buf_append_char(text, '\0'));
    place->text = text->data;
}

static bool follows_content(enum place_kind kind, const struct place_texts *texts)
{
    return kind == PLACE_FRAMING ||
           (kind == PLACE_FIELD && texts->shown_before.data != NULL &&
               texts->shown_after.data != NULL && slice_is_nocase(texts->name, "Content-Length"));
}

struct place *comparison_add(struct comparison *comparison, enum place_kind kind, uint64_t offset,
    const struct place_texts *texts, const char *format, ...)
{
    const struct compare_terms *terms = comparison->terms;
    struct places *places = comparison->places;
    enum place_standing standing = STANDING_REAL;
    struct place *place;
    struct buf text;
    va_list args;

    if (terms->judge != NULL)
        standing = terms->judge(terms->arg, kind, comparison->response,
            texts->unnamed ? slice_of(NULL, 0) : texts->name, texts->value_before,
            texts->value_after);
    place = new_place(places, kind, standing);
    if (place == NULL)
        return NULL;
    place->follows = follows_content(kind, texts);
    if (terms->counting || (standing != STANDING_REAL && places->count > COMPARE_PLACES_MAX))
        return NULL;
    buf_init(&text, (size_t)PLACE_TEXT_MAX * 8);
    va_start(args, format);
    memory_need(buf_vprintf(&text, format, args));
    va_end(args);
    describe(place, offset, texts, &text);
    return standing == STANDING_REAL ? place : NULL;
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
    free(places->items);
    memset(places, 0, sizeof(*places));
}

/* All that is kept of a message. */
static struct slice kept_of(const struct message_view *view)
{
    return slice_of(view->head.data, view->head.len + view->body.len);
}

/* The messages' bytes as they are, where there is nothing to take apart. */
static void add_bytes(
    struct comparison *comparison, enum place_kind kind, size_t from, const char *what)
{
    struct slice before = kept_of(&comparison->view_before);
    struct slice after = kept_of(&comparison->view_after);
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

static void compare_content(struct comparison *comparison, bool all_kept)
{
    struct slice before = comparison->view_before.content;
    struct slice after = comparison->view_after.content;
    size_t at = excerpt_first_difference(before, after);
    struct place_texts texts = {
        .value_before = before,
        .value_after = after,
        .shown_before = before,
        .shown_after = after,
        .at_before = at,
        .at_after = at,
    };

    if (all_kept && compare_json(comparison, before, after))
        return;
    comparison_add(
        comparison, PLACE_BODY, at, &texts, "%s body, byte %zu", comparison_side(comparison), at);
}

/* A body that is more than is kept of it, with its first difference, if it can be read again. */
static bool add_again(struct comparison *comparison)
{
    struct message_difference difference;
    struct place_texts texts = {0};
    uint64_t head = comparison->before->head_len;

    if (comparison->terms->counting || !message_again_differ(comparison->before, comparison->after,
                                           comparison->response, &difference))
        return false;
    texts.shown_before = slice_of(difference.before, difference.len_before);
    texts.shown_after = slice_of(difference.after, difference.len_after);
    texts.at_before = texts.at_after = difference.at;
    comparison_add(comparison, difference.framing ? PLACE_FRAMING : PLACE_BODY,
        difference.offset + (difference.framing ? head : 0), &texts, "%s body%s, byte %llu",
        comparison_side(comparison), difference.framing ? " framing (the content is the same)" : "",
        (unsigned long long)difference.offset);
    return true;
}

static void add_beyond(struct comparison *comparison)
{
    struct place_texts texts = {0};
    char before[128], after[128], hex[SHA256_HEX_SIZE];
    size_t kept = kept_of(&comparison->view_before).len;

    snprintf(before, sizeof(before), "%llu bytes, SHA-256 %s",
        (unsigned long long)comparison->before->len, message_raw_sha256(comparison->before, hex));
    snprintf(after, sizeof(after), "%llu bytes, SHA-256 %s",
        (unsigned long long)comparison->after->len, message_raw_sha256(comparison->after, hex));
    texts.shown_before = slice_str(before); /* both are shorter than an excerpt */
    texts.shown_after = slice_str(after);
    comparison_add(comparison, PLACE_BEYOND, kept, &texts,
        "%s body, beyond the first %zu bytes, which are all that is kept",
        comparison_side(comparison), kept);
}

/* Only the heads differ, although not all of what is behind them is kept. */
static bool same_bodies(const struct comparison *comparison)
{
    const struct message *before = comparison->before, *after = comparison->after;
    char one[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];

    if (before->len - before->head_len != after->len - after->head_len || before->gap ||
        after->gap ||
        strcmp(message_content_sha256(before, one), message_content_sha256(after, other)) != 0)
        return false;
    return (before->plain && after->plain) ||
           message_again_same(before, after, comparison->response);
}

/* One of them is how the other begins. */
static bool begin_alike(struct slice a, struct slice b)
{
    return excerpt_first_difference(a, b) == (a.len < b.len ? a.len : b.len);
}

static void compare_bodies(struct comparison *comparison)
{
    const struct message_view *before = &comparison->view_before, *after = &comparison->view_after;
    bool all_kept = before->missing == 0 && after->missing == 0, same_content;

    if (all_kept && slice_equal(before->body, after->body))
        return;
    same_content = all_kept ? slice_equal(before->content, after->content)
                            : begin_alike(before->content, after->content);
    if (!same_content)
        compare_content(comparison, all_kept);
    if (all_kept)
        compare_framing(comparison, same_content);
    else if (same_content && !begin_alike(before->body, after->body))
        add_bytes(comparison, PLACE_FRAMING, (size_t)comparison->before->head_len,
            " body framing (the content is the same)");
    else if (same_content && !message_equal(comparison->before, comparison->after) &&
             !same_bodies(comparison) && !add_again(comparison))
        add_beyond(comparison);
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

static void compare_parts(struct comparison *comparison)
{
    const struct message *before = comparison->before, *after = comparison->after;
    struct places *places = comparison->places;

    if (before->head_len > 0 && after->head_len > 0 && before->problem == NULL &&
        after->problem == NULL) {
        compare_heads(comparison);
        compare_bodies(comparison);
    }
    if (places->count == 0)
        add_bytes(comparison, PLACE_BYTES, 0, "");
}

/* What follows from changes of the content stands as they do. */
static void settle(struct places *places)
{
    enum place_standing standing = content_standing(places);

    for (size_t i = 0; i < places->count && standing != STANDING_REAL; i++) {
        struct place *place = &places->items[i];

        if (place->standing != STANDING_REAL || !place->follows)
            continue;
        place->standing = standing;
        places->told--;
    }
}

void compare_messages(const struct message *before, const struct message *after, bool response,
    const struct compare_terms *terms, struct places *places)
{
    struct comparison comparison = {
        .before = before, .after = after, .response = response, .terms = terms, .places = places};

    memset(places, 0, sizeof(*places));
    if (message_equal(before, after))
        return;
    message_view_open(&comparison.view_before, before, response);
    message_view_open(&comparison.view_after, after, response);
    compare_parts(&comparison);
    settle(places);
    message_view_close(&comparison.view_before);
    message_view_close(&comparison.view_after);
}
