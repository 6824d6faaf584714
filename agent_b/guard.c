#include "agent_b/guard.h"

#include <stdlib.h>
#include <uv.h>

#include "agent_b/nonces.h"
#include "lib/log.h"

/* At two windows of 30 s each: 2000 calls a second. 4 MiB. */
#define NONCES_MAX (128UL * 1024)
#define FIELDS_MAX (16UL * 1024)

struct guard {
    struct defence *defence;
    struct nonces *nonces;
    int64_t window;    /* s */
    int64_t latest;    /* the clock, without its steps back */
    struct buf fields; /* of the response that is on its way */
};

struct guard *guard_new(const struct defence_options *options)
{
    struct guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL) {
        log_error("there is not enough memory");
        return NULL;
    }
    buf_init(&guard->fields, FIELDS_MAX);
    guard->window = (int64_t)options->window;
    guard->defence = defence_new(options, "agent_b", "agent_a");
    guard->nonces = guard->defence != NULL ? nonces_new(NONCES_MAX) : NULL;
    if (guard->defence != NULL && guard->nonces == NULL)
        log_error("there is not enough memory");
    if (guard->nonces != NULL)
        return guard;
    guard_free(guard);
    return NULL;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    defence_free(guard->defence);
    nonces_free(guard->nonces);
    buf_deinit(&guard->fields);
    free(guard);
}

/*
 * A message may be from a clock that is a window ahead, and is then good for a window more: two
 * windows from now on there is nothing left to replay.
 */
static bool check_nonce(struct guard *guard, const char *nonce, struct defence_refusal *refusal)
{
    int64_t now = defence_now(guard->defence);
    if (now > guard->latest)
        guard->latest = now;
    switch (nonces_add(
        guard->nonces, slice_str(nonce), guard->latest, guard->latest + 2 * guard->window)) {
    case NONCES_NEW:
        return true;
    case NONCES_SEEN:
        *refusal = (struct defence_refusal){"replayed", "a call with this nonce came before", 409};
        break;
    case NONCES_FULL:
        *refusal = (struct defence_refusal){
            "no_memory", "too many nonces came within the time window", 503};
        break;
    }
    return false;
}

bool guard_check(
    struct guard *guard, const struct http_request *request, struct defence_refusal *refusal)
{
    char nonce[DEFENCE_NONCE_MAX + 1];
    if (guard == NULL)
        return true;
    if (!defence_check_request(guard->defence, request->head, request->body, nonce, refusal))
        return false;
    return nonce[0] == '\0' || check_nonce(guard, nonce, refusal);
}

bool guard_check_json(const struct guard *guard, const struct json_text *json, struct slice text,
    struct defence_refusal *refusal)
{
    return guard == NULL || defence_check_json(guard->defence, json, text, refusal);
}

bool guard_prove(
    struct guard *guard, const struct http_request *request, struct http_response *response)
{
    if (guard == NULL || defence_is_silent(guard->defence))
        return true;
    const char *type = response->content_type != NULL ? response->content_type : "application/json";
    struct http_field field = {slice_str("Content-Type"), slice_str(type)};
    const struct http_head head = {
        .status = response->status != 0 ? response->status : 200,
        .fields = &field,
        .n_fields = 1,
    };
    struct buf *out = &guard->fields;
    buf_clear(out);
    int status = response->fields != NULL ? buf_append_str(out, response->fields) : 0;
    if (status == 0)
        status = defence_sign_response(guard->defence, request->head, &head,
            slice_of(response->body.data, response->body.len), out);
    if (status == 0)
        status = buf_append_char(out, '\0');
    if (status != 0)
        return false;
    response->fields = out->data;
    return true;
}
