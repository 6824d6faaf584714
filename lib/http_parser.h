/*
 * HTTP/1.1 framing: bytes in, events out (RFC 9112). No socket, no clock.
 *
 * The caller feeds what it read until MORE comes back, and acts on each event in turn. `used` tells
 * which of the bytes belong to the event, so that they can be forwarded as they are:
 *
 *     do {
 *         event = http_parser_feed(parser, data, len, &used);
 *         … act on event; data[0..used) is what it covers …
 *         data += used, len -= used;
 *     } while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END);
 *
 * A message that two parsers could frame differently is an error: llhttp runs with no lenient
 * flag, and what it still lets through is refused here.
 */
#ifndef LIB_HTTP_PARSER_H
#define LIB_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/http_head.h"

#define HTTP_HEADS_VARIETY 4

struct http_parser;
struct http_reading;

/* What parsers of one thread share: heads that were read lately, and memory for the next ones. */
struct http_heads {
    size_t variety; /* how many of the last ones a head that comes is compared with, at least 1 */
    struct http_reading *last[2]; /* lists, by kind */
    size_t count[2];              /* their lengths */
};

enum http_event {
    HTTP_EVENT_MORE, /* all bytes were taken; they are part of the current message */
    HTTP_EVENT_HEAD, /* the head is whole; the bytes end with its empty line */
    HTTP_EVENT_END,  /* the message is whole; what follows belongs to the next one */
    HTTP_EVENT_ERROR /* see http_parser_problem(); the parser stays in error */
};

/* Called for each run of content, chunk framing removed, during a feed. Records, nothing else. */
typedef void (*http_body_cb)(void *arg, const char *data, size_t len);

/* NULL when there is no memory. ON_BODY may be NULL. */
struct http_parser *http_parser_new(enum http_kind kind, http_body_cb on_body, void *arg);
void http_parser_free(struct http_parser *parser);

/* The parser shares HEADS with others from now on, and has none of its own. They outlive it; what
 * it holds of them goes back with http_parser_forget_head. */
void http_parser_use_heads(struct http_parser *parser, struct http_heads *heads);
void http_heads_deinit(struct http_heads *heads);

/* A new one in the place of PARSER, for another connection. NULL when there is no memory. */
struct http_parser *http_parser_renew(struct http_parser *parser);

/*
 * Takes bytes up to the next event and sets *USED to how many: all of them for MORE, 0 for the END
 * of a message without a body. LEN may be 0, as it is when the loop above goes on after the last
 * byte.
 */
enum http_event http_parser_feed(
    struct http_parser *parser, const char *data, size_t len, size_t *used);

/*
 * Says that no more bytes come. HTTP_EVENT_END: a body that ends with the connection is whole.
 * HTTP_EVENT_MORE: the peer stopped between messages. HTTP_EVENT_ERROR: a message was cut, with
 * the word "incomplete".
 */
enum http_event http_parser_eof(struct http_parser *parser);

/* Responses: the next head answers a HEAD request, so no body follows it. */
void http_parser_expect_no_body(struct http_parser *parser);

/* The current head: valid from HTTP_EVENT_HEAD until the feed after HTTP_EVENT_END. */
const struct http_head *http_parser_head(const struct http_parser *parser);

/* Between messages: lets go of the last one's head, which no waiting connection needs. */
void http_parser_forget_head(struct http_parser *parser);

/* Bytes of the next head that were taken so far: what a caller has not been able to act on. */
struct slice http_parser_partial_head(const struct http_parser *parser);

/* True between messages, with no byte of the next one taken (leading CRLFs do not count). */
bool http_parser_idle(const struct http_parser *parser);

/* True where the next byte is one of a head: so it is between messages, too. */
bool http_parser_in_head(const struct http_parser *parser);

/* True after HTTP_EVENT_HEAD of a message whose body ends with the connection (responses). */
bool http_parser_until_close(const struct http_parser *parser);

/*
 * True after HTTP_EVENT_HEAD where the head alone says how long the body is, which may be 0: *SIZE
 * is set then. False for a chunked body, and for one that ends with the connection.
 */
bool http_parser_body_size(const struct http_parser *parser, uint64_t *size);

/*
 * After HTTP_EVENT_HEAD: the caller passes over the body by itself. There is no HTTP_EVENT_END for
 * this message, and what is fed next is the next one.
 */
void http_parser_pass_body(struct http_parser *parser);

/*
 * Requests: the method is HEAD, as far as the request was read, also after HTTP_EVENT_ERROR. What
 * answers it has no content (RFC 9110 §9.3.2).
 */
bool http_parser_is_to_head(const struct http_parser *parser);

/* Valid after HTTP_EVENT_ERROR. */
const struct http_problem *http_parser_problem(const struct http_parser *parser);

#endif
