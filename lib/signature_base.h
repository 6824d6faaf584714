/*
 * The signature base of RFC 9421 §2.5: the text that stands for a message and is what is signed.
 *
 * Components: the derived ones of §2.2, each with ";req" where the message is a response, and
 * fields by name, also with ";req". The parameters sf, key, bs and tr are not known: a signature
 * that has them cannot be verified here.
 */
#ifndef LIB_SIGNATURE_BASE_H
#define LIB_SIGNATURE_BASE_H

#include "lib/buf.h"
#include "lib/http_head.h"
#include "lib/structured_fields.h"

#define SIGNATURE_COMPONENTS_MAX 64
#define SIGNATURE_BASE_MAX (4 * HTTP_HEAD_MAX)

/* A request, or with REQUEST a response: a response's status is above zero. */
struct signature_message {
    const struct http_head *head;
    const char *scheme; /* of the target URI: "http" or "https" */
    const struct signature_message *request;
};

/*
 * Appends the base that INPUT (a member of Signature-Input) describes. 0, UV_EINVAL when INPUT is
 * nothing that can be signed, UV_ENOENT when the message has no such component, or an error of
 * buf.h.
 */
int signature_base_append(struct buf *out, const struct signature_message *message,
    const struct sf_value *input) __attribute__((warn_unused_result));

/* True when INPUT covers the component NAME, of the request where REQ says so. */
bool signature_base_covers(const struct sf_value *input, const char *name, bool req);

#endif
