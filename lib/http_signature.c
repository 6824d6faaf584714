#include "lib/http_signature.h"

#include <uv.h>

#include "lib/http_fields.h"

#define TEXT_MAX (2 * HTTP_HEAD_MAX)
#define LABELS_MAX 32 /* signatures of one message: each is held against all others */

/* Takes a parameter's value once, and only of its type: what stands twice is not to be trusted. */
static bool take_time(const struct sf_value *value, bool *has, int64_t *time)
{
    if (value->type != SF_INTEGER || *has)
        return false;
    *has = true;
    *time = value->integer;
    return true;
}

static bool take_text(const struct sf_value *value, struct slice *text)
{
    if (value->type != SF_STRING || text->data != NULL)
        return false;
    *text = value->text;
    return true;
}

static bool take_param(struct http_signature *signature, const struct sf_member *param)
{
    if (slice_is(param->key, "created"))
        return take_time(&param->value, &signature->has_created, &signature->created);
    if (slice_is(param->key, "expires"))
        return take_time(&param->value, &signature->has_expires, &signature->expires);
    if (slice_is(param->key, "nonce"))
        return take_text(&param->value, &signature->nonce);
    if (slice_is(param->key, "keyid"))
        return take_text(&param->value, &signature->keyid);
    if (slice_is(param->key, "alg"))
        return take_text(&param->value, &signature->alg);
    if (slice_is(param->key, "tag"))
        return take_text(&param->value, &signature->tag);
    return true; /* it is signed, and means nothing here */
}

static bool read_params(struct http_signature *signature, const struct sf_member *member)
{
    struct sf_member param;
    struct slice rest = member->value.params;
    enum sf_result result;
    signature->label = member->key;
    signature->input = member->value;
    signature->has_created = signature->has_expires = false;
    signature->nonce = signature->keyid = signature->alg = signature->tag = slice_of(NULL, 0);
    if (member->value.type != SF_INNER_LIST)
        return false;
    while ((result = sf_next_param(&rest, &param)) == SF_OK) {
        if (!take_param(signature, &param))
            return false;
    }
    return result == SF_END;
}

/* A label that stands twice would be the last one to some readers and the first to others. */
static bool labels_are_unique(struct slice dictionary)
{
    struct sf_member member;
    enum sf_result result;
    size_t count = 0;
    while ((result = sf_next_member(&dictionary, &member)) == SF_OK) {
        struct sf_value again;
        if (++count > LABELS_MAX || sf_find(dictionary, member.key, &again) != SF_END)
            return false;
    }
    return result == SF_END;
}

static enum http_signature_result find_input(struct http_signature *signature, struct slice tag)
{
    struct slice rest = slice_of(signature->inputs.data, signature->inputs.len);
    struct sf_member member;
    if (!labels_are_unique(rest))
        return HTTP_SIGNATURE_BAD;
    while (sf_next_member(&rest, &member) == SF_OK) {
        if (!read_params(signature, &member))
            return HTTP_SIGNATURE_BAD;
        if (tag.data == NULL || slice_equal(signature->tag, tag))
            return HTTP_SIGNATURE_FOUND;
    }
    return HTTP_SIGNATURE_MISSING;
}

static enum http_signature_result find_bytes(struct http_signature *signature)
{
    struct slice text = slice_of(signature->signatures.data, signature->signatures.len);
    struct sf_value value;
    if (!labels_are_unique(text) || sf_find(text, signature->label, &value) != SF_OK ||
        value.type != SF_BYTES ||
        !sf_bytes_decode(value.text, signature->bytes, sizeof signature->bytes, &signature->len))
        return HTTP_SIGNATURE_BAD;
    return HTTP_SIGNATURE_FOUND;
}

enum http_signature_result http_signature_find(
    struct http_signature *signature, const struct http_head *head, struct slice tag)
{
    memset(signature, 0, sizeof *signature);
    buf_init(&signature->inputs, TEXT_MAX);
    buf_init(&signature->signatures, TEXT_MAX);
    int inputs = http_fields_combine(head, slice_str("signature-input"), &signature->inputs);
    int bytes = http_fields_combine(head, slice_str("signature"), &signature->signatures);
    if (inputs == UV_ENOENT || bytes == UV_ENOENT)
        return HTTP_SIGNATURE_MISSING;
    if (inputs != 0 || bytes != 0)
        return HTTP_SIGNATURE_NO_MEMORY;
    enum http_signature_result result = find_input(signature, tag);
    return result == HTTP_SIGNATURE_FOUND ? find_bytes(signature) : result;
}

void http_signature_deinit(struct http_signature *signature)
{
    buf_deinit(&signature->inputs);
    buf_deinit(&signature->signatures);
}

int http_signature_verify(const struct http_signature *signature,
    const struct signature_message *message, const struct crypto_key *key)
{
    struct buf base;
    if (signature->alg.data != NULL && !slice_is(signature->alg, crypto_key_algorithm(key)))
        return UV_EACCES;
    buf_init(&base, SIGNATURE_BASE_MAX);
    int status = signature_base_append(&base, message, &signature->input);
    if (status == 0 &&
        !crypto_verify(key, slice_of(base.data, base.len), signature->bytes, signature->len))
        status = UV_EACCES;
    buf_deinit(&base);
    return status;
}

static int append_fields(
    struct buf *out, const char *label, struct slice input, const unsigned char *bytes, size_t len)
{
    int status = buf_printf(out, "Signature-Input: %s=%.*s\r\nSignature: %s=", label,
        (int)input.len, input.data, label);
    if (status == 0)
        status = sf_append_bytes(out, bytes, len);
    return status == 0 ? buf_append_str(out, "\r\n") : status;
}

int http_signature_sign(struct buf *out, const struct signature_message *message, const char *label,
    struct slice input, const struct crypto_key *key)
{
    unsigned char bytes[CRYPTO_SIGNATURE_MAX];
    struct sf_value value;
    struct buf base;
    struct buf member;
    size_t len = 0;
    buf_init(&base, SIGNATURE_BASE_MAX);
    buf_init(&member, TEXT_MAX);
    int status = buf_printf(&member, "x=%.*s", (int)input.len, input.data);
    if (status == 0 && sf_find(slice_of(member.data, member.len), slice_str("x"), &value) != SF_OK)
        status = UV_EINVAL;
    if (status == 0)
        status = signature_base_append(&base, message, &value);
    if (status == 0) {
        len = crypto_sign(key, slice_of(base.data, base.len), bytes);
        status = len > 0 ? append_fields(out, label, input, bytes, len) : UV_EACCES;
    }
    buf_deinit(&base);
    buf_deinit(&member);
    return status;
}
