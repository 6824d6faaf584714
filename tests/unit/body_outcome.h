/* Bodies that pass in pieces through what changes them, and what came out. */
#ifndef TESTS_BODY_OUTCOME_H
#define TESTS_BODY_OUTCOME_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/sha256.h"
#include "mitm_proxy/body_pass.h"
#include "tests/unit/event_outcome.h"

#define BODY_OUT_MAX 65536

/* What came out, and what was told, as in "@12+5 0!not_json ": a stall of 5 ms behind 12 bytes. */
struct body_outcome {
    struct buf out, told;
    size_t before; /* bytes of OUT that were there before the call */
    uint64_t bytes;
    char sha256[SHA256_HEX_SIZE];
    bool cut, moved, did[EVENT_ACTIONS_MAX];
};

/* The actions of the one rule: each is done while a body passes. NULL: no memory. */
struct body_pass *body_pass_of(const struct rules *rules, enum message_framing in);
struct body_pass_watch body_outcome_watch(struct body_outcome *outcome);

/* Passes BODY; the end comes with the last piece where TOGETHER, and else by itself. */
void body_outcome_pass(const struct rules *rules, enum message_framing in, struct slice body,
    event_piece *piece, bool together, struct body_outcome *outcome);
void body_outcome_deinit(struct body_outcome *outcome);

/* Decodes BODY, which may be cut, into CONTENT, which is the caller's to deinit. */
void body_outcome_content(
    struct slice body, bool chunked, struct buf *content, struct slice *trailers);

/* The digest is that of CONTENT. */
void body_outcome_check_digest(const struct body_outcome *outcome, struct slice content);

#endif
