#include "lib/http_digest.h"

#include <uv.h>

#include "lib/crypto.h"
#include "lib/http_fields.h"
#include "lib/structured_fields.h"

int http_digest_append(struct buf *out, struct slice body)
{
    unsigned char digest[CRYPTO_DIGEST_MAX];
    size_t len = crypto_digest(CRYPTO_SHA256, body, digest);
    if (len == 0)
        return UV_ENOMEM;
    int status = buf_append_str(out, "Content-Digest: sha-256=");
    if (status == 0)
        status = sf_append_bytes(out, digest, len);
    return status == 0 ? buf_append_str(out, "\r\n") : status;
}

static enum http_digest_result check_one(
    enum crypto_hash hash, const struct sf_value *value, struct slice body)
{
    unsigned char said[CRYPTO_DIGEST_MAX];
    unsigned char digest[CRYPTO_DIGEST_MAX];
    size_t said_len;
    if (value->type != SF_BYTES)
        return HTTP_DIGEST_BAD;
    size_t len = crypto_digest(hash, body, digest);
    if (len == 0)
        return HTTP_DIGEST_NO_MEMORY;
    if (!sf_bytes_decode(value->text, said, sizeof said, &said_len) || said_len != len)
        return HTTP_DIGEST_DIFFERS;
    return memcmp(said, digest, len) == 0 ? HTTP_DIGEST_MATCHES : HTTP_DIGEST_DIFFERS;
}

static enum http_digest_result check_dictionary(struct slice dictionary, struct slice body)
{
    static const char *const names[] = {
        [CRYPTO_SHA256] = "sha-256",
        [CRYPTO_SHA512] = "sha-512",
    };
    enum http_digest_result result = HTTP_DIGEST_MISSING;
    for (int hash = CRYPTO_SHA256; hash <= CRYPTO_SHA512; hash++) {
        struct sf_value value;
        enum sf_result found = sf_find(dictionary, slice_str(names[hash]), &value);
        if (found == SF_BAD)
            return HTTP_DIGEST_BAD;
        if (found == SF_END)
            continue;
        result = check_one((enum crypto_hash)hash, &value, body);
        if (result != HTTP_DIGEST_MATCHES)
            return result;
    }
    return result;
}

enum http_digest_result http_digest_check(const struct http_head *head, struct slice body)
{
    struct buf text;
    enum http_digest_result result = HTTP_DIGEST_MISSING;
    buf_init(&text, HTTP_HEAD_MAX * 2);
    int status = http_fields_combine(head, slice_str("content-digest"), &text);
    if (status == 0)
        result = check_dictionary(slice_of(text.data, text.len), body);
    else if (status != UV_ENOENT)
        result = HTTP_DIGEST_NO_MEMORY;
    buf_deinit(&text);
    return result;
}
