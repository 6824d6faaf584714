/* Files of rules of any bytes; those that are good are asked about a message. */
#include <string.h>

#include "mitm_proxy/rules_load.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGES 3

static struct rule_facts facts_of(enum rule_side side, struct content *content)
{
    static const struct http_field fields[] = {{{"Host", 4}, {"agent-b", 7}}};
    return (struct rule_facts){
        .side = side,
        .method = slice_str("POST"),
        .target = slice_str("/tool"),
        .client = slice_str("10.0.0.1:4711"),
        .tool = slice_str("\"deposit\""),
        .fields = fields,
        .n_fields = 1,
        .content = content,
    };
}

static void ask(struct rules *rules)
{
    size_t count;

    for (int i = 0; i < 2 * MESSAGES; i++) {
        struct content content =
            content_of(slice_str("{\"id\":1,\"arguments\":{\"account\":\"client\"}}"));
        struct rule_facts facts = facts_of(i % 2 == 0 ? RULE_REQUEST : RULE_RESPONSE, &content);
        enum rules_need need = rules_need(rules, &facts, false);
        PROMISE(rules_need(rules, &facts, true) <= need);
        PROMISE(rules_fire(rules, &facts, &count) && count <= rules->count);
        PROMISE(count == 0 || need != RULES_NEED_NOTHING);
        content_deinit(&content);
    }
    for (size_t i = 0; i < rules->count; i++) {
        PROMISE(rules->list[i].fired <= rules->list[i].matched);
        PROMISE(rules->list[i].matched == 0 || rules->list[i].matched == MESSAGES);
        PROMISE(rules->list[i].n_actions > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buf errors;
    size_t n_errors, lines = 0;

    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules =
        rules_load_text("rules", slice_of((const char *)data, len), &errors, &n_errors);
    for (size_t i = 0; i < errors.len; i++)
        lines += errors.data[i] == '\n';
    PROMISE((rules == NULL) == (n_errors > 0));
    PROMISE(lines <= n_errors && (lines == n_errors || errors.len > RULES_ERRORS_MAX / 2));
    if (rules != NULL)
        ask(rules);
    rules_free(rules);
    buf_deinit(&errors);
    return 0;
}
