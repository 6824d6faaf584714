/*
 * The command line of mitm_proxy.
 */
#ifndef MITM_PROXY_OPTIONS_H
#define MITM_PROXY_OPTIONS_H

#include "lib/options.h"
#include "lib/redact.h"
#include "lib/sandbox.h"
#include "mitm_proxy/admin_gate.h"
#include "mitm_proxy/proxy.h"
#include "mitm_proxy/tls_setup.h"

enum pcap_source {
    PCAP_SOURCE_WIRE,
    PCAP_SOURCE_PAYLOAD,
};

struct proxy_options {
    struct proxy_config proxy;
    struct admin_gate admin;
    struct tls_options tls;
    const char *check_rules;    /* NULL: none; else this file is checked and nothing started */
    const char *rules;          /* NULL: none */
    struct option_list conceal; /* names of rules that the exchange log does not tell of */
    const char *exchange_log;   /* NULL: none */
    struct redact redact;       /* what the log does not show */
    bool hash_chain;            /* its records carry each other's hashes */
    const char *pcap;           /* NULL: none */
    const char *pcap_interface;
    enum pcap_source pcap_source;
    const char *user; /* NULL: by default */
    enum sandbox_wish sandbox;
    bool refuse_unrecorded; /* when recording fails, answer 503 instead of going on */
    uint64_t workers;       /* threads that share the connections, with the main one */
    bool quiet;             /* no line per exchange */
};

/* Fills OPTIONS from the environment and argv; errors are logged. */
enum options_result proxy_options_parse(struct proxy_options *options, int argc, char **argv);

#endif
