#include "capturer/capdiff/log_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/log_values.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/redaction.h"
#include "lib/sha256.h"

enum name {
    NAME_RULE,
    NAME_SIDE,
    NAME_ACTION,
    NAME_POINTER,
    NAME_FIELD,
    NAME_OLD,
    NAME_NEW,
    NAME_BODY,
    NAME_FRAMING,
    NAME_STATUS,
    NAME_RESET,
    NAME_MS,
    NAME_HELD_MS,
    NAME_BYTES_PER_SECOND,
    NAME_TIMES,
    NAME_AFTER_MS,
    NAME_OF,
    NAME_AS,
    NAME_FAILED,
    NAME_REASON,
    NAME_TARGET,
    NAMES,
};

static const struct slice names[NAMES] = {LOG_NAME("rule"), LOG_NAME("side"), LOG_NAME("action"),
    LOG_NAME("pointer"), LOG_NAME("field"), LOG_NAME("old"), LOG_NAME("new"), LOG_NAME("body"),
    LOG_NAME("framing"), LOG_NAME("status"), LOG_NAME("reset"), LOG_NAME("ms"), LOG_NAME("held_ms"),
    LOG_NAME("bytes_per_second"), LOG_NAME("times"), LOG_NAME("after_ms"), LOG_NAME("of"),
    LOG_NAME("as"), LOG_NAME("failed"), LOG_NAME("reason"), LOG_NAME("target")};

#define BIT(name) (1u << (name))

/* An element that is being read. */
struct reader {
    const struct json_text *json;
    int values[NAMES];
    struct log_change *change;
};

/* Takes what a kind's members say. False: one of them is not what it must be. */
typedef bool (*take_cb)(struct reader *reader);

enum {
    OWNED_NAME,
    OWNED_BEFORE,
    OWNED_AFTER,
};

/* A string; false: it is none. */
static bool take_string(struct reader *reader, int value, int owned)
{
    struct slice *texts[] = {
        &reader->change->name, &reader->change->before, &reader->change->after};

    free(reader->change->owned[owned]);
    reader->change->owned[owned] = log_take_slice(reader->json, value, texts[owned]);
    return texts[owned]->data != NULL;
}

static bool is_json(struct slice text)
{
    struct json_text *json = json_text_parse(text, NULL, NULL);

    json_text_free(json);
    return json != NULL;
}

/* {"redacted":BYTES} */
static bool take_hidden(struct reader *reader, int value, int owned)
{
    static const struct slice members[] = {LOG_NAME("redacted")};
    struct log_change *change = reader->change;
    struct slice *text = owned == OWNED_BEFORE ? &change->before : &change->after;
    int side = owned == OWNED_AFTER, bytes;
    char words[64];

    if (log_find_members(reader->json, value, members, 1, &bytes) != 0 ||
        !log_take_count(reader->json, bytes, &change->numbers[side]))
        return false;
    snprintf(
        words, sizeof(words), "[redacted %llu bytes]", (unsigned long long)change->numbers[side]);
    free(change->owned[owned]);
    change->owned[owned] = memory_copy(words);
    *text = slice_str(change->owned[owned]);
    change->hidden[side] = true;
    return true;
}

/* A string, null for absent, or how long it is. */
static bool take_side_text(struct reader *reader, enum name name, int owned)
{
    int value = reader->values[name];

    if (json_text_type(reader->json, value) == JSON_OBJECT)
        return take_hidden(reader, value, owned);
    return take_string(reader, value, owned) || json_text_type(reader->json, value) == JSON_NULL;
}

static bool take_texts(struct reader *reader)
{
    return take_side_text(reader, NAME_OLD, OWNED_BEFORE) &&
           take_side_text(reader, NAME_NEW, OWNED_AFTER) &&
           (reader->change->before.data != NULL || reader->change->after.data != NULL);
}

static bool is_pointer(struct slice text)
{
    if (text.len > 0 && text.data[0] != '/')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '~' &&
            (i + 1 == text.len || (text.data[i + 1] != '0' && text.data[i + 1] != '1')))
            return false;
    }
    return true;
}

static bool take_json(struct reader *reader)
{
    struct log_change *change = reader->change;

    return take_string(reader, reader->values[NAME_POINTER], OWNED_NAME) && take_texts(reader) &&
           is_pointer(change->name) &&
           (change->before.data == NULL || change->hidden[0] || is_json(change->before)) &&
           (change->after.data == NULL || change->hidden[1] || is_json(change->after));
}

static bool take_field(struct reader *reader)
{
    struct log_change *change = reader->change;

    return take_string(reader, reader->values[NAME_FIELD], OWNED_NAME) && take_texts(reader) &&
           change->name.len > 0 && memchr(change->name.data, ':', change->name.len) == NULL;
}

static bool take_sha256(struct reader *reader, int value, int owned)
{
    return take_string(reader, value, owned) &&
           strspn(reader->change->owned[owned], "0123456789abcdef") == SHA256_HEX_SIZE - 1 &&
           strlen(reader->change->owned[owned]) == SHA256_HEX_SIZE - 1;
}

static bool take_body(struct reader *reader)
{
    static const struct slice members[] = {LOG_NAME("old_bytes"), LOG_NAME("old_sha256"),
        LOG_NAME("new_bytes"), LOG_NAME("new_sha256")};
    const struct json_text *json = reader->json;
    struct log_change *change = reader->change;
    int values[4];

    return log_find_members(json, reader->values[NAME_BODY], members, 4, values) == 0 &&
           log_take_count(json, values[0], &change->numbers[0]) &&
           take_sha256(reader, values[1], OWNED_BEFORE) &&
           log_take_count(json, values[2], &change->numbers[1]) &&
           take_sha256(reader, values[3], OWNED_AFTER);
}

/* The values of the members "old" and "new", and no others. */
static bool find_old_and_new(const struct reader *reader, enum name name, int *values)
{
    static const struct slice members[] = {LOG_NAME("old"), LOG_NAME("new")};

    return log_find_members(reader->json, reader->values[name], members, 2, values) == 0;
}

/* Which of the words a string is. False: none. */
static bool take_word(const struct json_text *json, int value, const struct slice *words,
    size_t count, uint64_t *number)
{
    for (*number = 0; *number < count; ++*number) {
        if (json_text_type(json, value) == JSON_STRING &&
            json_string_is(json_text_raw(json, value), words[*number]))
            return true;
    }
    return false;
}

static bool take_target(struct reader *reader)
{
    int values[2];

    return !reader->change->response && find_old_and_new(reader, NAME_TARGET, values) &&
           take_string(reader, values[0], OWNED_BEFORE) &&
           take_string(reader, values[1], OWNED_AFTER);
}

static bool take_framing(struct reader *reader)
{
    static const struct slice words[] = {
        LOG_NAME("chunked"), LOG_NAME("length"), LOG_NAME("close")};
    int values[2];

    return find_old_and_new(reader, NAME_FRAMING, values) &&
           take_word(reader->json, values[0], words, 3, &reader->change->numbers[0]) &&
           take_word(reader->json, values[1], words, 3, &reader->change->numbers[1]);
}

static bool take_status(const struct json_text *json, int value, uint64_t *status)
{
    return log_take_count(json, value, status) && *status >= 100 && *status <= 999;
}

static bool take_respond(struct reader *reader)
{
    uint64_t *numbers = reader->change->numbers;
    int values[2];

    return find_old_and_new(reader, NAME_STATUS, values) &&
           (take_status(reader->json, values[0], &numbers[0]) ||
               json_text_type(reader->json, values[0]) == JSON_NULL) &&
           take_status(reader->json, values[1], &numbers[1]);
}

static bool take_reset(struct reader *reader)
{
    static const struct slice words[] = {
        LOG_NAME("both"), LOG_NAME("client"), LOG_NAME("upstream")};

    return take_word(
        reader->json, reader->values[NAME_RESET], words, 3, &reader->change->numbers[0]);
}

static bool take_one(struct reader *reader, enum name name)
{
    return log_take_count(reader->json, reader->values[name], &reader->change->numbers[0]);
}

static bool take_ms(struct reader *reader)
{
    return take_one(reader, NAME_MS);
}

static bool take_held(struct reader *reader)
{
    return take_one(reader, NAME_HELD_MS);
}

static bool take_speed(struct reader *reader)
{
    return take_one(reader, NAME_BYTES_PER_SECOND) && reader->change->numbers[0] > 0;
}

static bool take_replay(struct reader *reader)
{
    return !reader->change->response && take_one(reader, NAME_TIMES) &&
           log_take_count(reader->json, reader->values[NAME_AFTER_MS], &reader->change->numbers[1]);
}

static bool take_copy(struct reader *reader)
{
    return !reader->change->response && take_one(reader, NAME_OF) && reader->change->numbers[0] > 0;
}

static bool take_save(struct reader *reader)
{
    return take_string(reader, reader->values[NAME_AS], OWNED_AFTER);
}

static bool take_failed(struct reader *reader)
{
    return take_string(reader, reader->values[NAME_FAILED], OWNED_BEFORE) &&
           take_string(reader, reader->values[NAME_REASON], OWNED_AFTER);
}

static bool take_nothing(struct reader *reader)
{
    (void)reader;
    return true;
}

/* A kind: the members that it has besides rule, side and action, and the actions it may be of. */
struct shape {
    enum log_change_kind kind;
    unsigned members;
    take_cb take;
    const char *actions; /* words between spaces; NULL: any */
};

static const struct shape shapes[] = {
    {LOG_CHANGE_JSON, BIT(NAME_POINTER) | BIT(NAME_OLD) | BIT(NAME_NEW), take_json, " json_patch "},
    {LOG_CHANGE_FIELD, BIT(NAME_FIELD) | BIT(NAME_OLD) | BIT(NAME_NEW), take_field,
        " json_patch set_field remove_field replace_body redigest reframe edit_event inject_event "
        "drop_event "},
    {LOG_CHANGE_BODY, BIT(NAME_BODY), take_body,
        " json_patch replace_body corrupt truncate edit_event inject_event drop_event "},
    {LOG_CHANGE_FRAMING, BIT(NAME_FRAMING), take_framing,
        " json_patch replace_body reframe edit_event inject_event drop_event "},
    {LOG_CHANGE_RESPOND, BIT(NAME_STATUS), take_respond, " respond "},
    {LOG_CHANGE_DROP, 0, take_nothing, " drop "},
    {LOG_CHANGE_RESET, BIT(NAME_RESET), take_reset, " reset "},
    {LOG_CHANGE_DELAY, BIT(NAME_MS), take_ms, " delay "},
    {LOG_CHANGE_STALL, BIT(NAME_MS), take_ms, " stall "},
    {LOG_CHANGE_HOLD, BIT(NAME_HELD_MS), take_held, " hold "},
    {LOG_CHANGE_REORDER, BIT(NAME_HELD_MS), take_held, " reorder "},
    {LOG_CHANGE_THROTTLE, BIT(NAME_BYTES_PER_SECOND), take_speed, " throttle "},
    {LOG_CHANGE_REPLAY, BIT(NAME_TIMES) | BIT(NAME_AFTER_MS), take_replay, " replay "},
    {LOG_CHANGE_DUPLICATE, 0, take_nothing, " duplicate "},
    {LOG_CHANGE_COPY, BIT(NAME_OF), take_copy, " replay duplicate "},
    {LOG_CHANGE_SAVE, BIT(NAME_AS), take_save, " save "},
    {LOG_CHANGE_FAILED, BIT(NAME_FAILED) | BIT(NAME_REASON), take_failed, NULL},
    {LOG_CHANGE_TARGET, BIT(NAME_TARGET), take_target, " "},
};

/* Values, fields and targets may be an option's: then there is neither a rule nor an action. */
static bool may_be_an_option(const struct shape *shape, const struct log_change *change)
{
    return (shape->kind == LOG_CHANGE_JSON || shape->kind == LOG_CHANGE_FIELD ||
               shape->kind == LOG_CHANGE_TARGET) &&
           change->rule == NULL && change->action == NULL;
}

static bool is_of(const struct shape *shape, const struct log_change *change)
{
    const char *at = shape->actions;
    size_t len = change->action != NULL ? strlen(change->action) : 0;

    if (len == 0 || change->rule == NULL)
        return may_be_an_option(shape, change);
    if (at == NULL)
        return true;
    while ((at = strstr(at + 1, change->action)) != NULL) {
        if (at[-1] == ' ' && at[len] == ' ')
            return true;
    }
    return false;
}

/* What an option has done has neither a rule nor an action. */
static bool take_author(struct reader *reader)
{
    static const struct slice sides[] = {LOG_NAME("request"), LOG_NAME("response")};
    struct log_change *change = reader->change;
    uint64_t side;

    change->rule = log_take_text(reader->json, reader->values[NAME_RULE]);
    change->action = log_take_text(reader->json, reader->values[NAME_ACTION]);
    if (!take_word(reader->json, reader->values[NAME_SIDE], sides, 2, &side))
        return false;
    change->response = side == 1;
    return (reader->values[NAME_RULE] < 0 || change->rule != NULL) &&
           (reader->values[NAME_ACTION] < 0 || change->action != NULL);
}

static unsigned members_of(const struct reader *reader)
{
    unsigned members = 0;

    for (int name = NAME_POINTER; name < NAMES; name++)
        members |= reader->values[name] >= 0 ? BIT(name) : 0;
    return members;
}

void log_change_read(struct log_change *change, const struct json_text *json, int value)
{
    struct reader reader = {.json = json, .change = change};
    bool plain;

    memset(change, 0, sizeof(*change));
    plain = log_find_members(json, value, names, NAMES, reader.values) == 0;
    plain = take_author(&reader) && plain;
    for (size_t i = 0; plain && i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (shapes[i].members != members_of(&reader) || !is_of(&shapes[i], change))
            continue;
        if (shapes[i].take(&reader))
            change->kind = shapes[i].kind;
        return;
    }
}

char *log_change_shown(const struct log_change *change, bool after, size_t max)
{
    struct slice text = after ? change->after : change->before;
    bool hides = (change->kind == LOG_CHANGE_FIELD && redaction_hides_field(change->name)) ||
                 (change->kind == LOG_CHANGE_JSON && redaction_hides_value(change->name));

    return hides && !change->hidden[after] ? redaction_words(text) : excerpt_text(text, max);
}

void log_change_deinit(struct log_change *change)
{
    free(change->rule);
    free(change->action);
    for (int i = 0; i < 3; i++)
        free(change->owned[i]);
}
