#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_world.h"

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

static void test_keeps_the_connection(void **state)
{
    (void)state;
    client_send(&client, "GET /one?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&world, &client, "[GET /one ]");
    assert_true(client_has(&client, "HTTP/1.1 200 OK\r\nDate: "));
    assert_true(client_has(&client, " GMT\r\nContent-Type: application/json\r\n"
                                    "Content-Length: 11\r\n\r\n[GET /one ]"));
    client_send(&client, "POST http://h/two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    client_wait(&world, &client, "[POST /two abc]");
    client_send(&client, "GET http://h?x=/one HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&world, &client, "[GET / ]");
    assert_false(client.eof);
}

static void test_pipelined_in_order(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(
            buf_printf(&text, "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", i), 0);
    client_send_bytes(&client, text.data, text.len);
    client_wait(&world, &client, "[POST /999 ab]");
    assert_int_equal(world.handled, 1000);
    const char *at = client.got.data;
    for (int i = 0; i < 1000; i++) {
        char want[32];
        snprintf(want, sizeof want, "[POST /%d ab]", i);
        at = memmem(at, (size_t)(client.got.data + client.got.len - at), want, strlen(want));
        assert_non_null(at);
    }
    buf_deinit(&text);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    const char *text = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nT: 1\r\n\r\n"
                       "GET /y HTTP/1.1\r\nHost: h\r\n\r\n";
    for (size_t i = 0; i < strlen(text); i++) {
        client_send_bytes(&client, text + i, 1);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    client_wait(&world, &client, "[GET /y ]");
    assert_true(client_has(&client, "[POST /x abcde]"));
}

static void test_head_and_204_have_no_body(void **state)
{
    (void)state;
    client_send(&client,
        "HEAD /one HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
        "GET /last HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&world, &client, "[GET /last ]");
    assert_true(client_has(&client, "Content-Length: 12\r\n\r\nHTTP/1.1 204 No Content\r\n"));
    assert_true(client_has(&client, "X-Extra: 1\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

static void test_closes_when_asked(void **state)
{
    (void)state;
    assert_last_words(world_config(), "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n[GET /x ]");
    assert_last_words(world_config(), "GET /x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n",
        "Connection: close\r\n\r\n[GET /x ]");
    assert_last_words(world_config(),
        "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /y HTTP/1.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n[GET /y ]");
}

static void test_http_1_0_keep_alive_is_confirmed(void **state)
{
    (void)state;
    client_send(&client, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_wait(&world, &client, "[GET /x ]");
    assert_true(client_has(&client, "Connection: keep-alive\r\n"));
}

static void test_chunks(void **state)
{
    (void)state;
    static const char body[] =
        "3\r\none\r\n19\r\na chunk of 25 characters.\r\n3\r\nend\r\n0\r\n\r\n";
    client_send(&client, "GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&world, &client, body);
    assert_true(client_has(&client, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_false(client_has(&client, "Content-Length"));
    client_send(&client, "HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n");
    client_send(&client, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&world, &client, "[GET /x ]");
    assert_int_equal(client_count(&client, body), 1);
    /* HTTP/1.0 knows no chunks. */
    assert_last_words(world_config(), "GET /chunks HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n",
        "Content-Length: 31\r\nConnection: close\r\n\r\nonea chunk of 25 characters.end");
}

static void test_expect_continue(void **state)
{
    (void)state;
    client_send(&client,
        "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    client_wait(&world, &client, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(world.handled, 0);
    client_send(&client, "abc");
    client_wait(&world, &client, "[POST /x abc]");
    /* The body is here already: nobody waits for a 100. */
    client_send(&client,
        "POST /y HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\ndef");
    client_wait(&world, &client, "[POST /y def]");
    assert_int_equal(client_count(&client, "100 Continue"), 1);
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
        world_open(&world, world_config());
        client_open(&client, &world);
        client_send(&client, cases[i][0]);
        client_wait(&world, &client, cases[i][1]);
        client_wait(&world, &client, cases[i][2]);
        client_wait(&world, &client, "\"reason\":");
        client_wait_end(&world, &client);
        assert_true(client_has(&client, "Connection: close\r\n"));
        assert_int_equal(world.handled, 0);
        client_close(&client, &world);
        world_close(&world);
    }
}

static void test_refused_head_has_no_body(void **state)
{
    (void)state;
    struct http_server_config config = world_config();
    assert_last_words(config, "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
        "HTTP/1.1 413 Content Too Large\r\n", "Connection: close\r\n\r\n");
    config.idle_timeout = 1000; /* enough to send, on the slowest machine */
    assert_last_words(config, "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 408 Request Timeout\r\n", "Connection: close\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keeps_the_connection, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_pipelined_in_order, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_head_and_204_have_no_body, open_both, close_both),
        cmocka_unit_test(test_closes_when_asked),
        cmocka_unit_test_setup_teardown(
            test_http_1_0_keep_alive_is_confirmed, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_chunks, open_both, close_both),
        cmocka_unit_test_setup_teardown(test_expect_continue, open_both, close_both),
        cmocka_unit_test(test_refusals_are_answered),
        cmocka_unit_test(test_refused_head_has_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
