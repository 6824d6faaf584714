#include "tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WIRE_MAX (64UL << 20)

static char folder[] = "/tmp/test_tls_XXXXXX";

int pki_make(void **state)
{
    char command[1024];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(command, sizeof command, "'%s/../pki' '%s'", TEST_DATA, folder);
    return system(command); /* NOLINT(cert-env33-c): a script of the tests */
}

int pki_remove(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command); /* NOLINT(cert-env33-c) */
}

const char *pki_file(const char *name)
{
    static char paths[8][128];
    static size_t next;
    if (!name)
        return NULL;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s.pem", folder, name);
    return path;
}

struct tls_context *context_of(const struct tls_config *config)
{
    char why[TLS_WHY_MAX] = "";
    struct tls_context *context = tls_context_new(config, why);
    if (!context)
        fail_msg("%s", why);
    return context;
}

struct tls_context *server_context(const char *name)
{
    const struct tls_config config = {
        .server = true, .cert_file = pki_file(name), .key_file = pki_file("key")};
    return context_of(&config);
}

struct tls_context *client_context(void)
{
    const struct tls_config config = {.ca_file = pki_file("ca")};
    return context_of(&config);
}

static int on_wire(void *arg, struct slice bytes)
{
    struct tls_end *end = arg;
    if (bytes.len > end->wire_most)
        end->wire_most = bytes.len;
    return buf_append(&end->wire, bytes.data, bytes.len);
}

static int on_plain(void *arg, struct slice bytes)
{
    struct tls_end *end = arg;
    if (bytes.len > end->plain_most)
        end->plain_most = bytes.len;
    return buf_append(&end->plain, bytes.data, bytes.len);
}

void end_take(struct tls_end *end, struct slice wire)
{
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = end};
    end->err = tls_take(end->tls, wire, &sink);
}

void end_write(struct tls_end *end, struct slice plain)
{
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = end};
    end->err = tls_write(end->tls, plain, &sink);
}

void end_say_end(struct tls_end *end)
{
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = end};
    end->err = tls_end(end->tls, &sink);
}

static void end_start(struct tls_end *end, struct tls_context *context, const char *host)
{
    *end = (struct tls_end){.tls = tls_new(context, host)};
    assert_non_null(end->tls);
    buf_init(&end->wire, WIRE_MAX);
    buf_init(&end->plain, WIRE_MAX);
}

static void end_stop(struct tls_end *end)
{
    tls_free(end->tls);
    buf_deinit(&end->wire);
    buf_deinit(&end->plain);
}

void pair_start(
    struct tls_pair *pair, struct tls_context *client, const char *host, struct tls_context *server)
{
    pair->piece_max = 0;
    end_start(&pair->client, client, host);
    end_start(&pair->server, server, NULL);
    end_take(&pair->client, slice_of(NULL, 0));
    assert_int_equal(pair->client.err, 0);
}

void pair_end(struct tls_pair *pair)
{
    end_stop(&pair->client);
    end_stop(&pair->server);
}

/* Carries one piece of what FROM has for TO; what it has for an end that has failed is lost. */
static void carry(struct tls_pair *pair, struct tls_end *from, struct tls_end *to)
{
    size_t len = from->wire.len;
    if (pair->piece_max && len > pair->piece_max)
        len = 1 + (size_t)rand() % pair->piece_max; /* NOLINT(cert-msc30-c): a seed tells all */
    if (len > 0 && tls_state(to->tls) != TLS_FAILED) {
        /* A copy of its own, so that a byte too far is found. */
        char *piece = malloc(len);
        assert_non_null(piece);
        memcpy(piece, from->wire.data, len);
        end_take(to, slice_of(piece, len));
        free(piece);
    }
    buf_consume(&from->wire, len);
}

void pair_run(struct tls_pair *pair)
{
    while (pair->client.wire.len > 0 || pair->server.wire.len > 0) {
        carry(pair, &pair->client, &pair->server);
        carry(pair, &pair->server, &pair->client);
    }
}

void pair_assert_open(const struct tls_pair *pair)
{
    assert_int_equal(tls_state(pair->client.tls), TLS_OPEN);
    assert_int_equal(tls_state(pair->server.tls), TLS_OPEN);
    assert_string_equal(tls_problem(pair->client.tls), "");
    assert_string_equal(tls_problem(pair->server.tls), "");
}

void end_assert_got(const struct tls_end *end, struct slice wanted)
{
    assert_int_equal(end->plain.len, wanted.len);
    assert_memory_equal(end->plain.data, wanted.data, wanted.len);
}
