/* TLS between two ends in memory: bytes in any pieces, ends, failures. */
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

static void pair_open(struct tls_pair *pair)
{
    pair_start(pair, client, "localhost", server);
    pair_run(pair);
    pair_assert_open(pair);
}

/* So many bytes that tell each place from its neighbours. */
static struct slice bulk(size_t len)
{
    static char text[BULK];
    for (size_t i = text[BULK - 1] ? BULK : 0; i < BULK; i++)
        text[i] = (char)(i * 31 >> 3);
    return slice_of(text, len);
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
    pair_assert_open(&pair);
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
    pair_assert_open(&pair);
    end_write(&pair.client, bulk(len));
    assert_int_equal(pair.client.err, 0);
    end_write(&pair.server, bulk(len / 2));
    assert_int_equal(pair.server.err, 0);
    end_say_end(&pair.client);
    pair_run(&pair);
    end_say_end(&pair.server);
    pair_run(&pair);
    end_assert_got(&pair.server, bulk(len));
    end_assert_got(&pair.client, bulk(len / 2));
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
    end_assert_got(&pair.server, bulk(BULK));
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
    pair_assert_open(&pair);
    end_write(&pair.client, slice_str("in time"));
    pair_run(&pair);
    end_assert_got(&pair.server, slice_str("in time"));
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
        end_assert_got(&pair.server, slice_str("question"));
        assert_int_equal(tls_state(pair.server.tls), TLS_ENDED);
        assert_int_equal(tls_state(pair.client.tls), TLS_OPEN);
        for (int i = 0; i < 3; i++) {
            end_write(&pair.server, slice_str("answer"));
            assert_int_equal(pair.server.err, 0);
            pair_run(&pair);
        }
        end_assert_got(&pair.client, slice_str("answeransweranswer"));
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
    };
    return cmocka_run_group_tests(tests, pki_make, pki_remove);
}
