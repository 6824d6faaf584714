/*
 * The tools that agent_b offers: analyze_dependency, deposit and read_file. No HTTP in here.
 */
#ifndef AGENT_B_TOOLS_H
#define AGENT_B_TOOLS_H

#include "lib/buf.h"
#include "lib/json_text.h"

struct tools;

enum tools_outcome {
    TOOLS_DONE,
    TOOLS_REFUSED, /* the tool says no: bad arguments, no such file */
    TOOLS_UNKNOWN, /* there is no such tool */
    TOOLS_FAILED,  /* not the caller's fault: no memory */
};

/* Why a tool did not do it. The word is fixed, for scripts; the reason is for people. */
struct tools_error {
    const char *word;
    const char *reason;
};

/*
 * DATA_DIR is where read_file reads; NULL: no files. NULL with *ERR (UV_E*) when it is no directory
 * that can be opened, or there is no memory.
 */
struct tools *tools_new(const char *data_dir, int *err);
void tools_free(struct tools *tools);

/*
 * Runs the tool NAME (decoded). ARGUMENTS is a value of JSON, or -1. What the tool has to say
 * besides "ok" and "echo" goes to MEMBERS, each member with a comma before it. ERROR is set unless
 * the outcome is TOOLS_DONE.
 */
enum tools_outcome tools_run(struct tools *tools, struct slice name, const struct json_text *json,
    int arguments, struct buf *members, struct tools_error *error);

/* The outcome TOOLS_FAILED, with ERROR set: there was no memory. */
enum tools_outcome tools_fail(struct tools_error *error);

/* Appends the balances of all accounts as a JSON object. 0 or an error of buf.h. */
int tools_print_ledger(const struct tools *tools, struct buf *out)
    __attribute__((warn_unused_result));

#endif
