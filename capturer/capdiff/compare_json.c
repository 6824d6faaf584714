/* Two contents that are JSON, value by value. */
#include <stdlib.h>

#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/json_diff.h"

#define POINTER_SHOWN_MAX 200

struct documents {
    struct comparison *comparison;
    struct slice before, after; /* with the white space around them */
    size_t told;                /* places */
};

static enum place_change json_change(const struct json_difference *difference)
{
    if (difference->what != JSON_WHAT_VALUE)
        return difference->what == JSON_WHAT_ORDER ? CHANGE_ORDER : CHANGE_SPACES;
    if (difference->before.data == NULL)
        return CHANGE_ADDED;
    return difference->after.data == NULL ? CHANGE_REMOVED : CHANGE_VALUE;
}

static const char *json_change_text(enum place_change change)
{
    switch (change) {
    case CHANGE_ADDED:
        return ", added";
    case CHANGE_REMOVED:
        return ", removed";
    case CHANGE_ORDER:
        return ", the order of its members";
    case CHANGE_SPACES:
        return ", white space only";
    default:
        return "";
    }
}

static void on_json_difference(void *arg, const struct json_difference *difference)
{
    struct documents *documents = arg;
    struct slice text_before = documents->before, text_after = documents->after;
    struct slice before = difference->before, after = difference->after;
    size_t at = excerpt_first_difference(before, after);
    struct place_texts texts = {.name = difference->pointer,
        .value_before = before,
        .value_after = after,
        .change = json_change(difference),
        .note = difference->note,
        .patch = json_patch_text(difference, COMPARE_PATCH_MAX),
        .unnamed = difference->shadowed};
    char *shown = excerpt_text(difference->pointer, POINTER_SHOWN_MAX);
    uint64_t offset;

    if (before.data != NULL) {
        texts.shown_before = text_before;
        texts.at_before = (size_t)(before.data - text_before.data) + at;
    }
    if (after.data != NULL) {
        texts.shown_after = text_after;
        texts.at_after = (size_t)(after.data - text_after.data) + at;
    }
    offset = before.data != NULL ? texts.at_before : texts.at_after;
    documents->told++;
    comparison_add(documents->comparison, PLACE_JSON, offset, &texts, "%s body, byte %llu: %s%s",
        comparison_side(documents->comparison), (unsigned long long)offset,
        shown[0] != '\0' ? shown : "the whole document", json_change_text(texts.change));
    free(shown);
}

static bool same_around(
    const struct json_text *a, struct slice text_a, const struct json_text *b, struct slice text_b)
{
    struct slice root_a = json_text_raw(a, 0), root_b = json_text_raw(b, 0);
    size_t lead_a = (size_t)(root_a.data - text_a.data);
    size_t lead_b = (size_t)(root_b.data - text_b.data);
    struct slice tail_a = slice_of(root_a.data + root_a.len, text_a.len - lead_a - root_a.len);
    struct slice tail_b = slice_of(root_b.data + root_b.len, text_b.len - lead_b - root_b.len);

    return slice_equal(slice_of(text_a.data, lead_a), slice_of(text_b.data, lead_b)) &&
           slice_equal(tail_a, tail_b);
}

bool compare_json(struct comparison *comparison, struct slice before, struct slice after)
{
    struct documents documents = {comparison, before, after, 0};
    struct json_text *a = json_text_parse(before, NULL, NULL);
    struct json_text *b = a != NULL ? json_text_parse(after, NULL, NULL) : NULL;
    bool done = false;

    if (b != NULL) {
        json_diff(a, b, on_json_difference, &documents);
        done = documents.told > 0 && same_around(a, before, b, after);
    }
    json_text_free(a);
    json_text_free(b);
    return done;
}
