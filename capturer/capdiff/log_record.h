/*
 * One line of the exchange log (DESIGN: ts, exchange, connection, client, upstream_local, method,
 * target, status, call_id, request_sha256, response_sha256, rules, changes, error). Fields that are
 * absent, null or of another kind than they should be say nothing; where one stands twice, the last
 * one counts.
 */
#ifndef CAPDIFF_LOG_RECORD_H
#define CAPDIFF_LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/endpoint.h"
#include "lib/slice.h"

struct exchange;

/* A change that the log declares, by rule. */
struct log_change {
    bool response;
    char *pointer;        /* RFC 6901; or NULL */
    char *field;          /* a field's name; or NULL */
    char *before, *after; /* the texts; NULL: absent */
};

struct log_record {
    uint64_t line;
    uint64_t ts_ns; /* 0: not said, or not RFC 3339 */
    uint64_t exchange, connection;
    bool has_client, has_upstream_local;
    struct endpoint client, upstream_local;
    char *method, *target, *call_id;
    char *error; /* the fixed word; NULL: none */
    int status;  /* 0: not said */
    char *request_sha256, *response_sha256;
    size_t n_rules;
    struct log_change *changes;
    size_t n_changes;
    const struct exchange *seen; /* where the captures show it */
    bool settled;                /* it has been borne out, and is to be forgotten */
};

/* A record of LINE, without its end; NULL: it is no JSON object. */
struct log_record *log_record_read(struct slice line);
void log_record_free(struct log_record *record);

#endif
