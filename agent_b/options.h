/*
 * agent_b's command line and environment.
 */
#ifndef AGENT_B_OPTIONS_H
#define AGENT_B_OPTIONS_H

#include <stdint.h>

#include "lib/defence.h"
#include "lib/hostport.h"
#include "lib/options.h"

struct agent_b_options {
    struct hostport listen;
    const char *data;  /* NULL: no files for read_file */
    uint64_t body_max; /* bytes */
    struct defence_options defence;
};

/* Fills OPTIONS; an error has been logged when OPTIONS_USAGE comes back. */
enum options_result agent_b_options_read(struct agent_b_options *options, int argc, char **argv);

#endif
