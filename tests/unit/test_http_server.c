#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "lib/http_server.h"
#include "lib/stream.h"

#define GUARD 10000 /* ms after which a test that waits for something has failed */
#define BIG (1UL << 20)

struct world {
    uv_loop_t loop;
    uv_timer_t guard;
    struct http_server *server;
    struct sockaddr_storage address;
    int handled;
    int stopped;
};

struct client {
    struct stream stream;
    struct buf got;
    bool connected, eof, failed, closed;
};

/* Echoes what it understood, so that a test sees the parts of the request. */
static void handle(void *arg, const struct http_request *request, struct http_response *response)
{
    struct world *world = arg;
    world->handled++;
    if (slice_is(request->path, "/big")) {
        assert_int_equal(buf_reserve(&response->body, BIG), 0);
        memset(response->body.data, 'x', BIG);
        response->body.len = BIG;
    } else if (slice_is(request->path, "/nothing")) {
        response->status = 204;
        response->fields = "X-Extra: 1\r\n";
    } else if (slice_is(request->path, "/chunks")) {
        static const char *const parts[] = {"one", "", "a chunk of 25 characters.", "end"};
        assert_int_equal(http_response_end_chunk(response), 0); /* of nothing: there is none */
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            assert_int_equal(buf_append_str(&response->body, parts[i]), 0);
            if (i < 3)
                assert_int_equal(http_response_end_chunk(response), 0);
        }
    } else {
        assert_int_equal(
            buf_printf(&response->body, "[%.*s %.*s %.*s]", (int)request->head->method.len,
                request->head->method.data, (int)request->path.len, request->path.data,
                (int)request->body.len, request->body.data != NULL ? request->body.data : ""),
            0);
    }
}

static void on_stopped(void *arg)
{
    struct world *world = arg;
    world->server = NULL;
    world->stopped++;
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened for %d ms", GUARD);
}

static struct http_server_config usual_config(void)
{
    return (struct http_server_config){
        .body_max = 1000,
        .head_timeout = GUARD,
        .idle_timeout = GUARD,
        .connections_max = 100,
        .handle = handle,
        .on_stopped = on_stopped,
    };
}

static void world_open(struct world *world, struct http_server_config config)
{
    const char *why;
    int err;
    memset(world, 0, sizeof *world);
    assert_int_equal(hostport_parse(&config.listen, "127.0.0.1:0", &why), 0);
    config.arg = world;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->guard);
    uv_unref((uv_handle_t *)&world->guard);
    uv_timer_start(&world->guard, on_guard, GUARD, 0);
    world->server = http_server_start(&world->loop, &config, &err);
    assert_non_null(world->server);
    assert_int_equal(http_server_address(world->server, &world->address), 0);
}

static void world_close(struct world *world)
{
    if (world->server != NULL)
        http_server_stop(world->server);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_null(world->server);
    assert_int_equal(world->stopped, 1);
    uv_close((uv_handle_t *)&world->guard, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

/* One turn of the loop, waiting for an event. The guard ends a wait for nothing. */
static void turn(struct world *world)
{
    uv_ref((uv_handle_t *)&world->guard);
    uv_run(&world->loop, UV_RUN_ONCE);
    uv_unref((uv_handle_t *)&world->guard);
}

static void client_on_connect(struct stream *stream, int status)
{
    struct client *client = stream->data;
    assert_int_equal(status, 0);
    client->connected = true;
    assert_int_equal(stream_read_start(stream), 0);
}

static void client_on_data(struct stream *stream, const char *data, size_t len)
{
    struct client *client = stream->data;
    assert_int_equal(buf_append(&client->got, data, len), 0);
}

static void client_on_eof(struct stream *stream)
{
    ((struct client *)stream->data)->eof = true;
}

static void client_on_error(struct stream *stream, int status)
{
    (void)status;
    ((struct client *)stream->data)->failed = true;
}

static void client_on_closed(struct stream *stream)
{
    ((struct client *)stream->data)->closed = true;
}

static const struct stream_events client_events = {
    .on_connect = client_on_connect,
    .on_data = client_on_data,
    .on_eof = client_on_eof,
    .on_error = client_on_error,
    .on_closed = client_on_closed,
};

static void client_open(struct client *client, struct world *world)
{
    memset(client, 0, sizeof *client);
    buf_init(&client->got, 256 << 20);
    assert_int_equal(stream_init(&client->stream, &world->loop, &client_events, client), 0);
    assert_int_equal(stream_connect(&client->stream, (const struct sockaddr *)&world->address), 0);
    while (!client->connected)
        turn(world);
}

static void client_close(struct client *client, struct world *world)
{
    stream_close(&client->stream);
    while (!client->closed)
        turn(world);
    buf_deinit(&client->got);
}

static void client_send_bytes(struct client *client, const char *data, size_t len)
{
    struct buf copy;
    buf_init(&copy, len);
    assert_int_equal(buf_append(&copy, data, len), 0);
    uv_buf_t run = uv_buf_init(copy.data, (unsigned int)len);
    assert_int_equal(stream_write(&client->stream, &run, 1), 0);
    buf_deinit(&copy);
}

static void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

static bool client_has_from(const struct client *client, size_t from, const char *text)
{
    return client->got.len > from &&
           memmem(client->got.data + from, client->got.len - from, text, strlen(text)) != NULL;
}

static bool client_has(const struct client *client, const char *text)
{
    return client_has_from(client, 0, text);
}

static void wait_for(struct world *world, struct client *client, const char *text)
{
    size_t from = 0; /* what was searched is not searched again */
    while (!client_has_from(client, from, text)) {
        if (client->eof || client->failed)
            fail_msg("the connection ended before '%s'; got %.*s", text, (int)client->got.len,
                client->got.data != NULL ? client->got.data : "");
        from = client->got.len > strlen(text) ? client->got.len - strlen(text) : 0;
        turn(world);
    }
}

static void wait_for_end(struct world *world, struct client *client)
{
    while (!client->eof && !client->failed)
        turn(world);
    assert_true(client->eof);
}

static size_t count(const struct client *client, const char *text)
{
    size_t n = 0;
    const char *at = client->got.data;
    const char *end = at + client->got.len;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        n++;
        at += strlen(text);
    }
    return n;
}

/* Sends TEXT on a connection of its own; what comes back, up to EOF, must begin and end so. */
static void assert_last_words(
    struct http_server_config config, const char *text, const char *status, const char *end)
{
    struct world world;
    struct client client;
    world_open(&world, config);
    client_open(&client, &world);
    client_send(&client, text);
    wait_for_end(&world, &client);
    assert_int_equal(buf_append_char(&client.got, '\0'), 0);
    if (strncmp(client.got.data, status, strlen(status)) != 0 ||
        strcmp(client.got.data + client.got.len - 1 - strlen(end), end) != 0)
        fail_msg("expected '%s' … '%s', got %s", status, end, client.got.data);
    client_close(&client, &world);
    world_close(&world);
}

static void test_keeps_the_connection(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client, "GET /one?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(&world, &client, "[GET /one ]");
    assert_true(client_has(&client, "HTTP/1.1 200 OK\r\nDate: "));
    assert_true(client_has(&client, " GMT\r\nContent-Type: application/json\r\n"
                                    "Content-Length: 11\r\n\r\n[GET /one ]"));
    client_send(&client, "POST http://h/two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    wait_for(&world, &client, "[POST /two abc]");
    client_send(&client, "GET http://h?x=/one HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(&world, &client, "[GET / ]");
    assert_false(client.eof);
    client_close(&client, &world);
    world_close(&world);
}

static void test_pipelined_in_order(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    struct buf text;
    world_open(&world, usual_config());
    client_open(&client, &world);
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(
            buf_printf(&text, "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", i), 0);
    client_send_bytes(&client, text.data, text.len);
    wait_for(&world, &client, "[POST /999 ab]");
    assert_int_equal(world.handled, 1000);
    const char *at = client.got.data;
    for (int i = 0; i < 1000; i++) {
        char want[32];
        snprintf(want, sizeof want, "[POST /%d ab]", i);
        at = memmem(at, (size_t)(client.got.data + client.got.len - at), want, strlen(want));
        assert_non_null(at);
    }
    buf_deinit(&text);
    client_close(&client, &world);
    world_close(&world);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    const char *text = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nT: 1\r\n\r\n"
                       "GET /y HTTP/1.1\r\nHost: h\r\n\r\n";
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    for (size_t i = 0; i < strlen(text); i++) {
        client_send_bytes(&client, text + i, 1);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    wait_for(&world, &client, "[GET /y ]");
    assert_true(client_has(&client, "[POST /x abcde]"));
    client_close(&client, &world);
    world_close(&world);
}

static void test_head_and_204_have_no_body(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client,
        "HEAD /one HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
        "GET /last HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(&world, &client, "[GET /last ]");
    assert_true(client_has(&client, "Content-Length: 12\r\n\r\nHTTP/1.1 204 No Content\r\n"));
    assert_true(client_has(&client, "X-Extra: 1\r\n\r\nHTTP/1.1 200 OK\r\n"));
    client_close(&client, &world);
    world_close(&world);
}

static void test_closes_when_asked(void **state)
{
    (void)state;
    assert_last_words(usual_config(), "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n[GET /x ]");
    assert_last_words(usual_config(), "GET /x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n",
        "Connection: close\r\n\r\n[GET /x ]");
    assert_last_words(usual_config(),
        "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /y HTTP/1.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n[GET /y ]");
}

static void test_http_1_0_keep_alive_is_confirmed(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    wait_for(&world, &client, "[GET /x ]");
    assert_true(client_has(&client, "Connection: keep-alive\r\n"));
    client_close(&client, &world);
    world_close(&world);
}

static void test_chunks(void **state)
{
    (void)state;
    static const char body[] =
        "3\r\none\r\n19\r\na chunk of 25 characters.\r\n3\r\nend\r\n0\r\n\r\n";
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client, "GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(&world, &client, body);
    assert_true(client_has(&client, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_false(client_has(&client, "Content-Length"));
    client_send(&client, "HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n");
    client_send(&client, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(&world, &client, "[GET /x ]");
    assert_int_equal(count(&client, body), 1);
    client_close(&client, &world);
    world_close(&world);
    /* HTTP/1.0 knows no chunks. */
    assert_last_words(usual_config(), "GET /chunks HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n",
        "Content-Length: 31\r\nConnection: close\r\n\r\nonea chunk of 25 characters.end");
}

static void test_expect_continue(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client,
        "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    wait_for(&world, &client, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(world.handled, 0);
    client_send(&client, "abc");
    wait_for(&world, &client, "[POST /x abc]");
    /* The body is here already: nobody waits for a 100. */
    client_send(&client,
        "POST /y HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\ndef");
    wait_for(&world, &client, "[POST /y def]");
    assert_int_equal(count(&client, "100 Continue"), 1);
    client_close(&client, &world);
    world_close(&world);
}

static void test_refusals_are_answered(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", "413", "body_too_large"},
        {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n",
            "413", "body_too_large"},
        {"GET / HTTP/1.1\r\nHost: h\r\nBad Name: 1\r\n\r\n", "400", "bad_request"},
        {"GET / HTTP/1.1\r\n\r\n", "400", "bad_request"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400", "bad_request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        struct client client;
        world_open(&world, usual_config());
        client_open(&client, &world);
        client_send(&client, cases[i][0]);
        wait_for(&world, &client, cases[i][1]);
        wait_for(&world, &client, cases[i][2]);
        wait_for(&world, &client, "\"reason\":");
        wait_for_end(&world, &client);
        assert_true(client_has(&client, "Connection: close\r\n"));
        assert_int_equal(world.handled, 0);
        client_close(&client, &world);
        world_close(&world);
    }
}

static void test_refused_head_has_no_body(void **state)
{
    (void)state;
    struct http_server_config config = usual_config();
    assert_last_words(config, "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
        "HTTP/1.1 413 Content Too Large\r\n", "Connection: close\r\n\r\n");
    config.idle_timeout = 30;
    assert_last_words(config, "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 408 Request Timeout\r\n", "Connection: close\r\n\r\n");
}

/* The client sends far more than the server reads: an RST would destroy the answer. */
static void test_refusal_survives_a_flood(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    char *flood = calloc(1, 4 * BIG);
    assert_non_null(flood);
    client_send(
        &client, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n");
    client_send_bytes(&client, flood, 4 * BIG);
    wait_for(&world, &client, "body_too_large");
    wait_for_end(&world, &client);
    assert_false(client.failed);
    free(flood);
    client_close(&client, &world);
    world_close(&world);
}

static void test_half_close_gets_its_answer(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(stream_shutdown(&client.stream), 0);
    wait_for(&world, &client, "[GET /x ]");
    wait_for_end(&world, &client);
    client_close(&client, &world);
    world_close(&world);
}

static void test_cut_request(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    assert_int_equal(stream_shutdown(&client.stream), 0);
    wait_for(&world, &client, "\"incomplete\"");
    wait_for_end(&world, &client);
    assert_int_equal(world.handled, 0);
    client_close(&client, &world);
    world_close(&world);
}

static void test_time_limits(void **state)
{
    (void)state;
    struct http_server_config config = usual_config();
    config.head_timeout = 30;
    assert_last_words(config, "GET / HT", "HTTP/1.1 408 Request Timeout\r\n", "in time\"}}\n");
    config = usual_config();
    config.idle_timeout = 30;
    assert_last_words(config, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 408 Request Timeout\r\n", "in time\"}}\n");
    assert_last_words(
        config, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", "[GET /x ]");
    assert_last_words(config, "\r\n", "", "");
}

static void test_too_many_connections(void **state)
{
    (void)state;
    struct http_server_config config = usual_config();
    struct world world;
    struct client first;
    struct client second;
    config.connections_max = 1;
    world_open(&world, config);
    client_open(&first, &world);
    client_open(&second, &world);
    wait_for_end(&world, &second);
    client_send(&first, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(&world, &first, "[GET /x ]");
    client_close(&first, &world);
    client_close(&second, &world);
    world_close(&world);
}

/* Sends requests for 64 MB and does not read; returns when the server has stopped answering. */
static void block(struct world *world, struct client *client)
{
    int before = -1;
    client_open(client, world);
    stream_read_stop(&client->stream);
    for (int i = 0; i < 64; i++)
        client_send(client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_send(client, "GET /end HTTP/1.1\r\nHost: h\r\n\r\n");
    while (world->handled == 0 || world->handled != before) {
        before = world->handled;
        for (int i = 0; i < 10; i++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_true(world->handled < 40);
}

static void test_slow_reader_is_waited_for(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    block(&world, &client);
    assert_int_equal(stream_read_start(&client.stream), 0);
    wait_for(&world, &client, "[GET /end ]");
    assert_int_equal(world.handled, 65);
    assert_int_equal(count(&client, "Content-Length: 1048576\r\n"), 64);
    client_close(&client, &world);
    world_close(&world);
}

static void test_dead_reader_is_dropped(void **state)
{
    (void)state;
    struct http_server_config config = usual_config();
    struct world world;
    struct client client;
    config.idle_timeout = 50;
    world_open(&world, config);
    block(&world, &client);
    http_server_stop(world.server);
    while (world.server != NULL)
        turn(&world);
    client_close(&client, &world);
    world_close(&world);
}

static void test_stop_lets_the_answer_out(void **state)
{
    (void)state;
    struct world world;
    struct client idle;
    struct client slow;
    struct client busy;
    world_open(&world, usual_config());
    client_open(&idle, &world);
    block(&world, &slow);
    client_open(&busy, &world);
    client_send(
        &busy, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    wait_for(&world, &busy, "100 Continue");
    http_server_stop(world.server);
    wait_for_end(&world, &idle);
    client_send(&busy, "a");
    wait_for_end(&world, &busy);
    assert_true(client_has(&busy, "Connection: close\r\n\r\n[POST /x a]"));
    assert_int_equal(stream_read_start(&slow.stream), 0);
    wait_for_end(&world, &slow);
    assert_true(slow.got.data[slow.got.len - 1] == 'x');
    client_close(&idle, &world);
    client_close(&busy, &world);
    client_close(&slow, &world);
    world_close(&world);
}

static void test_second_stop_closes_at_once(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client,
        "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    wait_for(&world, &client, "100 Continue");
    http_server_stop(world.server);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_non_null(world.server);
    http_server_stop(world.server);
    wait_for_end(&world, &client);
    client_close(&client, &world);
    world_close(&world);
}

static void test_reset_in_a_request(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    world_open(&world, usual_config());
    client_open(&client, &world);
    client_send(&client,
        "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    wait_for(&world, &client, "100 Continue");
    stream_reset(&client.stream);
    client_close(&client, &world);
    world_close(&world);
}

static void test_port_taken(void **state)
{
    (void)state;
    struct world world;
    struct http_server_config config = usual_config();
    int err = 0;
    world_open(&world, config);
    strcpy(config.listen.host, "127.0.0.1");
    config.listen.port = ntohs(((struct sockaddr_in *)&world.address)->sin_port);
    assert_null(http_server_start(&world.loop, &config, &err));
    assert_int_equal(err, UV_EADDRINUSE);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_connection),
        cmocka_unit_test(test_pipelined_in_order),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_head_and_204_have_no_body),
        cmocka_unit_test(test_closes_when_asked),
        cmocka_unit_test(test_http_1_0_keep_alive_is_confirmed),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_refusals_are_answered),
        cmocka_unit_test(test_refused_head_has_no_body),
        cmocka_unit_test(test_refusal_survives_a_flood),
        cmocka_unit_test(test_half_close_gets_its_answer),
        cmocka_unit_test(test_cut_request),
        cmocka_unit_test(test_time_limits),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_slow_reader_is_waited_for),
        cmocka_unit_test(test_dead_reader_is_dropped),
        cmocka_unit_test(test_stop_lets_the_answer_out),
        cmocka_unit_test(test_second_stop_closes_at_once),
        cmocka_unit_test(test_reset_in_a_request),
        cmocka_unit_test(test_port_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
