/* stream, dial and listener over real loopback sockets; each loop ends with nothing left open. */
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/dial.h"
#include "lib/listener.h"
#include "lib/outbox.h"
#include "lib/stream.h"

/* Both ends of one connection, and what they saw. */
struct pair {
    uv_loop_t loop;
    struct listener listener;
    struct stream client, server;
    struct dial *dial;
    struct buf at_server;
    int dialled, dial_status;
    int client_end, server_end; /* UV_EOF or an error */
    int closed;
    bool refuse, bulk, breaks, breaks_in_answer, looks_at_options, counts_packets;
};

#define BULK (8UL << 20)

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct pair *pair = stream->data;
    if (stream == &pair->server)
        assert_int_equal(buf_append(&pair->at_server, data, len), 0);
}

static void close_both(struct pair *pair)
{
    stream_close(&pair->client);
    stream_close(&pair->server);
    listener_close(&pair->listener);
}

static void on_end(struct stream *stream, int status)
{
    struct pair *pair = stream->data;
    *(stream == &pair->client ? &pair->client_end : &pair->server_end) = status;
    if (pair->bulk && stream == &pair->server)
        assert_int_equal(stream_shutdown(stream), 0);
    else
        close_both(pair);
}

static void on_eof(struct stream *stream)
{
    on_end(stream, UV_EOF);
}

static void on_closed(struct stream *stream)
{
    struct pair *pair = stream->data;
    pair->closed++;
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_error = on_end,
    .on_closed = on_closed,
};

/* The server resets the connection: before the client writes, or behind what it said itself. */
static void break_off(struct pair *pair)
{
    char byte = 'x';
    uv_buf_t run = uv_buf_init(&byte, 1);
    if (!pair->breaks || !pair->dialled || !pair->server.open)
        return;
    if (pair->breaks_in_answer)
        assert_int_equal(stream_write(&pair->server, &run, 1), 0);
    stream_reset(&pair->server);
    if (!pair->breaks_in_answer)
        assert_int_equal(stream_write(&pair->client, &run, 1), UV_ECONNRESET);
}

static void on_connection(struct listener *listener, int status)
{
    struct pair *pair = listener->data;
    assert_int_equal(status, 0);
    if (pair->refuse) {
        listener_refuse(listener);
        return;
    }
    assert_int_equal(stream_init(&pair->server, &pair->loop, &events, pair), 0);
    assert_int_equal(stream_accept(&pair->server, (uv_stream_t *)&listener->tcp), 0);
    assert_int_equal(stream_read_start(&pair->server), 0);
    break_off(pair);
}

static void send_bulk(struct pair *pair)
{
    static char bulk[BULK];
    uv_buf_t runs[2] = {uv_buf_init(bulk, 3), uv_buf_init(bulk + 3, BULK - 3)};
    for (size_t i = 0; i < BULK; i++)
        bulk[i] = (char)(i * 31 >> 3);
    assert_int_equal(stream_write(&pair->client, runs, 2), 0);
    assert_true(stream_queued(&pair->client) > 0);
    assert_int_equal(stream_shutdown(&pair->client), 0);
    assert_int_equal(stream_write(&pair->client, runs, 1), UV_EPIPE);
}

static int option(const struct stream *stream, int level, int name)
{
    uv_os_fd_t fd;
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(uv_fileno((const uv_handle_t *)&stream->tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void write_byte(struct stream *stream)
{
    char byte = 'x';
    uv_buf_t run = uv_buf_init(&byte, 1);
    assert_int_equal(stream_write(stream, &run, 1), 0);
}

/* Each is set as late as it may be. */
static void look_at_options(struct pair *pair)
{
    struct stream *stream = &pair->client;
    write_byte(stream);
    assert_int_equal(option(stream, IPPROTO_TCP, TCP_NODELAY), 0);
    write_byte(stream);
    assert_int_not_equal(option(stream, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option(stream, SOL_SOCKET, SO_KEEPALIVE), 0);
    stream_watch(stream, 60);
    assert_int_not_equal(option(stream, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(stream, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    close_both(pair);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* tcpi_segs_out of the kernel's tcp_info, which is longer than the one in netinet/tcp.h. */
static uint32_t packets_sent(const struct stream *stream)
{
    uv_os_fd_t fd;
    uint32_t info[64] = {0};
    socklen_t len = sizeof info;
    assert_int_equal(uv_fileno((const uv_handle_t *)&stream->tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
    return info[136 / sizeof info[0]];
}

/* What an outbox keeps, and the FIN behind it: two writes of one turn, and one packet. */
static void count_packets(struct pair *pair)
{
    struct stream *stream = &pair->client;
    struct outbox outbox;
    outbox_init(&outbox, nothing, NULL);
    stream->outbox = &outbox;
    uint32_t before = packets_sent(stream);
    write_byte(stream);
    write_byte(stream);
    assert_int_equal(stream_shutdown(stream), 0);
    assert_int_equal(packets_sent(stream), before);
    outbox_end_turn(&outbox);
    assert_int_equal(packets_sent(stream), before + 1);
    stream->outbox = NULL;
    outbox_deinit(&outbox);
}

/* What was dialled is known; what the kernel makes of it is not. */
static void check_peer(const struct pair *pair)
{
    struct sockaddr_storage told, known;
    assert_int_equal(dial_peer(pair->dial, &told), 0);
    assert_int_equal(stream_peer_address(&pair->client, &known), 0);
    assert_memory_equal(&told, &known, sizeof(struct sockaddr_in));
}

static void on_dialled(void *arg, int status)
{
    struct pair *pair = arg;
    pair->dialled++;
    pair->dial_status = status;
    if (status) {
        assert_false(pair->client.live);
        close_both(pair);
        return;
    }
    check_peer(pair);
    assert_int_equal(stream_read_start(&pair->client), 0);
    if (pair->looks_at_options)
        look_at_options(pair);
    if (pair->counts_packets)
        count_packets(pair);
    if (pair->bulk)
        send_bulk(pair);
    break_off(pair);
}

/* Listens on 127.0.0.1 and dials HOST with that port, or with PORT. */
static void pair_start(struct pair *pair, const char *host, uint16_t port)
{
    struct hostport where = {.host = "127.0.0.1"}, to;
    struct sockaddr_storage address;
    int err;
    assert_int_equal(uv_loop_init(&pair->loop), 0);
    buf_init(&pair->at_server, 2 * BULK);
    assert_int_equal(listener_open(&pair->listener, &pair->loop, &where, on_connection, pair), 0);
    assert_int_equal(listener_address(&pair->listener, &address), 0);
    snprintf(to.host, sizeof to.host, "%s", host);
    to.port = port ? port : ntohs(((struct sockaddr_in *)&address)->sin_port);
    pair->dial = dial_start(&pair->loop, &to, &pair->client, &events, pair, on_dialled, pair, &err);
    assert_non_null(pair->dial);
}

static void pair_end(struct pair *pair)
{
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    buf_deinit(&pair->at_server);
    assert_int_equal(uv_loop_close(&pair->loop), 0);
}

static void test_bulk_and_half_close(void **state)
{
    struct pair pair = {.bulk = true};
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.at_server.len, BULK);
    for (size_t i = 0; i < BULK; i++)
        if (pair.at_server.data[i] != (char)(i * 31 >> 3))
            fail_msg("byte %zu differs", i);
    assert_int_equal(pair.server_end, UV_EOF);
    assert_int_equal(pair.client_end, UV_EOF);
    assert_int_equal(pair.closed, 2);
    pair_end(&pair);
}

static void test_dial_by_name(void **state)
{
    struct pair pair = {.bulk = true};
    (void)state;
    pair_start(&pair, "localhost", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.dialled, 1);
    assert_int_equal(pair.dial_status, 0);
    pair_end(&pair);
}

/* To which the kernel connects as to 127.0.0.1. */
static void test_dial_any(void **state)
{
    struct pair pair = {.bulk = true};
    (void)state;
    pair_start(&pair, "0.0.0.0", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.dial_status, 0);
    assert_int_equal(pair.server_end, UV_EOF);
    pair_end(&pair);
}

static void test_options(void **state)
{
    struct pair pair = {.looks_at_options = true};
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.dial_status, 0);
    pair_end(&pair);
}

static void test_last_bytes_and_fin(void **state)
{
    struct pair pair = {.counts_packets = true};
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.at_server.len, 2);
    assert_int_equal(pair.server_end, UV_EOF);
    pair_end(&pair);
}

static void test_dial_refused(void **state)
{
    struct pair pair = {0};
    (void)state;
    pair_start(&pair, "127.0.0.1", 1);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.dialled, 1);
    assert_int_equal(pair.dial_status, UV_ECONNREFUSED);
    pair_end(&pair);
}

static void test_dial_unknown_name(void **state)
{
    struct pair pair = {0};
    (void)state;
    pair_start(&pair, "no-such-host.invalid", 1);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.dialled, 1);
    assert_true(pair.dial_status < 0);
    pair_end(&pair);
}

static void test_dial_cancelled(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair pair = {0};
        pair_start(&pair, hosts[i], 0);
        dial_cancel(pair.dial);
        close_both(&pair);
        uv_run(&pair.loop, UV_RUN_DEFAULT);
        assert_int_equal(pair.dialled, 0);
        pair_end(&pair);
    }
}

static void test_refuse(void **state)
{
    struct pair pair = {.refuse = true};
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.dial_status, 0);
    assert_int_equal(pair.client_end, UV_EOF);
    pair_end(&pair);
}

/* Linux tells of an RST once: to the write here, and the read would see an end like any other. */
static void test_reset_that_a_write_was_told_of(void **state)
{
    struct pair pair = {.breaks = true};
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.client_end, UV_ECONNRESET);
    pair_end(&pair);
}

/* libuv takes a hang-up behind the last bytes for an end without asking how it came. */
static void test_reset_behind_bytes(void **state)
{
    struct pair pair = {.breaks = true, .breaks_in_answer = true};
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    uv_run(&pair.loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.client_end, UV_ECONNRESET);
    pair_end(&pair);
}

static void test_port_taken(void **state)
{
    struct pair pair = {.refuse = true};
    struct listener second;
    struct hostport where = {.host = "127.0.0.1"};
    struct sockaddr_storage address;
    (void)state;
    pair_start(&pair, "127.0.0.1", 0);
    assert_int_equal(listener_address(&pair.listener, &address), 0);
    where.port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    assert_int_equal(
        listener_open(&second, &pair.loop, &where, on_connection, NULL), UV_EADDRINUSE);
    pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_and_half_close),
        cmocka_unit_test(test_dial_by_name),
        cmocka_unit_test(test_dial_any),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_last_bytes_and_fin),
        cmocka_unit_test(test_dial_refused),
        cmocka_unit_test(test_dial_unknown_name),
        cmocka_unit_test(test_dial_cancelled),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_reset_that_a_write_was_told_of),
        cmocka_unit_test(test_reset_behind_bytes),
        cmocka_unit_test(test_port_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
