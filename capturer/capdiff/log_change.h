/*
 * One of a record's `changes`: what the exchange log declares that a rule, or an option, has done.
 *
 * Read strictly: side, rule and action and the members of exactly one kind below, each of its type,
 * and no others; values, fields and targets that an option has changed have no rule and no action.
 * What is anything else is LOG_CHANGE_UNKNOWN and explains nothing.
 */
#ifndef CAPDIFF_LOG_CHANGE_H
#define CAPDIFF_LOG_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "capturer/capdiff/message_view.h"
#include "lib/json_text.h"
#include "lib/slice.h"

enum log_change_kind {
    LOG_CHANGE_UNKNOWN,
    LOG_CHANGE_JSON,      /* name: pointer (RFC 6901); before, after: exact texts, absent: none */
    LOG_CHANGE_FIELD,     /* name; before, after: values, absent: none */
    LOG_CHANGE_BODY,      /* before, after: SHA-256 of the content; numbers: its bytes */
    LOG_CHANGE_FRAMING,   /* numbers: enum message_framing, before and after */
    LOG_CHANGE_RESPOND,   /* numbers: status before, 0: none, and after */
    LOG_CHANGE_DROP,      /* the message went no further */
    LOG_CHANGE_RESET,     /* number: enum log_reset */
    LOG_CHANGE_DELAY,     /* number: ms */
    LOG_CHANGE_STALL,     /* number: ms */
    LOG_CHANGE_HOLD,      /* number: ms that it was held */
    LOG_CHANGE_REORDER,   /* number: ms that it was held */
    LOG_CHANGE_THROTTLE,  /* number: bytes per second */
    LOG_CHANGE_REPLAY,    /* numbers: times, and ms before each */
    LOG_CHANGE_DUPLICATE, /* the message was sent twice */
    LOG_CHANGE_COPY,      /* number: the exchange that this one repeats */
    LOG_CHANGE_SAVE,      /* after: the name it is kept by */
    LOG_CHANGE_FAILED,    /* before: a word, after: a reason. Nothing was done */
    LOG_CHANGE_TARGET,    /* before, after: of a request to a forward proxy */
};
#define LOG_CHANGE_KINDS 19

enum log_reset {
    LOG_RESET_BOTH,
    LOG_RESET_CLIENT,
    LOG_RESET_UPSTREAM,
};

struct log_change {
    enum log_change_kind kind;
    bool response;
    char *rule, *action; /* NULL: an option */
    struct slice name, before, after;
    char *owned[3]; /* what they show */
    uint64_t numbers[2];
    bool hidden[2]; /* before, after of JSON and FIELD: not told, and these are words for people;
                       numbers: their bytes */
};

/* Fills CHANGE with what an element of `changes` says. */
void log_change_read(struct log_change *change, const struct json_text *json, int value);
/*
 * What was before, or AFTER, of a value, a field or a target, as a report may show it: cut after
 * MAX bytes. NULL: there was none. The caller frees.
 */
char *log_change_shown(const struct log_change *change, bool after, size_t max);

void log_change_deinit(struct log_change *change);

#endif
