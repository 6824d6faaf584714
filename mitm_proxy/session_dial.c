/* The upstream connection: how it is reached, secured and written to, and reached again. */
#include <stdlib.h>
#include <string.h>

#include "lib/tls_stream.h"
#include "mitm_proxy/session_private.h"
#include "mitm_proxy/upstream_failure.h"

/* A FIN or the end of dialling may be what a write was waiting for. */
static void write_upstream(struct session *session, const uv_buf_t *runs, unsigned int count)
{
    observers_bytes(&session->proxy->observers, &session->connection, LEG_UPSTREAM,
        DIRECTION_REQUEST, runs, count);
    /* A failure is left to the reading side: an early response may still be waiting there. */
    int err = stream_write(&session->upstream, runs, count);
    if (err == UV_ENOMEM)
        session_close(session, true, "no_memory");
}

static void shut_upstream(struct session *session)
{
    observers_leg_ended(
        &session->proxy->observers, &session->connection, LEG_UPSTREAM, DIRECTION_REQUEST, false);
    bool cut = session->state == SESSION_TUNNEL && session->client.cut;
    int err = cut ? stream_shutdown_cut(&session->upstream) : stream_shutdown(&session->upstream);
    if (err == UV_ENOMEM)
        session_close(session, true, "no_memory");
}

static void name_upstream(struct session *session, const struct dial *dial)
{
    struct connection *connection = &session->connection;
    struct connection_leg *leg = &connection->legs[LEG_UPSTREAM];
    leg->open = true;
    (void)stream_local_address(&session->upstream, &leg->opener);
    (void)dial_peer(dial, &leg->server);
    sockaddr_text(
        (struct sockaddr *)&leg->server, connection->upstream, sizeof connection->upstream);
    sockaddr_text((struct sockaddr *)&leg->opener, connection->upstream_local,
        sizeof connection->upstream_local);
    observers_leg_opened(&session->proxy->observers, connection, LEG_UPSTREAM);
}

void session_fail_upstream(
    struct session *session, int status, const char *word, const char *reason)
{
    struct exchange *first = session->first;
    if (session->state == SESSION_OPENING)
        session_opening_failed(session, word, reason);
    if (session->state == SESSION_TUNNEL && first)
        first->error = word;
    if (session->state == SESSION_TUNNEL)
        session_close(session, true, word);
    if (session->state != SESSION_OPEN || !first)
        return;
    free(first->own_reason);
    first->own_reason = strdup(reason);
    session_fail_first(session, status, word, first->own_reason ? first->own_reason : "");
}

static void fail_dial(struct session *session, struct upstream_failure failure)
{
    session->upstream_state = UPSTREAM_GONE;
    session_fail_upstream(session, failure.status, failure.word, failure.reason);
}

/* All that waited for the upstream goes. */
static void open_upstream(struct session *session)
{
    session->upstream_state = UPSTREAM_OPEN;
    session->waiting_since = uv_now(session->proxy->loop);
    uv_buf_t run = uv_buf_init(session->pending.data, (unsigned int)session->pending.len);
    if (run.len > 0)
        write_upstream(session, &run, 1);
    buf_deinit(&session->pending);
    for (struct exchange *each = session->first; each; each = each->next)
        session_let_others_go(session, each);
    if (session->upstream_shut && session->upstream_state == UPSTREAM_OPEN)
        shut_upstream(session);
    if (session->state == SESSION_OPENING)
        session_opening_upstream(session);
}

void session_fail_tls(struct session *session)
{
    const struct tls *tls = tls_stream_tls(&session->upstream);
    const char *problem =
        tls && *tls_problem(tls) ? tls_problem(tls) : "the upstream broke the TLS handshake off";
    char reason[TLS_WHY_MAX];
    snprintf(reason, sizeof reason, "%s", problem);
    session_close_upstream(session, true);
    session_fail_upstream(session, 502, "upstream_tls", reason);
}

void session_upstream_secured(struct session *session)
{
    open_upstream(session);
    session_settle(session);
}

static void secure(struct session *session)
{
    int err = tls_stream_start(&session->upstream, session->proxy->upstream_tls,
        *session->to->server_name ? session->to->server_name : session->to->origin.host,
        slice_of(NULL, 0));
    if (err)
        session_fail_tls(session);
}

/* It is for the client to say what is spoken. */
static bool is_connect(const struct session *session)
{
    return session->first && session->first->connects;
}

static void on_dialled(void *arg, int status)
{
    struct session *session = arg;
    const struct dial *dial = session->dial;
    session->dial = NULL;
    if (status) {
        fail_dial(session, upstream_failure(status));
        session_settle(session);
        return;
    }
    session->upstream.inbox = &session->proxy->inbox;
    session->upstream.outbox = &session->proxy->outbox;
    name_upstream(session, dial);
    if (proxy_is_self(session->proxy, &session->connection.legs[LEG_UPSTREAM].server)) {
        session_close_upstream(session, true);
        session_fail_upstream(session, 508, "loop", "the upstream is this proxy itself");
    } else if (session->to->tls && session->state != SESSION_TUNNEL && !is_connect(session)) {
        secure(session);
    } else {
        open_upstream(session);
    }
    session_settle(session);
}

static int make_socket(void *arg, int family)
{
    return socket_broker_socket(arg, family);
}

/* An IPv4 address that came as an IPv6 one (RFC 4291 §2.5.5.2). */
static void unmap(struct sockaddr_storage *address)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6->sin6_port};
    if (address->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return;
    memcpy(&v4.sin_addr, &v6->sin6_addr.s6_addr[12], sizeof v4.sin_addr);
    memcpy(address, &v4, sizeof v4);
}

static void dial_upstream(struct session *session)
{
    int err;
    session->upstream_state = UPSTREAM_DIALING;
    session->waiting_since = uv_now(session->proxy->loop);
    struct dial_from from = {.socket = make_socket,
        .arg = session->proxy->broker,
        .address = session->connection.legs[LEG_CLIENT].opener};
    bool as_client = session->proxy->config->tproxy;
    if (as_client)
        unmap(&from.address);
    session->dial = dial_start_from(session->proxy->loop, &session->to->origin, &session->upstream,
        &session_upstream_events, session, on_dialled, session, as_client ? &from : NULL, &err);
    if (!session->dial)
        fail_dial(session, upstream_failure(err));
}

void session_reach_upstream(struct session *session)
{
    if (session->upstream_state == UPSTREAM_NONE)
        dial_upstream(session);
    else if (session->upstream_state == UPSTREAM_OPEN && session->to->tls &&
             !session->upstream.layer) {
        session->upstream_state = UPSTREAM_DIALING; /* behind a CONNECT: it is to be secured yet */
        session->waiting_since = uv_now(session->proxy->loop);
        secure(session);
    }
}

bool session_wants_tls(struct session *session, const char *name)
{
    if (!session->own_to) {
        session->own_to = malloc(sizeof *session->own_to);
        if (!session->own_to)
            return false;
        *session->own_to = *session->to;
        session->to = session->own_to;
    }
    session->own_to->tls = true;
    snprintf(session->own_to->server_name, sizeof session->own_to->server_name, "%s", name);
    return true;
}

void session_redial(struct session *session)
{
    session_close_upstream(session, false);
    /* What the one before says, or how it ends, is no answer to what is to come. */
    buf_deinit(&session->held_down);
    session->end_due = UPSTREAM_END_NONE;
    session->upstream_state = UPSTREAM_CLOSING;
}

/* Its handle is closed: there may be another. */
void session_upstream_closed(struct session *session)
{
    struct connection *connection = &session->connection;
    if (session->upstream_state != UPSTREAM_CLOSING || session->state != SESSION_OPEN)
        return;
    struct http_parser *responses = http_parser_renew(session->responses);
    if (!responses) {
        session_close(session, true, "no_memory");
        return;
    }
    session->responses = responses;
    session->upstream_state = UPSTREAM_NONE;
    session->upstream_eof = false;
    connection->legs[LEG_UPSTREAM] = (struct connection_leg){0};
    connection->upstream_local[0] = '\0';
    if (session->pending.len > 0 || is_connect(session))
        dial_upstream(session);
    session_settle(session);
}

void session_send_upstream(struct session *session, const uv_buf_t *runs, unsigned int count)
{
    if (session->upstream_state == UPSTREAM_NONE)
        dial_upstream(session);
    if (session->upstream_state == UPSTREAM_OPEN) {
        write_upstream(session, runs, count);
    } else if (session->upstream_state == UPSTREAM_DIALING ||
               session->upstream_state == UPSTREAM_CLOSING) {
        for (unsigned int i = 0; i < count; i++) {
            if (buf_append(&session->pending, runs[i].base, runs[i].len)) {
                session_close(session, true, "no_memory");
                return;
            }
        }
    } else if (session->first && session->first->refusal == 0) {
        session_fail_upstream(
            session, 502, "upstream_closed", "the upstream connection had ended before");
    }
}

void session_end_upstream(struct session *session)
{
    session->upstream_shut = true;
    if (session->upstream_state == UPSTREAM_OPEN)
        shut_upstream(session);
}
