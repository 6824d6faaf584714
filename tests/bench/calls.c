#include "calls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/sha256.h"

#define ADDRESS_TEXT_MAX 24

static const char *const starts[] = {
    [CALL_REQUEST] = "POST /tool HTTP/1.1\r\nHost: agent-b:8000\r\nUser-Agent: bench/1",
    [CALL_RENAMED] = "POST /tool HTTP/1.1\r\nHost: agent-b:8000\r\nUser-Agent: proxy/1",
    [CALL_RESPONSE] = "HTTP/1.1 200 OK\r\nServer: bench",
    [CALL_BEHIND] = "POST /store HTTP/1.1\r\nHost: store:9000\r\nUser-Agent: bench/1",
    [CALL_BEHIND_RESPONSE] = "HTTP/1.1 201 Created\r\nServer: store",
};

size_t call_room(size_t size)
{
    return CALL_HEAD_MAX + BODY_GROWTH * size + CALL_HEAD_MAX;
}

/* The head goes right before the body, whose length it tells. */
const char *call_message(char *buffer, enum call_part part, const struct body *body, size_t *len)
{
    static char head[CALL_HEAD_MAX];
    size_t body_len = body_put(buffer + CALL_HEAD_MAX, body);
    size_t head_len = (size_t)sprintf(head, "%s\r\n", starts[part]);
    char *start;

    head_len += body_put_fields(head + head_len, body);
    if (body->kind == BODY_CHUNKED)
        head_len += (size_t)sprintf(head + head_len, "Transfer-Encoding: chunked\r\n\r\n");
    else
        head_len += (size_t)sprintf(head + head_len, "Content-Length: %zu\r\n\r\n", body_len);
    start = buffer + CALL_HEAD_MAX - head_len;
    memcpy(start, head, head_len);
    *len = head_len + body_len;
    return start;
}

static const char *address_text(char *out, const struct leg *leg, int side)
{
    uint32_t address = leg->address[side];

    snprintf(out, ADDRESS_TEXT_MAX, "%u.%u.%u.%u:%u", address >> 24, address >> 16 & 255,
        address >> 8 & 255, address & 255, leg->port[side]);
    return out;
}

static const char *digest(char out[SHA256_HEX_SIZE], const struct body *body)
{
    static struct sha256 *sha;
    char *text = malloc(call_room(body->size));

    if (sha == NULL)
        sha = sha256_new();
    if (sha == NULL || text == NULL)
        exit(1);
    sha256_reset(sha);
    sha256_update(sha, text, body_put(text, body));
    sha256_hex(sha, out);
    free(text);
    return out;
}

void call_log(FILE *log, const struct call_record *record)
{
    static const char change[] =
        "{\"rule\":\"name\",\"action\":\"set_field\",\"side\":\"request\",\"field\":\"User-Agent\","
        "\"old\":\"bench/1\",\"new\":\"proxy/1\"}";
    time_t seconds = (time_t)(record->ts_us / 1000000);
    char ts[32], client[ADDRESS_TEXT_MAX], local[ADDRESS_TEXT_MAX], sha256[SHA256_HEX_SIZE];
    struct tm tm;

    strftime(ts, sizeof(ts), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
    address_text(client, record->client, 0);
    address_text(local, record->upstream, 0);
    digest(sha256, &record->body);
    fprintf(log,
        "{\"ts\":\"%s.%06" PRIu64 "Z\",\"exchange\":%ld,\"connection\":1,\"client\":\"%s\","
        "\"upstream\":\"agent-b:8000\",\"upstream_local\":\"%s\",\"method\":\"POST\","
        "\"target\":\"/tool\",\"status\":200,\"call_id\":\"call-%08ld\","
        "\"tool_name\":\"analyze_dependency\",\"rpc_method\":null,\"request_bytes\":%zu,"
        "\"response_bytes\":%zu,\"request_sha256\":\"%s\",\"response_sha256\":\"%s\","
        "\"duration_us\":3,\"upstream_us\":1,\"rules\":[],\"changes\":[%s],\"error\":null}\n",
        ts, record->ts_us % 1000000, record->body.number + 1, client, local, record->body.number,
        record->body.size, record->body.size, sha256, sha256, record->renamed ? change : "");
}
