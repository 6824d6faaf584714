/*
 * HOST:PORT and http URLs as people write them (RFC 3986 §3.2.2: IPv6 stands in brackets).
 */
#ifndef LIB_HOSTPORT_H
#define LIB_HOSTPORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define HOSTPORT_HOST_MAX 256 /* bytes with the terminator: a DNS name has 253 at most */
#define HOSTPORT_TEXT_MAX (HOSTPORT_HOST_MAX + 8)
#define SOCKADDR_TEXT_MAX 64 /* bytes with the terminator: an IPv6 address, brackets and a port */

struct hostport {
    char host[HOSTPORT_HOST_MAX]; /* without brackets */
    uint16_t port;
};

struct http_url {
    struct hostport origin;
    char authority[HOSTPORT_TEXT_MAX]; /* as written: what a Host field says */
    char target[2048];                 /* path and query, "/" where none was given */
    bool tls;                          /* https */
};

/* Reads "host:port", "1.2.3.4:80" or "[::1]:80". Port 0 passes. 0, or UV_EINVAL with *WHY set. */
int hostport_parse(struct hostport *hostport, const char *text, const char **why);

/* Reads "http://host[:port][/path]" or https. 0, or UV_EINVAL with *WHY set to a reason for people.
 */
int http_url_parse(struct http_url *url, const char *text, const char **why);

/* The socket address if the host is a literal address; UV_EINVAL if it is a name. */
int hostport_literal(const struct hostport *hostport, struct sockaddr_storage *address);

/* "1.2.3.4:80" or "[::1]:80" into OUT; an IPv4-mapped IPv6 address is shown as IPv4. */
const char *sockaddr_text(const struct sockaddr *address, char *out, size_t size);

/* 0.0.0.0, :: or the one as the other: no host's address, but any of this machine's. */
bool sockaddr_is_any(const struct sockaddr *address);

#endif
