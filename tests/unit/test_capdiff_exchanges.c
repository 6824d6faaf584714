/* recording.h over connection.h and exchanges.h: a capture file in, exchanges out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/recording.h"
#include "tests/unit/pcap_builder.h"

#define GET "GET /a HTTP/1.1\r\nHost: b\r\n\r\n"
#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const struct pcap_end client = {0x0a000001, 40000}, server = {0x0a000002, 8000};

struct fixture {
    struct pcap_builder builder;
    struct pcap_connection connection;
    struct recording recording;
    bool loaded;
    char path[64];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int fd;

    snprintf(fixture->path, sizeof(fixture->path), "/tmp/capdiff-test-XXXXXX");
    fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    close(fd);
    pcap_builder_init(&fixture->builder);
    pcap_connection_open(&fixture->builder, &fixture->connection, client, server, 4294967290u);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->loaded)
        recording_deinit(&fixture->recording);
    pcap_builder_deinit(&fixture->builder);
    unlink(fixture->path);
    free(fixture);
    return 0;
}

static int load(struct fixture *fixture)
{
    char err[512];
    int status;

    pcap_builder_write(&fixture->builder, fixture->path);
    status = recording_load(&fixture->recording, fixture->path, err, sizeof(err));
    fixture->loaded = status == 0;
    return status;
}

static void say(struct fixture *fixture, int side, const char *text)
{
    pcap_connection_say(&fixture->builder, &fixture->connection, side, text);
}

static const struct exchange *exchange_at(
    const struct fixture *fixture, size_t connection, size_t i)
{
    assert_true(connection < fixture->recording.connections.count);
    assert_true(i < fixture->recording.connections.items[connection]->http.count);
    return fixture->recording.connections.items[connection]->http.items[i];
}

static void assert_whole(const struct exchange *exchange, const char *request, const char *response)
{
    assert_int_equal(exchange->request.state, MESSAGE_WHOLE);
    assert_int_equal(exchange->request.len, strlen(request));
    assert_memory_equal(exchange->request.raw.data, request, strlen(request));
    assert_int_equal(exchange->response.state, MESSAGE_WHOLE);
    assert_int_equal(exchange->response.len, strlen(response));
    assert_memory_equal(exchange->response.raw.data, response, strlen(response));
}

static void test_pipelining(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, 0, GET GET GET);
    say(fixture, 1, OK_2 "HTTP/1.1 204 No Content\r\n\r\n" OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 3);
    assert_whole(exchange_at(fixture, 0, 0), GET, OK_2);
    assert_whole(exchange_at(fixture, 0, 1), GET, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_whole(exchange_at(fixture, 0, 2), GET, OK_2);
}

static void test_every_byte_a_segment(void **state)
{
    static const char *const both[] = {GET GET, OK_2 OK_2};
    struct fixture *fixture = *state;

    for (int side = 0; side < 2; side++) {
        for (const char *at = both[side]; *at != '\0'; at++)
            say(fixture, side, (const char[]){*at, '\0'});
    }
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 2);
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
}

static void test_response_recorded_before_its_request(void **state)
{
    struct fixture *fixture = *state;
    struct pcap_connection *connection = &fixture->connection;

    pcap_builder_segment(&fixture->builder, server, client, connection->next[1],
        connection->next[0] + (uint32_t)strlen(GET), PCAP_ACK, OK_2, strlen(OK_2));
    say(fixture, 0, GET);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 1);
    assert_whole(exchange_at(fixture, 0, 0), GET, OK_2);
}

static void test_head_and_interim(void **state)
{
    static const char head[] = "HEAD / HTTP/1.1\r\nHost: b\r\n\r\n";
    static const char head_response[] = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    static const char post[] =
        "POST / HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n{\"id\":7}";
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n" OK_2;
    struct fixture *fixture = *state;

    say(fixture, 0, head);
    say(fixture, 1, head_response);
    say(fixture, 0, post);
    say(fixture, 1, interim);
    assert_int_equal(load(fixture), 0);
    assert_whole(exchange_at(fixture, 0, 0), head, head_response);
    assert_whole(exchange_at(fixture, 0, 1), post, interim);
    assert_string_equal(exchange_call_id(exchange_at(fixture, 0, 1)), "7");
    assert_int_equal(exchange_at(fixture, 0, 1)->status, 200);
}

/* An interim response has no content, which says nothing of the final one's. */
static void test_interim_and_chunks(void **state)
{
    static const char response[] =
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n";
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        say(fixture, 0, GET);
        say(fixture, 1, response);
    }
    assert_int_equal(load(fixture), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_whole(exchange_at(fixture, 0, i), GET, response);
        assert_int_equal(exchange_at(fixture, 0, i)->response.content_len, 2);
        assert_false(exchange_at(fixture, 0, i)->response.plain);
    }
}

static void test_tunnel(void **state)
{
    static const char ask[] =
        "GET /chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    static const char yes[] =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    struct fixture *fixture = *state;
    char request[256], response[256];

    say(fixture, 0, ask);
    say(fixture, 1, yes);
    say(fixture, 0, "not HTTP at all");
    say(fixture, 1, "nor this");
    pcap_connection_close(&fixture->builder, &fixture->connection);
    snprintf(request, sizeof(request), "%snot HTTP at all", ask);
    snprintf(response, sizeof(response), "%snor this", yes);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 1);
    assert_whole(exchange_at(fixture, 0, 0), request, response);
}

static const char connect_to[] = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n";

/* Another connection begins behind a CONNECT, whatever the 2xx says of a body. */
static void test_connect(void **state)
{
    static const char yes[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    struct fixture *fixture = *state;

    say(fixture, 0, connect_to);
    say(fixture, 1, yes);
    for (int i = 0; i < 2; i++) {
        say(fixture, 0, GET);
        say(fixture, 1, OK_2);
    }
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 3);
    assert_whole(exchange_at(fixture, 0, 0), connect_to, yes);
    assert_true(exchange_at(fixture, 0, 0)->connected);
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
    assert_whole(exchange_at(fixture, 0, 2), GET, OK_2);
}

/* A client that does not wait for the answer. */
static void test_connect_and_more_at_once(void **state)
{
    static const char yes[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct fixture *fixture = *state;
    char both[256];

    snprintf(both, sizeof(both), "%s%s", connect_to, GET);
    say(fixture, 0, both);
    snprintf(both, sizeof(both), "%s%s", yes, OK_2);
    say(fixture, 1, both);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 2);
    assert_whole(exchange_at(fixture, 0, 0), connect_to, yes);
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
}

static void test_connect_refused(void **state)
{
    static const char no[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    struct fixture *fixture = *state;

    say(fixture, 0, connect_to);
    say(fixture, 1, no);
    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 2);
    assert_whole(exchange_at(fixture, 0, 0), connect_to, no);
    assert_false(exchange_at(fixture, 0, 0)->connected);
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
}

/* What is no HTTP is one exchange to the connection's end. */
static void say_tls(struct fixture *fixture)
{
    say(fixture, 0, "\x16\x03\x01hello");
    say(fixture, 1, "\x16\x03\x03hello ");
    say(fixture, 0, "\x17\x03\x03" GET);
    say(fixture, 1, "\x17\x03\x03" OK_2);
    pcap_connection_close(&fixture->builder, &fixture->connection);
}

static void assert_tls(const struct exchange *exchange)
{
    assert_whole(
        exchange, "\x16\x03\x01hello\x17\x03\x03" GET, "\x16\x03\x03hello \x17\x03\x03" OK_2);
    assert_true(exchange->tunnel);
    assert_null(exchange->request.problem);
}

static void test_tls_behind_connect(void **state)
{
    static const char yes[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct fixture *fixture = *state;

    say(fixture, 0, connect_to);
    say(fixture, 1, yes);
    say_tls(fixture);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 2);
    assert_whole(exchange_at(fixture, 0, 0), connect_to, yes);
    assert_tls(exchange_at(fixture, 0, 1));
}

static void test_tls(void **state)
{
    struct fixture *fixture = *state;

    say_tls(fixture);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 1);
    assert_tls(exchange_at(fixture, 0, 0));
}

/* TLS may begin a connection, and nothing else. */
static void test_tls_behind_a_request(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    say_tls(fixture);
    assert_int_equal(load(fixture), 0);
    assert_whole(exchange_at(fixture, 0, 0), GET, OK_2);
    assert_false(exchange_at(fixture, 0, 1)->tunnel);
    assert_non_null(exchange_at(fixture, 0, 1)->request.problem);
}

static void test_upgrade_refused(void **state)
{
    static const char ask[] =
        "GET /chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    struct fixture *fixture = *state;
    char both[256];

    snprintf(both, sizeof(both), "%s%s", ask, GET);
    say(fixture, 0, both);
    say(fixture, 1, OK_2);
    say(fixture, 1, OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 2);
    assert_whole(exchange_at(fixture, 0, 0), ask, OK_2);
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
}

static void test_body_until_close(void **state)
{
    static const char response[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end";
    struct fixture *fixture = *state;

    say(fixture, 0, GET);
    say(fixture, 1, response);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(exchange_at(fixture, 0, 0)->response.state, MESSAGE_PARTIAL);
    recording_deinit(&fixture->recording);
    pcap_connection_close(&fixture->builder, &fixture->connection);
    assert_int_equal(load(fixture), 0);
    assert_whole(exchange_at(fixture, 0, 0), GET, response);
}

static void test_not_http(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, 0, "GET / HTTP/1.1\nHost: bare line feeds\n\n");
    say(fixture, 1, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 1);
    assert_string_equal(exchange_at(fixture, 0, 0)->request.problem, "bad_request");
    assert_int_equal(exchange_at(fixture, 0, 0)->response.state, MESSAGE_WHOLE);
}

static void test_port_reuse(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    pcap_connection_open(&fixture->builder, &fixture->connection, client, server, 77);
    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.connections.count, 2);
    assert_whole(exchange_at(fixture, 1, 0), GET, OK_2);
}

/* A SYN, and the answer to it, were recorded behind data: they begin no other connection. */
static void test_late_syns(void **state)
{
    struct fixture *fixture = *state;
    const struct pcap_connection *connection = &fixture->connection;
    uint32_t isn = connection->next[1] - 1;

    pcap_builder_deinit(&fixture->builder);
    pcap_builder_init(&fixture->builder);
    pcap_builder_segment(
        &fixture->builder, client, server, connection->next[0], 0, PCAP_ACK, "", 0);
    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    pcap_builder_segment(&fixture->builder, server, client, isn,
        connection->next[0] - (uint32_t)strlen(GET), PCAP_SYN | PCAP_ACK, "", 0);
    pcap_builder_segment(&fixture->builder, client, server,
        connection->next[0] - (uint32_t)strlen(GET) - 1, 0, PCAP_SYN, "", 0);
    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.connections.count, 1);
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
    assert_int_equal(connection_gaps(fixture->recording.connections.items[0]), 0);
}

/* The recording begins between a request and its response: that response has no request. */
static void test_late_start(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, 0, GET);
    buf_clear(&fixture->builder.file);
    pcap_builder_deinit(&fixture->builder);
    pcap_builder_init(&fixture->builder);
    say(fixture, 1, OK_2);
    say(fixture, 0, "GET /second HTTP/1.1\r\nHost: b\r\n\r\n");
    say(fixture, 1, OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 2);
    assert_int_equal(fixture->recording.late_connections, 1);
    assert_int_equal(exchange_at(fixture, 0, 0)->request.state, MESSAGE_NONE);
    assert_whole(exchange_at(fixture, 0, 1), "GET /second HTTP/1.1\r\nHost: b\r\n\r\n", OK_2);
}

/* A hole in the first response: it is partial, and the second exchange is found again. */
static void test_resynchronised_after_a_gap(void **state)
{
    struct fixture *fixture = *state;

    say(fixture, 0, GET);
    say(fixture, 1, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n01234567890123456789");
    fixture->connection.next[1] += 20; /* never recorded, and acknowledged by what follows */
    say(fixture, 0, "GET /second HTTP/1.1\r\nHost: b\r\n\r\n");
    say(fixture, 1, OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.gaps, 1);
    assert_int_equal(fixture->recording.gap_bytes, 20);
    assert_int_equal(exchange_at(fixture, 0, 0)->response.state, MESSAGE_PARTIAL);
    assert_true(exchange_at(fixture, 0, 0)->response.gap);
    assert_whole(exchange_at(fixture, 0, 1), "GET /second HTTP/1.1\r\nHost: b\r\n\r\n", OK_2);
}

/* Only one side was recorded: its messages are there, and nothing is made up about the other. */
static void test_one_direction_only(void **state)
{
    struct fixture *fixture = *state;

    for (int side = 0; side < 2; side++) {
        struct pcap_connection *connection = &fixture->connection;
        const char *text = side == 0 ? GET GET : OK_2 OK_2;

        pcap_builder_deinit(&fixture->builder);
        pcap_builder_init(&fixture->builder);
        pcap_builder_segment(&fixture->builder, connection->ends[side], connection->ends[!side],
            999, 1000, side == 0 ? PCAP_SYN : PCAP_SYN | PCAP_ACK, "", 0);
        pcap_builder_segment(&fixture->builder, connection->ends[side], connection->ends[!side],
            1000, 1000, PCAP_ACK, text, strlen(text));
        assert_int_equal(load(fixture), 0);
        assert_int_equal(fixture->recording.exchanges, 2);
        for (size_t i = 0; i < 2; i++) {
            const struct exchange *exchange = exchange_at(fixture, 0, i);

            assert_int_equal(exchange->request.state, side == 0 ? MESSAGE_WHOLE : MESSAGE_NONE);
            assert_int_equal(exchange->response.state, side == 0 ? MESSAGE_NONE : MESSAGE_WHOLE);
        }
        recording_deinit(&fixture->recording);
        fixture->loaded = false;
    }
}

/* RFC 7413: the SYN may carry the request; a RST's text (RFC 9293 §3.10.7) is not of the stream. */
static void test_data_in_syn_and_reset(void **state)
{
    struct fixture *fixture = *state;
    struct pcap_connection *connection = &fixture->connection;

    pcap_builder_deinit(&fixture->builder);
    pcap_builder_init(&fixture->builder);
    pcap_builder_segment(
        &fixture->builder, client, server, 4294967295u, 0, PCAP_SYN, GET, strlen(GET));
    connection->next[0] = (uint32_t)strlen(GET);
    pcap_builder_segment(&fixture->builder, server, client, connection->next[1] - 1,
        connection->next[0], PCAP_SYN | PCAP_ACK, "", 0);
    say(fixture, 1, OK_2);
    pcap_builder_segment(&fixture->builder, server, client, connection->next[1],
        connection->next[0], PCAP_RST | PCAP_ACK, "went away", 9);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.exchanges, 1);
    assert_whole(exchange_at(fixture, 0, 0), GET, OK_2);
}

/* A hole within a body of known length: that message is partial, and counting goes on behind it. */
static void test_gap_in_a_counted_body(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789";
    struct fixture *fixture = *state;

    say(fixture, 0, GET GET);
    say(fixture, 1, head);
    fixture->connection.next[1] += 20; /* never recorded, and acknowledged */
    say(fixture, 1, "0123456789" OK_2);
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.gaps, 1);
    assert_true(exchange_at(fixture, 0, 0)->response.gap);
    assert_int_equal(exchange_at(fixture, 0, 0)->response.len, strlen(head) + 30);
    assert_int_equal(exchange_at(fixture, 0, 0)->response.raw.len, strlen(head));
    assert_whole(exchange_at(fixture, 0, 1), GET, OK_2);
}

/* The same ports again and again: as many connections, and time that does not grow with them. */
static void test_ports_used_a_thousand_times(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < 1000; i++) {
        pcap_connection_close(&fixture->builder, &fixture->connection);
        pcap_connection_open(&fixture->builder, &fixture->connection, client, server, i * 7919);
        say(fixture, 0, GET);
        say(fixture, 1, OK_2);
    }
    assert_int_equal(load(fixture), 0);
    assert_int_equal(fixture->recording.connections.count, 1001);
    assert_int_equal(fixture->recording.exchanges, 1000);
}

/* Cut at every byte: never a crash, never an exchange that the whole file has not got. */
static void test_cut_at_every_byte(void **state)
{
    struct fixture *fixture = *state;
    size_t whole, packets = 0;

    say(fixture, 0, GET);
    say(fixture, 1, OK_2);
    pcap_connection_close(&fixture->builder, &fixture->connection);
    whole = fixture->builder.file.len;
    for (size_t len = 0; len <= whole; len++) {
        int status;

        fixture->builder.file.len = len;
        status = load(fixture);
        if (len < 24) {
            assert_int_equal(status, UV_EOF);
            continue;
        }
        assert_int_equal(status, 0);
        packets += fixture->recording.facts.end == CAPTURE_WHOLE;
        assert_true(fixture->recording.exchanges <= 1);
        recording_deinit(&fixture->recording);
        fixture->loaded = false;
    }
    assert_int_equal(packets, 1 + 3 + 4 + 3); /* cuts between packets cannot be told from an end */
}

/* Text, some of it as chunks of up to MOST bytes: LEN bytes of content, and their digest. */
static char *chunked(size_t len, size_t most, char hex[SHA256_HEX_SIZE])
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t size = sizeof(head) + 16 + 16 * len, at = strlen(head);
    char *text = malloc(size);
    struct sha256 *sha = sha256_new();

    snprintf(text, size, "%s", head);
    while (len > 0) {
        size_t part = 1 + (size_t)rand() % most;

        part = part < len ? part : len;
        at += (size_t)snprintf(text + at, size - at, "%zx\r\n", part);
        for (size_t i = 0; i < part; i++)
            text[at + i] = (char)('a' + rand() % 26);
        sha256_update(sha, text + at, part);
        at += part;
        at += (size_t)snprintf(text + at, size - at, "\r\n");
        len -= part;
    }
    snprintf(text + at, size - at, "0\r\nA: b\r\n\r\n");
    sha256_hex(sha, hex);
    sha256_free(sha);
    return text;
}

static void say_in_parts(struct fixture *fixture, int side, const char *text)
{
    char part[1401];

    for (size_t len = strlen(text); len > 0;) {
        size_t taken = 1 + (size_t)rand() % (sizeof(part) - 1);

        taken = taken < len ? taken : len;
        snprintf(part, sizeof(part), "%.*s", (int)taken, text);
        say(fixture, side, part);
        text += taken;
        len -= taken;
    }
}

/* The digest is that of the content alone, whether all of the message is kept or not. */
static void test_chunked_content(void **state)
{
    static const struct {
        size_t len, most;
    } cases[] = {
        {1, 1}, {5000, 1}, {100000, 3000}, {300000, 1}, {3000000, 3000}, {3000000, 300000}};
    struct fixture *fixture = *state;
    char expected[6][SHA256_HEX_SIZE], hex[SHA256_HEX_SIZE];
    unsigned seed = (unsigned)time(NULL);

    print_message("seed %u\n", seed);
    srand(seed);
    for (size_t i = 0; i < 6; i++) {
        char *text = chunked(cases[i].len, cases[i].most, expected[i]);

        say(fixture, 0, GET);
        say_in_parts(fixture, 1, text);
        free(text);
    }
    assert_int_equal(load(fixture), 0);
    for (size_t i = 0; i < 6; i++) {
        const struct message *response = &exchange_at(fixture, 0, i)->response;

        assert_int_equal(response->state, MESSAGE_WHOLE);
        assert_int_equal(response->content_len, cases[i].len);
        assert_string_equal(message_content_sha256(response, hex), expected[i]);
    }
}

/* A body that the connection's end ends, in small and in large. */
static void test_content_until_close(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct fixture *fixture = *state;
    size_t lens[] = {1, 3 * MESSAGE_KEPT_MAX};

    for (size_t i = 0; i < 2; i++) {
        char *text = calloc(1, sizeof(head) + lens[i]), expected[SHA256_HEX_SIZE];
        char hex[SHA256_HEX_SIZE];
        struct sha256 *sha = sha256_new();

        snprintf(text, sizeof(head), "%s", head);
        memset(text + strlen(head), 'x', lens[i]);
        sha256_update(sha, text + strlen(head), lens[i]);
        sha256_hex(sha, expected);
        sha256_free(sha);
        pcap_connection_open(&fixture->builder, &fixture->connection,
            (struct pcap_end){0x0a000001, (uint16_t)(40001 + i)}, server, 1);
        say(fixture, 0, GET);
        say_in_parts(fixture, 1, text);
        pcap_connection_close(&fixture->builder, &fixture->connection);
        free(text);
        fixture->loaded ? recording_deinit(&fixture->recording) : (void)0;
        assert_int_equal(load(fixture), 0);
        assert_int_equal(exchange_at(fixture, 1 + i, 0)->response.content_len, lens[i]);
        assert_string_equal(
            message_content_sha256(&exchange_at(fixture, 1 + i, 0)->response, hex), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipelining, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_byte_a_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_recorded_before_its_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_and_interim, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interim_and_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tunnel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_and_more_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_behind_connect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_behind_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upgrade_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_until_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_http, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port_reuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_syns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resynchronised_after_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_direction_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_data_in_syn_and_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap_in_a_counted_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ports_used_a_thousand_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chunked_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_content_until_close, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
