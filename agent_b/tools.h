/*
 * The tools that agent_b offers: analyze_dependency, deposit, read_file and follow_build. No
 * HTTP in here.
 */
#ifndef AGENT_B_TOOLS_H
#define AGENT_B_TOOLS_H

#include <stdint.h>

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

/* What came of a call. */
struct tools_result {
    enum tools_outcome outcome;
    struct tools_error error; /* unless TOOLS_DONE */
    struct buf members;       /* what there is to say besides "ok" and "echo", each after a comma */
    uint64_t steps;           /* of progress that are told before the result; 0: it is told alone */
};

#define TOOLS_STEPS_MAX 1000

/*
 * DATA_DIR is where read_file reads; NULL: no files. NULL with *ERR (UV_E*) when it is no directory
 * that can be opened, or there is no memory.
 */
struct tools *tools_new(const char *data_dir, int *err);
void tools_free(struct tools *tools);

/* A RESULT of TOOLS_UNKNOWN. */
void tools_result_init(struct tools_result *result);
void tools_result_deinit(struct tools_result *result);

/* Runs the tool NAME (decoded). ARGUMENTS is a value of JSON, or -1. RESULT is as it was made. */
void tools_run(struct tools *tools, struct slice name, const struct json_text *json, int arguments,
    struct tools_result *result);

/* The outcome TOOLS_FAILED: there was no memory. */
void tools_fail(struct tools_result *result);

/* Appends {"balances":{…},"deposits":COUNT}: of the deposits carried out. 0 or an error of buf.h.
 */
int tools_print_ledger(const struct tools *tools, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends {"TOOL":COUNT,…}: how often each tool was carried out. 0 or an error of buf.h. */
int tools_print_carried_out(const struct tools *tools, struct buf *out)
    __attribute__((warn_unused_result));

#endif
