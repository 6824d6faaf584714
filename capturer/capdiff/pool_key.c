#include "capturer/capdiff/pool_key.h"

#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/hash.h"

uint64_t pool_key_id(const struct exchange *exchange)
{
    if (exchange_call_id(exchange) == NULL)
        return 0;
    return hash_bytes(HASH_START, exchange_call_id(exchange), strlen(exchange_call_id(exchange)));
}

struct slice pool_method_and_target(const struct exchange *exchange)
{
    struct slice line = align_start_line(exchange);

    while (line.len > 0 && line.data[line.len - 1] != ' ')
        line.len--;
    return line;
}

uint64_t pool_key_call(const struct exchange *exchange)
{
    const struct message *request = &exchange->request;
    struct slice line = pool_method_and_target(exchange);
    char hex[SHA256_HEX_SIZE] = "";

    if (!request->ended)
        return 0;
    if (request->content_len > 0)
        return hash_bytes(HASH_START ^ pool_key_id(exchange), message_content_sha256(request, hex),
            SHA256_HEX_SIZE - 1);
    return line.len > 0 ? hash_bytes(HASH_START, line.data, line.len) : 0;
}

static bool same_content(const struct message *a, const struct message *b)
{
    char x[SHA256_HEX_SIZE], y[SHA256_HEX_SIZE];

    return a->state == MESSAGE_WHOLE && b->state == MESSAGE_WHOLE &&
           a->content_len == b->content_len &&
           strcmp(message_content_sha256(a, x), message_content_sha256(b, y)) == 0;
}

bool pool_same_answer(const struct exchange *a, const struct exchange *b)
{
    return a->status == b->status && same_content(&a->response, &b->response);
}

unsigned pool_likeness(const struct exchange *a, const struct exchange *b)
{
    unsigned alike = 0;

    if (a->request.content_len > 0 && same_content(&a->request, &b->request))
        alike += 4;
    if (exchange_call_id(a) != NULL && exchange_call_id(b) != NULL &&
        strcmp(exchange_call_id(a), exchange_call_id(b)) == 0)
        alike += 3;
    if (a->response.content_len > 0 && pool_same_answer(a, b))
        alike += 3;
    if (slice_equal(pool_method_and_target(a), pool_method_and_target(b)))
        alike += 2;
    return alike;
}
