/*
 * A small HTTP/1.1 origin server, over TLS where it is given a context: whole requests in, whole
 * responses out, in order.
 *
 * Keeps connections alive, answers pipelined requests one after the other, refuses what
 * http_parser refuses with a JSON body {"error":{"word":…,"reason":…}}. Used by agent_b and by the
 * proxy's admin port.
 */
#ifndef LIB_HTTP_SERVER_H
#define LIB_HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/buf.h"
#include "lib/hostport.h"
#include "lib/http_head.h"
#include "lib/tls.h"

struct http_server;

struct http_request {
    const struct http_head *head;
    struct slice path; /* the target up to '?' */
    struct slice body;
    const char *peer; /* "1.2.3.4:5678" */
};

#define HTTP_RESPONSE_MAX (16UL * 1024 * 1024) /* bytes of a response's body */
#define HTTP_CHUNKS_MAX 4096                   /* that a response may be made to have */

/* Zeroed before the handler runs: status 0 becomes 200, no type becomes application/json. */
struct http_response {
    int status;
    const char *content_type;
    const char *fields; /* further lines, each ended by CRLF, or NULL */
    struct buf body;    /* the server's: append to it; not sent for HEAD, 204 and 304 */
    struct buf chunks;  /* the server's: see http_response_end_chunk */
};

struct http_server_config {
    struct hostport listen;
    struct tls_context *tls; /* a server's; NULL: HTTP without TLS. Connections keep it alive */
    size_t body_max;         /* bytes: past it 413 */
    uint64_t head_timeout;   /* ms from the first byte to the whole head, then 408; and for the
                                handshake of TLS */
    uint64_t idle_timeout;   /* ms between exchanges, between reads of a body (then 408) and of an
                                answer by the peer; then the connection is closed */
    size_t connections_max;  /* past it a new connection is closed at once */
    void (*handle)(void *arg, const struct http_request *request, struct http_response *response);
    /* A handshake of TLS came to nothing; WHY is a clause for people. May be NULL. */
    void (*on_no_handshake)(void *arg, const char *peer, const char *why);
    void (*on_stopped)(void *arg); /* may be NULL: all is closed, the server has been freed */
    void *arg;
};

/* Listens; the config is copied. NULL with *ERR (UV_E* or UV_EAI_*) on failure. */
struct http_server *http_server_start(
    uv_loop_t *loop, const struct http_server_config *config, int *err);

/* Where it listens, for port 0. */
int http_server_address(const struct http_server *server, struct sockaddr_storage *address);

/*
 * Stops accepting, finishes the answers being written, closes idle connections. Everything is
 * freed when the last handle has closed; the loop then has nothing of it left. A second call
 * closes what is still open at once; after on_stopped the server may not be used.
 */
void http_server_stop(struct http_server *server);

/*
 * Ends a chunk behind what the body has so far. A response with such an end goes out in chunks
 * (RFC 9112 §7.1), except to an HTTP/1.0 client, which knows none. 0 or an error of buf.h.
 */
int http_response_end_chunk(struct http_response *response) __attribute__((warn_unused_result));

/*
 * Makes RESPONSE say what went wrong: the status and {"error":{"word":…,"reason":…}}. The word is
 * fixed, for scripts; the reason is a sentence for people.
 */
void http_response_problem(struct http_response *response, const struct http_problem *problem);

/* The reason phrase of a status (RFC 9110 §15), "Unknown" for others. */
const char *http_reason(int status);

#endif
