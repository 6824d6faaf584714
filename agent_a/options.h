/*
 * agent_a's command line and environment.
 */
#ifndef AGENT_A_OPTIONS_H
#define AGENT_A_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/defence.h"
#include "lib/hostport.h"
#include "lib/options.h"

struct agent_a_options {
    struct http_url url;   /* its target is absolute where a proxy takes it */
    struct hostport proxy; /* if proxied: whom calls go through */
    bool proxied;
    struct option_list calls; /* files; none: the built-in call */
    uint64_t count;
    uint64_t concurrency;
    uint64_t interval; /* ms */
    uint64_t timeout;  /* s */
    uint64_t wait;     /* s; 0: do not wait */
    uint64_t retries;
    const char *results; /* file, or NULL */
    struct defence_options defence;
    const char *ca;      /* file; NULL: the system's */
    const char *cert;    /* file, or NULL */
    const char *tls_key; /* file; NULL: the key is in the other one */
    const char *keylog;  /* file, or NULL */
    bool quiet;
    bool verbose;
};

/* Fills OPTIONS; an error has been logged when OPTIONS_USAGE comes back. */
enum options_result agent_a_options_read(struct agent_a_options *options, int argc, char **argv);

#endif
