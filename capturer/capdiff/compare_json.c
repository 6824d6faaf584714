/* Two contents that are JSON, value by value. */
#include <stdlib.h>
#include <uv.h>

#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/json_diff.h"
#include "capturer/capdiff/memory.h"

#define POINTER_SHOWN_MAX 200

/* A place that is told in detail, and where in the patch its operations end. */
struct told_place {
    size_t item, end;
    bool cut; /* operations are missing there */
};

struct documents {
    struct comparison *comparison;
    struct slice before, after; /* with the white space around them */
    size_t found;               /* differences */
    struct told_place told[COMPARE_PLACES_MAX];
    size_t n_told;
    struct buf patch; /* all operations, those of places that are not told as well */
    bool full;        /* there was no room for one: the others would not fit what is there */
    bool cut;         /* operations are missing behind the place that was told last */
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

/* There is no room for an operation. What would be part of a patch only leaves its room to others.
 */
static void fill_up(struct documents *documents)
{
    documents->full = true;
    if (documents->comparison->terms->patch_max < COMPARE_PATCH_MAX)
        documents->patch.len =
            documents->n_told > 0 ? documents->told[documents->n_told - 1].end : 0;
}

static void take_operation(struct documents *documents, const struct json_difference *difference)
{
    int status = 0;

    if (difference->op == JSON_OP_NONE || documents->comparison->terms->counting)
        return;
    if (!documents->full)
        status = json_patch_append(difference, &documents->patch);
    if (status == UV_ENOBUFS)
        fill_up(documents);
    documents->cut = documents->cut || documents->full || status != 0;
}

static void take_place(struct documents *documents, const struct place *place)
{
    documents->told[documents->n_told++] =
        (struct told_place){(size_t)(place - documents->comparison->places->items),
            documents->patch.len, documents->cut};
    documents->cut = false;
}

/* The operations that stand between FROM and TO, a comma perhaps before them. */
static char *as_array(const struct buf *patch, size_t from, size_t to)
{
    struct buf text;

    from += from < to && patch->data[from] == ',';
    buf_init(&text, to - from + sizeof("[]"));
    memory_need(buf_append_char(&text, '['));
    if (from < to)
        memory_need(buf_append(&text, patch->data + from, to - from));
    memory_need(buf_append(&text, "]", sizeof("]")));
    return text.data;
}

/* What was not told goes with what is told next, and at the end with what was told last. */
static void write_patches(struct documents *documents)
{
    size_t from = 0;

    for (size_t i = 0; i < documents->n_told; i++) {
        struct told_place *told = &documents->told[i];
        struct place *place = &documents->comparison->places->items[told->item];

        if (i + 1 == documents->n_told) {
            told->end = documents->patch.len;
            told->cut = told->cut || documents->cut;
        }
        place->patch_cut = told->cut;
        if (told->end > from || !told->cut)
            place->patch = as_array(&documents->patch, from, told->end);
        from = told->end;
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
        .unnamed = difference->shadowed};
    char *shown = excerpt_text(difference->pointer, POINTER_SHOWN_MAX);
    struct place *place;
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
    documents->found++;
    place = comparison_add(documents->comparison, PLACE_JSON, offset, &texts,
        "%s body, byte %llu: %s%s", comparison_side(documents->comparison),
        (unsigned long long)offset, shown[0] != '\0' ? shown : "the whole document",
        json_change_text(texts.change));
    free(shown);
    take_operation(documents, difference);
    if (place != NULL)
        take_place(documents, place);
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
    struct documents documents = {.comparison = comparison, .before = before, .after = after};
    struct json_text *a = json_text_parse(before, NULL, NULL);
    struct json_text *b = a != NULL ? json_text_parse(after, NULL, NULL) : NULL;
    bool done = false;

    buf_init(&documents.patch, comparison->terms->patch_max);
    if (b != NULL) {
        json_diff(a, b, on_json_difference, &documents);
        write_patches(&documents);
        done = documents.found > 0 && same_around(a, before, b, after);
    }
    buf_deinit(&documents.patch);
    json_text_free(a);
    json_text_free(b);
    return done;
}
