/*
 * A tool call as text: where it comes from, how it is sent, what its answer must be. No sockets.
 */
#ifndef AGENT_A_TOOL_CALL_H
#define AGENT_A_TOOL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_a/outcome.h"
#include "lib/buf.h"
#include "lib/hostport.h"
#include "lib/slice.h"

#define TOOL_CALL_MAX (8UL * 1024 * 1024) /* bytes of a call */
#define TOOL_CALL_HEAD_MAX (8UL * 1024)   /* bytes of the head that goes before it */

/* Appends the built-in call with the id "call-NUMBER", four digits or more. 0 or UV_E*. */
int tool_call_default(uint64_t number, struct buf *out) __attribute__((warn_unused_result));

/* Appends a file as it is; "-" is stdin. 0, UV_ENOBUFS past the buffer's maximum, or UV_E*. */
int tool_call_load(const char *path, struct buf *out) __attribute__((warn_unused_result));

/* Appends the head of the request that carries CALL, without the empty line. 0 or UV_E*. */
int tool_call_head(const struct http_url *url, struct slice call, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends the request that carries CALL, head and body. 0 or UV_E*. */
int tool_call_request(const struct http_url *url, struct slice call, struct buf *out)
    __attribute__((warn_unused_result));

/*
 * True when ANSWER is a JSON object with the call's id: the same text, or the same characters where
 * it is a string. To a call without an id, or that is no JSON, any answer is good. False with
 * OUTCOME.
 */
bool tool_call_check(struct slice call, struct slice answer, struct outcome *outcome);

/* How people know the call: the text of its id, fit to be printed, or "without id". Returns OUT. */
const char *tool_call_name(struct slice call, char *out, size_t size);

#endif
