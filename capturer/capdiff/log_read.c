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
#include "lib/buf.h"

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

    log->items = memory_room(log->items, log->count, &log->room, sizeof(*log->items));
    record = &log->items[log->count++];
    memset(record, 0, sizeof(*record));
    record->line = line;
    record->ts_ns = take_time(object);
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

struct line {
    struct buf text;
    bool too_long; /* what went beyond the maximum is not in it */
    bool ended;    /* by a line feed */
};

/* Reads the next line; false at the end of the file. */
static bool read_line(FILE *file, struct line *line)
{
    int c;

    buf_clear(&line->text);
    line->too_long = line->ended = false;
    while (!line->ended && (c = getc_unlocked(file)) != EOF) {
        if (c == '\n')
            line->ended = true;
        else if (line->text.len == line->text.max)
            line->too_long = true;
        else
            memory_need(buf_append_char(&line->text, (char)(unsigned char)c));
    }
    return line->ended || line->text.len > 0;
}

static void take_line(struct exchange_log *log, const struct line *line, uint64_t number)
{
    cJSON *object = NULL;

    if (!line->too_long)
        object = cJSON_ParseWithLength(line->text.data, line->text.len);
    if (cJSON_IsObject(object)) {
        take_record(log, object, number);
    } else {
        log->unreadable++;
        if (log->unreadable_line == 0)
            log->unreadable_line = number;
    }
    cJSON_Delete(object);
}

static void take_lines(struct exchange_log *log, FILE *file)
{
    struct line line = {0};

    buf_init(&line.text, RECORD_LINE_MAX);
    for (uint64_t number = 1; read_line(file, &line); number++) {
        if (!line.ended)
            log->torn = true;
        else if (line.text.len > 0)
            take_line(log, &line, number);
    }
    buf_deinit(&line.text);
}

int exchange_log_read(struct exchange_log *log, const char *path, char *err, size_t err_size)
{
    struct stat st;
    int status = 0;
    FILE *file;

    memset(log, 0, sizeof(*log));
    log->path = path;
    file = fopen(path, "rb");
    if (file == NULL) {
        status = uv_translate_sys_error(errno);
        snprintf(err, err_size, "cannot open the exchange log %s: %s", path, uv_strerror(status));
        return status;
    }
    if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
        snprintf(err, err_size, "%s is a directory: give the exchange log in it", path);
        status = UV_EISDIR;
    } else {
        take_lines(log, file);
        if (ferror(file)) {
            status = UV_EIO;
            snprintf(
                err, err_size, "cannot read the exchange log %s: %s", path, uv_strerror(status));
        }
    }
    fclose(file);
    return status;
}

void exchange_log_deinit(struct exchange_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        struct log_record *record = &log->items[i];

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
    }
    free(log->items);
    memset(log, 0, sizeof(*log));
}
