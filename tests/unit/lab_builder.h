/*
 * Builds both captures of a lab in memory and has them judged, for the tests of capdiff: agents
 * that call a server through a proxy, whose upstream leg is recorded twice, at the same moment.
 */
#ifndef TESTS_LAB_BUILDER_H
#define TESTS_LAB_BUILDER_H

#include "capturer/capdiff/verdict.h"
#include "tests/unit/pcap_builder.h"

#define LAB_AGENT 0x0a000004u
#define LAB_PROXY 0x0a000003u
#define LAB_SERVER 0x0a000002u
#define LAB_LOOPBACK 0x7f000001u
#define LAB_CONNECTIONS 64 /* on each leg, at most */
#define LAB_MESSAGE 512    /* bytes of a message, at most */
#define LAB_PATH 64

struct lab {
    struct pcap_builder proxy, server;
    struct pcap_connection client[LAB_CONNECTIONS], upstream[LAB_CONNECTIONS];
    bool one_host; /* every address is 127.0.0.1, and both captures hold both legs */
    char proxy_path[LAB_PATH], server_path[LAB_PATH];
    struct capdiff_options options;
    struct evidence evidence;
    struct findings findings;
};

/* For cmocka: a lab that has recorded nothing, in *STATE. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* Handshakes of the I-th connection of a leg. */
void lab_open_client(struct lab *lab, size_t i);
void lab_open_upstream(struct lab *lab, size_t i);

/* As pcap_connection_say, on the I-th connection of a leg. */
void lab_client_say(struct lab *lab, size_t i, int side, const char *text);
void lab_upstream_say(struct lab *lab, size_t i, int side, const char *text);

/* Both legs' I-th connections end: by the client's RST, which is passed on, or by FIN. */
void lab_close(struct lab *lab, size_t i, bool reset);

/* A request for HOST with BODY, and a response; into OUT of LAB_MESSAGE bytes, which they return.
 */
const char *lab_call(char *out, const char *host, const char *body);
const char *lab_answer(char *out, size_t number);

/* Writes both captures and compares them. */
enum verdict lab_judge(struct lab *lab);

#endif
