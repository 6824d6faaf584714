/*
 * The proxy's exchange log: what it says it did. A claim, held against the captures.
 *
 * NDJSON, one object a line, each a record (log_record.h).
 */
#ifndef CAPDIFF_LOG_READ_H
#define CAPDIFF_LOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/log_record.h"
#include "lib/buf.h"

#define RECORD_LINE_MAX ((size_t)4 * 1024 * 1024) /* bytes; a longer line counts as unreadable */

struct exchange_log {
    const char *path;          /* borrowed */
    struct log_record **items; /* those that are of use still */
    size_t count, room;
    uint64_t read;         /* records, those that are gone included */
    uint64_t capture_lost; /* packets that the proxy's capture has not, as the records say */
    uint64_t last_ns;      /* the latest time that one of them tells */
    bool tells_upstream;   /* of one of them, by which connection it went on */
    int file;
    bool failed;              /* the last read */
    char *block;              /* what was read last */
    struct slice rest;        /* of it, that is still to be taken */
    uint64_t lines;           /* that have ended */
    struct buf line;          /* how the one at hand begins, in blocks before */
    bool too_long;            /* it goes on, and is not in there */
    bool torn;                /* the last line has no end: it was not used */
    uint64_t unreadable;      /* other lines that are no JSON object */
    uint64_t unreadable_line; /* the first of them */
};

/* 0, or UV_E* with one sentence in ERR; UV_ENOENT when there is no such file. */
int exchange_log_open(struct exchange_log *log, const char *path, char *err, size_t err_size);

/* Reads on, until a record tells of a time after UNTIL_NS, or as far as the file goes so far. */
void exchange_log_read(struct exchange_log *log, uint64_t until_ns);

/*
 * Reads the rest. 0, or with one sentence in ERR: UV_EINVAL if not one line of it is a record,
 * UV_E* if it could not be read.
 */
int exchange_log_finish(struct exchange_log *log, char *err, size_t err_size);
void exchange_log_deinit(struct exchange_log *log);

/* Frees the records that are marked as settled; nothing may point to them. */
void exchange_log_forget(struct exchange_log *log);

#endif
