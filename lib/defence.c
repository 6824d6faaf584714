#include "lib/defence.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/clock.h"
#include "lib/defence_key.h"
#include "lib/http_digest.h"
#include "lib/http_signature.h"
#include "lib/json_strict.h"
#include "lib/log.h"

#define LABEL "sig1"
#define TAG "agent-mitm" /* tells our signatures from others that a message may carry */
#define INPUT_MAX 1024
#define NONCE_BYTES 16

struct defence {
    bool digests, signs, nonces, strict;
    int64_t window; /* s */
    const char *own_id, *peer_id;
    struct defence_keys keys;
    int64_t (*now)(void);
};

/* What a signature covers. */
struct covered {
    const char *name;
    bool req;
};

static const struct covered of_request[] = {
    {"@method", false},
    {"@authority", false},
    {"@path", false},
    {"@query", false},
    {"content-type", false},
    {"content-digest", false},
    {NULL, false},
};

/*
 * All that the request's signature covers, as RFC 9421 §2.4 wants it, since a signature of a
 * signature says nothing of that by itself; and the signature too, for the nonce and time in it.
 */
static const struct covered of_response[] = {
    {"@status", false},
    {"content-type", false},
    {"content-digest", false},
    {"@method", true},
    {"@authority", true},
    {"@path", true},
    {"@query", true},
    {"content-type", true},
    {"content-digest", true},
    {"signature", true},
    {NULL, false},
};

const char *const defence_profiles[] = {
    [DEFENCE_NONE] = "none",
    [DEFENCE_DIGEST] = "digest",
    [DEFENCE_SIGNED] = "signed",
    [DEFENCE_SIGNED_NONCE] = "signed-nonce",
    [DEFENCE_STRICT_JSON] = "strict-json",
    [DEFENCE_ALL] = "all",
    NULL,
};

static int64_t wall_seconds(void)
{
    return (int64_t)(clock_wall_ns() / 1000000000);
}

struct defence *defence_new(
    const struct defence_options *options, const char *own_id, const char *peer_id)
{
    struct defence *defence = calloc(1, sizeof *defence);
    int profile = options->profile;
    if (defence == NULL) {
        log_error("there is not enough memory");
        return NULL;
    }
    defence->strict = profile == DEFENCE_STRICT_JSON || profile == DEFENCE_ALL;
    defence->digests = profile != DEFENCE_NONE && profile != DEFENCE_STRICT_JSON;
    defence->signs = defence->digests && profile != DEFENCE_DIGEST;
    defence->nonces = profile == DEFENCE_SIGNED_NONCE || profile == DEFENCE_ALL;
    defence->window = (int64_t)options->window;
    defence->own_id = own_id;
    defence->peer_id = peer_id;
    defence->now = wall_seconds;
    if (defence->signs && !defence_keys_load(&defence->keys, options)) {
        defence_free(defence);
        return NULL;
    }
    return defence;
}

void defence_free(struct defence *defence)
{
    if (defence == NULL)
        return;
    defence_keys_deinit(&defence->keys);
    free(defence);
}

void defence_set_clock(struct defence *defence, int64_t (*now)(void))
{
    defence->now = now;
}

int64_t defence_now(const struct defence *defence)
{
    return defence->now();
}

bool defence_is_silent(const struct defence *defence)
{
    return defence == NULL || !defence->digests;
}

static bool refuse(
    struct defence_refusal *refusal, int status, const char *word, const char *reason)
{
    *refusal = (struct defence_refusal){word, reason, status};
    return false;
}

static bool refuse_signature(struct defence_refusal *refusal, const char *reason)
{
    return refuse(refusal, 403, "signature_invalid", reason);
}

static bool refuse_memory(struct defence_refusal *refusal)
{
    return refuse(refusal, 500, "no_memory", JSON_TEXT_NO_MEMORY);
}

static int append_nonce(struct buf *out)
{
    unsigned char bytes[NONCE_BYTES];
    if (!crypto_random(bytes, sizeof bytes))
        return UV_EIO;
    int status = buf_append_str(out, ";nonce=\"");
    for (size_t i = 0; i < sizeof bytes && status == 0; i++)
        status = buf_printf(out, "%02x", bytes[i]);
    return status == 0 ? buf_append_char(out, '"') : status;
}

/* The inner list that COVERED makes, without what the message does not have. */
static int append_covered(
    struct buf *out, const struct covered *covered, const struct http_head *request)
{
    int status = buf_append_char(out, '(');
    for (const char *space = ""; covered->name != NULL && status == 0; covered++) {
        if (covered->req && covered->name[0] != '@' &&
            http_head_field(request, covered->name).data == NULL)
            continue;
        status = buf_printf(out, "%s\"%s\"%s", space, covered->name, covered->req ? ";req" : "");
        space = " ";
    }
    return status == 0 ? buf_append_char(out, ')') : status;
}

static int append_params(const struct defence *defence, bool is_request, struct buf *out)
{
    int64_t now = defence->now();
    int status = buf_printf(out, ";created=%" PRId64, now);
    if (status == 0 && defence->nonces)
        status = buf_printf(out, ";expires=%" PRId64, now + defence->window);
    if (status == 0 && defence->nonces && is_request)
        status = append_nonce(out);
    if (status == 0)
        status = buf_printf(out, ";keyid=\"%s\";alg=\"%s\";tag=\"" TAG "\"", defence->own_id,
            crypto_key_algorithm(defence->keys.own));
    return status;
}

/* MESSAGE with the digest in its head. */
static int sign(const struct defence *defence, const struct signature_message *message,
    const struct covered *covered, struct buf *out)
{
    const struct http_head *request = message->request != NULL ? message->request->head : NULL;
    struct buf input;
    buf_init(&input, INPUT_MAX);
    int status = append_covered(&input, covered, request);
    if (status == 0)
        status = append_params(defence, request == NULL, &input);
    if (status == 0)
        status = http_signature_sign(
            out, message, LABEL, slice_of(input.data, input.len), defence->keys.own);
    buf_deinit(&input);
    return status;
}

/* What stands after "Content-Digest: ", without the line end. */
static struct http_field digest_field(struct slice line)
{
    struct slice name = slice_str("Content-Digest");
    return (struct http_field){
        slice_of(line.data, name.len), slice_of(line.data + name.len + 2, line.len - name.len - 4)};
}

static int append_proof(const struct defence *defence, const struct signature_message *message,
    const struct covered *covered, struct slice body, struct buf *out)
{
    struct http_field fields[HTTP_FIELDS_MAX + 1];
    struct http_head head = *message->head;
    struct signature_message whole = {&head, message->scheme, message->request};
    struct buf line;
    if (!defence->digests)
        return 0;
    if (head.n_fields > HTTP_FIELDS_MAX)
        return UV_ENOBUFS;
    buf_init(&line, INPUT_MAX);
    int status = http_digest_append(&line, body);
    if (status == 0)
        status = buf_append(out, line.data, line.len);
    if (status == 0 && defence->signs) {
        if (head.n_fields > 0)
            memcpy(fields, head.fields, head.n_fields * sizeof fields[0]);
        fields[head.n_fields++] = digest_field(slice_of(line.data, line.len));
        head.fields = fields;
        status = sign(defence, &whole, covered, out);
    }
    buf_deinit(&line);
    return status;
}

int defence_sign_request(
    const struct defence *defence, const struct http_head *head, struct slice body, struct buf *out)
{
    const struct signature_message message = {.head = head, .scheme = "http"};
    return append_proof(defence, &message, of_request, body, out);
}

int defence_sign_response(const struct defence *defence, const struct http_head *request,
    const struct http_head *head, struct slice body, struct buf *out)
{
    const struct signature_message asked = {.head = request, .scheme = "http"};
    const struct signature_message message = {head, "http", &asked};
    return append_proof(defence, &message, of_response, body, out);
}

static bool check_digest(
    const struct http_head *head, struct slice body, struct defence_refusal *refusal)
{
    switch (http_digest_check(head, body)) {
    case HTTP_DIGEST_MATCHES:
        return true;
    case HTTP_DIGEST_MISSING:
        return refuse(refusal, 400, "digest_missing", "there is no Content-Digest with sha-256");
    case HTTP_DIGEST_BAD:
        return refuse(refusal, 400, "digest_mismatch", "the Content-Digest cannot be read");
    case HTTP_DIGEST_DIFFERS:
        return refuse(
            refusal, 400, "digest_mismatch", "the body is another than its Content-Digest says");
    case HTTP_DIGEST_NO_MEMORY:
        break;
    }
    return refuse_memory(refusal);
}

static bool covers_all(const struct http_signature *signature, const struct covered *covered)
{
    for (; covered->name != NULL; covered++) {
        if (!signature_base_covers(&signature->input, covered->name, covered->req))
            return false;
    }
    return true;
}

static bool check_time(const struct defence *defence, const struct http_signature *signature,
    struct defence_refusal *refusal)
{
    int64_t now = defence->now();
    if (signature->has_expires && now > signature->expires)
        return refuse(refusal, 403, "expired", "the signature has expired");
    if (!defence->nonces)
        return true;
    if (signature->created < now - defence->window)
        return refuse(refusal, 403, "expired", "the signature is older than the time window");
    if (signature->created > now + defence->window)
        return refuse(refusal, 403, "expired",
            "the signature was made in the future: the clocks of both sides differ");
    return true;
}

/* In this order, so that nothing is said of a signature's time before it is known to be one. */
static bool check_found(const struct defence *defence, const struct http_signature *signature,
    const struct signature_message *message, const struct covered *covered,
    struct defence_refusal *refusal)
{
    if (!slice_is(signature->keyid, defence->peer_id))
        return refuse_signature(refusal, "the signature is by another key");
    if (!signature->has_created)
        return refuse_signature(refusal, "the signature does not say when it was created");
    if (!covers_all(signature, covered))
        return refuse_signature(refusal, "the signature does not cover what it must");
    int status = http_signature_verify(signature, message, defence->keys.peer);
    if (status == UV_ENOMEM)
        return refuse_memory(refusal);
    if (status != 0)
        return refuse_signature(refusal, "the signature is not that of this message");
    return check_time(defence, signature, refusal);
}

static bool take_nonce(
    const struct http_signature *signature, char *nonce, struct defence_refusal *refusal)
{
    if (signature->nonce.len == 0 || signature->nonce.len > DEFENCE_NONCE_MAX)
        return refuse_signature(refusal, "the signature needs a nonce of 1 to 128 bytes");
    memcpy(nonce, signature->nonce.data, signature->nonce.len);
    nonce[signature->nonce.len] = '\0';
    return true;
}

/* NONCE is NULL for a response: the signature of its request stands in for one. */
static bool check_signature(const struct defence *defence, const struct signature_message *message,
    const struct covered *covered, char *nonce, struct defence_refusal *refusal)
{
    struct http_signature signature;
    bool good = false;
    switch (http_signature_find(&signature, message->head, slice_str(TAG))) {
    case HTTP_SIGNATURE_FOUND:
        good = check_found(defence, &signature, message, covered, refusal);
        if (good && defence->nonces && nonce != NULL)
            good = take_nonce(&signature, nonce, refusal);
        break;
    case HTTP_SIGNATURE_MISSING:
        refuse(refusal, 403, "signature_missing", "there is no signature with the tag " TAG);
        break;
    case HTTP_SIGNATURE_BAD:
        refuse_signature(refusal, "the signature's fields cannot be read");
        break;
    case HTTP_SIGNATURE_NO_MEMORY:
        refuse_memory(refusal);
        break;
    }
    http_signature_deinit(&signature);
    return good;
}

bool defence_check_request(const struct defence *defence, const struct http_head *head,
    struct slice body, char *nonce, struct defence_refusal *refusal)
{
    const struct signature_message message = {.head = head, .scheme = "http"};
    nonce[0] = '\0';
    if (defence->digests && !check_digest(head, body, refusal))
        return false;
    return !defence->signs || check_signature(defence, &message, of_request, nonce, refusal);
}

bool defence_check_response(const struct defence *defence, const struct http_head *request,
    const struct http_head *head, struct slice body, struct defence_refusal *refusal)
{
    const struct signature_message asked = {.head = request, .scheme = "http"};
    const struct signature_message message = {head, "http", &asked};
    if (defence->digests && !check_digest(head, body, refusal))
        return false;
    return !defence->signs || check_signature(defence, &message, of_response, NULL, refusal);
}

bool defence_check_json(const struct defence *defence, const struct json_text *json,
    struct slice text, struct defence_refusal *refusal)
{
    const char *problem = defence->strict ? json_strict_problem(json, text) : NULL;
    if (problem == JSON_TEXT_NO_MEMORY)
        return refuse_memory(refusal);
    return problem == NULL || refuse(refusal, 400, "ambiguous_json", problem);
}
