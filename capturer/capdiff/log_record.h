/*
 * One line of the exchange log (DESIGN: ts, exchange, connection, client, upstream_local, method,
 * target, status, call_id, request_bytes, request_sha256, response_sha256, changes, tunnel, error,
 * capture_lost).
 * Fields that are absent, null or of another kind than they should be say nothing; where one stands
 * twice, the last one counts. `rules` are names, and explain nothing.
 */
#ifndef CAPDIFF_LOG_RECORD_H
#define CAPDIFF_LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/endpoint.h"
#include "capturer/capdiff/log_change.h"

struct exchange;

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
    bool has_tunnel;
    uint64_t tunnel_bytes[2]; /* to the upstream, to the client */
    uint64_t request_bytes;   /* of the body */
    uint64_t capture_lost; /* packets that the proxy's capture has not, since the record before */
    struct log_change *changes;
    size_t n_changes, n_unknown;
    uint64_t copy_of;            /* the exchange whose request this one repeats; 0: it is none */
    const struct exchange *seen; /* where the captures show it */
    bool settled;                /* it has been borne out, and is to be forgotten */
};

/* A record of LINE, without its end; NULL: it is no JSON object. */
struct log_record *log_record_read(struct slice line);
void log_record_free(struct log_record *record);

/* How a message ended instead of being passed on: respond, drop or reset; NULL: it was passed on.
 */
const struct log_change *log_record_ending(const struct log_record *record, bool response);

/* The first change of a kind; NULL: none. */
const struct log_change *log_record_change(
    const struct log_record *record, enum log_change_kind kind, bool response);

/* The log tells why the exchange need not be the same, or there, in every view. RECORD may be NULL.
 */
bool log_record_excuses(const struct log_record *record);

#endif
