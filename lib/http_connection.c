#include "lib/http_connection.h"

#include <stdlib.h>
#include <string.h>

#include "lib/http_parser.h"
#include "lib/http_response.h"
#include "lib/http_target.h"
#include "lib/stream.h"
#include "lib/tls_stream.h"

#define LINGER_TIMEOUT 2000      /* ms that the peer has to take the last answer */
#define REST_MAX (1024UL * 1024) /* bytes of one read that wait for the peer to read */
#define RESPONSE_HEAD_MAX (64UL * 1024)
#define FRAMED_MAX (HTTP_RESPONSE_MAX + HTTP_CHUNKS_MAX * 32UL)
#define BODY_MEMORY_KEPT (64UL * 1024) /* bytes that an idle connection may hold on to */

enum connection_state {
    CONNECTION_HANDSHAKE, /* of TLS */
    CONNECTION_IDLE,      /* between requests */
    CONNECTION_HEAD,      /* a request has begun, its head is not whole */
    CONNECTION_BODY,      /* the head is whole, the body is not */
    CONNECTION_BLOCKED,   /* the peer does not take its answers; nothing is read */
    CONNECTION_LINGER,    /* the last answer is on its way, then FIN; input is discarded */
    CONNECTION_CLOSED,    /* waiting for the handles */
};

struct http_connection {
    struct http_server *server;
    struct http_connection *prev, *next;
    struct stream stream;
    uv_timer_t timer;
    int handles; /* not yet closed */
    enum connection_state state;
    bool eof;
    size_t queued; /* when the timer was started: tells whether the peer reads */
    struct http_parser *parser;
    struct buf body;
    int body_status; /* 0, or why the body could not be kept */
    struct buf rest; /* read, but not to be looked at while blocked */
    char peer[HOSTPORT_TEXT_MAX];
};

static void connection_take(struct http_connection *connection, const char *data, size_t len);
static void on_timeout(uv_timer_t *timer);

static void connection_free(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    if (connection->prev != NULL)
        connection->prev->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->prev = connection->prev;
    server->n_connections--;
    http_parser_free(connection->parser);
    buf_deinit(&connection->body);
    buf_deinit(&connection->rest);
    free(connection);
    http_server_connection_gone(server);
}

static void connection_handle_closed(struct http_connection *connection)
{
    if (--connection->handles == 0)
        connection_free(connection);
}

static void on_stream_closed(struct stream *stream)
{
    connection_handle_closed(stream->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    connection_handle_closed(handle->data);
}

void http_connection_close(struct http_connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_IDLE)
        (void)stream_shutdown(&connection->stream); /* TLS says that nothing is missing */
    connection->state = CONNECTION_CLOSED;
    stream_close(&connection->stream);
    uv_close((uv_handle_t *)&connection->timer, on_timer_closed);
}

/* Every move goes through here, since each state is a wait with a time limit. */
static void connection_enter(struct http_connection *connection, enum connection_state state)
{
    const struct http_server_config *config = &connection->server->config;
    uint64_t limit = config->idle_timeout;
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (state == CONNECTION_HEAD || state == CONNECTION_HANDSHAKE)
        limit = config->head_timeout;
    else if (state == CONNECTION_LINGER)
        limit = LINGER_TIMEOUT;
    connection->state = state;
    connection->queued = stream_queued(&connection->stream);
    uv_timer_start(&connection->timer, on_timeout, limit, 0);
}

/*
 * Ends the conversation so that the peer sees the last answer: closing with unread input would
 * send RST, which destroys what the peer has not read yet (RFC 9112 §9.6).
 */
static void connection_finish(struct http_connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    bool flushed = stream_queued(&connection->stream) == 0;
    if ((connection->eof && flushed) || stream_shutdown(&connection->stream) != 0)
        http_connection_close(connection);
    else
        connection_enter(connection, CONNECTION_LINGER);
}

static int connection_write(struct http_connection *connection, const struct buf *head,
    const struct http_response *response)
{
    struct buf framed;
    const struct buf *body = &response->body;
    int status = 0;
    buf_init(&framed, FRAMED_MAX);
    if (response->chunks.len > 0) {
        status = http_response_frame(&framed, response);
        body = &framed;
    }
    const uv_buf_t runs[] = {
        uv_buf_init(head->data, (unsigned int)head->len),
        uv_buf_init(body->data, (unsigned int)body->len),
    };
    if (status == 0)
        status = stream_write(&connection->stream, runs, body->len > 0 ? 2 : 1);
    buf_deinit(&framed);
    return status;
}

static void connection_send(struct http_connection *connection,
    const struct http_response *response, enum http_persistence persistence, bool with_body)
{
    struct buf head;
    buf_init(&head, RESPONSE_HEAD_MAX);
    int status = http_response_head(&head, response, persistence);
    if (status == 0 && with_body && http_status_has_body(response->status)) {
        status = connection_write(connection, &head, response);
    } else if (status == 0) {
        const uv_buf_t run = uv_buf_init(head.data, (unsigned int)head.len);
        status = stream_write(&connection->stream, &run, 1);
    }
    buf_deinit(&head);
    if (status != 0)
        http_connection_close(connection);
}

/* Refuses the request and, as its framing is not to be trusted or not worth reading, hangs up. */
static void connection_refuse(
    struct http_connection *connection, const struct http_problem *problem)
{
    struct http_response response = {0};
    http_response_init(&response);
    http_response_problem(&response, problem);
    connection_send(
        connection, &response, HTTP_CLOSES, !http_parser_is_to_head(connection->parser));
    http_response_deinit(&response);
    connection_finish(connection);
}

static void refuse_body(struct http_connection *connection)
{
    static const struct http_problem too_large = {
        "body_too_large", "the body is larger than this server takes", 413};
    static const struct http_problem no_memory = {
        "no_memory", "there is not enough memory for the body", 503};
    connection_refuse(connection, connection->body_status == UV_ENOMEM ? &no_memory : &too_large);
}

/* An absolute form may say http, and https where there is TLS (RFC 9110 §7.4). */
static bool is_misdirected(const struct http_connection *connection, struct slice target)
{
    struct slice scheme = http_target_scheme(target);
    return scheme.data && !slice_is_nocase(scheme, "http") &&
           !(connection->stream.layer && slice_is_nocase(scheme, "https"));
}

static enum http_persistence persistence_of(
    const struct http_server *server, const struct http_head *head)
{
    /* What follows a CONNECT would be a tunnel, and there is none here. */
    if (!head->keep_alive || server->stopping || slice_is(head->method, "CONNECT"))
        return HTTP_CLOSES;
    return head->version_minor == 0 ? HTTP_KEEPALIVE : HTTP_PERSISTS;
}

static void connection_recycle_body(struct http_connection *connection)
{
    if (connection->body.size > BODY_MEMORY_KEPT)
        buf_deinit(&connection->body);
    buf_clear(&connection->body);
}

/* The request is whole. */
static void connection_answer(struct http_connection *connection)
{
    static const struct http_problem misdirected = {
        "misdirected", "this connection does not serve the scheme of the target", 421};
    const struct http_server *server = connection->server;
    const struct http_head *head = http_parser_head(connection->parser);
    enum http_persistence persistence = persistence_of(server, head);
    const struct http_request request = {
        .head = head,
        .path = http_target_path(head->target),
        .body = slice_of(connection->body.data, connection->body.len),
        .peer = connection->peer,
    };
    struct http_response response = {0};
    http_response_init(&response);
    if (is_misdirected(connection, head->target))
        http_response_problem(&response, &misdirected);
    else
        server->config.handle(server->config.arg, &request, &response);
    if (response.status == 0)
        response.status = 200;
    if (head->version_minor == 0)
        buf_clear(&response.chunks);
    connection_send(connection, &response, persistence, !slice_is(head->method, "HEAD"));
    http_response_deinit(&response);
    connection_recycle_body(connection);
    if (persistence == HTTP_CLOSES)
        connection_finish(connection);
    else if (stream_queued(&connection->stream) > STREAM_QUEUE_HIGH)
        connection_enter(connection, CONNECTION_BLOCKED);
    else
        connection_enter(connection, CONNECTION_IDLE);
}

/* The head is whole; LEFT bytes that follow it are here already. */
static void connection_begin_body(struct http_connection *connection, size_t left)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct http_head *head = http_parser_head(connection->parser);
    bool awaited = head->chunked || (head->has_content_length && head->content_length > 0);
    connection->body_status = 0;
    connection_enter(connection, CONNECTION_BODY);
    if (head->has_content_length && head->content_length > connection->server->config.body_max) {
        connection->body_status = UV_ENOBUFS;
        refuse_body(connection);
    } else if (head->expect_continue && head->version_minor > 0 && awaited && left == 0) {
        char text[sizeof go_on];
        memcpy(text, go_on, sizeof text);
        uv_buf_t run = uv_buf_init(text, sizeof text - 1);
        if (stream_write(&connection->stream, &run, 1) != 0)
            http_connection_close(connection);
    }
}

static void on_body(void *arg, const char *data, size_t len)
{
    struct http_connection *connection = arg;
    if (connection->body_status == 0)
        connection->body_status = buf_append(&connection->body, data, len);
}

/* All that came was taken and the request is not whole yet. */
static void connection_wait(struct http_connection *connection)
{
    if (connection->state == CONNECTION_BODY)
        connection_enter(connection, CONNECTION_BODY); /* the time limit starts again */
    else if (connection->state == CONNECTION_IDLE && !http_parser_idle(connection->parser))
        connection_enter(connection, CONNECTION_HEAD);
}

static bool connection_is_serving(const struct http_connection *connection)
{
    return connection->state == CONNECTION_IDLE || connection->state == CONNECTION_HEAD ||
           connection->state == CONNECTION_BODY;
}

static void connection_keep_rest(struct http_connection *connection, const char *data, size_t len)
{
    if (len > 0 && buf_append(&connection->rest, data, len) != 0)
        http_connection_close(connection);
    else
        stream_read_stop(&connection->stream);
}

static void connection_take(struct http_connection *connection, const char *data, size_t len)
{
    while (connection_is_serving(connection)) {
        size_t used = 0;
        enum http_event event = http_parser_feed(connection->parser, data, len, &used);
        data += used;
        len -= used;
        if (event == HTTP_EVENT_ERROR)
            connection_refuse(connection, http_parser_problem(connection->parser));
        else if (connection->body_status != 0)
            refuse_body(connection);
        else if (event == HTTP_EVENT_HEAD)
            connection_begin_body(connection, len);
        else if (event == HTTP_EVENT_END)
            connection_answer(connection);
        else {
            connection_wait(connection);
            return;
        }
    }
    if (connection->state == CONNECTION_BLOCKED)
        connection_keep_rest(connection, data, len);
}

/* The peer has taken its answers: on with what was read before, then with reading. */
static void connection_resume(struct http_connection *connection)
{
    struct buf rest = connection->rest;
    buf_init(&connection->rest, REST_MAX);
    connection_enter(connection, CONNECTION_IDLE);
    if (connection->server->stopping)
        connection_finish(connection);
    else
        connection_take(connection, rest.data, rest.len);
    buf_deinit(&rest);
    bool reads = connection_is_serving(connection) || connection->state == CONNECTION_LINGER;
    if (reads && stream_read_start(&connection->stream) != 0)
        http_connection_close(connection);
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct http_connection *connection = stream->data;
    if (connection_is_serving(connection))
        connection_take(connection, data, len);
}

static void on_eof(struct stream *stream)
{
    struct http_connection *connection = stream->data;
    connection->eof = true;
    if (connection_is_serving(connection) &&
        http_parser_eof(connection->parser) == HTTP_EVENT_ERROR)
        connection_refuse(connection, http_parser_problem(connection->parser));
    else
        connection_finish(connection);
}

/* The peer is told why, by TLS, and has time to read it. */
static void connection_fail_handshake(struct http_connection *connection, const char *why)
{
    const struct http_server_config *config = &connection->server->config;
    if (config->on_no_handshake != NULL)
        config->on_no_handshake(config->arg, connection->peer, why);
    connection_finish(connection);
    if (connection->state == CONNECTION_LINGER && stream_read_start(&connection->stream) != 0)
        http_connection_close(connection);
}

static void on_secured(struct stream *stream)
{
    struct http_connection *connection = stream->data;
    if (connection->server->stopping)
        connection_finish(connection);
    else if (connection->state == CONNECTION_HANDSHAKE)
        connection_enter(connection, CONNECTION_IDLE);
}

static void on_error(struct stream *stream, int status)
{
    struct http_connection *connection = stream->data;
    const struct tls *tls = tls_stream_tls(stream);
    if (connection->state == CONNECTION_HANDSHAKE)
        connection_fail_handshake(
            connection, status == UV_EPROTO ? tls_problem(tls) : uv_strerror(status));
    else
        http_connection_close(connection);
}

static void on_drain(struct stream *stream)
{
    struct http_connection *connection = stream->data;
    if (connection->state == CONNECTION_BLOCKED)
        connection_resume(connection);
    else if (connection->state == CONNECTION_LINGER)
        connection_finish(connection);
}

static void on_timeout(uv_timer_t *timer)
{
    static const struct http_problem slow = {
        "request_timeout", "the request did not arrive in time", 408};
    struct http_connection *connection = timer->data;
    bool reads = stream_queued(&connection->stream) < connection->queued;
    if (connection->state == CONNECTION_HANDSHAKE)
        connection_fail_handshake(connection, "it did not come to its end in time");
    else if (connection->state == CONNECTION_HEAD || connection->state == CONNECTION_BODY)
        connection_refuse(connection, &slow);
    else if (reads)
        connection_enter(connection, connection->state); /* slow, but alive */
    else
        http_connection_close(connection);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_error = on_error,
    .on_drain = on_drain,
    .on_closed = on_stream_closed,
    .on_secured = on_secured,
};

static struct http_connection *connection_new(struct http_server *server)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->server = server;
    connection->parser = http_parser_new(HTTP_KIND_REQUEST, on_body, connection);
    if (connection->parser == NULL ||
        stream_init(&connection->stream, server->loop, &stream_events, connection) != 0) {
        http_parser_free(connection->parser);
        free(connection);
        return NULL;
    }
    uv_timer_init(server->loop, &connection->timer);
    connection->timer.data = connection;
    connection->handles = 2;
    buf_init(&connection->body, server->config.body_max);
    buf_init(&connection->rest, REST_MAX);
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->prev = connection;
    server->connections = connection;
    server->n_connections++;
    return connection;
}

/* Begins with TLS, or is ready for a request. 0 or UV_E*. */
static int connection_begin(struct http_connection *connection)
{
    struct tls_context *tls = connection->server->config.tls;
    if (tls == NULL) {
        connection_enter(connection, CONNECTION_IDLE);
        return 0;
    }
    connection_enter(connection, CONNECTION_HANDSHAKE);
    return tls_stream_start(&connection->stream, tls, NULL, slice_of(NULL, 0));
}

void http_connection_accept(struct http_server *server)
{
    struct http_connection *connection = connection_new(server);
    if (connection == NULL) {
        listener_refuse(&server->listener);
        return;
    }
    struct sockaddr_storage address;
    int status = stream_accept(&connection->stream, (uv_stream_t *)&server->listener.tcp);
    if (status == 0)
        status = stream_peer_address(&connection->stream, &address);
    if (status == 0)
        status = stream_read_start(&connection->stream);
    if (status != 0 || server->n_connections > server->config.connections_max) {
        http_connection_close(connection);
        return;
    }
    sockaddr_text((struct sockaddr *)&address, connection->peer, sizeof connection->peer);
    if (connection_begin(connection) != 0)
        http_connection_close(connection);
}

void http_connection_drain(struct http_connection *connection)
{
    if (connection->state != CONNECTION_IDLE)
        return;
    if (stream_queued(&connection->stream) == 0)
        http_connection_close(connection);
    else
        connection_finish(connection);
}

struct http_connection *http_connection_next(const struct http_connection *connection)
{
    return connection->next;
}
