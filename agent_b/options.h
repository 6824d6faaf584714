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
    const char *tls_cert;      /* file; NULL: HTTP without TLS */
    const char *tls_key;       /* file; NULL: the key is in the other one */
    const char *tls_client_ca; /* file; NULL: every client is taken */
    const char *keylog;        /* file, or NULL */
};

/* Fills OPTIONS; an error has been logged when OPTIONS_USAGE comes back. */
enum options_result agent_b_options_read(struct agent_b_options *options, int argc, char **argv);

#endif
