/*
 * JSON Patches of any bytes against documents of any bytes. Input: the patch, a NUL, the document.
 */
#include <string.h>

#include "mitm_proxy/json_splice.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/patch_rules.h"

#define RESULT_MAX (1 << 20)

static void on_change(void *arg, struct slice pointer, struct slice old, struct slice new_text)
{
    (void)pointer;
    ++*(size_t *)arg;
    PROMISE(old.data != NULL || new_text.data != NULL);
}

/* It is done and the result is JSON, or nothing is; without a change no byte is another. */
static void splice(const struct rule_patch *patch, struct slice text)
{
    struct json_splice_problem problem;
    size_t changes = 0;
    struct json_splice_watch watch = {on_change, &changes};
    struct buf out;

    buf_init(&out, RESULT_MAX);
    if (patch_text(text, patch->ops, patch->count, &out, &watch, &problem)) {
        struct json_text *json = json_text_parse(slice_of(out.data, out.len), NULL, NULL);
        PROMISE(json != NULL && problem.word == NULL);
        PROMISE(changes > 0 || slice_equal(slice_of(out.data, out.len), text));
        json_text_free(json);
    } else {
        PROMISE(out.len == 0 && problem.word != NULL && problem.reason != NULL);
        PROMISE(problem.op < patch->count);
        PROMISE(strcmp(problem.word, "bad_value") != 0 && strcmp(problem.word, "bad_move") != 0);
    }
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    size_t patch = strnlen(text, len);
    struct buf errors;

    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules = patch_rules(slice_of(text, patch), &errors);
    if (rules != NULL)
        splice(patch_of(rules),
            patch < len ? slice_of(text + patch + 1, len - patch - 1) : slice_of(text, 0));
    rules_free(rules);
    buf_deinit(&errors);
    return 0;
}
