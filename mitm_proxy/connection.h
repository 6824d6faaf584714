/*
 * One client connection and the one upstream connection that belongs to it, as observers see them.
 */
#ifndef MITM_PROXY_CONNECTION_H
#define MITM_PROXY_CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/hostport.h"

enum leg {
    LEG_CLIENT,   /* agent_a to us */
    LEG_UPSTREAM, /* us to agent_b */
};

enum direction {
    DIRECTION_REQUEST,  /* towards agent_b */
    DIRECTION_RESPONSE, /* towards agent_a */
};

struct connection_leg {
    struct sockaddr_storage opener; /* who sent the SYN */
    struct sockaddr_storage server; /* who accepted */
    uint64_t bytes[2];              /* seen so far, by direction */
    bool open;                      /* the handshake is done */
    bool fin[2];                    /* by direction */
};

struct connection {
    uint64_t id; /* from 1, in the order of accept */
    struct connection_leg legs[2];
    char client[SOCKADDR_TEXT_MAX];         /* agent_a's address and port */
    char upstream[HOSTPORT_TEXT_MAX];       /* agent_b's, as connected; as configured before */
    char upstream_local[SOCKADDR_TEXT_MAX]; /* our own towards agent_b; "" before it is connected */
};

#endif
