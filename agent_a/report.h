/*
 * What agent_a says about its calls: lines for each, failures, progress, the summary.
 */
#ifndef AGENT_A_REPORT_H
#define AGENT_A_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/line_out.h"
#include "lib/server_events.h"
#include "lib/slice.h"

struct report {
    struct line_out out;
    bool each_call; /* print every call and answer */
    bool progress;  /* draw the progress on stderr, a terminal */
    uint64_t total;
    uint64_t ok, failed; /* failed: refused ones too */
    uint64_t retries;
    uint64_t unasked;    /* responses */
    uint64_t *latencies; /* ns, of the answers that came; `total` of them at most */
    uint64_t n_latencies;
    uint64_t started; /* ns */
};

/* False when there is no memory. */
bool report_init(struct report *report, uint64_t total);
void report_deinit(struct report *report);

/* The clock of the summary begins. */
void report_start(struct report *report);

void report_sending(struct report *report, struct slice call);

/* An answer begins; what it tells on the way, its NUMBER counted from 1. */
void report_status(struct report *report, int status);
void report_event(struct report *report, const struct server_event *event, uint64_t number);

/* It is whole; what it says in the end. */
void report_answer(struct report *report, uint64_t latency_ns);
void report_content(struct report *report, struct slice content);

/* A call got no answer, for REASON, and is sent again as its attempt number ATTEMPT of at most MAX.
 */
void report_retry(struct report *report, const char *reason, uint64_t attempt, uint64_t max);

/* The server sent what no call had asked for; its connection was given up. */
void report_unasked(struct report *report);

/* How CALL ended: REASON is NULL or says in a clause why it failed. */
void report_end(struct report *report, struct slice call, const char *reason);

/* Draws the progress anew. */
void report_progress(const struct report *report);

/*
 * One line where more than one call was to be made: calls, retries and unasked responses where
 * there were any, seconds, calls/s, p50, p99.
 */
void report_summary(struct report *report);

#endif
