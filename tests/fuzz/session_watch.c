#include "tests/fuzz/session_watch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/stream.h"
#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session_http.h"

#define CONNECTIONS_MAX FAKE_SOCKETS_MAX
#define UPSTREAMS_MAX FAKE_SOCKETS_MAX
#define EXCHANGES_MAX 65536
#define SAID_MAX (64UL << 20)

/* One leg as it was told of. */
struct told_leg {
    struct fake_socket *socket;
    bool open;
    bool ended[2];
    bool secured; /* by TLS: what is told of is not what is on the wire */
    uint64_t bytes[2];
    struct buf said; /* towards the peer */
};

struct told {
    uint64_t id;
    bool closed;
    struct told_leg legs[2];
    struct fake_socket *upstreams[UPSTREAMS_MAX]; /* that it had, one after the other */
    size_t n_upstreams;
    struct buf up; /* all that was said to them */
    struct session_http http;
};

static struct {
    struct proxy *proxy;
    struct watch_world world;
    struct told connections[CONNECTIONS_MAX];
    size_t count;
    uint8_t exchanges[EXCHANGES_MAX]; /* how often each was told of */
    uint64_t exchanges_last;
} watch;

static struct told *find(const struct connection *connection)
{
    for (size_t i = 0; i < watch.count; i++)
        if (watch.connections[i].id == connection->id)
            return &watch.connections[i];
    return NULL;
}

static struct told *find_or_add(const struct connection *connection)
{
    struct told *told = find(connection);
    if (told)
        return told;
    PROMISE(connection->id > 0 && watch.count < CONNECTIONS_MAX);
    told = &watch.connections[watch.count++];
    memset(told, 0, sizeof *told);
    told->id = connection->id;
    buf_init(&told->up, SAID_MAX);
    buf_init(&told->legs[LEG_CLIENT].said, SAID_MAX);
    buf_init(&told->legs[LEG_UPSTREAM].said, SAID_MAX);
    session_http_begin(&told->http);
    return told;
}

/* While the handle is there. */
static void note_tls(struct told_leg *leg)
{
    if (leg->socket && leg->socket->handle) {
        const struct stream *stream = leg->socket->handle->data;
        leg->secured = leg->secured || stream->layer;
    }
}

static enum direction towards_peer(enum leg leg)
{
    return leg == LEG_CLIENT ? DIRECTION_RESPONSE : DIRECTION_REQUEST;
}

static bool starts_alike(const struct buf *a, const struct buf *b, size_t len)
{
    return len == 0 || memcmp(a->data, b->data, len) == 0;
}

/* Bytes that are to be sent at the end of the turn. */
static size_t kept(const struct fake_socket *socket)
{
    const struct outbox *outbox = &watch.proxy->outbox;
    size_t len = 0;
    for (size_t i = 0; socket->handle && i < outbox->count; i++)
        if (outbox->writes[i].stream == socket->handle->data)
            len += outbox->writes[i].len;
    return len;
}

/* What was said is what the socket got, up to where it failed, or was closed; behind that may be
 * the alert that a client gets instead of TLS, which is no plaintext and not told of. */
static void check_said(const struct told_leg *leg, bool whole)
{
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";
    const struct fake_socket *socket = leg->socket;
    if (!socket || leg->secured)
        return;
    size_t got = socket->out.len, said = leg->said.len, common = got < said ? got : said;
    PROMISE(got - common < sizeof alert && starts_alike(&socket->out, &leg->said, common));
    PROMISE(got == common || memcmp(socket->out.data + common, alert, got - common) == 0);
    if (!whole || socket->failed)
        return;
    got += socket->queued + kept(socket);
    PROMISE(got == said || got == said + sizeof alert - 1);
}

static void on_leg_opened(void *state, const struct connection *connection, enum leg leg)
{
    (void)state;
    struct told *told = find_or_add(connection);
    struct told_leg *opened = &told->legs[leg];
    const struct sockaddr_in *opener = (const struct sockaddr_in *)&connection->legs[leg].opener;
    PROMISE(!told->closed && connection->legs[leg].open);
    if (opened->open) { /* only the upstream's may come again, when the one before is over */
        PROMISE(leg == LEG_UPSTREAM && opened->ended[DIRECTION_REQUEST]);
        check_said(opened, false);
        buf_deinit(&opened->said);
        *opened = (struct told_leg){0};
        buf_init(&opened->said, SAID_MAX);
    }
    opened->open = true;
    opened->socket = fake_net_by_port(opener->sin_port);
    PROMISE(opened->socket && opened->socket->accepted == (leg == LEG_CLIENT));
    if (leg == LEG_CLIENT)
        return;
    session_http_upstream(&told->http);
    PROMISE(told->n_upstreams < UPSTREAMS_MAX);
    told->upstreams[told->n_upstreams++] = opened->socket;
}

/* What was read is what was told of as read. */
static void check_read(const struct told_leg *leg, enum direction direction, const uv_buf_t *run)
{
    const struct fake_socket *socket = leg->socket;
    size_t at = leg->bytes[direction];
    if (leg->secured)
        return;
    PROMISE(at + run->len <= socket->in_read);
    PROMISE(memcmp(socket->in.data + at, run->base, run->len) == 0);
}

static void see_bytes(
    struct told *told, enum leg leg, enum direction direction, const uv_buf_t *run)
{
    struct told_leg *of = &told->legs[leg];
    if (direction == towards_peer(leg)) {
        PROMISE(buf_append(&of->said, run->base, run->len) == 0);
        if (leg == LEG_UPSTREAM)
            PROMISE(buf_append(&told->up, run->base, run->len) == 0);
    } else {
        check_read(of, direction, run);
    }
    if (watch.world.http)
        session_http_bytes(&told->http, leg, direction, run->base, run->len);
    of->bytes[direction] += run->len;
}

static void on_bytes(void *state, const struct connection *connection, enum leg leg,
    enum direction direction, const uv_buf_t *runs, unsigned int count, uint64_t wall_ns)
{
    struct told *told = find(connection);
    (void)state;
    PROMISE(told && !told->closed && wall_ns > 0);
    struct told_leg *of = &told->legs[leg];
    PROMISE(of->open && !of->ended[direction]);
    note_tls(of);
    PROMISE(connection->legs[leg].bytes[direction] == of->bytes[direction]);
    for (unsigned int i = 0; i < count; i++)
        if (runs[i].len > 0)
            see_bytes(told, leg, direction, &runs[i]);
}

static void on_leg_ended(void *state, const struct connection *connection, enum leg leg,
    enum direction direction, bool reset)
{
    struct told *told = find(connection);
    (void)state;
    PROMISE(told && !told->closed && told->legs[leg].open);
    struct told_leg *of = &told->legs[leg];
    PROMISE(!of->ended[direction]);
    note_tls(of);
    of->ended[direction] = true;
    if (reset)
        of->ended[DIRECTION_REQUEST] = of->ended[DIRECTION_RESPONSE] = true;
    check_said(of, !reset && direction == towards_peer(leg) && !of->socket->in_error);
}

static void on_exchange(void *state, const struct exchange *exchange)
{
    (void)state;
    PROMISE(exchange->id > 0 && exchange->id <= watch.proxy->shared->last_exchange);
    PROMISE(exchange->id < EXCHANGES_MAX && watch.exchanges[exchange->id]++ == 0);
    if (exchange->id > watch.exchanges_last)
        watch.exchanges_last = exchange->id;
    PROMISE(!exchange->error || exchange->error[0] != '\0');
    PROMISE(exchange->error || exchange->status > 0 || exchange->tunnel || exchange->rules.len > 0);
    struct told *told = find(exchange->connection);
    if (told)
        told->http.exchanges++;
}

/* What went up is the beginning of what came; what went down is checked by session_http. */
static void check_exact(const struct told *told)
{
    if (told->legs[LEG_CLIENT].secured || told->legs[LEG_UPSTREAM].secured)
        return;
    const struct buf *in = &told->legs[LEG_CLIENT].socket->in;
    PROMISE(told->up.len <= in->len);
    PROMISE(told->up.len == 0 || memcmp(told->up.data, in->data, told->up.len) == 0);
    const struct buf *out = &told->legs[LEG_CLIENT].said;
    PROMISE(session_http_down_is_exact(slice_of(out->data, out->len),
        (const struct fake_socket *const *)told->upstreams, told->n_upstreams));
}

static void on_connection_closed(void *state, const struct connection *connection)
{
    struct told *told = find(connection);
    (void)state;
    if (!told)
        return; /* a copy of a request that found no server */
    PROMISE(!told->closed);
    told->closed = true;
    check_said(&told->legs[LEG_CLIENT], false);
    check_said(&told->legs[LEG_UPSTREAM], false);
    if (watch.world.exact && told->legs[LEG_CLIENT].socket)
        check_exact(told);
}

struct observer watch_begin(struct proxy *proxy, const struct watch_world *world)
{
    memset(watch.exchanges, 0, watch.exchanges_last + 1);
    watch.exchanges_last = 0;
    watch.proxy = proxy;
    watch.world = *world;
    watch.count = 0;
    return (struct observer){
        .leg_opened = on_leg_opened,
        .bytes = on_bytes,
        .times = true,
        .leg_ended = on_leg_ended,
        .exchange = on_exchange,
        .connection_closed = on_connection_closed,
    };
}

void watch_end(void)
{
    for (size_t i = 0; i < watch.count; i++) {
        struct told *told = &watch.connections[i];
        PROMISE(told->closed);
        buf_deinit(&told->up);
        buf_deinit(&told->legs[LEG_CLIENT].said);
        buf_deinit(&told->legs[LEG_UPSTREAM].said);
        session_http_end(&told->http);
    }
    for (uint64_t id = 1; id <= watch.proxy->shared->last_exchange; id++)
        PROMISE(watch.exchanges[id] == 1);
}
