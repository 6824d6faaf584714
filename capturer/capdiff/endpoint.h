/*
 * One end of a TCP connection: an IPv4 or IPv6 address and a port.
 */
#ifndef CAPDIFF_ENDPOINT_H
#define CAPDIFF_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hostport.h"

struct endpoint {
    uint8_t address[16]; /* network order; IPv4 takes the first four bytes, the rest is zero */
    uint16_t port;
    bool ipv6;
};

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

#define ADDRESSES_MAX 16

/* A few hosts; what does not fit any more is left out. */
struct addresses {
    struct endpoint items[ADDRESSES_MAX];
    size_t count;
};

void addresses_add(struct addresses *addresses, const struct endpoint *endpoint);
bool addresses_have(const struct addresses *addresses, const struct endpoint *endpoint);

/* 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104. */
bool endpoint_is_loopback(const struct endpoint *endpoint);

uint64_t endpoint_hash(const struct endpoint *endpoint);

/* A hash of the pair that does not depend on its order. */
uint64_t endpoint_pair_hash(const struct endpoint *a, const struct endpoint *b);

/* Reads "1.2.3.4:80" or "[::1]:80"; false for anything else. */
bool endpoint_parse(struct endpoint *endpoint, const char *text);

/* "1.2.3.4:80" or "[::1]:80" into OUT of HOSTPORT_TEXT_MAX bytes. Returns OUT. */
const char *endpoint_text(const struct endpoint *endpoint, char *out);

#endif
