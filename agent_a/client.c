#include "agent_a/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent_a/client_private.h"
#include "lib/clock.h"
#include "lib/tls_stream.h"

#define BODY_MEMORY_KEPT (64UL * 1024)

static void client_dial(struct client *client);

static void free_when_closed(struct client *client)
{
    if (!client->leaving || client->timer_live || client->stream.live)
        return;
    http_parser_free(client->parser);
    buf_deinit(&client->body);
    free(client);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    client->timer_live = false;
    free_when_closed(client);
}

static void on_stream_closed(struct stream *stream)
{
    struct client *client = stream->data;
    client->state = CLIENT_APART;
    if (client->leaving)
        free_when_closed(client);
    else if (client->request.data != NULL)
        client_dial(client);
}

/* Gives the connection up, whatever its state. */
static void client_drop(struct client *client)
{
    if (client->dial != NULL)
        dial_cancel(client->dial);
    client->dial = NULL;
    client->state = client->stream.live ? CLIENT_CLOSING : CLIENT_APART;
    (void)stream_shutdown(&client->stream); /* TLS says that nothing follows */
    stream_close(&client->stream);
}

/* Ends the exchange. The owner may send or close in here: nothing is touched after it. */
static void client_deliver(struct client *client, const struct client_answer *answer)
{
    uv_timer_stop(&client->timer);
    client->request = slice_of(NULL, 0);
    client->config.on_answer(client->config.arg, answer);
}

/* There is no answer: client->failure says why. */
static void client_deliver_failure(struct client *client)
{
    client_drop(client);
    if (client->request.data == NULL)
        return; /* the server closed between two exchanges: nobody asked */
    const struct client_answer answer = {
        .failure = client->failure,
        .word = client->word,
        .latency_ns = clock_monotonic_ns() - client->started,
    };
    client_deliver(client, &answer);
}

void client_fail(struct client *client, const char *word, const char *format, ...)
{
    va_list args;
    client->word = word;
    va_start(args, format);
    vsnprintf(client->failure, sizeof client->failure, format, args);
    va_end(args);
    client_deliver_failure(client);
}

/* The connection ended by EOF or an error before the answer was whole. */
static void client_fail_cut(struct client *client, const char *word, const char *how)
{
    if (client->state == CLIENT_DIALING)
        client_fail(client, word, "%s before the call was sent", how);
    else if (client->state == CLIENT_READING)
        client_fail(client, word, "the answer was cut: %s before its end", how);
    else if (client->exchanges > 0)
        client_fail(client, word,
            "no answer: %s, on a connection kept from an earlier call; it may have been carried "
            "out",
            how);
    else
        client_fail(client, word, "no answer: %s; it may have been carried out", how);
}

void client_fail_tls(struct client *client, int status)
{
    const struct tls *tls = tls_stream_tls(&client->stream);
    const char *word = tls_is_untrusted(tls) ? "tls_untrusted" : "tls_failed";
    const char *problem = status == UV_EPROTO ? tls_problem(tls) : uv_strerror(status);
    if (client->state == CLIENT_DIALING)
        client_fail(client, word, "no TLS with %s port %u: %s", client->config.origin->host,
            client->config.origin->port, problem);
    else
        client_fail_cut(client, word, problem);
}

static bool only_line_ends(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] != '\r' && bytes.data[i] != '\n')
            return false;
    }
    return true;
}

/*
 * Looks at BYTES that came while no request was under way. They are no answer to one that follows,
 * and the connection is not to be used again, unless they are but line ends (RFC 9112 §9.2): true.
 */
static bool client_overlook(const struct client *client, struct slice bytes)
{
    if (only_line_ends(bytes))
        return true;
    if (client->config.on_unasked != NULL)
        client->config.on_unasked(client->config.arg);
    return false;
}

/* The answer is whole. */
static void client_finish(struct client *client, bool reusable)
{
    const struct client_answer answer = {
        .status = http_parser_head(client->parser)->status,
        .head = http_parser_head(client->parser),
        .body = slice_of(client->body.data != NULL ? client->body.data : "", client->body.len),
        .latency_ns = clock_monotonic_ns() - client->started,
    };
    client->exchanges++;
    if (reusable && http_parser_head(client->parser)->keep_alive &&
        stream_queued(&client->stream) == 0)
        client->state = CLIENT_READY;
    else
        client_drop(client);
    client_deliver(client, &answer);
}

void client_on_body(void *arg, const char *data, size_t len)
{
    struct client *client = arg;
    if (client->body_status == 0)
        client->body_status = buf_append(&client->body, data, len);
    if (client->body_status == 0 && client->config.on_body != NULL)
        client->config.on_body(client->config.arg, slice_of(data, len));
}

/* Interim answers (RFC 9110 §15.2) are none. */
static bool is_final(const struct client *client)
{
    return http_parser_head(client->parser)->status >= 200;
}

/* Feeds what was read. Interim answers are passed over. */
static void client_take(struct client *client, const char *data, size_t len)
{
    enum http_event event;
    bool done = false;
    do {
        size_t used;
        event = http_parser_feed(client->parser, data, len, &used);
        data += used;
        len -= used;
        if (event == HTTP_EVENT_HEAD && is_final(client) && client->config.on_head != NULL)
            client->config.on_head(client->config.arg, http_parser_head(client->parser));
        done = event == HTTP_EVENT_END && is_final(client);
        if (event == HTTP_EVENT_HEAD && http_parser_head(client->parser)->status == 101)
            break;
    } while (!done && (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END));
    if (event == HTTP_EVENT_HEAD)
        client_fail(
            client, "bad_response", "the server switches protocols, which nobody asked for");
    else if (event == HTTP_EVENT_ERROR)
        client_fail(client, "bad_response", "the answer is not HTTP/1.1 as it should be: %s",
            http_parser_problem(client->parser)->reason);
    else if (client->body_status == UV_ENOMEM)
        client_fail(client, "no_memory", "there is not enough memory for the answer");
    else if (client->body_status != 0)
        client_fail(
            client, "bad_response", "the answer is larger than %lu bytes", CLIENT_ANSWER_MAX);
    else if (done)
        client_finish(client, client_overlook(client, slice_of(data, len)));
}

static void client_fail_unasked(struct client *client)
{
    client_fail(client, "unasked_response",
        "the server sent something on a new connection before the call");
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct client *client = stream->data;
    if (client->request.data == NULL) {
        if (!client_overlook(client, slice_of(data, len)))
            client_drop(client);
        return;
    }
    if (client->asking) {
        client_take_tunnel(client, data, len);
        return;
    }
    if (client->state == CLIENT_DIALING) {
        if (!client_overlook(client, slice_of(data, len)))
            client_fail_unasked(client);
        return;
    }
    client->state = CLIENT_READING;
    client_take(client, data, len);
}

static void on_eof(struct stream *stream)
{
    struct client *client = stream->data;
    bool whole = client->request.data != NULL && client->state == CLIENT_READING &&
                 http_parser_eof(client->parser) == HTTP_EVENT_END;
    if (whole && stream->cut)
        client_fail(client, "connection_closed",
            "the answer may be cut: the connection ended without TLS's close_notify");
    else if (whole)
        client_finish(client, false);
    else
        client_fail_cut(client, "connection_closed", "the server closed the connection");
}

static void on_error(struct stream *stream, int status)
{
    struct client *client = stream->data;
    /* Writing failed, but a server that refuses a request may have answered it before. */
    if (stream->reading)
        return;
    if (tls_stream_tls(stream) && (status == UV_EPROTO || client->state == CLIENT_DIALING))
        client_fail_tls(client, status);
    else
        client_fail_cut(client, "connection_reset", uv_strerror(status));
}

static void client_write(struct client *client)
{
    uv_buf_t run = {.len = client->request.len};
    /* uv_buf_t is not const, yet written bytes are only read. */
    memcpy(&run.base, &client->request.data, sizeof run.base);
    client->state = CLIENT_WAITING;
    client->body_status = 0;
    if (client->body.size > BODY_MEMORY_KEPT)
        buf_deinit(&client->body);
    buf_clear(&client->body);
    /* The outcome of a failed write is told by reading, see on_error. */
    (void)!stream_write(&client->stream, &run, 1);
}

/* The connection is there. What comes before the request is no answer to it. */
void client_connected(struct client *client)
{
    (void)stream_read_now(&client->stream);
    if (client->state == CLIENT_DIALING)
        client_write(client);
}

static void on_secured(struct stream *stream)
{
    struct client *client = stream->data;
    client_connected(client);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_error = on_error,
    .on_closed = on_stream_closed,
    .on_secured = on_secured,
};

static void on_timeout(uv_timer_t *timer)
{
    struct client *client = timer->data;
    if (client->failure[0] != '\0')
        client_deliver_failure(client);
    else
        client_fail(client, "timeout", "%s within %" PRIu64 " s",
            client->state == CLIENT_DIALING   ? "no connection"
            : client->state == CLIENT_READING ? "no whole answer"
                                              : "no answer",
            client->config.timeout / 1000);
}

static void client_dial(struct client *client)
{
    int err = client_connect(client, &events);
    if (!err)
        return;
    /* Told from the loop, as the contract has it. */
    client->word = "connect_failed";
    snprintf(client->failure, sizeof client->failure, "cannot connect: %s", uv_strerror(err));
    uv_timer_start(&client->timer, on_timeout, 0, 0);
}

void client_send(struct client *client, struct slice request)
{
    /* With a FIN, or what nobody asked for, it is given up. */
    if (client->state == CLIENT_READY && stream_read_now(&client->stream))
        client_drop(client);
    client->request = request;
    client->started = clock_monotonic_ns();
    client->failure[0] = '\0';
    uv_update_time(client->loop);
    uv_timer_start(&client->timer, on_timeout, client->config.timeout, 0);
    if (client->state == CLIENT_READY)
        client_write(client);
    else if (client->state == CLIENT_APART)
        client_dial(client);
}

struct client *client_new(uv_loop_t *loop, const struct client_config *config)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->loop = loop;
    client->config = *config;
    buf_init(&client->body, CLIENT_ANSWER_MAX);
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    client->timer_live = true;
    return client;
}

void client_hang_up(struct client *client)
{
    client_drop(client);
}

void client_close(struct client *client)
{
    client->leaving = true;
    client->request = slice_of(NULL, 0);
    client_drop(client);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}
