#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_world.h"

#define SOON 1000 /* ms, in which this program sends and reads, on the slowest machine, too */

static struct world world;
static struct client client;

static int open_both(void **state)
{
    (void)state;
    world_open(&world, world_config());
    client_open(&client, &world);
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    client_close(&client, &world);
    world_close(&world);
    return 0;
}

/* The client sends far more than the server reads: an RST would destroy the answer. */
static void test_refusal_survives_a_flood(void **state)
{
    (void)state;
    char *flood = calloc(1, 4 * BIG);
    assert_non_null(flood);
    client_send(
        &client, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n");
    client_send_bytes(&client, flood, 4 * BIG);
    client_wait(&world, &client, "body_too_large");
    client_wait_end(&world, &client);
    assert_false(client.failed);
    free(flood);
}

static void test_half_close_gets_its_answer(void **state)
{
    (void)state;
    client_send(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(stream_shutdown(&client.stream), 0);
    client_wait(&world, &client, "[GET /x ]");
    client_wait_end(&world, &client);
}

static void test_cut_request(void **state)
{
    (void)state;
    client_send(&client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    assert_int_equal(stream_shutdown(&client.stream), 0);
    client_wait(&world, &client, "\"incomplete\"");
    client_wait_end(&world, &client);
    assert_int_equal(world.handled, 0);
}

static void test_time_limits(void **state)
{
    (void)state;
    struct http_server_config config = world_config();
    config.head_timeout = SOON;
    assert_last_words(config, "GET / HT", "HTTP/1.1 408 Request Timeout\r\n", "in time\"}}\n");
    config = world_config();
    config.idle_timeout = SOON;
    assert_last_words(config, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 408 Request Timeout\r\n", "in time\"}}\n");
    assert_last_words(
        config, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", "[GET /x ]");
    assert_last_words(config, "\r\n", "", "");
}

static void test_too_many_connections(void **state)
{
    (void)state;
    struct http_server_config config = world_config();
    struct client first;
    struct client second;
    config.connections_max = 1;
    world_open(&world, config);
    client_open(&first, &world);
    client_open(&second, &world);
    client_wait_end(&world, &second);
    client_send(&first, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&world, &first, "[GET /x ]");
    client_close(&first, &world);
    client_close(&second, &world);
    world_close(&world);
}

/* Sends requests for 64 MB, and does not read; returns when the server has stopped answering. */
static void block(struct client *blocked)
{
    int before = -1;
    client_open(blocked, &world);
    stream_read_stop(&blocked->stream);
    for (int i = 0; i < 64; i++)
        client_send(blocked, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_send(blocked, "GET /end HTTP/1.1\r\nHost: h\r\n\r\n");
    while (world.handled == 0 || world.handled != before) {
        before = world.handled;
        for (int i = 0; i < 10; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    assert_true(world.handled < 40);
}

static void test_slow_reader_is_waited_for(void **state)
{
    (void)state;
    world_open(&world, world_config());
    block(&client);
    assert_int_equal(stream_read_start(&client.stream), 0);
    client_wait(&world, &client, "[GET /end ]");
    assert_int_equal(world.handled, 65);
    assert_int_equal(client_count(&client, "Content-Length: 1048576\r\n"), 64);
    client_close(&client, &world);
    world_close(&world);
}

static void test_dead_reader_is_dropped(void **state)
{
    (void)state;
    struct http_server_config config = world_config();
    config.idle_timeout = 50;
    world_open(&world, config);
    block(&client);
    http_server_stop(world.server);
    while (world.server != NULL)
        world_turn(&world);
    client_close(&client, &world);
    world_close(&world);
}

static void test_stop_lets_the_answer_out(void **state)
{
    (void)state;
    struct client idle;
    struct client slow;
    struct client busy;
    world_open(&world, world_config());
    client_open(&idle, &world);
    block(&slow);
    client_open(&busy, &world);
    client_send(
        &busy, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    client_wait(&world, &busy, "100 Continue");
    http_server_stop(world.server);
    client_wait_end(&world, &idle);
    client_send(&busy, "a");
    client_wait_end(&world, &busy);
    assert_true(client_has(&busy, "Connection: close\r\n\r\n[POST /x a]"));
    assert_int_equal(stream_read_start(&slow.stream), 0);
    client_wait_end(&world, &slow);
    assert_true(slow.got.data[slow.got.len - 1] == 'x');
    client_close(&idle, &world);
    client_close(&busy, &world);
    client_close(&slow, &world);
    world_close(&world);
}

static void test_second_stop_closes_at_once(void **state)
{
    (void)state;
    client_send(&client,
        "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    client_wait(&world, &client, "100 Continue");
    http_server_stop(world.server);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_non_null(world.server);
    http_server_stop(world.server);
    client_wait_end(&world, &client);
}

static void test_reset_in_a_request(void **state)
{
    (void)state;
    client_send(&client,
        "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    client_wait(&world, &client, "100 Continue");
    stream_reset(&client.stream);
}

static void test_port_taken(void **state)
{
    (void)state;
    struct http_server_config config = world_config();
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
        cmocka_unit_test_setup_teardown(test_refusal_survives_a_flood, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_half_close_gets_its_answer, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_cut_request, open_both, close_both),
        cmocka_unit_test(test_time_limits),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_slow_reader_is_waited_for),
        cmocka_unit_test(test_dead_reader_is_dropped),
        cmocka_unit_test(test_stop_lets_the_answer_out),
        cmocka_unit_test_setup_teardown(test_second_stop_closes_at_once, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_reset_in_a_request, open_both, close_both),
        cmocka_unit_test(test_port_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
