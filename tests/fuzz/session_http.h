/*
 * What the two peers of a session would read: the requests and responses of one connection as they
 * are told of, by the library's parser. Nothing that it refuses may have been passed on, and no
 * response may be there before the exchange is on record.
 */
#ifndef TESTS_SESSION_HTTP_H
#define TESTS_SESSION_HTTP_H

#include "lib/http_parser.h"
#include "mitm_proxy/connection.h"
#include "tests/fuzz/fake_net.h"

#define SESSION_HTTP_REQUESTS_MAX 512

struct session_http {
    struct http_parser *from_client, *to_upstream, *to_client;
    uint8_t requests[SESSION_HTTP_REQUESTS_MAX]; /* what is known of each that came */
    size_t n_requests, n_sent;   /* that came from the client; of which heads went up */
    size_t n_heads, n_responses; /* final ones that the client got the head of; all of */
    bool unread;                 /* what follows is no HTTP, or is not foretold */
    uint64_t exchanges;          /* on record: for the watcher to count */
};

void session_http_begin(struct session_http *http);
void session_http_end(struct session_http *http);
/* There is an upstream connection, which begins with a request. */
void session_http_upstream(struct session_http *http);
void session_http_bytes(struct session_http *http, enum leg leg, enum direction direction,
    const char *data, size_t len);

/* DOWN is beginnings of what each of the upstreams sent, and then perhaps an answer of ours. */
bool session_http_down_is_exact(
    struct slice down, const struct fake_socket *const *upstreams, size_t count);

#endif
