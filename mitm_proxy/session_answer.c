/* What the proxy says itself, where it cannot or must not pass on. */
#include "mitm_proxy/session_private.h"

#include "lib/http_response.h"
#include "lib/json_text.h"

#define ANSWER_MAX 2048 /* bytes of one answer */

void session_refuse(struct exchange *exchange, int status, const char *word, const char *reason)
{
    exchange->refusal = status;
    exchange->error = word;
    exchange->reason = reason;
}

static int answer_body(struct buf *body, const struct exchange *exchange)
{
    int err = buf_printf(
        body, "{\"error\":{\"word\":\"%s\",\"by\":\"mitm_proxy\",\"reason\":", exchange->error);
    if (!err)
        err = json_string_encode(slice_str(exchange->reason), body);
    return err ? err : buf_append_str(body, "}}\n");
}

static int answer_bytes(struct buf *out, const struct exchange *exchange)
{
    struct http_response response = {.status = exchange->refusal};
    buf_init(&response.body, ANSWER_MAX);
    int err = answer_body(&response.body, exchange);
    if (!err)
        err = http_response_head(out, &response, HTTP_CLOSES);
    if (!err && !exchange->head_request)
        err = buf_append(out, response.body.data, response.body.len);
    buf_deinit(&response.body);
    return err;
}

/* What was passed on cannot be taken back: the client sees a response that stops in its middle. */
static void cut_response(struct session *session)
{
    if (http_parser_until_close(session->responses)) {
        /* A FIN would say that such a body is whole. */
        session_close(session, true, "dropped");
        return;
    }
    session_finish_first(session);
    session_end(session, true);
}

void session_answer_first(struct session *session)
{
    struct exchange *exchange = session->first;
    struct buf out;
    if (session->response_started) {
        cut_response(session);
        session_drop_exchanges(session, "dropped");
        return;
    }
    if (session->response_last) {
        session_drop_exchanges(session, "dropped");
        session_end(session, true);
        return;
    }
    buf_init(&out, ANSWER_MAX);
    exchange->status = exchange->refusal;
    int err = answer_bytes(&out, exchange);
    bool unfinished = exchange->sent_ns && !exchange->request_whole;
    session_close_upstream(session, unfinished);
    session_finish_first(session);
    session_drop_exchanges(session, "dropped");
    session_set_state(session, SESSION_ENDING);
    uv_buf_t run = uv_buf_init(out.data, (unsigned int)out.len);
    if (!err && session_send_client(session, &run, 1))
        session_end_client(session);
    buf_deinit(&out);
}

void session_fail_first(struct session *session, int status, const char *word, const char *reason)
{
    if (session->state == SESSION_CLOSED || !session->first)
        return;
    session_refuse(session->first, status, word, reason);
    session->request_end = true;
    /* session_settle sends it, after what it is called from has come to its end. */
}
