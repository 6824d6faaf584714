/*
 * How each call ended, for scripts: a line of JSON for each, at its end.
 *
 *   call                number, in the order in which the calls were begun, from 1
 *   id, tool_name       as they stand in the call, or null
 *   attempts            how often it was sent: 1 and its retries
 *   outcome             "accepted", "refused" or "failed"
 *   word                null when accepted, else a word of outcome.h
 *   by                  who refused: "agent_a" or "agent_b"; else null
 *   claimed             the word of an error that is not known to be agent_b's, or null
 *   status              of the answer, or null
 *   duration_ms         from its first attempt to its end
 *   unasked_responses   how many were noticed since the line before
 *   events              how many came, also of an answer that was cut, where it is a stream of
 *                       events; else null
 *   response            what was accepted: the body, or the data of the last event "result"; or
 * null
 *
 * They have the form of results.schema.json.
 *
 * What is JSON stands there as the very text, except that a line break between two of its tokens is
 * a space, and that what utf8_is_unsafe names is escaped. A body that is no JSON in UTF-8 is a
 * string.
 */
#ifndef AGENT_A_RESULTS_H
#define AGENT_A_RESULTS_H

#include <stdint.h>

#include "agent_a/outcome.h"
#include "lib/line_out.h"

struct results {
    struct line_out out;
    uint64_t unasked; /* responses, since the last line */
};

struct result {
    uint64_t call;
    uint64_t attempts;
    struct slice text; /* of the call */
    const struct outcome *outcome;
    int status; /* 0: there is no answer */
    uint64_t duration_ns;
    bool streamed; /* the answer is events: */
    uint64_t events;
    struct slice response; /* that was accepted */
};

/*
 * Begins PATH anew, for its owner alone (0600). 0; UV_ELOOP for a symbolic link, UV_EINVAL for what
 * is no regular file, or what open returned.
 */
int results_open(struct results *results, const char *path);

/* One write(2) for each line. What could not be written is counted, and said once. */
void results_write(struct results *results, const struct result *result);

/* True when every line could be written. */
bool results_close(struct results *results);

#endif
