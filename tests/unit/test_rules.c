#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mitm_proxy/rules_load.h"
#include "tests/unit/scarce_memory.h"

static struct rules *load(const char *text)
{
    struct buf errors;
    size_t n_errors;
    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules = rules_load_text("rules.json", slice_str(text), &errors, &n_errors);
    if (rules == NULL)
        fail_msg("%s: %.*s", text, (int)errors.len, errors.data);
    buf_deinit(&errors);
    return rules;
}

/* One rule with this match, when and side. */
static struct rules *load_one(const char *on, const char *match, const char *when)
{
    char text[1024];
    snprintf(text, sizeof text,
        "{\"rules\":[{\"name\":\"r\",\"on\":\"%s\",\"match\":{%s},\"when\":{%s},\"do\":[{\"drop\":{"
        "}}"
        "]}]}",
        on, match, when);
    return load(text);
}

static void test_glob(void **state)
{
    static const struct {
        const char *glob, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "/a/b", true},
        {"/tool", "/tool", true},
        {"/tool", "/tools", false},
        {"/tool?", "/tools", true},
        {"/tool?", "/tool", false},
        {"/a*c*e", "/abcde", true},
        {"/a*c*e", "/abcdef", false},
        {"*ab", "aab", true},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "ab", false},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
        {"**a**", "bab", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (rule_glob(slice_str(cases[i].glob), slice_str(cases[i].text)) != cases[i].matches)
            fail_msg("%s, %s", cases[i].glob, cases[i].text);
    }
}

static const struct http_field fields[] = {
    {{"Host", 4}, {"agent-b", 7}},
    {{"X-Tag", 5}, {"one", 3}},
    {{"x-tag", 5}, {"two", 3}},
};

#define BODY "{\"id\":9007199254740993,\"arguments\":{\"account\":\"cl\\u0069ent\"}}"

static struct content content;

static void set_content(struct slice text)
{
    content_deinit(&content);
    content = content_of(text);
}

static struct rule_facts facts_of(enum rule_side side)
{
    set_content(slice_str(BODY));
    return (struct rule_facts){
        .side = side,
        .method = slice_str("POST"),
        .target = slice_str("/tool?x=1"),
        .client = slice_str("10.0.0.7:4711"),
        .tool = slice_str("\"deposit\""),
        .fields = fields,
        .n_fields = 3,
        .content = &content,
    };
}

static void test_match(void **state)
{
    static const struct {
        const char *match;
        bool matches;
    } cases[] = {
        {"", true},
        {"\"method\":\"POST\"", true},
        {"\"method\":\"post\"", false},
        {"\"path\":\"/tool\"", true},
        {"\"path\":\"/t*\"", true},
        {"\"path\":\"/tool?x*\"", false},
        {"\"tool\":\"deposit\"", true},
        {"\"tool\":\"dep*\"", false},
        {"\"client\":\"10.0.0.*\"", true},
        {"\"client\":\"10.0.1.*\"", false},
        {"\"fields\":{\"host\":\"agent-?\"}", true},
        {"\"fields\":{\"X-TAG\":\"two\"}", true},
        {"\"fields\":{\"X-Tag\":\"three\"}", false},
        {"\"fields\":{\"X-Tag\":null}", false},
        {"\"fields\":{\"X-Other\":null}", true},
        {"\"fields\":{\"X-Other\":\"*\"}", false},
        {"\"json\":{\"/arguments/account\":\"client\"}", true},
        {"\"json\":{\"/arguments/account\":\"client\",\"/id\":9007199254740993.0}", true},
        {"\"json\":{\"/id\":9007199254740992}", false},
        {"\"json\":{\"/none\":null}", false},
        {"\"method\":\"GET\",\"tool\":\"deposit\"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rules *rules = load_one("response", cases[i].match, "");
        struct rule_facts facts = facts_of(RULE_RESPONSE);
        size_t count;
        assert_true(rules_fire(rules, &facts, &count));
        if (count != cases[i].matches)
            fail_msg("%s", cases[i].match);
        assert_true(count == 0 || rules->firing[0] == &rules->list[0]);
        facts.side = RULE_REQUEST; /* a rule on responses has no say there */
        assert_true(rules_fire(rules, &facts, &count));
        assert_int_equal(count, 0);
        rules_free(rules);
    }
}

static bool fires(struct rules *rules, const struct rule_facts *facts)
{
    size_t count;
    assert_true(rules_fire(rules, facts, &count));
    return count == 1;
}

static void test_facts_that_lack(void **state)
{
    struct rule_facts facts = facts_of(RULE_REQUEST);
    struct rules *rules = load_one("request", "\"json\":{\"/id\":1}", "");
    (void)state;
    set_content(slice_str("{\"id\":1"));
    assert_false(fires(rules, &facts));
    set_content(slice_of(NULL, 0));
    assert_false(fires(rules, &facts));
    facts.content = NULL;
    assert_false(fires(rules, &facts));
    rules_free(rules);
    rules = load_one("request", "\"tool\":\"deposit\"", "");
    facts.tool = slice_of(NULL, 0);
    assert_false(fires(rules, &facts));
    rules_free(rules);
    rules = load_one("request", "\"path\":\"/tool\"", "");
    facts.target = slice_str("http://agent-b:8000/tool?x");
    assert_true(fires(rules, &facts));
    facts.target = slice_of(NULL, 0);
    assert_false(fires(rules, &facts));
    rules_free(rules);
}

/* What a rule needs for a POST of /tool whose tool is not known yet, and for its response. */
static void test_need(void **state)
{
    static const struct {
        const char *on, *rest; /* of the rule */
        enum rules_need need, of_events;
    } cases[] = {
        {"request", "\"do\":[{\"drop\":{}},{\"delay\":{\"ms\":1}}]", RULES_NEED_HEAD,
            RULES_NEED_HEAD},
        {"response", "\"do\":[{\"drop\":{}}]", RULES_NEED_HEAD, RULES_NEED_HEAD},
        {"request", "\"match\":{\"path\":\"/x\",\"json\":{\"/id\":1}},\"do\":[{\"drop\":{}}]",
            RULES_NEED_NOTHING, RULES_NEED_NOTHING},
        {"request", "\"match\":{\"path\":\"/tool\",\"json\":{\"/id\":1}},\"do\":[{\"drop\":{}}]",
            RULES_NEED_WHOLE, RULES_NEED_NOTHING},
        {"response", "\"match\":{\"json\":{\"/id\":1}},\"do\":[{\"drop\":{}}]", RULES_NEED_WHOLE,
            RULES_NEED_NOTHING},
        {"request", "\"match\":{\"tool\":\"deposit\"},\"do\":[{\"drop\":{}}]", RULES_NEED_WHOLE,
            RULES_NEED_NOTHING},
        {"response", "\"match\":{\"tool\":\"deposit\"},\"do\":[{\"drop\":{}}]", RULES_NEED_NOTHING,
            RULES_NEED_NOTHING},
        {"request", "\"do\":[{\"reframe\":{\"to\":\"length\"}}]", RULES_NEED_WHOLE,
            RULES_NEED_HEAD},
        {"request", "\"do\":[{\"reframe\":{\"to\":\"chunked\"}}]", RULES_NEED_HEAD,
            RULES_NEED_HEAD},
        {"response", "\"do\":[{\"drop_event\":{}},{\"save\":{\"as\":\"a\"}}]", RULES_NEED_WHOLE,
            RULES_NEED_HEAD},
        {"request", "\"when\":{\"nth\":2},\"do\":[{\"redigest\":{}}]", RULES_NEED_HEAD,
            RULES_NEED_HEAD},
        {"request", "\"when\":{\"nth\":1},\"do\":[{\"redigest\":{}}]", RULES_NEED_WHOLE,
            RULES_NEED_HEAD},
        {"request", "\"when\":{\"probability\":0},\"do\":[{\"redigest\":{}}]", RULES_NEED_HEAD,
            RULES_NEED_HEAD},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "{\"rules\":[{\"name\":\"r\",\"on\":\"%s\",%s}]}", cases[i].on,
            cases[i].rest);
        struct rules *rules = load(text);
        struct rule_facts facts =
            facts_of(strcmp(cases[i].on, "request") == 0 ? RULE_REQUEST : RULE_RESPONSE);
        facts.tool = slice_of(NULL, 0);
        facts.content = NULL;
        if (rules_need(rules, &facts, false) != cases[i].need ||
            rules_need(rules, &facts, true) != cases[i].of_events)
            fail_msg("%s", text);
        facts.side = facts.side == RULE_REQUEST ? RULE_RESPONSE : RULE_REQUEST;
        assert_int_equal(rules_need(rules, &facts, false), RULES_NEED_NOTHING);
        rules_free(rules);
    }
}

/* The action's own need, whatever the match. */
static void test_need_of_actions(void **state)
{
    static const char *const whole[] = {"\"json_patch\":[{\"op\":\"remove\",\"path\":\"/a\"}]",
        "\"replace_body\":{\"text\":\"\"}", "\"redigest\":{}", "\"replay\":{\"times\":1}",
        "\"duplicate\":{}", "\"respond\":{\"status\":204}"};
    static const char *const passing[] = {"\"set_field\":{\"name\":\"A\",\"value\":\"\"}",
        "\"remove_field\":{\"name\":\"A\"}", "\"reset\":{}", "\"delay\":{\"ms\":0}",
        "\"throttle\":{\"bytes_per_second\":1}", "\"truncate\":{\"at_byte\":0}",
        "\"corrupt\":{\"at_byte\":0,\"xor\":1}", "\"reorder\":{\"within_ms\":1}",
        "\"hold\":{\"max_ms\":1}"};
    const size_t n_whole = sizeof whole / sizeof whole[0];
    struct rule_facts facts = facts_of(RULE_REQUEST);
    char text[256];
    (void)state;
    for (size_t i = 0; i < n_whole + sizeof passing / sizeof passing[0]; i++) {
        snprintf(text, sizeof text,
            "{\"rules\":[{\"name\":\"r\",\"on\":\"request\",\"do\":[{\"drop\":{}},{%s}]}]}",
            i < n_whole ? whole[i] : passing[i - n_whole]);
        struct rules *rules = load(text);
        if (rules_need(rules, &facts, false) != (i < n_whole ? RULES_NEED_WHOLE : RULES_NEED_HEAD))
            fail_msg("%s", text);
        rules_free(rules);
    }
}

/* The most that one of the rules needs, and nothing once none of them can fire any more. */
static void test_need_ends(void **state)
{
    struct rules *rules =
        load("{\"rules\":[{\"name\":\"a\",\"on\":\"request\",\"when\":{\"nth\":2},\"do\":[{"
             "\"drop\":{}}]},{\"name\":\"b\",\"on\":\"request\",\"match\":{\"json\":{\"/id\":"
             "9007199254740993}},\"when\":{\"count\":1},\"do\":[{\"drop\":{}}]}]}");
    static const enum rules_need needs[] = {
        RULES_NEED_WHOLE, RULES_NEED_HEAD, RULES_NEED_NOTHING, RULES_NEED_NOTHING};
    struct rule_facts facts = facts_of(RULE_REQUEST);
    size_t count;
    (void)state;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        assert_int_equal(rules_need(rules, &facts, false), needs[i]);
        assert_true(rules_fire(rules, &facts, &count));
        assert_int_equal(count, i < 2 ? 1 : 0);
    }
    rules_restart(rules);
    assert_int_equal(rules_need(rules, &facts, false), RULES_NEED_WHOLE);
    rules_free(rules);
    rules = load_one("request", "\"tool\":\"read_file\",\"json\":{\"/id\":1}", "");
    assert_int_equal(rules_need(rules, &facts, false), RULES_NEED_NOTHING);
    rules_free(rules);
}

/* What a message in hand holds on to outlives the rules that were loaded first. */
static void test_references(void **state)
{
    struct rules *rules = load_one("request", "", "");
    (void)state;
    assert_ptr_equal(rules_ref(rules), rules);
    rules_free(rules);
    assert_true(slice_is(rules->list[0].name, "r"));
    rules_free(rules);
    rules_free(NULL);
}

/* Which of the first twelve that match fire. */
static void firing(struct rules *rules, char out[13])
{
    struct rule_facts other = facts_of(RULE_REQUEST), facts = other;
    other.method = slice_str("GET");
    for (int i = 0; i < 12; i++) {
        assert_false(fires(rules, &other)); /* is not counted */
        out[i] = fires(rules, &facts) ? 'x' : '.';
    }
    out[12] = '\0';
}

static void test_when(void **state)
{
    static const struct {
        const char *when, *fires;
    } cases[] = {
        {"", "xxxxxxxxxxxx"},
        {"\"nth\":2", ".x.........."},
        {"\"every\":3", "..x..x..x..x"},
        {"\"count\":2", "xx.........."},
        {"\"every\":3,\"count\":2", "..x..x......"},
        {"\"nth\":4,\"every\":3", "............"},
        {"\"probability\":0", "............"},
        {"\"probability\":1.0", "xxxxxxxxxxxx"},
    };
    char out[13];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rules *rules = load_one("request", "\"method\":\"POST\"", cases[i].when);
        firing(rules, out);
        assert_string_equal(out, cases[i].fires);
        rules_restart(rules);
        firing(rules, out);
        assert_string_equal(out, cases[i].fires);
        rules_free(rules);
    }
}

/* SplitMix64 is written down, so that a run repeats on any machine and with any later version. */
static void test_chance(void **state)
{
    const char *match = "\"method\":\"POST\"";
    struct rules *rules = load_one("request", match, "\"probability\":0.5,\"seed\":1");
    struct rule_facts facts = facts_of(RULE_REQUEST);
    char first[13], again[13], other[13];
    (void)state;
    firing(rules, first);
    rules_restart(rules);
    firing(rules, again);
    assert_string_equal(first, again);
    assert_string_equal(first, "...xx...x.x.");
    rules_free(rules);
    rules = load_one("request", match, "\"probability\":0.5,\"seed\":18446744073709551615");
    firing(rules, other);
    assert_string_not_equal(first, other);
    rules_free(rules);
    rules = load_one("request", match, "\"probability\":0.25");
    int count = 0;
    for (int i = 0; i < 10000; i++)
        count += fires(rules, &facts);
    assert_in_range(count, 2300, 2700);
    rules_free(rules);
}

static void test_order_and_values(void **state)
{
    struct rules *rules = load(
        "{\"rules\":[{\"name\":\"b\",\"on\":\"request\",\"do\":[{\"json_patch\":[{\"op\":\"add\","
        "\"path\":\"/a\\u0000\",\"value\": 9007199254740993 }]},{\"corrupt\":{\"at_byte\":"
        "1099511627775,\"xor\":255}}]},"
        "{\"name\":\"a\",\"on\":\"request\",\"do\":[{\"replace_body\":{\"json\":{ \"x\":1.0,"
        "\"x\":\"\\u0000\"}}},{\"reframe\":{\"to\":\"chunked\",\"chunk_bytes\":[1,7]}}]}]}");
    struct rule_facts facts = facts_of(RULE_REQUEST);
    size_t count;
    (void)state;
    assert_true(rules_fire(rules, &facts, &count));
    assert_int_equal(count, 2);
    assert_true(slice_is(rules->firing[0]->name, "b") && slice_is(rules->firing[1]->name, "a"));
    const struct json_op *op = rules->firing[0]->actions[0].json_patch.ops;
    assert_true(slice_equal(op->path, slice_of("/a\0", 3)));
    assert_true(slice_is(op->value, "9007199254740993"));
    assert_int_equal(rules->firing[0]->actions[1].corrupt.at_byte, 1099511627775);
    assert_true(
        slice_is(rules->firing[1]->actions[0].replace_body.text, "{ \"x\":1.0,\"x\":\"\\u0000\"}"));
    assert_int_equal(rules->firing[1]->actions[1].reframe.n_chunk_bytes, 2);
    assert_int_equal(rules->firing[1]->actions[1].reframe.chunk_bytes[1], 7);
    assert_string_equal(rule_action_name(rules->firing[1]->actions[1].kind), "reframe");
    assert_string_equal(rule_action_name(ACTION_STALL), "stall");
    rules_free(rules);
    rules = load("{\"rules\":[{\"name\":\"r\",\"on\":\"response\",\"do\":[{\"respond\":{"
                 "\"saved\":\"one\"}},{\"respond\":{\"status\":204}},{\"save\":{\"as\":"
                 "\"one\"}}]}]}");
    assert_true(slice_is(rules->list[0].actions[0].respond.saved.text, "one"));
    assert_false(rules->list[0].actions[1].respond.saved.given);
    assert_true(slice_is(rules->list[0].actions[2].save.as, "one"));
    rules_free(rules);
}

/* Lines that find no room are counted. */
static void test_many_errors(void **state)
{
    struct buf text, errors;
    size_t n_errors;
    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&errors, 100);
    assert_int_equal(buf_append_str(&text, "{\"rules\":[0"), 0);
    for (int i = 0; i < 999; i++)
        assert_int_equal(buf_append_str(&text, ",0"), 0);
    assert_int_equal(buf_append_str(&text, "]}"), 0);
    assert_null(rules_load_text("r", slice_of(text.data, text.len), &errors, &n_errors));
    assert_int_equal(n_errors, 1000);
    assert_true(errors.len <= 100 && errors.data[errors.len - 1] == '\n');
    buf_deinit(&text);
    buf_deinit(&errors);
}

static const char RULES_OF_ALL_KINDS[] =
    "{\"rules\":[{\"name\":\"r\",\"on\":\"request\",\"match\":{\"tool\":\"deposit\","
    "\"fields\":{\"Host\":\"*\"},\"json\":{\"/arguments\":{\"account\":\"client\"}}},\"do\":["
    "{\"json_patch\":[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]},{\"respond\":{\"status\":200,"
    "\"fields\":{\"A\":\"b\"},\"body\":{\"text\":\"c\"}}},{\"reframe\":{\"to\":\"chunked\","
    "\"chunk_bytes\":[1]}}]},{\"name\":\"s\",\"on\":\"response\",\"do\":[{\"save\":{\"as\":"
    "\"t\"}},{\"respond\":{\"saved\":\"t\"}}]}]}";

/* Wherever memory runs out, there are no rules, and an error that says why. */
static void test_load_without_memory(void **state)
{
    struct rules *rules = NULL;
    struct buf errors;
    size_t n_errors;
    long count = 0;
    (void)state;
    for (; rules == NULL && count < 1000; count++) {
        buf_init(&errors, RULES_ERRORS_MAX);
        assert_int_equal(buf_reserve(&errors, 1024), 0);
        scarce_memory(count);
        rules = rules_load_text("r", slice_str(RULES_OF_ALL_KINDS), &errors, &n_errors);
        scarce_memory(-1);
        assert_int_equal(n_errors, rules == NULL ? 1 : 0);
        assert_true(slice_is(slice_of(errors.data, errors.len),
            rules == NULL ? "r: there is not enough memory to read it\n" : ""));
        buf_deinit(&errors);
    }
    assert_true(rules != NULL && count > 20);
    rules_free(rules);
}

/* Wherever memory runs out, nothing fires and no counter moves. */
static void test_fire_without_memory(void **state)
{
    struct rules *rules = load(RULES_OF_ALL_KINDS);
    struct rule_facts facts = facts_of(RULE_REQUEST);
    size_t fires_now = 0;
    bool done = false;
    long count = 0;
    (void)state;
    for (; !done && count < 1000; count++) {
        assert_int_equal(rules->list[0].matched, 0);
        set_content(slice_str(BODY));
        scarce_memory(count);
        done = rules_fire(rules, &facts, &fires_now);
        scarce_memory(-1);
        assert_int_equal(fires_now, done ? 1 : 0);
    }
    assert_true(done && count > 2);
    assert_int_equal(rules->list[0].matched, 1);
    rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_facts_that_lack),
        cmocka_unit_test(test_need),
        cmocka_unit_test(test_need_of_actions),
        cmocka_unit_test(test_need_ends),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_order_and_values),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_load_without_memory),
        cmocka_unit_test(test_fire_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
