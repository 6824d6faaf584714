#include "capturer/capdiff/log_read.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"

#define NS_PER_S 1000000000u
#define EXACT_MAX 9007199254740992.0 /* 2^53: doubles are exact up to here */

static char *take_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text != NULL ? memory_text(text, strlen(text)) : NULL;
}

static uint64_t take_number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > EXACT_MAX)
        return 0;
    return (uint64_t)item->valuedouble;
}

/* RFC 3339 in UTC, as the proxy writes it, to nanoseconds since 1970; 0 for anything else. */
static uint64_t take_time(const cJSON *object)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "ts"));
    const char *rest = NULL;
    uint64_t fraction = 0, unit = NS_PER_S;
    struct tm tm = {0};
    time_t seconds;

    if (text != NULL)
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

static void take_changes(struct log_record *record, const cJSON *object)
{
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(object, "changes");
    const cJSON *item;
    size_t count = cJSON_IsArray(changes) ? (size_t)cJSON_GetArraySize(changes) : 0;

    if (count == 0)
        return;
    record->changes = memory_new(count, sizeof(*record->changes));
    cJSON_ArrayForEach(item, changes)
    {
        struct log_change *change = &record->changes[record->n_changes++];
        const char *side = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "side"));

        change->response = side != NULL && strcmp(side, "response") == 0;
        change->pointer = take_text(item, "pointer");
        change->field = take_text(item, "field");
        change->before = take_text(item, "old");
        change->after = take_text(item, "new");
    }
}

static void take_record(struct exchange_log *log, const cJSON *object, uint64_t line)
{
    const cJSON *rules = cJSON_GetObjectItemCaseSensitive(object, "rules");
    struct log_record *record;

    log->items = memory_room(log->items, log->count, &log->room, sizeof(struct log_record *));
    record = log->items[log->count++] = memory_new(1, sizeof(*record));
    log->read++;
    record->line = line;
    record->ts_ns = take_time(object);
    if (record->ts_ns > log->last_ns)
        log->last_ns = record->ts_ns;
    record->exchange = take_number(object, "exchange");
    record->connection = take_number(object, "connection");
    record->client = take_text(object, "client");
    record->upstream_local = take_text(object, "upstream_local");
    record->method = take_text(object, "method");
    record->target = take_text(object, "target");
    record->call_id = take_text(object, "call_id");
    record->error = take_text(object, "error");
    record->status = (int)(take_number(object, "status") % 1000);
    record->request_sha256 = take_text(object, "request_sha256");
    record->response_sha256 = take_text(object, "response_sha256");
    record->n_rules = cJSON_IsArray(rules) ? (size_t)cJSON_GetArraySize(rules) : 0;
    take_changes(record, object);
}

/* Goes on with the line at hand; false where the file ends, so far, before the line does. */
static bool read_line(struct exchange_log *log)
{
    int c;

    clearerr(log->file); /* it may have grown */
    while ((c = getc_unlocked(log->file)) != EOF && c != '\n') {
        if (log->line.len == log->line.max)
            log->too_long = true;
        else
            memory_need(buf_append_char(&log->line, (char)(unsigned char)c));
    }
    return c == '\n';
}

static void take_line(struct exchange_log *log)
{
    cJSON *object = NULL;

    if (!log->too_long)
        object = cJSON_ParseWithLength(log->line.data, log->line.len);
    if (cJSON_IsObject(object)) {
        take_record(log, object, log->lines);
    } else {
        log->unreadable++;
        if (log->unreadable_line == 0)
            log->unreadable_line = log->lines;
    }
    cJSON_Delete(object);
}

int exchange_log_open(struct exchange_log *log, const char *path, char *err, size_t err_size)
{
    struct stat st;
    int status = 0;

    memset(log, 0, sizeof(*log));
    log->path = path;
    buf_init(&log->line, RECORD_LINE_MAX);
    log->file = fopen(path, "rb");
    if (log->file == NULL) {
        status = uv_translate_sys_error(errno);
        snprintf(err, err_size, "cannot open the exchange log %s: %s", path, uv_strerror(status));
    } else if (fstat(fileno(log->file), &st) == 0 && S_ISDIR(st.st_mode)) {
        snprintf(err, err_size, "%s is a directory: give the exchange log in it", path);
        status = UV_EISDIR;
    }
    if (status != 0)
        exchange_log_deinit(log);
    return status;
}

void exchange_log_read(struct exchange_log *log, uint64_t until_ns)
{
    while (log->last_ns <= until_ns && read_line(log)) {
        log->lines++;
        if (log->line.len > 0)
            take_line(log);
        buf_clear(&log->line);
        log->too_long = false;
    }
}

int exchange_log_finish(struct exchange_log *log, char *err, size_t err_size)
{
    exchange_log_read(log, UINT64_MAX);
    log->torn = log->line.len > 0;
    if (ferror(log->file)) {
        snprintf(err, err_size, "cannot read the exchange log %s", log->path);
        return UV_EIO;
    }
    if (log->read == 0 && log->unreadable > 0) {
        snprintf(err, err_size, "%s is no exchange log: not one of its lines is a JSON object",
            log->path);
        return UV_EINVAL;
    }
    return 0;
}

static void record_free(struct log_record *record)
{
    for (size_t k = 0; k < record->n_changes; k++) {
        free(record->changes[k].pointer);
        free(record->changes[k].field);
        free(record->changes[k].before);
        free(record->changes[k].after);
    }
    free(record->changes);
    free(record->client);
    free(record->upstream_local);
    free(record->method);
    free(record->target);
    free(record->call_id);
    free(record->error);
    free(record->request_sha256);
    free(record->response_sha256);
    free(record);
}

void exchange_log_forget(struct exchange_log *log)
{
    size_t kept = 0;

    for (size_t i = 0; i < log->count; i++) {
        if (log->items[i]->settled)
            record_free(log->items[i]);
        else
            log->items[kept++] = log->items[i];
    }
    log->count = kept;
}

void exchange_log_deinit(struct exchange_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        record_free(log->items[i]);
    if (log->file != NULL)
        (void)fclose(log->file);
    buf_deinit(&log->line);
    free(log->items);
    memset(log, 0, sizeof(*log));
}
