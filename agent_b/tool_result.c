#include "agent_b/tool_result.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"
#include "lib/server_events.h"

static int print_error(const struct tools_error *error, struct buf *out)
{
    int status =
        buf_printf(out, "{\"ok\":false,\"error\":{\"word\":\"%s\",\"reason\":", error->word);
    if (status == 0)
        status = json_string_encode(slice_str(error->reason), out);
    return status == 0 ? buf_append_str(out, "}}}") : status;
}

static int print_result(
    const struct tool_call *call, const struct tools_result *result, struct buf *out)
{
    uint64_t now = clock_wall_ns() / 1000;
    const struct buf *members = &result->members;
    int status = buf_printf(out,
        "{\"id\":%.*s,\"type\":\"tool_result\",\"tool_name\":%.*s,"
        "\"received_at\":%" PRIu64 ".%06" PRIu64 ",\"result\":",
        (int)call->id.len, call->id.data, (int)call->tool_name.len, call->tool_name.data,
        now / 1000000, now % 1000000);
    if (status != 0)
        return status;
    if (result->outcome != TOOLS_DONE)
        return print_error(&result->error, out);
    return buf_printf(out, "{\"ok\":true,\"echo\":%.*s%.*s}}", (int)call->arguments.len,
        call->arguments.data, (int)members->len, members->data != NULL ? members->data : "");
}

static int add_event(struct http_response *response, const char *type, struct slice data)
{
    int status = server_events_append(&response->body, type, data);
    return status == 0 ? http_response_end_chunk(response) : status;
}

static int add_progress(struct http_response *response, uint64_t steps)
{
    char data[80];
    int status = 0;
    for (uint64_t step = 1; step <= steps && status == 0; step++) {
        snprintf(data, sizeof data, "{\"step\":%" PRIu64 ",\"of\":%" PRIu64 "}", step, steps);
        status = add_event(response, "progress", slice_str(data));
    }
    return status;
}

static int answer_events(
    const struct tool_call *call, const struct tools_result *result, struct http_response *response)
{
    struct buf text;
    buf_init(&text, HTTP_RESPONSE_MAX);
    response->content_type = "text/event-stream";
    int status = add_progress(response, result->steps);
    if (status == 0)
        status = print_result(call, result, &text);
    if (status == 0)
        status = add_event(response, "result", slice_of(text.data, text.len));
    buf_deinit(&text);
    return status;
}

int tool_result_answer(
    const struct tool_call *call, const struct tools_result *result, struct http_response *response)
{
    static const int statuses[] = {
        [TOOLS_DONE] = 200,
        [TOOLS_REFUSED] = 422,
        [TOOLS_UNKNOWN] = 404,
        [TOOLS_FAILED] = 500,
    };
    response->status = statuses[result->outcome];
    if (result->outcome == TOOLS_DONE && result->steps > 0)
        return answer_events(call, result, response);
    return print_result(call, result, &response->body);
}
