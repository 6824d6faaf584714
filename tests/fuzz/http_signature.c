/*
 * Signature-Input, Signature and Content-Digest as anyone may send them. Input: lines, each the
 * value of one of the three fields, in turn.
 */
#include <string.h>
#include <uv.h>

#include "lib/http_digest.h"
#include "lib/http_signature.h"
#include "tests/fuzz/fuzz.h"

#define FIELDS_MAX 12

static size_t read_fields(struct http_field *fields, struct slice text)
{
    static const char *const names[] = {"Signature-Input", "Signature", "Content-Digest"};
    size_t count = 0;
    while (text.len > 0 && count < FIELDS_MAX) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
        fields[count].name = slice_str(names[count % 3]);
        fields[count++].value = slice_trim(slice_of(text.data, len));
        text = slice_of(text.data + len, text.len - len);
        if (text.len > 0)
            text = slice_of(text.data + 1, text.len - 1);
    }
    return count;
}

/* What is written in the one way to write it reads as the same again. */
static void check_canonical(const struct sf_value *value)
{
    struct sf_value again;
    struct buf once;
    struct buf twice;
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    int status = buf_append_str(&once, "x=");
    PROMISE(status == 0 && sf_append_value(&once, value) == 0);
    PROMISE(sf_find(slice_of(once.data, once.len), slice_str("x"), &again) == SF_OK);
    status = buf_append_str(&twice, "x=");
    PROMISE(status == 0 && sf_append_value(&twice, &again) == 0);
    PROMISE(slice_equal(slice_of(once.data, once.len), slice_of(twice.data, twice.len)));
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void check_signature(const struct http_head *head, const struct crypto_key *key)
{
    const struct http_head request_head = {.method = slice_str("POST"),
        .target = slice_str("/t?a=%41&b"),
        .fields = head->fields,
        .n_fields = head->n_fields};
    const struct signature_message request = {.head = &request_head, .scheme = "http"};
    const struct signature_message message = {head, "http", &request};
    struct http_signature signature;
    if (http_signature_find(&signature, head, slice_of(NULL, 0)) == HTTP_SIGNATURE_FOUND) {
        check_canonical(&signature.input);
        PROMISE(signature.len <= sizeof signature.bytes);
        PROMISE(http_signature_verify(&signature, &message, key) != 0); /* nobody has the key */
        PROMISE(http_signature_verify(&signature, &request, key) != 0);
        (void)signature_base_covers(&signature.input, "@method", true);
    }
    http_signature_deinit(&signature);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct http_field fields[FIELDS_MAX];
    struct http_head head = {.status = 200, .fields = fields};
    struct crypto_key *key = crypto_key_secret(slice_str("a secret that no input knows"));
    PROMISE(key != NULL);
    head.n_fields = read_fields(fields, slice_of((const char *)data, len));
    check_signature(&head, key);
    (void)http_digest_check(&head, slice_str("body"));
    crypto_key_free(key);
    return 0;
}
