#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "tests/unit/http_world.h"

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

struct http_server_config world_config(void)
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

void world_open(struct world *world, struct http_server_config config)
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

void world_close(struct world *world)
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

void world_turn(struct world *world)
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

void client_open(struct client *client, struct world *world)
{
    memset(client, 0, sizeof *client);
    buf_init(&client->got, 256 << 20);
    assert_int_equal(stream_init(&client->stream, &world->loop, &client_events, client), 0);
    assert_int_equal(stream_connect(&client->stream, (const struct sockaddr *)&world->address), 0);
    while (!client->connected)
        world_turn(world);
}

void client_close(struct client *client, struct world *world)
{
    stream_close(&client->stream);
    while (!client->closed)
        world_turn(world);
    buf_deinit(&client->got);
}

void client_send_bytes(struct client *client, const char *data, size_t len)
{
    struct buf copy;
    buf_init(&copy, len);
    assert_int_equal(buf_append(&copy, data, len), 0);
    uv_buf_t run = uv_buf_init(copy.data, (unsigned int)len);
    assert_int_equal(stream_write(&client->stream, &run, 1), 0);
    buf_deinit(&copy);
}

void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

static bool client_has_from(const struct client *client, size_t from, const char *text)
{
    return client->got.len > from &&
           memmem(client->got.data + from, client->got.len - from, text, strlen(text)) != NULL;
}

bool client_has(const struct client *client, const char *text)
{
    return client_has_from(client, 0, text);
}

void client_wait(struct world *world, struct client *client, const char *text)
{
    size_t from = 0; /* what was searched is not searched again */
    while (!client_has_from(client, from, text)) {
        if (client->eof || client->failed)
            fail_msg("the connection ended before '%s'; got %.*s", text, (int)client->got.len,
                client->got.data != NULL ? client->got.data : "");
        from = client->got.len > strlen(text) ? client->got.len - strlen(text) : 0;
        world_turn(world);
    }
}

void client_wait_end(struct world *world, struct client *client)
{
    while (!client->eof && !client->failed)
        world_turn(world);
    assert_true(client->eof);
}

size_t client_count(const struct client *client, const char *text)
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

void assert_last_words(
    struct http_server_config config, const char *text, const char *status, const char *end)
{
    struct world world;
    struct client client;
    world_open(&world, config);
    client_open(&client, &world);
    client_send(&client, text);
    client_wait_end(&world, &client);
    assert_int_equal(buf_append_char(&client.got, '\0'), 0);
    if (strncmp(client.got.data, status, strlen(status)) != 0 ||
        strcmp(client.got.data + client.got.len - 1 - strlen(end), end) != 0)
        fail_msg("expected '%s' … '%s', got %s", status, end, client.got.data);
    client_close(&client, &world);
    world_close(&world);
}
