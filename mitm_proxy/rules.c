#include "mitm_proxy/rules.h"

#include <stdlib.h>

#include "mitm_proxy/json_equal.h"

struct rules_kept {
    struct rules_kept *next;
    max_align_t memory[];
};

void *rules_keep(struct rules *rules, size_t size)
{
    struct rules_kept *kept = calloc(1, sizeof *kept + size);
    if (kept == NULL)
        return NULL;
    kept->next = rules->kept;
    rules->kept = kept;
    return kept->memory;
}

struct rules *rules_new(void)
{
    struct rules *rules = calloc(1, sizeof *rules);
    if (rules != NULL)
        rules->references = 1;
    return rules;
}

struct rules *rules_ref(struct rules *rules)
{
    rules->references++;
    return rules;
}

void rules_free(struct rules *rules)
{
    if (rules == NULL || --rules->references > 0)
        return;
    while (rules->kept != NULL) {
        struct rules_kept *kept = rules->kept;
        rules->kept = kept->next;
        free(kept);
    }
    json_text_free(rules->json);
    free(rules);
}

void rules_restart(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        rules->list[i].matched = rules->list[i].fired = 0;
}

const char *rule_action_name(enum rule_action_kind kind)
{
    static const char *const names[] = {"json_patch", "set_field", "remove_field", "replace_body",
        "redigest", "save", "respond", "drop", "reset", "delay", "throttle", "truncate", "corrupt",
        "replay", "reorder", "duplicate", "hold", "reframe", "edit_event", "inject_event",
        "drop_event", "stall"};
    return names[kind];
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Takes one byte of TEXT by what GLOB has at *AT, and moves on in GLOB. */
static bool glob_byte(struct slice glob, size_t *at, char c, bool nocase)
{
    if (*at >= glob.len || glob.data[*at] == '*')
        return false;
    if (glob.data[*at] == '?') {
        ++*at;
        return true;
    }
    size_t literal = glob.data[*at] == '\\' && *at + 1 < glob.len ? *at + 1 : *at;
    if (glob.data[literal] != c && !(nocase && lower(glob.data[literal]) == lower(c)))
        return false;
    *at = literal + 1;
    return true;
}

/* Goes back to the last * only: what an earlier one took need not be tried again. */
static bool glob_match(struct slice glob, struct slice text, bool nocase)
{
    size_t at = 0, in_text = 0;
    size_t star = SIZE_MAX, star_text = 0;
    while (in_text < text.len) {
        if (glob_byte(glob, &at, text.data[in_text], nocase)) {
            in_text++;
        } else if (at < glob.len && glob.data[at] == '*') {
            star = ++at;
            star_text = in_text;
        } else if (star != SIZE_MAX) {
            at = star;
            in_text = ++star_text;
        } else {
            return false;
        }
    }
    while (at < glob.len && glob.data[at] == '*')
        at++;
    return at == glob.len;
}

bool rule_glob(struct slice glob, struct slice text)
{
    return glob_match(glob, text, false);
}

bool rule_glob_nocase(struct slice glob, struct slice text)
{
    return glob_match(glob, text, true);
}

/* The path of a request target: without the query, or what an absolute form has before it. */
static struct slice path_of(struct slice target)
{
    const char *query = target.len > 0 ? memchr(target.data, '?', target.len) : NULL;
    if (query != NULL)
        target.len = (size_t)(query - target.data);
    if (target.len == 0 || target.data[0] == '/')
        return target;
    const char *scheme = memmem(target.data, target.len, "://", 3);
    if (scheme == NULL)
        return target; /* of OPTIONS or CONNECT */
    const char *end = target.data + target.len;
    const char *path = memchr(scheme + 3, '/', (size_t)(end - (scheme + 3)));
    return path == NULL ? slice_str("/") : slice_of(path, (size_t)(end - path));
}

static bool text_matches(const struct rule_text *wanted, struct slice text)
{
    return !wanted->given || (text.data != NULL && slice_equal(wanted->text, text));
}

/* The address without its port, and an IPv6 one without its brackets. */
static struct slice host_of(struct slice client)
{
    const char *colon = client.len > 0 ? memrchr(client.data, ':', client.len) : NULL;
    struct slice host =
        colon != NULL ? slice_of(client.data, (size_t)(colon - client.data)) : client;
    return host.len > 1 && host.data[0] == '[' ? slice_of(host.data + 1, host.len - 2) : host;
}

static bool tool_matches(const struct rule_text *wanted, struct slice tool)
{
    return !wanted->given || (tool.data != NULL && json_string_is(tool, wanted->text));
}

static bool same_name(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* One line with that name is enough; "absent" needs that there is none. */
static bool field_matches(const struct rule_field_match *wanted, const struct rule_facts *facts)
{
    bool present = false;
    for (size_t i = 0; i < facts->n_fields; i++) {
        if (!same_name(facts->fields[i].name, wanted->name))
            continue;
        present = true;
        if (wanted->value.given && rule_glob(wanted->value.text, facts->fields[i].value))
            return true;
    }
    return !wanted->value.given && !present;
}

/* All that needs no body. */
static bool head_matches(const struct rule *rule, const struct rule_facts *facts)
{
    const struct rule_match *match = &rule->match;
    if (rule->side != (int)facts->side || !text_matches(&match->method, facts->method))
        return false;
    if (match->client.given && !rule_glob(match->client.text, host_of(facts->client)))
        return false;
    if (match->path.given && !rule_glob(match->path.text, path_of(facts->target)))
        return false;
    for (size_t i = 0; i < match->n_fields; i++) {
        if (!field_matches(&match->fields[i], facts))
            return false;
    }
    return true;
}

static enum json_equality json_matches(
    const struct rules *rules, const struct rule_match *match, const struct json_text *body)
{
    enum json_equality result = JSON_SAME;
    for (size_t i = 0; i < match->n_json && result == JSON_SAME; i++) {
        int found = json_text_at(body, match->json[i].pointer);
        result =
            found < 0 ? JSON_DIFFERENT : json_equal(rules->json, match->json[i].value, body, found);
    }
    return result;
}

static enum json_equality rule_matches(
    const struct rules *rules, const struct rule *rule, const struct rule_facts *facts)
{
    const char *why = NULL;
    if (!head_matches(rule, facts) || !tool_matches(&rule->match.tool, facts->tool))
        return JSON_DIFFERENT;
    if (rule->match.n_json == 0)
        return JSON_SAME;
    const struct json_text *body = facts->content ? content_json(facts->content, &why) : NULL;
    if (body != NULL)
        return json_matches(rules, &rule->match, body);
    return why == JSON_TEXT_NO_MEMORY ? JSON_NO_MEMORY : JSON_DIFFERENT;
}

/*
 * SplitMix64 of the seed and the number, so that what happens to the nth message that matches hangs
 * on nothing else, and a run repeats.
 */
static bool draw(const struct rule_when *when, uint64_t number)
{
    uint64_t z = when->seed + number * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53 < when->probability;
}

/* True when the rule fires at the next message that matches. */
static bool is_time(const struct rule *rule)
{
    const struct rule_when *when = &rule->when;
    uint64_t number = rule->matched + 1;
    if ((when->nth != 0 && number != when->nth) || (when->every != 0 && number % when->every != 0))
        return false;
    return (when->count == 0 || rule->fired < when->count) &&
           (!when->by_chance || draw(when, number));
}

/* True when no message can make the rule fire any more. */
static bool is_over(const struct rule *rule)
{
    const struct rule_when *when = &rule->when;
    return (when->nth != 0 && rule->matched >= when->nth) ||
           (when->count != 0 && rule->fired >= when->count);
}

bool rule_action_needs_whole(const struct rule_action *action)
{
    switch (action->kind) {
    case ACTION_JSON_PATCH:
    case ACTION_REPLACE_BODY:
    case ACTION_REDIGEST:
    case ACTION_SAVE:
    case ACTION_RESPOND:
    case ACTION_REPLAY:
    case ACTION_DUPLICATE:
        return true;
    case ACTION_REFRAME:
        return action->reframe.to == RULE_FRAMING_LENGTH;
    default:
        return false;
    }
}

bool rule_action_waits(const struct rule_action *action)
{
    switch (action->kind) {
    case ACTION_DELAY:
    case ACTION_THROTTLE:
    case ACTION_HOLD:
    case ACTION_REORDER:
    case ACTION_STALL:
        return true;
    default:
        return false;
    }
}

static bool actions_need_body(const struct rule *rule)
{
    for (size_t i = 0; i < rule->n_actions; i++) {
        if (rule_action_needs_whole(&rule->actions[i]))
            return true;
    }
    return false;
}

static enum rules_need rule_need(
    const struct rule *rule, const struct rule_facts *facts, bool event_stream)
{
    const struct rule_match *match = &rule->match;
    bool tool_comes = match->tool.given && facts->side == RULE_REQUEST && facts->tool.data == NULL;
    if (is_over(rule) || !head_matches(rule, facts) ||
        (!tool_comes && !tool_matches(&match->tool, facts->tool)))
        return RULES_NEED_NOTHING;
    if (event_stream)
        return match->n_json > 0 || tool_comes ? RULES_NEED_NOTHING : RULES_NEED_HEAD;
    if (match->n_json > 0 || tool_comes)
        return RULES_NEED_WHOLE;
    /* It matches, whatever comes, and counts. */
    return is_time(rule) && actions_need_body(rule) ? RULES_NEED_WHOLE : RULES_NEED_HEAD;
}

enum rules_need rules_need(
    const struct rules *rules, const struct rule_facts *facts, bool event_stream)
{
    enum rules_need need = RULES_NEED_NOTHING;
    for (size_t i = 0; i < rules->count && need != RULES_NEED_WHOLE; i++) {
        enum rules_need one = rule_need(&rules->list[i], facts, event_stream);
        need = one > need ? one : need;
    }
    return need;
}

bool rules_fire(struct rules *rules, const struct rule_facts *facts, size_t *count)
{
    const struct rule **firing = rules->firing;
    enum json_equality matches = JSON_DIFFERENT;
    *count = 0;
    /* First who matches, kept there; counters move when memory can no longer run out. */
    size_t matching = 0;
    for (size_t i = 0; i < rules->count && matches != JSON_NO_MEMORY; i++) {
        matches = rule_matches(rules, &rules->list[i], facts);
        if (matches == JSON_SAME)
            firing[matching++] = &rules->list[i];
    }
    if (matches == JSON_NO_MEMORY)
        return false;
    for (size_t i = 0; i < matching; i++) {
        struct rule *rule = &rules->list[firing[i] - rules->list];
        bool now = is_time(rule);
        rule->matched++;
        rule->fired += now;
        if (now)
            firing[(*count)++] = rule;
    }
    return true;
}
