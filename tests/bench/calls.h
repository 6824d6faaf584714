/*
 * Tool calls as HTTP messages, and what the proxy's exchange log says of them.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdint.h>
#include <stdio.h>

#include "bodies.h"
#include "wire.h"

#define CALL_HEAD_MAX (FIELDS_MAX + 1024)

enum call_part {
    CALL_REQUEST,
    CALL_RENAMED, /* the request as a proxy sends it that puts its own name into a header */
    CALL_RESPONSE,
    CALL_BEHIND, /* what the server asks of another one meanwhile */
    CALL_BEHIND_RESPONSE,
};

/* Bytes that BUFFER below has to have room for, where no body has more than SIZE. */
size_t call_room(size_t size);

/* Writes one message to BUFFER. Returns where in it the message begins; *LEN: its bytes. */
const char *call_message(char *buffer, enum call_part part, const struct body *body, size_t *len);

/* The record of a call whose request began at TS_US. RENAMED: it says what the proxy did. */
struct call_record {
    uint64_t ts_us;
    const struct leg *client, *upstream;
    struct body body;
    bool renamed;
};

void call_log(FILE *log, const struct call_record *record);

#endif
