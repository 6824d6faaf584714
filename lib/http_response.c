#include "lib/http_response.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/json_text.h"

#define DATE_SIZE 40

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {508, "Loop Detected"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

bool http_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* RFC 9110 §5.6.7, written once a second at most. */
static const char *http_date(void)
{
    static _Thread_local char text[DATE_SIZE];
    static _Thread_local time_t written = -1;
    time_t now = (time_t)(clock_wall_ns() / 1000000000);
    struct tm parts;
    if (now != written && gmtime_r(&now, &parts) != NULL) {
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        written = now;
    }
    return text;
}

void http_response_init(struct http_response *response)
{
    buf_init(&response->body, HTTP_RESPONSE_MAX);
    buf_init(&response->chunks, HTTP_CHUNKS_MAX * sizeof response->body.len);
}

void http_response_deinit(struct http_response *response)
{
    buf_deinit(&response->body);
    buf_deinit(&response->chunks);
}

int http_response_end_chunk(struct http_response *response)
{
    return buf_append(&response->chunks, &response->body.len, sizeof response->body.len);
}

/* A chunk of no bytes would be the last one: there is none. */
static int append_chunk(struct buf *out, struct slice data)
{
    if (data.len == 0)
        return 0;
    int status = buf_printf(out, "%zx\r\n", data.len);
    if (status == 0)
        status = buf_append(out, data.data, data.len);
    return status == 0 ? buf_append(out, "\r\n", 2) : status;
}

int http_response_frame(struct buf *out, const struct http_response *response)
{
    const struct buf *body = &response->body;
    size_t begin = 0;
    size_t end;
    int status = 0;
    for (size_t at = 0; status == 0 && at < response->chunks.len; at += sizeof end) {
        memcpy(&end, response->chunks.data + at, sizeof end);
        status = append_chunk(out, slice_of(body->data + begin, end - begin));
        begin = end;
    }
    if (status == 0)
        status = append_chunk(out, slice_of(body->data + begin, body->len - begin));
    return status == 0 ? buf_append_str(out, "0\r\n\r\n") : status;
}

/* How the body is framed. */
static int append_framing(struct buf *out, const struct http_response *response)
{
    if (response->chunks.len > 0)
        return buf_append_str(out, "Transfer-Encoding: chunked\r\n");
    return buf_printf(out, "Content-Length: %zu\r\n", response->body.len);
}

int http_response_head(
    struct buf *out, const struct http_response *response, enum http_persistence persistence)
{
    static const char *const connection[] = {
        [HTTP_PERSISTS] = "",
        [HTTP_KEEPALIVE] = "Connection: keep-alive\r\n",
        [HTTP_CLOSES] = "Connection: close\r\n",
    };
    const char *type = response->content_type;
    int status = buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", response->status,
        http_reason(response->status), http_date());
    if (status == 0 && http_status_has_body(response->status))
        status = buf_printf(out, "Content-Type: %s\r\n", type != NULL ? type : "application/json");
    if (status == 0 && http_status_has_body(response->status))
        status = append_framing(out, response);
    if (status == 0 && response->fields != NULL)
        status = buf_append_str(out, response->fields);
    if (status == 0)
        status = buf_append_str(out, connection[persistence]);
    if (status == 0)
        status = buf_append(out, "\r\n", 2);
    return status;
}

void http_response_problem(struct http_response *response, const struct http_problem *problem)
{
    response->status = problem->status;
    response->content_type = NULL;
    buf_clear(&response->body);
    buf_clear(&response->chunks);
    int status = buf_append_str(&response->body, "{\"error\":{\"word\":");
    if (status == 0)
        status = json_string_encode(slice_str(problem->word), &response->body);
    if (status == 0)
        status = buf_append_str(&response->body, ",\"reason\":");
    if (status == 0)
        status = json_string_encode(slice_str(problem->reason), &response->body);
    if (status == 0)
        status = buf_append_str(&response->body, "}}\n");
    if (status != 0)
        buf_clear(&response->body); /* the status alone still says enough */
}
