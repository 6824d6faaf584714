#include "capturer/capdiff/log_record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"
#include "lib/json_text.h"

#define NS_PER_S 1000000000u
#define EXACT_MAX 9007199254740992.0 /* 2^53: doubles are exact up to here */
#define DIGITS_MAX 15                /* decimal digits that are surely less than that */

enum name {
    NAME_TS,
    NAME_EXCHANGE,
    NAME_CONNECTION,
    NAME_CLIENT,
    NAME_UPSTREAM_LOCAL,
    NAME_METHOD,
    NAME_TARGET,
    NAME_STATUS,
    NAME_CALL_ID,
    NAME_REQUEST_SHA256,
    NAME_RESPONSE_SHA256,
    NAME_RULES,
    NAME_CHANGES,
    NAME_ERROR,
    NAMES,
};

enum change_name {
    CHANGE_SIDE,
    CHANGE_POINTER,
    CHANGE_FIELD,
    CHANGE_OLD,
    CHANGE_NEW,
    CHANGE_NAMES,
};

#define NAMED(text)                                                                                \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct slice names[NAMES] = {NAMED("ts"), NAMED("exchange"), NAMED("connection"),
    NAMED("client"), NAMED("upstream_local"), NAMED("method"), NAMED("target"), NAMED("status"),
    NAMED("call_id"), NAMED("request_sha256"), NAMED("response_sha256"), NAMED("rules"),
    NAMED("changes"), NAMED("error")};

static const struct slice change_names[CHANGE_NAMES] = {
    NAMED("side"), NAMED("pointer"), NAMED("field"), NAMED("old"), NAMED("new")};

static bool has_escapes(struct slice raw)
{
    return memchr(raw.data, '\\', raw.len) != NULL;
}

/* Which of the COUNT names the key is, quotes and all; COUNT: none. */
static size_t name_of(struct slice key, const struct slice *wanted, size_t count)
{
    struct slice plain = slice_of(key.data + 1, key.len - 2);
    bool escapes = has_escapes(plain);
    size_t i = 0;

    while (i < count && !(escapes ? json_string_is(key, wanted[i]) : slice_equal(plain, wanted[i])))
        i++;
    return i;
}

/* The values of the COUNT names in an object, if it is one; -1 for those that are not there. */
static void find_members(
    const struct json_text *json, int object, const struct slice *wanted, size_t count, int *values)
{
    for (size_t i = 0; i < count; i++)
        values[i] = -1;
    if (json_text_type(json, object) != JSON_OBJECT)
        return;
    for (int value = json_text_first(json, object); value >= 0;
         value = json_text_next(json, value)) {
        size_t name = name_of(json_text_key(json, value), wanted, count);

        if (name < count)
            values[name] = value;
    }
}

static char *take_text(const struct json_text *json, int value)
{
    struct slice raw = json_text_raw(json, value);
    struct buf text;

    if (json_text_type(json, value) != JSON_STRING)
        return NULL;
    if (!has_escapes(raw))
        return memory_text(raw.data + 1, raw.len - 2);
    buf_init(&text, raw.len);
    memory_need(json_string_decode(raw, &text));
    memory_need(buf_append_char(&text, '\0'));
    return text.data;
}

static uint64_t take_number(const struct json_text *json, int value)
{
    struct slice raw = json_text_raw(json, value);
    uint64_t number = 0;
    double inexact;
    size_t i = 0;

    if (json_text_type(json, value) != JSON_NUMBER)
        return 0;
    for (; i < raw.len && i < DIGITS_MAX && raw.data[i] >= '0' && raw.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(raw.data[i] - '0');
    if (i == raw.len)
        return number;
    inexact = strtod(raw.data, NULL); /* an object's end is behind it, at the latest */
    return inexact >= 0 && inexact <= EXACT_MAX ? (uint64_t)inexact : 0;
}

static bool take_endpoint(const struct json_text *json, int value, struct endpoint *endpoint)
{
    char *text = take_text(json, value);
    bool is_one = text != NULL && endpoint_parse(endpoint, text);

    free(text);
    return is_one;
}

/* RFC 3339 in UTC, as the proxy writes it, to nanoseconds since 1970; 0 for anything else. */
static uint64_t parse_time(const char *text)
{
    const char *rest;
    uint64_t fraction = 0, unit = NS_PER_S;
    struct tm tm = {0};
    time_t seconds;

    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL)
        return 0;
    if (*rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9' && unit > 1; rest++) {
            unit /= 10;
            fraction += (uint64_t)(*rest - '0') * unit;
        }
    }
    seconds = timegm(&tm);
    return seconds > 0 ? (uint64_t)seconds * NS_PER_S + fraction : 0;
}

static uint64_t take_time(const struct json_text *json, int value)
{
    char *text = take_text(json, value);
    uint64_t time_ns = text != NULL ? parse_time(text) : 0;

    free(text);
    return time_ns;
}

/* The number of an array's elements; 0 for anything else. */
static size_t count_elements(const struct json_text *json, int array)
{
    size_t count = 0;

    if (json_text_type(json, array) != JSON_ARRAY)
        return 0;
    for (int value = json_text_first(json, array); value >= 0; value = json_text_next(json, value))
        count++;
    return count;
}

static void take_change(struct log_change *change, const struct json_text *json, int object)
{
    int values[CHANGE_NAMES];
    char *side;

    find_members(json, object, change_names, CHANGE_NAMES, values);
    side = take_text(json, values[CHANGE_SIDE]);
    change->response = side != NULL && strcmp(side, "response") == 0;
    free(side);
    change->pointer = take_text(json, values[CHANGE_POINTER]);
    change->field = take_text(json, values[CHANGE_FIELD]);
    change->before = take_text(json, values[CHANGE_OLD]);
    change->after = take_text(json, values[CHANGE_NEW]);
}

static void take_changes(struct log_record *record, const struct json_text *json, int array)
{
    size_t count = count_elements(json, array);

    if (count == 0)
        return;
    record->changes = memory_new(count, sizeof(*record->changes));
    for (int value = json_text_first(json, array); value >= 0; value = json_text_next(json, value))
        take_change(&record->changes[record->n_changes++], json, value);
}

static struct log_record *take_record(const struct json_text *json)
{
    struct log_record *record = memory_new(1, sizeof(*record));
    int values[NAMES];

    find_members(json, 0, names, NAMES, values);
    record->ts_ns = take_time(json, values[NAME_TS]);
    record->exchange = take_number(json, values[NAME_EXCHANGE]);
    record->connection = take_number(json, values[NAME_CONNECTION]);
    record->has_client = take_endpoint(json, values[NAME_CLIENT], &record->client);
    record->has_upstream_local =
        take_endpoint(json, values[NAME_UPSTREAM_LOCAL], &record->upstream_local);
    record->method = take_text(json, values[NAME_METHOD]);
    record->target = take_text(json, values[NAME_TARGET]);
    record->call_id = take_text(json, values[NAME_CALL_ID]);
    record->error = take_text(json, values[NAME_ERROR]);
    record->status = (int)(take_number(json, values[NAME_STATUS]) % 1000);
    record->request_sha256 = take_text(json, values[NAME_REQUEST_SHA256]);
    record->response_sha256 = take_text(json, values[NAME_RESPONSE_SHA256]);
    record->n_rules = count_elements(json, values[NAME_RULES]);
    take_changes(record, json, values[NAME_CHANGES]);
    return record;
}

struct log_record *log_record_read(struct slice line)
{
    const char *why;
    struct json_text *json = json_text_parse(line, &why, NULL);
    struct log_record *record = NULL;

    if (json == NULL && why == JSON_TEXT_NO_MEMORY)
        memory_need(UV_ENOMEM);
    if (json != NULL && json_text_type(json, 0) == JSON_OBJECT)
        record = take_record(json);
    json_text_free(json);
    return record;
}

void log_record_free(struct log_record *record)
{
    for (size_t k = 0; k < record->n_changes; k++) {
        free(record->changes[k].pointer);
        free(record->changes[k].field);
        free(record->changes[k].before);
        free(record->changes[k].after);
    }
    free(record->changes);
    free(record->method);
    free(record->target);
    free(record->call_id);
    free(record->error);
    free(record->request_sha256);
    free(record->response_sha256);
    free(record);
}
