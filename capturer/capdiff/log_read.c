#include "capturer/capdiff/log_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"

#define BLOCK ((size_t)64 * 1024) /* bytes that are read at a time */

/* Reads a block. False: the file goes no further, so far. */
static bool read_block(struct exchange_log *log)
{
    ssize_t len;

    do
        len = read(log->file, log->block, BLOCK);
    while (len < 0 && errno == EINTR);
    log->failed = len < 0;
    log->rest = slice_of(log->block, len > 0 ? (size_t)len : 0);
    return len > 0;
}

/* Keeps how a line begins, as far as there is room for it. */
static void keep(struct exchange_log *log, struct slice text)
{
    size_t room = log->line.max - log->line.len;

    log->too_long = log->too_long || text.len > room;
    memory_need(buf_append(&log->line, text.data, text.len < room ? text.len : room));
}

/* Takes what is there of the line at hand; true: all of it, which is LINE until the next call. */
static bool take_rest(struct exchange_log *log, struct slice *line)
{
    const char *end = log->rest.len > 0 ? memchr(log->rest.data, '\n', log->rest.len) : NULL;
    size_t len = end != NULL ? (size_t)(end - log->rest.data) : log->rest.len;

    *line = slice_of(log->rest.data, len);
    log->rest = slice_of(log->rest.data + len + (end != NULL), log->rest.len - len - (end != NULL));
    if (end != NULL && log->line.len == 0 && len <= log->line.max)
        return true; /* it was in one block */
    keep(log, *line);
    *line = slice_of(log->line.data, log->line.len);
    return end != NULL;
}

/* Goes on with the line at hand; false where the file ends, so far, before the line does. */
static bool read_line(struct exchange_log *log, struct slice *line)
{
    while (!take_rest(log, line)) {
        if (!read_block(log))
            return false;
    }
    return true;
}

static void take_line(struct exchange_log *log, struct slice line)
{
    struct log_record *record = log->too_long ? NULL : log_record_read(line);

    if (record == NULL) {
        log->unreadable++;
        if (log->unreadable_line == 0)
            log->unreadable_line = log->lines;
        return;
    }
    record->line = log->lines;
    log->items = memory_room(log->items, log->count, &log->room, sizeof(struct log_record *));
    log->items[log->count++] = record;
    log->read++;
    log->capture_lost += record->capture_lost;
    if (record->ts_ns > log->last_ns)
        log->last_ns = record->ts_ns;
    log->tells_upstream = log->tells_upstream || record->has_upstream_local;
}

int exchange_log_open(struct exchange_log *log, const char *path, char *err, size_t err_size)
{
    struct stat st;
    int status = 0;

    memset(log, 0, sizeof(*log));
    log->path = path;
    buf_init(&log->line, RECORD_LINE_MAX);
    log->block = memory_raw(BLOCK);
    log->file = open(path, O_RDONLY | O_CLOEXEC);
    if (log->file < 0) {
        status = uv_translate_sys_error(errno);
        snprintf(err, err_size, "cannot open the exchange log %s: %s", path, uv_strerror(status));
    } else if (fstat(log->file, &st) == 0 && S_ISDIR(st.st_mode)) {
        snprintf(err, err_size, "%s is a directory: give the exchange log in it", path);
        status = UV_EISDIR;
    }
    if (status != 0)
        exchange_log_deinit(log);
    return status;
}

void exchange_log_read(struct exchange_log *log, uint64_t until_ns)
{
    struct slice line;

    while (log->last_ns <= until_ns && read_line(log, &line)) {
        log->lines++;
        if (line.len > 0)
            take_line(log, line);
        buf_clear(&log->line);
        log->too_long = false;
    }
}

int exchange_log_finish(struct exchange_log *log, char *err, size_t err_size)
{
    exchange_log_read(log, UINT64_MAX);
    log->torn = log->line.len > 0;
    if (log->failed) {
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

void exchange_log_forget(struct exchange_log *log)
{
    size_t kept = 0;

    for (size_t i = 0; i < log->count; i++) {
        if (log->items[i]->settled)
            log_record_free(log->items[i]);
        else
            log->items[kept++] = log->items[i];
    }
    log->count = kept;
}

void exchange_log_deinit(struct exchange_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        log_record_free(log->items[i]);
    if (log->block != NULL && log->file >= 0) /* it was opened */
        (void)close(log->file);
    buf_deinit(&log->line);
    free(log->block);
    free(log->items);
    memset(log, 0, sizeof(*log));
}
