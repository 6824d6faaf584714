/*
 * Tool calls as HTTP messages, and what the proxy's exchange log says of them.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdint.h>
#include <stdio.h>

#include "wire.h"

#define CALL_HEAD_MAX 512 /* bytes of a message besides its body */
#define CALL_BODY_MIN 128

enum call_part {
    CALL_REQUEST,
    CALL_CHANGED_REQUEST, /* as a proxy sends it on that has put its name into a header */
    CALL_RESPONSE,
    CALL_BEHIND, /* what the server asks of another one meanwhile */
    CALL_BEHIND_RESPONSE,
};

/*
 * Writes one message of call NUMBER, with a body of BODY bytes but not under CALL_BODY_MIN, to
 * OUT, which has room for CALL_HEAD_MAX more. Returns its bytes.
 */
size_t call_message(char *out, enum call_part part, long number, size_t body);

/* The record of a call whose request began at TS_US. CHANGED: it says what the proxy did. */
struct call_record {
    long number;
    uint64_t ts_us;
    const struct leg *client, *upstream;
    size_t body;
    int changed;
};

void call_log(FILE *log, const struct call_record *record);

#endif
