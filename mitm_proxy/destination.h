/*
 * Where the calls of a client connection go.
 */
#ifndef MITM_PROXY_DESTINATION_H
#define MITM_PROXY_DESTINATION_H

#include <stdbool.h>

#include "lib/hostport.h"

struct destination {
    struct hostport origin;            /* what is connected to */
    char authority[HOSTPORT_TEXT_MAX]; /* as a Host field says it */
    bool tls;
    char server_name[HOSTPORT_HOST_MAX]; /* whom TLS finds there; "": the origin's host */
};

#endif
