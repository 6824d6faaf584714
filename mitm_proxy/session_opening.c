/* What a client speaks, by its first bytes: HTTP, TLS that is taken apart, or what passes unread.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/tls_stream.h"
#include "mitm_proxy/first_bytes.h"
#include "mitm_proxy/original_destination.h"
#include "mitm_proxy/rules.h"
#include "mitm_proxy/session_private.h"

/* A fatal alert (RFC 8446 §6.2): handshake_failure. */
static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";

#define TLS_HANDSHAKE 22 /* the first byte of a ClientHello's record (RFC 8446 §5.1) */

struct opening {
    struct buf bytes;                    /* that were looked at so far */
    size_t shown;                        /* of them, to the observers */
    char server_name[HOSTPORT_HOST_MAX]; /* that a TLS client asks for, or whom it calls */
    bool tls;                            /* is being taken apart */
};

void session_free_opening(struct session *session)
{
    if (!session->opening)
        return;
    buf_deinit(&session->opening->bytes);
    free(session->opening);
    session->opening = NULL;
}

/* A ClientHello that is answered is no plaintext: the observers see the rest. */
static void show(struct session *session)
{
    struct opening *opening = session->opening;
    if (!opening || opening->shown == opening->bytes.len)
        return;
    uv_buf_t run = uv_buf_init(
        opening->bytes.data + opening->shown, (unsigned int)(opening->bytes.len - opening->shown));
    opening->shown = opening->bytes.len;
    observers_bytes(
        &session->proxy->observers, &session->connection, LEG_CLIENT, DIRECTION_REQUEST, &run, 1);
}

void session_opening_show(struct session *session)
{
    if (session->opening && !session->opening->tls)
        show(session);
}

bool session_opening_over(const struct session *session)
{
    return session->state != SESSION_OPENING && !(session->opening && session->opening->tls);
}

/* The log gets an exchange that says why. */
static void tell_why(struct session *session, const char *word, const char *reason)
{
    struct exchange *exchange = session_add_exchange(session);
    if (!exchange)
        return;
    exchange->error = word;
    exchange->own_reason = strdup(reason);
    exchange->reason = exchange->own_reason;
    if (session->opening && session->opening->tls && session->client.open &&
        !session->client.layer) {
        uv_buf_t run = uv_buf_init((char *)(uintptr_t)alert, sizeof alert - 1);
        int err = stream_write(&session->client, &run, 1); /* no plaintext, either */
        (void)err;                                         /* it is the end in any case */
    } else {
        session_opening_show(session);
    }
    session_finish(session, exchange);
}

/* The client gets nothing more. */
static void refuse(struct session *session, const char *word, const char *reason)
{
    tell_why(session, word, reason);
    session_end(session, true);
}

/* HTTP/1.1, as it was meant: the bytes so far are those of a request. */
static void speak_http(struct session *session)
{
    show(session);
    struct buf bytes = session->opening->bytes;
    buf_init(&session->opening->bytes, 0);
    session_set_state(session, SESSION_OPEN);
    session_free_opening(session);
    session->head_since = 0;
    session_take_requests(session, bytes.data, bytes.len);
    buf_deinit(&bytes);
}

/* What would get 503, were it a request, gets nothing. */
static bool turn_away(struct session *session)
{
    if (session->overloaded)
        refuse(session, "overloaded", "too many connections at once");
    else if (atomic_load(&session->proxy->shared->failing_records) > 0)
        refuse(session, "recording_failed", "it cannot be recorded, and none may go unrecorded");
    return session->state != SESSION_OPENING;
}

/* Nothing is read any more: bytes go both ways as they are. */
static void begin_tunnel(struct session *session)
{
    struct buf bytes = {0}; /* none: the server was first */
    if (turn_away(session))
        return;
    show(session);
    if (session->opening) {
        bytes = session->opening->bytes;
        buf_init(&session->opening->bytes, 0);
    }
    session_free_opening(session);
    session_begin_tunnel(session, slice_of(bytes.data, bytes.len));
    buf_deinit(&bytes);
}

/* TLS with the client, for the one whom it asks for. */
static void accept_tls(struct session *session)
{
    struct opening *opening = session->opening;
    struct proxy *proxy = session->proxy;
    char why[TLS_WHY_MAX];
    struct slice first = slice_of(opening->bytes.data, opening->bytes.len);
    struct tls_context *context =
        proxy->mint(proxy->mint_arg, opening->server_name, tls_stream_tls(&session->upstream), why);
    if (!context) {
        refuse(session, "client_tls", why);
        return;
    }
    session->accepting = true;
    session->head_since = uv_now(proxy->loop);
    int err = tls_stream_start(&session->client, context, NULL, first);
    tls_context_free(context);
    if (err && session->state == SESSION_OPENING)
        session_refuse_tls(session);
}

void session_refuse_tls(struct session *session)
{
    const struct tls *tls = tls_stream_tls(&session->client);
    const char *problem = tls ? tls_problem(tls) : "";
    refuse(session, "client_tls", *problem ? problem : "the client broke the TLS handshake off");
}

void session_client_secured(struct session *session)
{
    session_set_state(session, SESSION_OPEN);
    session_free_opening(session);
    session->head_since = 0;
    session->waiting_since = uv_now(session->proxy->loop);
}

/* The upstream is there, or its TLS is: now it is known as whom we have to appear. */
void session_opening_upstream(struct session *session)
{
    if (session->opening && session->opening->tls && !session->accepting)
        accept_tls(session);
}

void session_opening_failed(struct session *session, const char *word, const char *reason)
{
    bool silent = session->state == SESSION_OPENING && !session->opening;
    if (!silent) {
        refuse(session, word, reason);
        return;
    }
    tell_why(session, word, reason);
    session_close(session, true, word); /* as it would be without us: no connection */
}

void session_divert(struct session *session)
{
    struct sockaddr_storage address;
    struct destination to;
    session->bound = true;
    if (!original_destination(&session->client, &to) || hostport_literal(&to.origin, &address) != 0)
        refuse(session, "no_destination", "it is not known where the connection was going");
    else if (proxy_is_self(session->proxy, &address))
        refuse(session, "loop", "the connection was made to this proxy itself, and not diverted");
    else if (!session_go_to(session, &to))
        session_close(session, true, "no_memory");
    else if (!session->overloaded)
        session_reach_upstream(session); /* which may be the one who speaks first */
}

/* What is no HTTP/1.1 is not the proxy's matter. */
static bool passes_unread(const struct session *session)
{
    return strcmp(session->proxy->config->intercept, "none") == 0;
}

static bool is_intercepted(const struct session *session, const char *name)
{
    const char *which = session->proxy->config->intercept;
    if (!session->proxy->mint || passes_unread(session))
        return false;
    return strcmp(which, "all") == 0 || rule_glob_nocase(slice_str(which), slice_str(name));
}

static void speak_tls(struct session *session, struct slice server_name)
{
    struct opening *opening = session->opening;
    bool named = server_name.len > 0 && server_name.len < sizeof opening->server_name;
    snprintf(opening->server_name, sizeof opening->server_name, "%.*s",
        named ? (int)server_name.len : HOSTPORT_HOST_MAX - 1,
        named ? server_name.data : session->to->origin.host);
    if (!is_intercepted(session, opening->server_name)) {
        begin_tunnel(session);
        return;
    }
    opening->tls = true;
    if (turn_away(session))
        return;
    if (!session->to->tls && !session->own_to) {
        accept_tls(session); /* the upstream speaks none */
        return;
    }
    if (!session_wants_tls(session, opening->server_name)) {
        refuse(session, "no_memory", "out of memory");
        return;
    }
    session_reach_upstream(session);
}

void session_opening_spoken(struct session *session, struct slice bytes)
{
    if (session->opening && session->opening->tls)
        return; /* not to us */
    begin_tunnel(session);
    session_tunnel_down(session, bytes);
}

void session_opening_ended(struct session *session)
{
    if (session->opening || !session->client_eof) /* else nobody has said a word */
        begin_tunnel(session);
}

void session_opening_eof(struct session *session)
{
    const struct opening *opening = session->opening;
    bool unread = passes_unread(session);
    if (!opening || opening->tls)
        return;
    bool tls = opening->bytes.data[0] == TLS_HANDSHAKE;
    if (tls ? unread || !session->proxy->mint : unread && session->bound)
        begin_tunnel(session);
    else if (tls)
        refuse(session, "client_tls", "the client ended within its ClientHello");
    else
        speak_http(session); /* what has come is all, and no TLS */
}

void session_opening_data(struct session *session, const char *data, size_t len, bool seen)
{
    struct opening *opening = session->opening;
    char scratch[FIRST_BYTES_MAX];
    struct slice name;
    if (opening && opening->tls)
        return; /* it has to wait for us, and does not */
    if (!opening) {
        opening = session->opening = calloc(1, sizeof *opening);
        if (opening)
            buf_init(&opening->bytes, FIRST_BYTES_MAX + STREAM_READ_MAX);
        session->head_since = uv_now(session->proxy->loop);
    }
    if (!opening || buf_append(&opening->bytes, data, len)) {
        session_close(session, true, "no_memory");
        return;
    }
    if (seen)
        opening->shown = opening->bytes.len;
    if (!opening->bytes.data || opening->bytes.data[0] != TLS_HANDSHAKE)
        show(session);
    bool unread = passes_unread(session);
    enum first_bytes found =
        first_bytes_look(slice_of(opening->bytes.data, opening->bytes.len), scratch, &name);
    switch (found) {
    case FIRST_BYTES_MORE:
        break;
    case FIRST_BYTES_TLS:
        session->head_since = 0;
        speak_tls(session, name);
        break;
    case FIRST_BYTES_HTTP_2:
    case FIRST_BYTES_HTTP:
    case FIRST_BYTES_OTHER:
        if (found == FIRST_BYTES_OTHER ? session->bound
                                       : unread && (session->bound || found == FIRST_BYTES_HTTP_2))
            begin_tunnel(session);
        else
            speak_http(session); /* which has an answer to HTTP/2 */
        break;
    }
}
