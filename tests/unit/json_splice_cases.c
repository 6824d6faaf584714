/*
 * Does patches to documents for tests/integration/json_splice.py. On stdin: cases of two lengths (4
 * bytes each, big-endian) and then the patch and the document. On stdout, for each: a byte, 1 where
 * it was done, then a length and the result, or what was wrong.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/patch_rules.h"

#define CASE_MAX (1 << 20)
#define RESULT_MAX (16 << 20)

static bool read_length(uint32_t *length)
{
    if (fread(length, 1, sizeof *length, stdin) != sizeof *length)
        return false;
    *length = ntohl(*length);
    return *length <= CASE_MAX;
}

static bool read_text(uint32_t length, struct buf *text)
{
    buf_clear(text);
    if (buf_reserve(text, length + 1) != 0 || fread(text->data, 1, length, stdin) != length)
        return false;
    text->len = length;
    return true;
}

static void answer(bool done, struct slice text)
{
    uint32_t length = htonl((uint32_t)text.len);
    putchar(done);
    fwrite(&length, 1, sizeof length, stdout);
    if (text.len > 0)
        fwrite(text.data, 1, text.len, stdout);
}

static void do_case(struct slice patch, struct slice text)
{
    struct buf out, errors;
    struct json_splice_problem problem;
    buf_init(&out, RESULT_MAX);
    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules = patch_rules(patch, &errors);
    if (rules == NULL)
        answer(false, slice_of(errors.data, errors.len));
    else if (patch_text(text, patch_of(rules)->ops, patch_of(rules)->count, &out, NULL, &problem))
        answer(true, slice_of(out.data, out.len));
    else
        answer(false, slice_str(problem.word));
    rules_free(rules);
    buf_deinit(&out);
    buf_deinit(&errors);
}

int main(void)
{
    struct buf patch, text;
    uint32_t lengths[2];
    int status = 0;
    buf_init(&patch, CASE_MAX + 1);
    buf_init(&text, CASE_MAX + 1);
    while (status == 0 && read_length(&lengths[0])) {
        if (!read_length(&lengths[1]) || !read_text(lengths[0], &patch) ||
            !read_text(lengths[1], &text))
            status = 1;
        else
            do_case(slice_of(patch.data, patch.len), slice_of(text.data, text.len));
    }
    buf_deinit(&patch);
    buf_deinit(&text);
    return status;
}
