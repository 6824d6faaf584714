/*
 * What a client speaks: each case whole, and every prefix of it, in memory that ends where it does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/tls.h"
#include "mitm_proxy/first_bytes.h"

#define WIRE_MAX (64UL << 10)

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static struct buf wire, hello;

static int begin(void **state)
{
    (void)state;
    buf_init(&wire, WIRE_MAX);
    buf_init(&hello, WIRE_MAX);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_deinit(&wire);
    buf_deinit(&hello);
    return 0;
}

static void put(struct buf *buf, const char *data, size_t len)
{
    assert_int_equal(buf_append(buf, data, len), 0);
}

static void put_number(struct buf *buf, size_t number, size_t bytes)
{
    while (bytes-- > 0)
        assert_int_equal(buf_append_char(buf, (char)(number >> 8 * bytes)), 0);
}

/* Bytes of which nothing is to be read. */
static void put_filler(struct buf *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        assert_int_equal(buf_append_char(buf, (char)i), 0);
}

/* The answer, from memory of its own; NAME is the test's to read until the next call. */
static enum first_bytes look(const char *data, size_t len, char *name)
{
    char *copy = malloc(len ? len : 1), *scratch = malloc(FIRST_BYTES_MAX);
    struct slice found;
    assert_non_null(copy);
    assert_non_null(scratch);
    if (len > 0)
        memcpy(copy, data, len);
    enum first_bytes answer = first_bytes_look(slice_of(len ? copy : NULL, len), scratch, &found);
    assert_true(found.len <= FIRST_BYTES_MAX);
    *name = '\0';
    if (found.data)
        snprintf(name, 256, "%.*s", (int)found.len, found.data);
    free(copy);
    free(scratch);
    return answer;
}

/* The answer comes with byte SETTLED, not before, and what follows does not change it. */
static void check_prefixes(
    const char *data, size_t len, size_t settled, enum first_bytes wanted, const char *wanted_name)
{
    char name[256];
    for (size_t at = 0; at <= len; at++) {
        enum first_bytes answer = look(data, at, name);
        enum first_bytes now = at < settled ? FIRST_BYTES_MORE : wanted;
        if (answer != now || strcmp(name, at < settled ? "" : wanted_name) != 0)
            fail_msg("%zu of %zu bytes: %d, '%s'", at, len, (int)answer, name);
    }
}

/* A server_name extension (RFC 6066 §3) with one name of TYPE. */
static void put_server_name(struct buf *out, size_t type, const char *name)
{
    size_t len = strlen(name);
    put_number(out, 0, 2);
    put_number(out, len + 5, 2);
    put_number(out, len + 3, 2);
    put_number(out, type, 1);
    put_number(out, len, 2);
    put(out, name, len);
}

/* A handshake message with a ClientHello (RFC 8446 §4.1.2) around these extensions. */
static void make_hello(const struct buf *extensions, size_t session)
{
    static const char suites[] = "\x13\x01\x13\x02\xc0\x2b";
    size_t len = 2 + 32 + 1 + session + 2 + 6 + 2 + (extensions ? 2 + extensions->len : 0);
    buf_clear(&hello);
    put_number(&hello, 1, 1);
    put_number(&hello, len, 3);
    put_number(&hello, 0x303, 2);
    put_filler(&hello, 32);
    put_number(&hello, session, 1);
    put_filler(&hello, session);
    put_number(&hello, 6, 2);
    put(&hello, suites, 6);
    put_number(&hello, 1, 1);
    put_number(&hello, 0, 1);
    if (!extensions)
        return;
    put_number(&hello, extensions->len, 2);
    put(&hello, extensions->data, extensions->len);
}

/* The hello in records of at most MOST bytes. */
static void make_wire(size_t most)
{
    buf_clear(&wire);
    for (size_t at = 0, len; at < hello.len; at += len) {
        len = hello.len - at < most ? hello.len - at : most;
        put_number(&wire, 22, 1);
        put_number(&wire, 0x301, 2);
        put_number(&wire, len, 2);
        put(&wire, hello.data + at, len);
    }
}

static void check_hello(const struct buf *extensions, const char *name)
{
    static const size_t records[] = {1U << 14, 100, 7, 1};
    for (size_t session = 0; session <= 32; session += 32) {
        make_hello(extensions, session);
        for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
            make_wire(records[i]);
            size_t settled = wire.len;
            put(&wire, "\x14\x03\x03\x00\x01\x01 and more", 15);
            check_prefixes(wire.data, wire.len, settled, FIRST_BYTES_TLS, name);
        }
    }
}

static void test_server_names(void **state)
{
    (void)state;
    struct buf extensions;
    buf_init(&extensions, WIRE_MAX);
    check_hello(NULL, "");
    check_hello(&extensions, "");
    put_number(&extensions, 0x2b, 2); /* supported_versions */
    put_number(&extensions, 3, 2);
    put_number(&extensions, 0x20304, 3);
    check_hello(&extensions, "");
    put_server_name(&extensions, 0, "agent-b.example.test");
    check_hello(&extensions, "agent-b.example.test");
    put_number(&extensions, 0xffff, 2); /* behind it, and longer than there is */
    put_number(&extensions, 999, 2);
    check_hello(&extensions, "agent-b.example.test");
    buf_clear(&extensions);
    put_server_name(&extensions, 7, "of a kind that nobody knows");
    check_hello(&extensions, "");
    buf_clear(&extensions);
    put_server_name(&extensions, 0, "");
    check_hello(&extensions, "");
    buf_deinit(&extensions);
}

static int on_wire(void *arg, struct slice bytes)
{
    return buf_append(arg, bytes.data, bytes.len);
}

static int on_plain(void *arg, struct slice bytes)
{
    (void)arg;
    (void)bytes;
    return 0;
}

/* What OpenSSL sends. */
static void test_openssl(void **state)
{
    (void)state;
    static const char *const hosts[] = {"agent-b.example.test", "127.0.0.1"};
    const struct tls_config config = {.unverified = true};
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = &wire};
    char why[TLS_WHY_MAX];
    struct tls_context *context = tls_context_new(&config, why);
    assert_non_null(context);
    for (size_t i = 0; i < 2; i++) {
        struct tls *tls = tls_new(context, hosts[i]);
        assert_non_null(tls);
        buf_clear(&wire);
        assert_int_equal(tls_take(tls, slice_of(NULL, 0), &sink), 0);
        assert_true(wire.len > 100);
        /* No name is an address (RFC 6066 §3). */
        check_prefixes(wire.data, wire.len, wire.len, FIRST_BYTES_TLS, i == 0 ? hosts[0] : "");
        tls_free(tls);
    }
    tls_context_free(context);
}

/* A long one, as with keys that quantum computers cannot break, and all that came with it. */
static void test_long(void **state)
{
    (void)state;
    struct buf extensions;
    char name[256];
    buf_init(&extensions, WIRE_MAX);
    put_number(&extensions, 0x33, 2);
    put_number(&extensions, 18000, 2);
    put_filler(&extensions, 18000);
    put_server_name(&extensions, 0, "far.behind.test");
    make_hello(&extensions, 32);
    make_wire(1U << 14);
    assert_int_equal(look(wire.data, wire.len - 1, name), FIRST_BYTES_MORE);
    assert_int_equal(look(wire.data, wire.len, name), FIRST_BYTES_TLS);
    assert_string_equal(name, "far.behind.test");
    /* The second record goes on where the hello has ended. */
    buf_clear(&wire);
    make_wire(6000);
    size_t last = 3 * (6000UL + 5);
    wire.data[last + 3] = 0x3f;
    put_filler(&wire, 16000);
    assert_int_equal(look(wire.data, wire.len, name), FIRST_BYTES_TLS);
    assert_string_equal(name, "far.behind.test");
    buf_deinit(&extensions);
}

static void test_more_than_there_may_be(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "\x16\x03\x01\x40\x01\x01\xff\xff\xff", /* a hello of 16 MiB */
        "\x16\x03\x01\x01\x01\x01\x01\x01\x01", /* records of nonsense */
        "\x16\x03\x03\xff\xff\x01\x00\x60\x00",
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        char name[256];
        buf_clear(&wire);
        put(&wire, starts[i], 9);
        while (wire.len < FIRST_BYTES_MAX + 100)
            put_number(&wire, 0x16, 1);
        assert_int_equal(look(wire.data, FIRST_BYTES_MAX - 1, name), FIRST_BYTES_MORE);
        assert_int_equal(look(wire.data, FIRST_BYTES_MAX, name), FIRST_BYTES_TLS);
        assert_int_equal(look(wire.data, wire.len, name), FIRST_BYTES_TLS);
    }
}

struct bytes_case {
    const char *data;
    size_t len, settled;
    enum first_bytes answer;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct bytes_case others[] = {
    {BYTES("GET / HTTP/1.1\r\n\r\n"), 1, FIRST_BYTES_HTTP},
    {BYTES("POST /tool HTTP/1.1\r\n"), 2, FIRST_BYTES_HTTP},
    {BYTES("SEARCH / HTTP/1.1\r\n"), 2, FIRST_BYTES_HTTP},
    {BYTES("get x\r\n"), 1, FIRST_BYTES_HTTP},
    {BYTES("\r\nGET / HTTP/1.1\r\n"), 1, FIRST_BYTES_HTTP},
    {BYTES("PRI / HTTP/1.1\r\n"), 5, FIRST_BYTES_HTTP},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r "), 24, FIRST_BYTES_HTTP},
    {BYTES("PUT"), 2, FIRST_BYTES_HTTP},
    {BYTES("SSH-2.0-x y\r\n"), 4, FIRST_BYTES_OTHER},
    {BYTES("SSH / HTTP/1.1\r\n"), 4, FIRST_BYTES_HTTP},
    {BYTES("\0\0\0"), 1, FIRST_BYTES_OTHER},
    {BYTES(" GET / HTTP/1.1\r\n"), 1, FIRST_BYTES_OTHER},
    {BYTES("{\"id\":1}"), 1, FIRST_BYTES_OTHER},
    {BYTES("\x16 nothing of TLS"), 2, FIRST_BYTES_OTHER},
    {BYTES("\x80\x2e\x01\x03\x01"), 1, FIRST_BYTES_OTHER},           /* SSL 2 */
    {BYTES("\x16\x03\x03\x00\x04\x02\0\0\x50"), 9, FIRST_BYTES_TLS}, /* a ServerHello */
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and frames"), 24, FIRST_BYTES_HTTP_2},
};

static void test_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const struct bytes_case *one = &others[i];
        print_message("case %zu\n", i);
        check_prefixes(one->data, one->len, one->settled, one->answer, "");
    }
    check_prefixes(preface, sizeof preface - 1, sizeof preface - 1, FIRST_BYTES_HTTP_2, "");
}

/* Hellos with wrong bytes: whatever the answer is, it stays. */
static void test_random(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    struct buf extensions;
    print_message("seed %u\n", seed);
    srand(seed);
    buf_init(&extensions, WIRE_MAX);
    put_server_name(&extensions, 1, "not.this.test");
    put_server_name(&extensions, 0, "agent-b.example.test");
    for (int trial = 0; trial < 300; trial++) {
        char first[256] = "", name[256];
        enum first_bytes settled = FIRST_BYTES_MORE;
        make_hello(&extensions, (size_t)rand() % 33);
        make_wire(1 + (size_t)rand() % 200);
        for (int i = rand() % 8; i >= 0 && wire.len > 0; i--)
            wire.data[(size_t)rand() % wire.len] = (char)rand();
        for (size_t at = 0; at <= wire.len; at++) {
            enum first_bytes answer = look(wire.data, at, name);
            if (settled == FIRST_BYTES_MORE)
                memcpy(first, name, sizeof first);
            else if (answer != settled || strcmp(name, first) != 0)
                fail_msg("trial %d: at %zu bytes %d became %d", trial, at, settled, answer);
            settled = answer;
        }
    }
    buf_deinit(&extensions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_names),
        cmocka_unit_test(test_openssl),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_more_than_there_may_be),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
