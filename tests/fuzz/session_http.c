#include "tests/fuzz/session_http.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MATCH_STEPS_MAX 10000

enum { REQUEST_HEAD = 1, REQUEST_CONNECT = 2 };

void session_http_begin(struct session_http *http)
{
    memset(http, 0, sizeof *http);
    http->from_client = http_parser_new(HTTP_KIND_REQUEST, NULL, NULL);
    http->to_upstream = http_parser_new(HTTP_KIND_REQUEST, NULL, NULL);
    http->to_client = http_parser_new(HTTP_KIND_RESPONSE, NULL, NULL);
    PROMISE(http->from_client && http->to_upstream && http->to_client);
}

void session_http_end(struct session_http *http)
{
    http_parser_free(http->from_client);
    http_parser_free(http->to_upstream);
    http_parser_free(http->to_client);
}

void session_http_upstream(struct session_http *http)
{
    http->to_upstream = http_parser_renew(http->to_upstream);
    PROMISE(http->to_upstream);
}

static void note_request(struct session_http *http)
{
    const struct http_head *head = http_parser_head(http->from_client);
    if (http->n_requests == SESSION_HTTP_REQUESTS_MAX) {
        http->unread = true;
        return;
    }
    http->requests[http->n_requests++] = (slice_is(head->method, "HEAD") ? REQUEST_HEAD : 0) |
                                         (slice_is(head->method, "CONNECT") ? REQUEST_CONNECT : 0);
}

/* The one that the next response answers; a request that could not be read is behind the others. */
static unsigned answered(const struct session_http *http)
{
    if (http->n_responses < http->n_requests)
        return http->requests[http->n_responses];
    return http_parser_is_to_head(http->from_client) ? REQUEST_HEAD : 0;
}

static void note_response_head(struct session_http *http)
{
    int status = http_parser_head(http->to_client)->status;
    bool connected = (answered(http) & REQUEST_CONNECT) && status / 100 == 2;
    if (status == 101 || connected)
        http->unread = true;
}

static void note_response(struct session_http *http)
{
    if (http_parser_head(http->to_client)->status < 200)
        return;
    http->n_responses++;
    PROMISE(http->n_responses <= http->exchanges); /* a client has none that is not on record */
    PROMISE(http->n_responses <= http->n_requests + 1);
}

static void from_client(struct session_http *http, const char *data, size_t len)
{
    enum http_event event;
    size_t used;
    do {
        event = http_parser_feed(http->from_client, data, len, &used);
        data += used;
        len -= used;
        if (event == HTTP_EVENT_HEAD)
            note_request(http);
    } while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END);
}

static void to_client(struct session_http *http, const char *data, size_t len)
{
    enum http_event event;
    size_t used;
    do {
        if (http_parser_idle(http->to_client) && (answered(http) & REQUEST_HEAD))
            http_parser_expect_no_body(http->to_client);
        event = http_parser_feed(http->to_client, data, len, &used);
        data += used;
        len -= used;
        PROMISE(event != HTTP_EVENT_ERROR);
        if (event == HTTP_EVENT_HEAD)
            note_response_head(http);
        else if (event == HTTP_EVENT_END)
            note_response(http);
    } while (!http->unread && (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END));
}

static void to_upstream(struct session_http *http, const char *data, size_t len)
{
    enum http_event event;
    size_t used;
    do {
        event = http_parser_feed(http->to_upstream, data, len, &used);
        data += used;
        len -= used;
        PROMISE(event != HTTP_EVENT_ERROR);
    } while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END);
}

void session_http_bytes(
    struct session_http *http, enum leg leg, enum direction direction, const char *data, size_t len)
{
    if (http->unread)
        return;
    if (leg == LEG_CLIENT && direction == DIRECTION_REQUEST)
        from_client(http, data, len);
    else if (leg == LEG_CLIENT)
        to_client(http, data, len);
    else if (direction == DIRECTION_REQUEST)
        to_upstream(http, data, len);
}

static size_t common(struct slice a, struct slice b)
{
    size_t len = 0;
    while (len < a.len && len < b.len && a.data[len] == b.data[len])
        len++;
    return len;
}

/* One error of the proxy's own; to HEAD it has no body. */
static bool is_own(struct slice bytes)
{
    static const char by[] = "\"by\":\"mitm_proxy\"";
    return bytes.len > 16 && memcmp(bytes.data, "HTTP/1.1 ", 9) == 0 && bytes.data[9] >= '4' &&
           (memmem(bytes.data, bytes.len, by, sizeof by - 1) ||
               memcmp(bytes.data + bytes.len - 4, "\r\n\r\n", 4) == 0);
}

static bool match(
    struct slice down, const struct fake_socket *const *upstreams, size_t count, size_t *steps)
{
    if (down.len == 0 || is_own(down) || ++*steps > MATCH_STEPS_MAX)
        return true;
    if (count == 0)
        return false;
    struct slice sent = slice_of(upstreams[0]->in.data, upstreams[0]->in_read);
    for (size_t len = common(down, sent) + 1; len > 0; len--)
        if (match(
                slice_of(down.data + len - 1, down.len - len + 1), upstreams + 1, count - 1, steps))
            return true;
    return false;
}

bool session_http_down_is_exact(
    struct slice down, const struct fake_socket *const *upstreams, size_t count)
{
    size_t steps = 0;
    return match(down, upstreams, count, &steps);
}
