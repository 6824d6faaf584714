/* TLS on streams over real loopback sockets; each loop ends with nothing left open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/dial.h"
#include "lib/listener.h"
#include "lib/tls_stream.h"
#include "tls_pair.h"

#define BULK (4UL << 20)

enum moment { NEVER, AT_SECURED, AT_DATA, AT_END, AT_FLUSHED };

/* What an end does, and what it saw. */
struct end {
    struct stream stream;
    struct test *test;
    bool plain;         /* speaks no TLS */
    const char *sends;  /* an end that is plain, at once */
    size_t writes;      /* bytes, when secured … */
    size_t record;      /* bytes in each, 0: as many as there can be */
    bool shuts;         /* … and then its FIN */
    bool echoes;        /* at the peer's end: what came, and its FIN */
    enum moment closes; /* when it closes; an error always makes it */
    size_t wants;       /* bytes that it takes before it closes at data */
    bool lingers;       /* after an error it sends its FIN and reads on */
    bool repeats;       /* sends again what it sends, at the peer's end */
    bool resets;        /* or rather resets */
    enum moment stops;  /* when it stops reading, */
    size_t stops_left;  /* so often; it goes on in the next turn of the loop */
    uv_timer_t goes_on;
    struct buf got;
    int secured, ends, errors, closed;
    int error; /* the last one */
};

struct test {
    uv_loop_t loop;
    struct listener listener;
    struct end client, server;
    struct tls_context *client_context, *server_context;
    const char *host;
    bool first; /* the server reads the first bytes itself */
};

static struct slice bulk(size_t len)
{
    static char text[BULK];
    for (size_t i = text[BULK - 1] ? BULK : 0; i < BULK; i++)
        text[i] = (char)(i * 31 >> 3);
    return slice_of(text, len);
}

static void end_close(struct end *end)
{
    if (!end->stream.open)
        return;
    if (end->resets)
        stream_reset(&end->stream);
    else
        stream_close(&end->stream);
}

static void end_fail(struct end *end, int status)
{
    end->errors++;
    end->error = status;
    end_close(end);
}

/* In records of END's own size. */
static void end_send(struct end *end, struct slice text)
{
    while (text.len > 0 && end->stream.open) {
        size_t len = end->record && end->record < text.len ? end->record : text.len;
        /* Two runs, so that records end where runs do not. */
        uv_buf_t runs[] = {uv_buf_init((char *)(uintptr_t)text.data, (unsigned)(len / 3)),
            uv_buf_init((char *)(uintptr_t)text.data + len / 3, (unsigned)(len - len / 3))};
        int err = stream_write(&end->stream, runs, 2);
        if (err)
            end_fail(end, err);
        text = slice_of(text.data + len, text.len - len);
    }
}

static void on_going_on(uv_timer_t *timer)
{
    struct end *end = timer->data;
    assert_int_equal(stream_read_start(&end->stream), 0);
}

static void at(struct end *end, enum moment moment)
{
    if (end->closes == moment && (moment != AT_DATA || end->got.len >= end->wants))
        end_close(end);
    if (end->stops == moment && end->stops_left > 0) {
        end->stops_left--;
        stream_read_stop(&end->stream);
        uv_timer_start(&end->goes_on, on_going_on, 0, 0);
    }
}

static void on_secured(struct stream *stream)
{
    struct end *end = stream->data;
    assert_int_equal(end->got.len, 0);
    end->secured++;
    if (end->writes > 0)
        end_send(end, bulk(end->writes));
    if (end->shuts)
        assert_int_equal(stream_shutdown(stream), 0);
    at(end, AT_SECURED);
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct end *end = stream->data;
    assert_true(stream->open);
    assert_true(stream->reading);
    if (end->test->first && end == &end->test->server && !stream->layer) {
        assert_int_equal(
            tls_stream_start(stream, end->test->server_context, NULL, slice_of(data, len)), 0);
        return;
    }
    assert_int_equal(end->ends + end->errors, 0);
    assert_int_equal(buf_append(&end->got, data, len), 0);
    at(end, AT_DATA);
}

static void on_eof(struct stream *stream)
{
    struct end *end = stream->data;
    assert_false(stream->reading);
    end->ends++;
    if (end->repeats)
        end_send(end, slice_str(end->sends));
    if (end->echoes) {
        end_send(end, slice_of(end->got.data, end->got.len));
        assert_int_equal(stream_shutdown(stream), 0);
    }
    at(end, AT_END);
    if (stream->open && stream_queued(stream) == 0)
        at(end, AT_FLUSHED);
}

static void on_drain(struct stream *stream)
{
    struct end *end = stream->data;
    if (end->ends > 0)
        at(end, AT_FLUSHED);
}

static void on_error(struct stream *stream, int status)
{
    struct end *end = stream->data;
    assert_false(stream->reading);
    if (!end->lingers) {
        end_fail(end, status);
        return;
    }
    end->errors++;
    assert_int_equal(stream_shutdown(stream), 0);
    assert_int_equal(stream_read_start(stream), 0);
}

static void on_closed(struct stream *stream)
{
    struct end *end = stream->data;
    struct test *test = end->test;
    end->closed++;
    uv_close((uv_handle_t *)&end->goes_on, NULL);
    if (test->client.closed && test->server.closed)
        listener_close(&test->listener);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_error = on_error,
    .on_drain = on_drain,
    .on_closed = on_closed,
    .on_secured = on_secured,
};

static void end_begin(struct end *end, struct test *test)
{
    end->test = test;
    buf_init(&end->got, 2 * BULK);
    uv_timer_init(&test->loop, &end->goes_on);
    end->goes_on.data = end;
}

static void end_open(struct end *end, struct tls_context *context, const char *host)
{
    if (end->plain && end->sends)
        end_send(end, slice_str(end->sends));
    if (!end->plain) {
        uv_buf_t early = uv_buf_init((char *)(uintptr_t) "early", 5);
        assert_int_equal(tls_stream_start(&end->stream, context, host, slice_of(NULL, 0)), 0);
        assert_int_equal(stream_write(&end->stream, &early, 1), UV_ENOTCONN);
    }
    assert_int_equal(stream_read_start(&end->stream), 0);
    if (end->plain && end->shuts)
        assert_int_equal(stream_shutdown(&end->stream), 0);
}

static void on_connection(struct listener *listener, int status)
{
    struct test *test = listener->data;
    struct end *server = &test->server;
    assert_int_equal(status, 0);
    assert_int_equal(stream_init(&server->stream, &test->loop, &events, server), 0);
    assert_int_equal(stream_accept(&server->stream, (uv_stream_t *)&listener->tcp), 0);
    if (test->first)
        assert_int_equal(stream_read_start(&server->stream), 0);
    else
        end_open(server, test->server_context, NULL);
}

static void on_dialled(void *arg, int status)
{
    struct test *test = arg;
    assert_int_equal(status, 0);
    end_open(&test->client, test->client_context, test->host ? test->host : "localhost");
}

static void run_with(struct test *test, const char *cert)
{
    struct hostport where = {.host = "127.0.0.1"};
    struct sockaddr_storage address;
    int err;
    test->client_context = client_context();
    test->server_context = server_context(cert);
    assert_int_equal(uv_loop_init(&test->loop), 0);
    end_begin(&test->client, test);
    end_begin(&test->server, test);
    assert_int_equal(listener_open(&test->listener, &test->loop, &where, on_connection, test), 0);
    assert_int_equal(listener_address(&test->listener, &address), 0);
    where.port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    assert_non_null(dial_start(
        &test->loop, &where, &test->client.stream, &events, &test->client, on_dialled, test, &err));
    uv_run(&test->loop, UV_RUN_DEFAULT);
    assert_int_equal(test->client.closed, 1);
    assert_int_equal(test->server.closed, 1);
    assert_int_equal(uv_loop_close(&test->loop), 0);
    tls_context_free(test->client_context);
    tls_context_free(test->server_context);
}

static void run(struct test *test)
{
    run_with(test, "good");
}

static void forget(struct test *test)
{
    buf_deinit(&test->client.got);
    buf_deinit(&test->server.got);
}

static void assert_got(const struct end *end, size_t len)
{
    assert_int_equal(end->got.len, len);
    assert_memory_equal(end->got.data, bulk(len).data, len);
}

/* One that sends much and its end, and one that sends it back after that. */
static struct test there_and_back(size_t len)
{
    return (struct test){
        .client = {.writes = len, .shuts = true, .closes = AT_END},
        .server = {.echoes = true, .closes = AT_FLUSHED},
    };
}

static void assert_there_and_back(struct test *test, size_t len)
{
    const struct end *ends[] = {&test->client, &test->server};
    for (size_t i = 0; i < 2; i++) {
        assert_got(ends[i], len);
        assert_int_equal(ends[i]->secured, 1);
        assert_int_equal(ends[i]->ends, 1);
        assert_int_equal(ends[i]->errors, 0);
        assert_false(ends[i]->stream.cut);
    }
    forget(test);
}

static void test_there_and_back(void **state)
{
    static const size_t lengths[] = {1, 16383, 16384, 16385, 49152, 100000, BULK};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct test test = there_and_back(lengths[i]);
        run(&test);
        assert_there_and_back(&test, lengths[i]);
    }
}

/* The first bytes were read before it was known that they are TLS. */
static void test_first_bytes(void **state)
{
    struct test test = there_and_back(100000);
    (void)state;
    test.first = true;
    run(&test);
    assert_there_and_back(&test, 100000);
}

/* An end that stops reading gets nothing until it goes on, and then all of it, and the end last. */
static void test_stops(void **state)
{
    static const enum moment stops[] = {AT_SECURED, AT_DATA};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        size_t len = i < 4 ? BULK : BULK / 10;
        struct test test = there_and_back(len);
        struct end *end = i % 4 < 2 ? &test.client : &test.server;
        end->stops = stops[i % 2];
        end->stops_left = SIZE_MAX;
        test.client.record = test.server.record = i < 4 ? 0 : 1000;
        run(&test);
        assert_int_not_equal(end->stops_left, SIZE_MAX);
        assert_there_and_back(&test, len);
    }
}

/* The same where the last bytes, close_notify and FIN come in one read. */
static void test_stops_at_the_last(void **state)
{
    (void)state;
    for (size_t records = 1; records < 10; records++) {
        struct test test = there_and_back(1000 * records);
        test.client.record = test.server.record = 1000;
        test.client.stops = test.server.stops = AT_DATA;
        test.client.stops_left = test.server.stops_left = SIZE_MAX;
        run(&test);
        assert_there_and_back(&test, 1000 * records);
    }
}

/* What is kept needs nothing new from the wire to be delivered. */
static void test_stops_where_no_more_comes(void **state)
{
    struct test test = {
        .client = {.writes = 10000, .record = 1000, .closes = AT_END},
        .server = {.stops = AT_DATA, .stops_left = SIZE_MAX, .closes = AT_DATA, .wants = 10000},
    };
    (void)state;
    run(&test);
    assert_got(&test.server, 10000);
    forget(&test);
}

/* A FIN that no close_notify came before. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test test = {
            .client = {.closes = AT_END},
            .server = {.writes = 100000, .closes = AT_SECURED},
        };
        if (i) {
            test.client.stops = AT_DATA;
            test.client.stops_left = SIZE_MAX;
        }
        run(&test);
        assert_got(&test.client, 100000);
        assert_int_equal(test.client.ends, 1);
        assert_int_equal(test.client.errors, 0);
        assert_true(test.client.stream.cut);
        forget(&test);
    }
}

static void test_reset(void **state)
{
    struct test test = {
        .client = {.closes = AT_END},
        .server = {.closes = AT_SECURED, .resets = true},
    };
    (void)state;
    run(&test);
    assert_int_equal(test.client.error, UV_ECONNRESET);
    assert_int_equal(test.client.errors, 1);
    forget(&test);
}

/* Closed from within its own events, with more to come in the same read. */
static void test_closes_within(void **state)
{
    static const enum moment moments[] = {AT_SECURED, AT_DATA};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct test test = {.client = {.writes = BULK / 4}, .server = {.writes = BULK / 4}};
        struct end *end = i < 4 ? &test.client : &test.server;
        struct end *other = i < 4 ? &test.server : &test.client;
        end->closes = moments[i % 2];
        end->resets = i % 4 > 1;
        other->closes = AT_END;
        run(&test);
        assert_int_equal(end->ends + end->errors, 0);
        assert_int_equal(other->ends + other->errors, 1);
        forget(&test);
    }
}

static void test_untrusted(void **state)
{
    struct test test = {0};
    (void)state;
    run_with(&test, "untrusted");
    assert_int_equal(test.client.error, UV_EPROTO);
    assert_int_equal(test.server.error, UV_EPROTO);
    assert_int_equal(test.client.errors + test.server.errors, 2);
    assert_int_equal(test.client.secured + test.server.secured, 0);
    forget(&test);
}

/* What comes behind a failure is nobody's, but for the peer's FIN. */
static void test_fails_once(void **state)
{
    struct test test = {
        .client = {.plain = true, .sends = "no TLS", .repeats = true, .closes = AT_END},
        .server = {.lingers = true, .closes = AT_END},
    };
    (void)state;
    run(&test);
    assert_int_equal(test.server.errors, 1);
    assert_int_equal(test.server.ends, 1);
    forget(&test);
}

/* One end speaks no TLS, says nothing, or goes before it is done. */
static void test_no_tls(void **state)
{
    static const struct {
        const char *sends;
        bool shuts;
    } cases[] = {{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false}, {"\x16\x03\x01", true},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", true}, {NULL, true}};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct test test = {.client = {.closes = AT_END}, .server = {.closes = AT_END}};
        struct end *plain = i < 4 ? &test.client : &test.server;
        const struct end *end = i < 4 ? &test.server : &test.client;
        plain->plain = true;
        plain->sends = cases[i % 4].sends;
        plain->shuts = cases[i % 4].shuts;
        run(&test);
        assert_int_equal(end->errors, 1);
        assert_int_equal(end->error, UV_EPROTO);
        assert_int_equal(end->secured + end->ends, 0);
        forget(&test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_first_bytes),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_stops_at_the_last),
        cmocka_unit_test(test_stops_where_no_more_comes),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_closes_within),
        cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_fails_once),
        cmocka_unit_test(test_no_tls),
    };
    return cmocka_run_group_tests(tests, pki_make, pki_remove);
}
