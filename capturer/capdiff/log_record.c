#include "capturer/capdiff/log_record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "capturer/capdiff/log_values.h"
#include "capturer/capdiff/memory.h"

#define NS_PER_S 1000000000u

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
    NAME_REQUEST_BYTES,
    NAME_REQUEST_SHA256,
    NAME_RESPONSE_SHA256,
    NAME_CHANGES,
    NAME_TUNNEL,
    NAME_ERROR,
    NAME_CAPTURE_LOST,
    NAMES,
};

static const struct slice names[NAMES] = {LOG_NAME("ts"), LOG_NAME("exchange"),
    LOG_NAME("connection"), LOG_NAME("client"), LOG_NAME("upstream_local"), LOG_NAME("method"),
    LOG_NAME("target"), LOG_NAME("status"), LOG_NAME("call_id"), LOG_NAME("request_bytes"),
    LOG_NAME("request_sha256"), LOG_NAME("response_sha256"), LOG_NAME("changes"),
    LOG_NAME("tunnel"), LOG_NAME("error"), LOG_NAME("capture_lost")};

static bool take_endpoint(const struct json_text *json, int value, struct endpoint *endpoint)
{
    char *text = log_take_text(json, value);
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
    char *text = log_take_text(json, value);
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

static void take_changes(struct log_record *record, const struct json_text *json, int array)
{
    size_t count = count_elements(json, array);

    if (array >= 0 && json_text_type(json, array) != JSON_ARRAY)
        record->n_unknown = json_text_type(json, array) != JSON_NULL;
    if (count == 0)
        return;
    record->changes = memory_new(count, sizeof(*record->changes));
    for (int value = json_text_first(json, array); value >= 0;
         value = json_text_next(json, value)) {
        struct log_change *change = &record->changes[record->n_changes++];

        log_change_read(change, json, value);
        record->n_unknown += change->kind == LOG_CHANGE_UNKNOWN;
        if (change->kind == LOG_CHANGE_COPY)
            record->copy_of = change->numbers[0];
    }
}

static void take_tunnel(struct log_record *record, const struct json_text *json, int object)
{
    static const struct slice counts[2] = {LOG_NAME("request_bytes"), LOG_NAME("response_bytes")};
    int values[2];

    if (json_text_type(json, object) != JSON_OBJECT)
        return;
    (void)log_find_members(json, object, counts, 2, values);
    record->has_tunnel = log_take_count(json, values[0], &record->tunnel_bytes[0]) &&
                         log_take_count(json, values[1], &record->tunnel_bytes[1]);
}

static struct log_record *take_record(const struct json_text *json)
{
    struct log_record *record = memory_new(1, sizeof(*record));
    int values[NAMES];

    (void)log_find_members(json, 0, names, NAMES, values);
    record->ts_ns = take_time(json, values[NAME_TS]);
    record->exchange = log_take_number(json, values[NAME_EXCHANGE]);
    record->connection = log_take_number(json, values[NAME_CONNECTION]);
    record->has_client = take_endpoint(json, values[NAME_CLIENT], &record->client);
    record->has_upstream_local =
        take_endpoint(json, values[NAME_UPSTREAM_LOCAL], &record->upstream_local);
    record->method = log_take_text(json, values[NAME_METHOD]);
    record->target = log_take_text(json, values[NAME_TARGET]);
    record->call_id = log_take_text(json, values[NAME_CALL_ID]);
    record->error = log_take_text(json, values[NAME_ERROR]);
    record->status = (int)(log_take_number(json, values[NAME_STATUS]) % 1000);
    record->request_sha256 = log_take_text(json, values[NAME_REQUEST_SHA256]);
    record->response_sha256 = log_take_text(json, values[NAME_RESPONSE_SHA256]);
    record->request_bytes = log_take_number(json, values[NAME_REQUEST_BYTES]);
    record->capture_lost = log_take_number(json, values[NAME_CAPTURE_LOST]);
    take_changes(record, json, values[NAME_CHANGES]);
    take_tunnel(record, json, values[NAME_TUNNEL]);
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

const struct log_change *log_record_change(
    const struct log_record *record, enum log_change_kind kind, bool response)
{
    for (size_t i = 0; i < record->n_changes; i++) {
        if (record->changes[i].kind == kind && record->changes[i].response == response)
            return &record->changes[i];
    }
    return NULL;
}

const struct log_change *log_record_ending(const struct log_record *record, bool response)
{
    static const enum log_change_kind endings[] = {
        LOG_CHANGE_RESPOND, LOG_CHANGE_DROP, LOG_CHANGE_RESET};
    const struct log_change *found = NULL;

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && found == NULL; i++)
        found = log_record_change(record, endings[i], response);
    return found;
}

bool log_record_excuses(const struct log_record *record)
{
    return record != NULL && (record->error != NULL || record->copy_of != 0 ||
                                 log_record_ending(record, false) != NULL ||
                                 log_record_ending(record, true) != NULL ||
                                 log_record_change(record, LOG_CHANGE_BODY, false) != NULL ||
                                 log_record_change(record, LOG_CHANGE_BODY, true) != NULL);
}

void log_record_free(struct log_record *record)
{
    for (size_t k = 0; k < record->n_changes; k++)
        log_change_deinit(&record->changes[k]);
    free(record->changes);
    free(record->method);
    free(record->target);
    free(record->call_id);
    free(record->error);
    free(record->request_sha256);
    free(record->response_sha256);
    free(record);
}
