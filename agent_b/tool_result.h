/*
 * The answer to a call: a tool_result as JSON, alone or at the end of a stream of events.
 */
#ifndef AGENT_B_TOOL_RESULT_H
#define AGENT_B_TOOL_RESULT_H

#include "agent_b/tools.h"
#include "lib/http_server.h"

/* The parts of a call, as the exact text that came. */
struct tool_call {
    struct slice id;
    struct slice tool_name;
    struct slice arguments;
};

/*
 * Fills the response: its status and {"id":…,"type":"tool_result","tool_name":…,"received_at":…,
 * "result":{"ok":…}}. Where RESULT has steps it is text/event-stream: for each of them an event
 * "progress" with {"step":1,"of":3}, then an event "result" with that JSON, each event a chunk. 0
 * or an error of buf.h.
 */
int tool_result_answer(const struct tool_call *call, const struct tools_result *result,
    struct http_response *response) __attribute__((warn_unused_result));

#endif
