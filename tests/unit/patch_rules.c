#include "tests/unit/patch_rules.h"

struct rules *patch_rules(struct slice patch, struct buf *errors)
{
    struct rules *rules = NULL;
    struct buf text;
    size_t n_errors = 0;
    buf_init(&text, patch.len + 256);
    int status = buf_append_str(
        &text, "{\"rules\":[{\"name\":\"patch\",\"on\":\"request\",\"do\":[{\"json_patch\":");
    if (status == 0)
        status = buf_append(&text, patch.data, patch.len);
    if (status == 0)
        status = buf_append_str(&text, "}]}]}");
    if (status == 0)
        rules = rules_load_text("patch", slice_of(text.data, text.len), errors, &n_errors);
    buf_deinit(&text);
    return rules;
}

const struct rule_patch *patch_of(const struct rules *rules)
{
    return &rules->list[0].actions[0].json_patch;
}

bool patch_text(struct slice text, const struct json_op *ops, size_t count, struct buf *out,
    const struct json_splice_watch *watch, struct json_splice_problem *problem)
{
    struct content document = content_of(text);
    bool good = json_splice(&document, ops, count, out, watch, problem);
    content_deinit(&document);
    return good;
}
