/* How long a session waits, and what comes of it when nothing happens. */
#include "mitm_proxy/session_private.h"

/* What a session waits for. */
enum session_wait {
    WAIT_FOREVER,  /* a stream of events may be silent for hours */
    WAIT_TAKEN,    /* the client takes what is queued for it, or the last answer */
    WAIT_CONNECT,  /* the upstream takes the connection */
    WAIT_HEAD,     /* the rest of a request's head */
    WAIT_BODY,     /* the rest of the first request */
    WAIT_REQUEST,  /* the next request */
    WAIT_RESPONSE, /* the first exchange's response */
};

static enum session_wait session_wait(const struct session *session)
{
    bool queued = stream_queued(&session->client) > 0;
    if (session->state == SESSION_ENDING)
        return WAIT_TAKEN;
    if (session->state == SESSION_TUNNEL && session->upstream_state != UPSTREAM_DIALING)
        return queued ? WAIT_TAKEN : WAIT_FOREVER;
    if (session->upstream_state == UPSTREAM_DIALING)
        return WAIT_CONNECT;
    if (session->head_since)
        return WAIT_HEAD;
    if (queued)
        return WAIT_TAKEN;
    if (session->response_started || session_rules_wait(session))
        return WAIT_FOREVER;
    if (!session->first)
        return WAIT_REQUEST;
    return session->receiving == session->first ? WAIT_BODY : WAIT_RESPONSE;
}

/* When the session's present wait ends, in loop time; 0: it may last. */
static uint64_t session_due(const struct session *session)
{
    const struct proxy_config *config = session->proxy->config;
    uint64_t active = session->client_active > session->waiting_since ? session->client_active
                                                                      : session->waiting_since;
    switch (session_wait(session)) {
    case WAIT_FOREVER:
        break;
    case WAIT_TAKEN:
        return session->taking_since +
               (stream_queued(&session->client) ? config->idle_timeout : SESSION_LINGER_MS);
    case WAIT_CONNECT:
        return session->waiting_since + config->connect_timeout;
    case WAIT_HEAD:
        return session->head_since + config->head_timeout;
    case WAIT_BODY:
        return active + config->idle_timeout;
    case WAIT_REQUEST:
        if (session->draining_since)
            return session->draining_since + SESSION_DRAIN_MS;
        return active + (session->overloaded ? config->head_timeout : config->idle_timeout);
    case WAIT_RESPONSE:
        return session->waiting_since + config->response_timeout;
    }
    return 0;
}

/* A client that takes nothing of what is queued is as silent as one that sends nothing. */
static void note_taking(struct session *session)
{
    uint64_t sent = session->connection.legs[LEG_CLIENT].bytes[DIRECTION_RESPONSE];
    uint64_t taken = sent - stream_queued(&session->client);
    if (taken != session->taken || (taken == sent && session->state != SESSION_ENDING))
        session->taking_since = uv_now(session->proxy->loop);
    session->taken = taken;
}

static void on_timer(uv_timer_t *timer);

/* The timer is only ever set earlier; when it fires too early it is set again. */
void session_set_clock(struct session *session)
{
    note_taking(session);
    uint64_t due = session_due(session), now = uv_now(session->proxy->loop);
    if (due == 0 || (session->timer_due && session->timer_due <= due))
        return;
    session->timer_due = due;
    uv_timer_start(&session->timer, on_timer, due > now ? due - now : 1, 0);
}

static void fail_upstream(struct session *session, const char *word, const char *reason)
{
    session_close_upstream(session, true);
    session_fail_upstream(session, 504, word, reason);
}

/* A name that does not resolve in time is no upstream that is slow: nobody was asked. */
static void fail_dial(struct session *session)
{
    bool resolving = session->dial && !session->upstream.live;
    if (!resolving) {
        fail_upstream(session, "connect_timeout", "the upstream took no connection");
        return;
    }
    session_close_upstream(session, true);
    session_fail_upstream(
        session, 502, "dns_failed", "the upstream's name did not resolve in time");
}

static void refuse_late(struct session *session, struct exchange *exchange)
{
    if (exchange)
        session_refuse(exchange, 408, "request_timeout", "the request did not come in time");
    session->head_since = 0;
    session->request_end = true;
}

static void session_time_out(struct session *session)
{
    switch (session_wait(session)) {
    case WAIT_FOREVER:
        break;
    case WAIT_TAKEN:
        /* A FIN would say that a body which ends with the connection is whole. */
        session_close(session, stream_queued(&session->client) > 0, "client_gone");
        break;
    case WAIT_CONNECT:
        fail_dial(session);
        break;
    case WAIT_HEAD:
        if (session->state == SESSION_OPENING)
            session_opening_failed(session, "request_timeout", "nothing whole came in time");
        else
            refuse_late(session, session_add_exchange(session));
        break;
    case WAIT_BODY:
        if (stream_queued(&session->upstream) > 0)
            fail_upstream(session, "upstream_timeout", "the upstream does not read the request");
        else
            refuse_late(session, session->first);
        break;
    case WAIT_REQUEST:
        if (session->draining_since)
            session_end(session, false);
        else
            session_close(session, false, "idle");
        break;
    case WAIT_RESPONSE:
        fail_upstream(session, "upstream_timeout", "the upstream did not answer in time");
        break;
    }
    session_settle(session);
}

static void on_timer(uv_timer_t *timer)
{
    struct session *session = timer->data;
    note_taking(session);
    uint64_t due = session_due(session);
    /* It rings soon behind each dialling: a connection that is over by then has no need of it. */
    if (session->upstream_state == UPSTREAM_OPEN)
        stream_watch(&session->upstream, LISTENER_KEEPALIVE_SECONDS);
    session->timer_due = 0;
    if (due && due <= uv_now(session->proxy->loop))
        session_time_out(session);
    else
        session_set_clock(session);
}
