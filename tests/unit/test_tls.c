/* TLS between two ends in memory: bytes in any pieces, ends, failures, protocols, sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include <cmocka.h>

#include "lib/tls_private.h"
#include "tls_pair.h"

#define BULK (3UL << 20)
#define RECORD_MOST (16384 + 256 + 5) /* bytes of one on the wire (RFC 8446 §5.2) */

static struct tls_context *client, *server;

static int contexts_make(void **state)
{
    (void)state;
    client = client_context();
    server = server_context("good");
    return 0;
}

static int contexts_free(void **state)
{
    (void)state;
    tls_context_free(client);
    tls_context_free(server);
    return 0;
}

static void use_version(int version)
{
    assert_int_equal(SSL_CTX_set_max_proto_version(server->ssl, version), 1);
}

static void assert_open(const struct tls_pair *pair)
{
    assert_int_equal(tls_state(pair->client.tls), TLS_OPEN);
    assert_int_equal(tls_state(pair->server.tls), TLS_OPEN);
    assert_string_equal(tls_problem(pair->client.tls), "");
    assert_string_equal(tls_problem(pair->server.tls), "");
}

static void pair_open(struct tls_pair *pair)
{
    pair_start(pair, client, "localhost", server);
    pair_run(pair);
    assert_open(pair);
}

/* So many bytes that tell each place from its neighbours. */
static struct slice bulk(size_t len)
{
    static char text[BULK];
    for (size_t i = text[BULK - 1] ? BULK : 0; i < BULK; i++)
        text[i] = (char)(i * 31 >> 3);
    return slice_of(text, len);
}

static void assert_got(const struct tls_end *end, struct slice wanted)
{
    assert_int_equal(end->plain.len, wanted.len);
    assert_memory_equal(end->plain.data, wanted.data, wanted.len);
}

static void test_what_was_agreed_on(void **state)
{
    struct tls_pair pair;
    (void)state;
    pair_open(&pair);
    assert_string_equal(tls_version(pair.client.tls), "TLSv1.3");
    assert_true(slice_is(tls_protocol(pair.client.tls), "http/1.1"));
    assert_true(slice_is(tls_protocol(pair.server.tls), "http/1.1"));
    assert_true(slice_is(tls_host(pair.client.tls), "localhost"));
    assert_true(slice_is(tls_host(pair.server.tls), "localhost"));
    assert_false(tls_was_resumed(pair.client.tls));
    pair_end(&pair);

    pair_start(&pair, client, "127.0.0.1", server); /* an address is no name (RFC 6066 §3) */
    pair_run(&pair);
    assert_open(&pair);
    assert_true(slice_is(tls_host(pair.client.tls), "127.0.0.1"));
    assert_null(tls_host(pair.server.tls).data);
    pair_end(&pair);
}

static void check_pieces(size_t piece_max, size_t len)
{
    struct tls_pair pair;
    pair_start(&pair, client, "localhost", server);
    pair.piece_max = piece_max;
    pair_run(&pair);
    assert_open(&pair);
    end_write(&pair.client, bulk(len));
    assert_int_equal(pair.client.err, 0);
    end_write(&pair.server, bulk(len / 2));
    assert_int_equal(pair.server.err, 0);
    end_say_end(&pair.client);
    pair_run(&pair);
    end_say_end(&pair.server);
    pair_run(&pair);
    assert_got(&pair.server, bulk(len));
    assert_got(&pair.client, bulk(len / 2));
    assert_int_equal(tls_state(pair.server.tls), TLS_ENDED);
    assert_int_equal(tls_state(pair.client.tls), TLS_ENDED);
    pair_end(&pair);
}

static void test_pieces(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        use_version(version);
        check_pieces(1, 20000);
        check_pieces(0, BULK);
        for (int i = 0; i < 20; i++)
            check_pieces(1 + (size_t)rand() % 70000, (size_t)rand() % 300000);
    }
    use_version(0);
}

/* What is written is handed on record by record, and no memory of its size is kept. */
static void test_long_writes_take_no_memory(void **state)
{
    struct tls_pair pair;
    BUF_MEM *memory;
    (void)state;
    pair_open(&pair);
    end_write(&pair.client, bulk(BULK));
    assert_in_range(pair.client.wire_most, 1, RECORD_MOST);
    BIO_get_mem_ptr(SSL_get_wbio(pair.client.tls->ssl), &memory);
    assert_in_range(memory->max, 0, 65536);
    pair_run(&pair);
    assert_got(&pair.server, bulk(BULK));
    assert_in_range(pair.server.plain_most, 1, 16384);
    BIO_get_mem_ptr(SSL_get_rbio(pair.server.tls->ssl), &memory);
    assert_int_equal(memory->length, 0);
    pair_end(&pair);
}

static void test_nothing_is_written_too_early(void **state)
{
    struct tls_pair pair;
    (void)state;
    pair_start(&pair, client, "localhost", server);
    end_write(&pair.client, slice_str("early"));
    assert_int_equal(pair.client.err, UV_ENOTCONN);
    end_write(&pair.server, slice_str("early"));
    assert_int_equal(pair.server.err, UV_ENOTCONN);
    pair_run(&pair);
    assert_open(&pair);
    end_write(&pair.client, slice_str("in time"));
    pair_run(&pair);
    assert_got(&pair.server, slice_str("in time"));
    pair_end(&pair);
}

static void test_one_side_ends_and_the_other_goes_on(void **state)
{
    struct tls_pair pair;
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        use_version(version);
        pair_open(&pair);
        end_write(&pair.client, slice_str("question"));
        end_say_end(&pair.client);
        end_say_end(&pair.client);
        pair_run(&pair);
        assert_got(&pair.server, slice_str("question"));
        assert_int_equal(tls_state(pair.server.tls), TLS_ENDED);
        assert_int_equal(tls_state(pair.client.tls), TLS_OPEN);
        for (int i = 0; i < 3; i++) {
            end_write(&pair.server, slice_str("answer"));
            assert_int_equal(pair.server.err, 0);
            pair_run(&pair);
        }
        assert_got(&pair.client, slice_str("answeransweranswer"));
        pair_end(&pair);
    }
    use_version(0);
}

/* What comes behind close_notify is nobody's, and takes no memory. */
static void test_after_the_end(void **state)
{
    struct tls_pair pair;
    BUF_MEM *memory;
    (void)state;
    pair_open(&pair);
    end_say_end(&pair.client);
    pair_run(&pair);
    for (int i = 0; i < 1000; i++) {
        end_take(&pair.server, bulk(10000));
        assert_int_equal(pair.server.err, 0);
    }
    BIO_get_mem_ptr(SSL_get_rbio(pair.server.tls->ssl), &memory);
    assert_in_range(memory->max, 0, 65536);
    assert_int_equal(pair.server.plain.len, 0);
    assert_int_equal(tls_state(pair.server.tls), TLS_ENDED);
    pair_end(&pair);
}

/* A handshake that does not come to its end has failed; a connection that is open may be cut. */
static void test_the_wire_ends(void **state)
{
    struct tls_pair pair;
    (void)state;
    pair_start(&pair, client, "localhost", server);
    assert_int_equal(tls_take_end(pair.client.tls), UV_EPROTO);
    assert_int_equal(tls_state(pair.client.tls), TLS_FAILED);
    assert_non_null(strstr(tls_problem(pair.client.tls), "closed the connection"));
    pair_end(&pair);

    pair_open(&pair);
    assert_int_equal(tls_take_end(pair.client.tls), 0);
    assert_int_equal(tls_state(pair.client.tls), TLS_OPEN);
    end_say_end(&pair.server);
    pair_run(&pair);
    assert_int_equal(tls_take_end(pair.client.tls), 0);
    assert_int_equal(tls_state(pair.client.tls), TLS_ENDED);
    pair_end(&pair);
}

static void assert_failed(struct tls_end *end, struct slice wire)
{
    end_take(end, wire);
    assert_int_equal(end->err, UV_EPROTO);
    assert_int_equal(tls_state(end->tls), TLS_FAILED);
    assert_string_not_equal(tls_problem(end->tls), "");
    assert_false(tls_is_untrusted(end->tls));
    end_take(end, slice_of(NULL, 0));
    assert_int_equal(end->err, UV_EPROTO);
    end_write(end, slice_str("more"));
    assert_int_equal(end->err, UV_EPROTO);
    end_say_end(end);
    assert_int_equal(end->err, 0);
}

static void test_what_is_no_tls(void **state)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        "\x16\x03\x01\xff\xff\x01\xff\xff\xff aaaa"};
    struct tls_pair pair;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pair_start(&pair, client, "localhost", server);
        assert_failed(&pair.client, slice_str(texts[i]));
        assert_failed(&pair.server, slice_str(texts[i]));
        print_message("%s; %s\n", tls_problem(pair.client.tls), tls_problem(pair.server.tls));
        pair_end(&pair);
        pair_open(&pair);
        assert_failed(&pair.client, slice_str(texts[i]));
        pair_end(&pair);
    }
}

/* Any byte that was changed ends it, and the peer is told. */
static void test_changed_on_the_way(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 100; i++) {
        struct tls_pair pair;
        use_version(i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
        pair_open(&pair);
        end_write(&pair.client, bulk(100));
        pair.client.wire.data[5 + (size_t)rand() % (pair.client.wire.len - 5)] ^= 1;
        pair_run(&pair);
        assert_int_equal(tls_state(pair.server.tls), TLS_FAILED);
        assert_int_equal(pair.server.plain.len, 0);
        assert_int_equal(tls_state(pair.client.tls), TLS_FAILED);
        assert_non_null(strstr(tls_problem(pair.client.tls), "alert bad record mac"));
        pair_end(&pair);
    }
    use_version(0);
}

/* Random bytes instead of the peer's, from the beginning or in between: nothing but a failure. */
static void test_random_bytes(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 400; i++) {
        struct tls_pair pair;
        static const char hello[] = {0x16, 3, 1, 1, 0, 1, 0, 0, (char)0xfc, 3, 3};
        char bytes[300];
        for (size_t b = 0; b < sizeof bytes; b++)
            bytes[b] = (char)rand();
        if (i % 2)
            memcpy(bytes, hello, sizeof hello);
        pair_start(&pair, client, "localhost", server);
        if (i % 4 > 1)
            pair_run(&pair);
        end_take(&pair.server, slice_of(bytes, sizeof bytes));
        end_take(&pair.client, slice_of(bytes, sizeof bytes));
        assert_int_equal(pair.server.plain.len, 0);
        pair_end(&pair);
    }
}

/* The protocols that a client offers, as on the wire, and what comes of it. */
static void test_protocols(void **state)
{
    static const struct {
        const char *offered;
        const char *chosen; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"\x08http/1.1", "http/1.1"},
        {"\x02h2\x08http/1.1", "http/1.1"},
        {"\x02h2", NULL},
        {"\x08http/1.0", NULL},
        {"\x07http/1.", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_context *other = client_context();
        struct tls_pair pair;
        SSL_CTX_set_alpn_protos(other->ssl, (const unsigned char *)cases[i].offered,
            (unsigned)strlen(cases[i].offered));
        pair_start(&pair, other, "localhost", server);
        pair_run(&pair);
        if (cases[i].chosen) {
            assert_open(&pair);
            assert_true(slice_is(tls_protocol(pair.server.tls), cases[i].chosen));
        } else {
            assert_int_equal(tls_state(pair.server.tls), TLS_FAILED);
            assert_non_null(strstr(tls_problem(pair.client.tls), "alert no application protocol"));
        }
        pair_end(&pair);
        tls_context_free(other);
    }
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned int in_len, void *arg)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    (void)arg;
    *out = (const unsigned char *)"h2";
    *out_len = 2;
    return SSL_TLSEXT_ERR_OK;
}

/* A server that chooses what nobody offered is not spoken to in what it did not choose. */
static void test_a_protocol_that_was_not_offered(void **state)
{
    struct tls_context *other = server_context("good");
    struct tls_pair pair;
    (void)state;
    SSL_CTX_set_alpn_select_cb(other->ssl, choose_h2, NULL);
    pair_start(&pair, client, "localhost", other);
    pair_run(&pair);
    assert_int_equal(tls_state(pair.client.tls), TLS_FAILED);
    print_message("%s\n", tls_problem(pair.client.tls));
    pair_end(&pair);
    tls_context_free(other);
}

static void test_old_versions_are_refused(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tls_context *old = client_context();
        struct tls_pair pair;
        SSL_CTX_set_security_level(old->ssl, 0);
        SSL_CTX_set_min_proto_version(old->ssl, versions[i]);
        SSL_CTX_set_max_proto_version(old->ssl, versions[i]);
        pair_start(&pair, old, "localhost", server);
        pair_run(&pair);
        assert_int_equal(tls_state(pair.server.tls), TLS_FAILED);
        assert_non_null(strstr(tls_problem(pair.client.tls), "alert protocol version"));
        pair_end(&pair);
        tls_context_free(old);
    }
}

/* Is answered by an alert each time, which is sent on rather than kept. */
static void test_renegotiation_is_refused(void **state)
{
    struct tls_pair pair;
    (void)state;
    use_version(TLS1_2_VERSION);
    pair_open(&pair);
    SSL_clear_options(pair.client.tls->ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(pair.client.tls->ssl), 1);
    (void)SSL_do_handshake(pair.client.tls->ssl);
    end_take(&pair.client, slice_of(NULL, 0));
    assert_true(pair.client.wire.len > 0);
    end_take(&pair.server, slice_of(pair.client.wire.data, pair.client.wire.len));
    assert_true(pair.server.wire.len > 0);
    assert_int_equal(tls_state(pair.server.tls), TLS_OPEN);
    pair.client.wire.len = 0;
    pair_run(&pair);
    assert_int_not_equal(tls_state(pair.client.tls), TLS_OPEN);
    pair_end(&pair);
    use_version(0);
}

/* New keys are asked for and given (RFC 8446 §4.6.3), again and again. */
static void test_key_updates(void **state)
{
    struct tls_pair pair;
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < 20; i++) {
        SSL_key_update(pair.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED);
        end_write(&pair.client, slice_str("a"));
        pair_run(&pair);
        end_write(&pair.server, slice_str("b"));
        pair_run(&pair);
    }
    assert_open(&pair);
    assert_int_equal(pair.server.plain.len, 20);
    assert_int_equal(pair.client.plain.len, 20);
    pair_end(&pair);
}

/* Whether a connection with HOST goes on where an earlier one was. */
static bool is_resumed(struct tls_context *from, const char *host, struct tls_context *to)
{
    struct tls_pair pair;
    pair_start(&pair, from, host, to);
    pair_run(&pair);
    assert_open(&pair);
    bool resumed = tls_was_resumed(pair.client.tls);
    assert_int_equal(tls_was_resumed(pair.server.tls), resumed);
    end_write(&pair.client, slice_str("question"));
    end_write(&pair.server, slice_str("answer"));
    pair_run(&pair);
    assert_got(&pair.server, slice_str("question"));
    assert_got(&pair.client, slice_str("answer"));
    pair_end(&pair); /* without close_notify */
    return resumed;
}

static void test_sessions(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_context *from = client_context();
        use_version(version);
        assert_false(is_resumed(from, "localhost", server));
        for (int i = 0; i < 3; i++)
            assert_true(is_resumed(from, "localhost", server));
        assert_false(is_resumed(from, "127.0.0.1", server));
        assert_true(is_resumed(from, "127.0.0.1", server));
        assert_false(is_resumed(from, "localhost", server));
        struct tls_context *restarted = server_context("good");
        assert_false(is_resumed(from, "localhost", restarted));
        tls_context_free(restarted);
        tls_context_free(from);
    }
    use_version(0);
    assert_int_equal(SSL_CTX_sess_number(server->ssl), 0); /* tickets take none of our memory */
}

/* A client that was known stays known; one that is not does not get in by a session. */
static void test_sessions_of_known_clients(void **state)
{
    const struct tls_config wants = {.server = true,
        .cert_file = pki_file("good"),
        .key_file = pki_file("key"),
        .ca_file = pki_file("ca"),
        .wants_peer = true};
    const struct tls_config has = {
        .cert_file = pki_file("client"), .key_file = pki_file("key"), .ca_file = pki_file("ca")};
    struct tls_context *strict = context_of(&wants), *known = context_of(&has);
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX_set_max_proto_version(strict->ssl, version);
        (void)is_resumed(known, "localhost", strict);
        assert_true(is_resumed(known, "localhost", strict));
    }
    tls_context_free(strict);
    tls_context_free(known);
}

static void test_a_session_that_failed_is_not_used_again(void **state)
{
    struct tls_context *from = client_context();
    struct tls_pair pair;
    (void)state;
    assert_false(is_resumed(from, "localhost", server));
    pair_start(&pair, from, "localhost", server);
    pair_run(&pair);
    assert_true(tls_was_resumed(pair.client.tls));
    end_write(&pair.server, slice_str("answer"));
    pair.server.wire.data[pair.server.wire.len - 1] ^= 1;
    pair_run(&pair);
    assert_int_equal(tls_state(pair.client.tls), TLS_FAILED);
    pair_end(&pair);
    assert_false(is_resumed(from, "localhost", server));
    tls_context_free(from);
}

struct secrets {
    struct buf text;
    int lines;
};

static void on_secret(void *arg, const char *line)
{
    struct secrets *secrets = arg;
    assert_null(strchr(line, '\n'));
    secrets->lines++;
    assert_int_equal(buf_printf(&secrets->text, "%s\n", line), 0);
}

/* Every line of A is in B. */
static void assert_same_lines(struct secrets *a, const struct secrets *b)
{
    for (char *rest = NULL, *line = strtok_r(a->text.data, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        assert_non_null(strstr(b->text.data, line));
}

static void test_key_log(void **state)
{
    struct secrets asked = {0}, served = {0};
    const struct tls_config client_config = {
        .ca_file = pki_file("ca"), .on_secret = on_secret, .arg = &asked};
    const struct tls_config server_config = {.server = true,
        .cert_file = pki_file("good"),
        .key_file = pki_file("key"),
        .on_secret = on_secret,
        .arg = &served};
    struct tls_context *from = context_of(&client_config), *to = context_of(&server_config);
    struct tls_pair pair;
    (void)state;
    buf_init(&asked.text, 65536);
    buf_init(&served.text, 65536);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX_set_max_proto_version(to->ssl, version);
        pair_start(&pair, from, "localhost", to);
        pair_run(&pair);
        assert_open(&pair);
        pair_end(&pair);
    }
    assert_int_equal(asked.lines, served.lines);
    assert_non_null(strstr(asked.text.data, "CLIENT_RANDOM "));
    assert_non_null(strstr(asked.text.data, "CLIENT_TRAFFIC_SECRET_0 "));
    assert_non_null(strstr(asked.text.data, "SERVER_TRAFFIC_SECRET_0 "));
    assert_same_lines(&asked, &served);
    buf_deinit(&asked.text);
    buf_deinit(&served.text);
    tls_context_free(from);
    tls_context_free(to);
}

/* A context lives as long as its last connection. */
static void test_contexts_may_go_first(void **state)
{
    struct tls_context *from = client_context(), *to = server_context("good");
    struct tls_pair pair;
    (void)state;
    pair_start(&pair, from, "localhost", to);
    tls_context_free(from);
    tls_context_free(to);
    pair_run(&pair);
    assert_open(&pair);
    pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_agreed_on, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_pieces, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_long_writes_take_no_memory, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_nothing_is_written_too_early, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_one_side_ends_and_the_other_goes_on, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_after_the_end, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_the_wire_ends, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_what_is_no_tls, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_changed_on_the_way, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_random_bytes, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_protocols, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_a_protocol_that_was_not_offered, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_old_versions_are_refused, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_renegotiation_is_refused, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_key_updates, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_sessions, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_sessions_of_known_clients, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_a_session_that_failed_is_not_used_again, contexts_make, contexts_free),
        cmocka_unit_test(test_key_log),
        cmocka_unit_test(test_contexts_may_go_first),
    };
    return cmocka_run_group_tests(tests, pki_make, pki_remove);
}
