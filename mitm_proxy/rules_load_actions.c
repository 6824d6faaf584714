#include <stdio.h>

#include "mitm_proxy/changes.h"
#include "mitm_proxy/rules_load_parts.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define AT(place) offsetof(struct rule_action, place)
#define HOUR_MS 3600000
#define OFFSET_MAX 1099511627775 /* 1 TiB - 1 */
#define CHUNKS_MAX 64
#define CHUNK_BYTES_MAX (1 << 20) /* so much may wait for a whole chunk */

#define WHOLE(name, place, need, least, most)                                                      \
    {                                                                                              \
        .key = (name), .read = rules_read_whole, .offset = AT(place), .required = (need),          \
        .min = (least), .max = (most)                                                              \
    }
#define MEMBER(name, reading, place, need)                                                         \
    {                                                                                              \
        .key = (name), .read = (reading), .offset = AT(place), .required = (need)                  \
    }

/* {"NAME": "value", …} */
static void read_fields(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_action *action = target; /* the row's offset is 0 */
    const struct json_text *json = reader->rules->json;
    if (!rules_expect(reader, value, JSON_OBJECT, "an object"))
        return;
    size_t count = rules_count_members(reader, value);
    struct rule_field *fields = rules_reader_keep(reader, count, sizeof *fields);
    int i = json_text_first(json, value);
    for (size_t n = 0; n < count && fields != NULL; n++, i = json_text_next(json, i)) {
        if (!rules_decode(reader, json_text_key(json, i), &fields[n].name))
            return;
        size_t before = rules_enter_key(reader, fields[n].name);
        if (rules_check_token(reader, fields[n].name, "a field name"))
            rules_check_framing(reader, fields[n].name);
        rules_read_field_value(reader, i, member, &fields[n].value);
        rules_leave(reader, before);
    }
    action->respond.fields = fields;
    action->respond.n_fields = count;
}

/* [sizes] */
static void read_chunk_bytes(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_action *action = target; /* the row's offset is 0 */
    const struct json_text *json = reader->rules->json;
    size_t count = rules_count_children(reader, value);
    if (!rules_expect(reader, value, JSON_ARRAY, "a list of sizes"))
        return;
    if (count == 0 || count > CHUNKS_MAX) {
        rules_error(reader, "must have 1 to %d sizes", CHUNKS_MAX);
        return;
    }
    uint64_t *sizes = rules_reader_keep(reader, count, sizeof *sizes);
    int i = json_text_first(json, value);
    for (size_t n = 0; n < count && sizes != NULL; n++, i = json_text_next(json, i)) {
        size_t before = rules_enter_index(reader, n);
        rules_read_whole(reader, i, member, &sizes[n]);
        rules_leave(reader, before);
    }
    action->reframe.chunk_bytes = sizes;
    action->reframe.n_chunk_bytes = count;
}

static void check_reframe(struct rules_reader *reader, int value, const struct rule_action *action)
{
    if (action->reframe.to == RULE_FRAMING_LENGTH && rules_has(reader, value, "chunk_bytes"))
        rules_error(reader, "\"chunk_bytes\" goes with \"to\": \"chunked\" only");
}

static void check_edit_event(
    struct rules_reader *reader, int value, const struct rule_action *action)
{
    (void)action;
    if (rules_has(reader, value, "data") == rules_has(reader, value, "json_patch"))
        rules_error(reader, "needs either \"data\" or \"json_patch\"");
}

static void check_respond(struct rules_reader *reader, int value, const struct rule_action *action)
{
    (void)action;
    bool other = rules_has(reader, value, "status") || rules_has(reader, value, "fields") ||
                 rules_has(reader, value, "body");
    if (!rules_has(reader, value, "saved") && !rules_has(reader, value, "status"))
        rules_error(reader, "needs either \"status\" or \"saved\"");
    else if (rules_has(reader, value, "saved") && other)
        rules_error(reader, "\"saved\" goes without \"status\", \"fields\" and \"body\"");
}

static void read_saved(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_text *saved = target;
    size_t errors = reader->n_errors;
    rules_read_name(reader, value, member, &saved->text);
    saved->given = errors == reader->n_errors;
}

static const char *const reset_sides[] = {"both", "client", "upstream", NULL};
static const char *const framings[] = {"chunked", "length", NULL};

static const struct rules_member set_field[] = {
    MEMBER("name", rules_read_field_name, set_field.name, true),
    MEMBER("value", rules_read_field_value, set_field.value, true),
};
static const struct rules_member remove_field[] = {
    MEMBER("name", rules_read_field_name, remove_field.name, true),
};
static const struct rules_member save[] = {MEMBER("as", rules_read_name, save.as, true)};
static const struct rules_member respond[] = {
    MEMBER("saved", read_saved, respond.saved, false),
    WHOLE("status", respond.status, false, 200, 599),
    {.key = "fields", .read = read_fields},
    MEMBER("body", rules_read_body, respond.body, false),
};
static const struct rules_member reset[] = {
    {.key = "side", .read = rules_read_choice, .offset = AT(reset.side), .choices = reset_sides},
};
static const struct rules_member delay[] = {WHOLE("ms", delay.ms, true, 0, HOUR_MS)};
static const struct rules_member throttle[] = {
    WHOLE("bytes_per_second", throttle.bytes_per_second, true, 1, 1000000000),
};
static const struct rules_member truncate_at[] = {
    WHOLE("at_byte", truncate.at_byte, true, 0, OFFSET_MAX),
};
static const struct rules_member corrupt[] = {
    WHOLE("at_byte", corrupt.at_byte, true, 0, OFFSET_MAX),
    WHOLE("xor", corrupt.xor, true, 1, 255),
};
static const struct rules_member replay[] = {
    WHOLE("times", replay.times, true, 1, 1000),
    WHOLE("after_ms", replay.after_ms, false, 0, HOUR_MS),
};
static const struct rules_member reorder[] = {
    WHOLE("within_ms", reorder.within_ms, true, 1, HOUR_MS),
};
static const struct rules_member hold[] = {WHOLE("max_ms", hold.max_ms, true, 1, HOUR_MS)};
static const struct rules_member reframe[] = {
    {.key = "to",
        .read = rules_read_choice,
        .offset = AT(reframe.to),
        .required = true,
        .choices = framings},
    {.key = "chunk_bytes", .read = read_chunk_bytes, .min = 1, .max = CHUNK_BYTES_MAX},
};
static const struct rules_member edit_event[] = {
    WHOLE("nth", edit_event.events.nth, false, 1, RULES_COUNTER_MAX),
    MEMBER("type", rules_read_line, edit_event.events.type, false),
    MEMBER("data", rules_read_text, edit_event.data, false),
    MEMBER("json_patch", rules_read_patch, edit_event.json_patch, false),
};
static const struct rules_member inject_event[] = {
    WHOLE("after_nth", inject_event.after_nth, true, 0, RULES_COUNTER_MAX),
    MEMBER("type", rules_read_line, inject_event.type, false),
    MEMBER("id", rules_read_line, inject_event.id, false),
    MEMBER("data", rules_read_text, inject_event.data, true),
};
static const struct rules_member drop_event[] = {
    WHOLE("nth", drop_event.events.nth, false, 1, RULES_COUNTER_MAX),
    MEMBER("type", rules_read_line, drop_event.events.type, false),
};
static const struct rules_member stall[] = {
    WHOLE("after_nth", stall.after_nth, true, 0, RULES_COUNTER_MAX),
    WHOLE("ms", stall.ms, true, 1, HOUR_MS),
};

/* How the parameters of one kind of action are read. */
struct action_form {
    const struct rules_member *table;
    size_t count;
    void (*read)(struct rules_reader *reader, int value, const struct rules_member *member,
        void *target); /* instead of the table, where the parameters are no plain object … */
    size_t offset;     /* … to here in the action */
    int only_on;       /* 1 + enum rule_side; 0: both */
    void (*check)(struct rules_reader *reader, int value, const struct rule_action *action);
};

#define TABLE(rows) .table = (rows), .count = COUNT(rows)

static const struct action_form forms[] = {
    [ACTION_JSON_PATCH] = {.read = rules_read_patch, .offset = AT(json_patch)},
    [ACTION_SET_FIELD] = {TABLE(set_field)},
    [ACTION_REMOVE_FIELD] = {TABLE(remove_field)},
    [ACTION_REPLACE_BODY] = {.read = rules_read_body, .offset = AT(replace_body)},
    [ACTION_REDIGEST] = {.count = 0},
    [ACTION_SAVE] = {TABLE(save), .only_on = 1 + RULE_RESPONSE},
    [ACTION_RESPOND] = {TABLE(respond), .check = check_respond},
    [ACTION_DROP] = {.count = 0},
    [ACTION_RESET] = {TABLE(reset)},
    [ACTION_DELAY] = {TABLE(delay)},
    [ACTION_THROTTLE] = {TABLE(throttle)},
    [ACTION_TRUNCATE] = {TABLE(truncate_at)},
    [ACTION_CORRUPT] = {TABLE(corrupt)},
    [ACTION_REPLAY] = {TABLE(replay), .only_on = 1 + RULE_REQUEST},
    [ACTION_REORDER] = {TABLE(reorder)},
    [ACTION_DUPLICATE] = {.count = 0},
    [ACTION_HOLD] = {TABLE(hold)},
    [ACTION_REFRAME] = {TABLE(reframe), .check = check_reframe},
    [ACTION_EDIT_EVENT] = {TABLE(edit_event), .only_on = 1 + RULE_RESPONSE,
        .check = check_edit_event},
    [ACTION_INJECT_EVENT] = {TABLE(inject_event), .only_on = 1 + RULE_RESPONSE},
    [ACTION_DROP_EVENT] = {TABLE(drop_event), .only_on = 1 + RULE_RESPONSE},
    [ACTION_STALL] = {TABLE(stall), .only_on = 1 + RULE_RESPONSE},
};

/* The index in forms; -1 with an error that lists the names. */
static int find_form(struct rules_reader *reader, struct slice name)
{
    char known[512] = "";
    size_t len = 0;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const char *known_name = rule_action_name((enum rule_action_kind)i);
        if (slice_is(name, known_name))
            return (int)i;
        if (len < sizeof known)
            len += (size_t)snprintf(
                known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "", known_name);
    }
    rules_error(reader, "is no action: known are %s", known);
    return -1;
}

static void read_parameters(
    struct rules_reader *reader, int value, int side, struct rule_action *action)
{
    const struct action_form *form = &forms[action->kind];
    if (form->only_on != 0 && side >= 0 && side != form->only_on - 1)
        rules_error(reader, "goes with \"on\": \"%s\" only",
            form->only_on == 1 + RULE_REQUEST ? "request" : "response");
    if (form->read != NULL)
        form->read(reader, value, NULL, (char *)action + form->offset);
    else
        rules_read_object(reader, value, form->table, form->count, action);
    if (form->check != NULL && json_text_type(reader->rules->json, value) == JSON_OBJECT)
        form->check(reader, value, action);
}

static void read_action(
    struct rules_reader *reader, int value, int side, struct rule_action *action)
{
    const struct json_text *json = reader->rules->json;
    struct slice name;
    if (!rules_expect(reader, value, JSON_OBJECT, "an object, as in {\"drop\": {}}"))
        return;
    if (rules_count_members(reader, value) != 1) {
        rules_error(reader, "must have one member: the action's name and its parameters");
        return;
    }
    int parameters = json_text_first(json, value);
    if (!rules_decode(reader, json_text_key(json, parameters), &name))
        return;
    size_t before = rules_enter_key(reader, name);
    int form = find_form(reader, name);
    if (form >= 0) {
        action->kind = (enum rule_action_kind)form;
        read_parameters(reader, parameters, side, action);
    }
    rules_leave(reader, before);
}

/* How notes of it in the exchange log begin. */
static void name_action(
    struct rules_reader *reader, const struct rule *rule, struct rule_action *action)
{
    struct buf by;
    buf_init(&by, SIZE_MAX);
    if (change_by(&by, rule->side == RULE_RESPONSE, rule->name, rule_action_name(action->kind)))
        reader->no_memory = true;
    char *kept = rules_reader_keep(reader, by.len, 1);
    if (kept != NULL && by.len > 0)
        memcpy(kept, by.data, by.len);
    action->by = slice_of(kept, by.len);
    buf_deinit(&by);
}

void rules_read_actions(struct rules_reader *reader, int value, struct rule *rule)
{
    const struct json_text *json = reader->rules->json;
    size_t count = rules_count_children(reader, value);
    if (!rules_expect(reader, value, JSON_ARRAY, "a list of actions"))
        return;
    if (count == 0 || count > RULE_ACTIONS_MAX) {
        rules_error(reader, "must have 1 to %d actions", RULE_ACTIONS_MAX);
        return;
    }
    rule->actions = rules_reader_keep(reader, count, sizeof rule->actions[0]);
    for (int i = json_text_first(json, value); i >= 0 && rule->actions != NULL;
         i = json_text_next(json, i)) {
        size_t before = rules_enter_index(reader, rule->n_actions);
        struct rule_action *action = &rule->actions[rule->n_actions++];
        read_action(reader, i, rule->side, action);
        name_action(reader, rule, action);
        reader->rules->waits = reader->rules->waits || rule_action_waits(action);
        rules_leave(reader, before);
    }
}

static bool is_saved(const struct rules *rules, struct slice name)
{
    for (size_t i = 0; i < rules->count; i++) {
        for (size_t k = 0; k < rules->list[i].n_actions; k++) {
            const struct rule_action *action = &rules->list[i].actions[k];
            if (action->kind == ACTION_SAVE && slice_equal(action->save.as, name))
                return true;
        }
    }
    return false;
}

static void check_action_saved(struct rules_reader *reader, const struct rule_action *action)
{
    if (action->kind != ACTION_RESPOND || !action->respond.saved.given ||
        is_saved(reader->rules, action->respond.saved.text))
        return;
    size_t before = rules_enter_key(reader, slice_str("respond"));
    rules_enter_key(reader, slice_str("saved"));
    rules_error(reader, "nothing is saved as %.*s", (int)action->respond.saved.text.len,
        action->respond.saved.text.data);
    rules_leave(reader, before);
}

void rules_check_saved(struct rules_reader *reader)
{
    const struct rules *rules = reader->rules;
    for (size_t i = 0; i < rules->count; i++) {
        size_t before = rules_enter_index(reader, i);
        rules_enter_key(reader, slice_str("do"));
        for (size_t k = 0; k < rules->list[i].n_actions; k++) {
            size_t actions = rules_enter_index(reader, k);
            check_action_saved(reader, &rules->list[i].actions[k]);
            rules_leave(reader, actions);
        }
        rules_leave(reader, before);
    }
}
