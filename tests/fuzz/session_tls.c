#include "tests/fuzz/session_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mitm_proxy/ca_files.h"
#include "mitm_proxy/tls_ca_make.h"
#include "mitm_proxy/tls_mint.h"
#include "tests/fuzz/fuzz.h"

#define PEM_MAX 65536
#define PEERS_MAX 16

/* The test's end of a socket. */
struct peer {
    struct fake_socket *socket;
    struct tls *tls;
    size_t taken; /* of what the program has written */
};

static struct {
    struct tls_context *trusting; /* takes any certificate */
    struct tls_mint *mint;
    struct peer peers[PEERS_MAX];
    size_t count;
} made;

static struct tls_context *mint_for(
    void *arg, const char *host, const struct tls *upstream, char *why)
{
    (void)upstream;
    return tls_mint_context(arg, slice_str(host), slice_of(NULL, 0), why);
}

static struct tls_ca *make_ca(char *why)
{
    char parent[] = "/tmp/fuzz_session_XXXXXX", path[64], command[80];
    const struct tls_ca_plan plan = {.name = "fuzz"};
    struct buf certificate, key;
    buf_init(&certificate, PEM_MAX);
    buf_init(&key, PEM_MAX);
    PROMISE(mkdtemp(parent) && tls_ca_make(&plan, &certificate, &key, why) == 0);
    snprintf(path, sizeof path, "%s/ca", parent);
    PROMISE(ca_files_write(path, slice_of(certificate.data, certificate.len),
                slice_of(key.data, key.len), why, TLS_WHY_MAX) == 0);
    struct tls_ca *ca = tls_ca_load(path, why);
    snprintf(command, sizeof command, "rm -r '%s'", parent);
    PROMISE(ca && system(command) == 0); /* NOLINT(cert-env33-c) */
    buf_deinit(&certificate);
    buf_deinit(&key);
    return ca;
}

void session_tls_begin(struct proxy *proxy, bool mint)
{
    static struct tls_context *upstream;
    const struct tls_config trusting = {.unverified = true};
    const struct tls_mint_config kept = {.keep = 16};
    char why[TLS_WHY_MAX];
    if (!upstream) {
        upstream = tls_context_new(&trusting, why);
        made.trusting = tls_context_new(&trusting, why);
        made.mint = tls_mint_new(make_ca(why), &kept, why);
    }
    PROMISE(upstream && made.trusting && made.mint);
    proxy->upstream_tls = upstream;
    proxy->mint = mint ? mint_for : NULL;
    proxy->mint_arg = made.mint;
}

/* --- peers --- */

static int on_wire(void *arg, struct slice bytes)
{
    const struct peer *peer = arg;
    PROMISE(fake_socket_send(peer->socket, bytes.data, bytes.len));
    return 0;
}

static int on_plain(void *arg, struct slice bytes)
{
    (void)arg;
    PROMISE(bytes.len > 0);
    return 0;
}

static struct peer *find(const struct fake_socket *socket)
{
    for (size_t i = 0; i < made.count; i++)
        if (made.peers[i].socket == socket)
            return &made.peers[i];
    return NULL;
}

static bool take(struct peer *peer)
{
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = peer};
    struct slice wire = slice_of(peer->socket->out.data, peer->socket->out.len);
    if (peer->taken == wire.len)
        return false;
    wire = slice_of(wire.data + peer->taken, wire.len - peer->taken);
    peer->taken += wire.len;
    int err = tls_take(peer->tls, wire, &sink); /* which may be no TLS */
    return err == 0;
}

void session_tls_peer(struct fake_socket *socket)
{
    char why[TLS_WHY_MAX];
    struct tls_context *context = made.trusting;
    if (!socket || find(socket) || made.count == PEERS_MAX || socket->in_fin || socket->in_error)
        return;
    if (!socket->accepted)
        context = tls_mint_context(made.mint, slice_str("10.1.0.1"), slice_of(NULL, 0), why);
    PROMISE(context);
    struct peer *peer = &made.peers[made.count++];
    *peer = (struct peer){.socket = socket, .tls = tls_new(context, socket->accepted ? "b" : NULL)};
    PROMISE(peer->tls);
    if (!socket->accepted) {
        tls_context_free(context);
        return;
    }
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = peer};
    PROMISE(tls_take(peer->tls, slice_of(NULL, 0), &sink) == 0);
    peer->taken = socket->out.len; /* what came before was no TLS, as the answer to CONNECT */
}

bool session_tls_send(const struct fake_socket *socket, struct slice bytes)
{
    struct peer *peer = find(socket);
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = peer};
    return peer && !socket->in_fin && tls_state(peer->tls) == TLS_OPEN &&
           tls_write(peer->tls, bytes, &sink) == 0;
}

bool session_tls_say_end(const struct fake_socket *socket)
{
    struct peer *peer = find(socket);
    const struct tls_sink sink = {.on_wire = on_wire, .on_plain = on_plain, .arg = peer};
    return peer && !socket->in_fin && tls_state(peer->tls) == TLS_OPEN &&
           tls_end(peer->tls, &sink) == 0;
}

bool session_tls_turn(void)
{
    bool done = false;
    for (size_t i = 0; i < made.count; i++)
        done = take(&made.peers[i]) || done;
    return done;
}

void session_tls_end(void)
{
    for (size_t i = 0; i < made.count; i++)
        tls_free(made.peers[i].tls);
    made.count = 0;
}
