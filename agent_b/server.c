#include "agent_b/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_b/refusals.h"
#include "agent_b/tool_result.h"
#include "lib/http_server.h"
#include "lib/json_text.h"

#define HEAD_TIMEOUT 10000 /* ms */
#define IDLE_TIMEOUT 75000 /* ms */
#define CONNECTIONS_MAX 4096
#define SHOWN_MAX 4096     /* bytes of a call that are printed */
#define TOOL_NAME_MAX 4096 /* bytes */

struct agent_server {
    struct agent_server_config config;
    struct http_server *http;
    struct refusals refusals;
    char caller[HOSTPORT_HOST_MAX]; /* the address that the last call came from */
};

static void answer_problem(
    struct http_response *response, int status, const char *word, const char *reason)
{
    const struct http_problem problem = {.word = word, .reason = reason, .status = status};
    http_response_problem(response, &problem);
}

/* For when the answer itself could not be built: whatever stands in it is not whole. */
static void answer_built(struct http_response *response, int status)
{
    if (status != 0)
        answer_problem(response, 500, "no_memory", "the answer does not fit into memory");
}

static void show_line(const struct agent_server *server, const char *label, struct slice text)
{
    struct buf line;
    buf_init(&line, SHOWN_MAX + 512);
    int status = buf_printf(&line, "[Agent B] %s: ", label);
    if (status == 0)
        status = json_text_line(text, SHOWN_MAX, &line);
    if (status == 0)
        status = buf_append_char(&line, '\n');
    if (status == 0)
        line_out_write(server->config.out, slice_of(line.data, line.len));
    else
        line_out_write(server->config.out, slice_str("[Agent B] (a line did not fit)\n"));
    buf_deinit(&line);
}

/* Says who calls, where that is another address than the last call's. PEER: "1.2.3.4:5678". */
static void show_caller(struct agent_server *server, const char *peer)
{
    struct hostport caller;
    const char *why;
    if (hostport_parse(&caller, peer, &why) != 0 || strcmp(caller.host, server->caller) == 0)
        return;
    memcpy(server->caller, caller.host, sizeof server->caller);
    show_line(server, "Caller", slice_str(server->caller));
}

/* Answers a call that is not carried out. */
static void refuse_call(struct agent_server *server, struct http_response *response, int status,
    const char *word, const char *reason)
{
    refusals_count(&server->refusals, word);
    answer_problem(response, status, word, reason);
}

static void answer_refusal(struct agent_server *server, const struct defence_refusal *refusal,
    struct http_response *response)
{
    char text[300];
    snprintf(text, sizeof text, "%s: %s", refusal->word, refusal->reason);
    show_line(server, "Refused", slice_str(text));
    refuse_call(server, response, refusal->status, refusal->word, refusal->reason);
}

/* application/json, or any application/…+json (RFC 6839 §3.1), whatever the parameters. */
static bool is_json_type(struct slice type)
{
    static const char prefix[] = "application/";
    static const char suffix[] = "+json";
    if (type.data == NULL)
        return false;
    const char *parameters = memchr(type.data, ';', type.len);
    if (parameters != NULL)
        type.len = (size_t)(parameters - type.data);
    type = slice_trim(type);
    if (slice_is_nocase(type, "application/json"))
        return true;
    if (type.len <= sizeof prefix - 1 + sizeof suffix - 1 ||
        strncasecmp(type.data, prefix, sizeof prefix - 1) != 0)
        return false;
    size_t tail = type.len - (sizeof suffix - 1);
    return slice_is_nocase(slice_of(type.data + tail, sizeof suffix - 1), suffix);
}

static void run_tool(struct agent_server *server, const struct json_text *json,
    const struct tool_call *call, struct http_response *response)
{
    struct buf name;
    struct tools_result result;
    buf_init(&name, TOOL_NAME_MAX); /* a longer one is no tool's */
    tools_result_init(&result);
    int status = json_string_decode(call->tool_name, &name);
    if (status == UV_ENOMEM)
        tools_fail(&result);
    else if (status == 0)
        tools_run(server->config.tools, slice_of(name.data, name.len), json,
            json_text_member(json, 0, "arguments"), &result);
    if (result.outcome != TOOLS_DONE)
        refusals_count(&server->refusals, result.error.word);
    answer_built(response, tool_result_answer(call, &result, response));
    buf_deinit(&name);
    tools_result_deinit(&result);
}

static void answer_call(
    struct agent_server *server, const struct json_text *json, struct http_response *response)
{
    int id = json_text_member(json, 0, "id");
    int tool_name = json_text_member(json, 0, "tool_name");
    int arguments = json_text_member(json, 0, "arguments");
    const struct tool_call call = {
        .id = id >= 0 ? json_text_raw(json, id) : slice_str("null"),
        .tool_name = json_text_raw(json, tool_name),
        .arguments = arguments >= 0 ? json_text_raw(json, arguments) : slice_str("{}"),
    };
    if (json_text_type(json, 0) != JSON_OBJECT)
        refuse_call(server, response, 400, "bad_call", "the call must be a JSON object");
    else if (json_text_type(json, tool_name) != JSON_STRING)
        refuse_call(
            server, response, 400, "bad_call", "the call needs a tool_name that is a string");
    else
        run_tool(server, json, &call, response);
}

static void on_tool(
    struct agent_server *server, const struct http_request *request, struct http_response *response)
{
    const char *why;
    size_t at;
    struct slice coding = http_head_field(request->head, "Content-Encoding");
    if (!is_json_type(http_head_field(request->head, "Content-Type"))) {
        refuse_call(server, response, 415, "not_json", "the Content-Type must be application/json");
        return;
    }
    if (coding.data != NULL && !slice_is_nocase(coding, "identity")) {
        refuse_call(
            server, response, 415, "not_plain", "the body must come without Content-Encoding");
        return;
    }
    struct json_text *json = json_text_parse(request->body, &why, &at);
    struct defence_refusal refusal;
    if (json == NULL && why == JSON_TEXT_NO_MEMORY) {
        refuse_call(server, response, 500, "no_memory", why);
        return;
    }
    if (json == NULL) {
        char reason[200];
        snprintf(reason, sizeof reason, "bad JSON at byte %zu: %s", at, why);
        show_line(server, "Received bad JSON", request->body);
        refuse_call(server, response, 400, "bad_json", reason);
        return;
    }
    show_line(server, "Received JSON", request->body);
    if (guard_check_json(server->config.guard, json, request->body, &refusal))
        answer_call(server, json, response);
    else
        answer_refusal(server, &refusal, response);
    json_text_free(json);
}

/* The way to the tools, where there is a guard: nothing of a call that it refuses is looked at. */
static void on_guarded_tool(
    struct agent_server *server, const struct http_request *request, struct http_response *response)
{
    struct defence_refusal refusal;
    show_caller(server, request->peer);
    if (guard_check(server->config.guard, request, &refusal))
        on_tool(server, request, response);
    else
        answer_refusal(server, &refusal, response);
    if (!guard_prove(server->config.guard, request, response))
        answer_problem(response, 500, "no_memory", "the answer could not be signed");
}

static void on_ledger(
    struct agent_server *server, const struct http_request *request, struct http_response *response)
{
    (void)request;
    int status = tools_print_ledger(server->config.tools, &response->body);
    answer_built(response, status == 0 ? buf_append_char(&response->body, '\n') : status);
}

static void on_calls(
    struct agent_server *server, const struct http_request *request, struct http_response *response)
{
    (void)request;
    int status = buf_append_str(&response->body, "{\"carried_out\":");
    if (status == 0)
        status = tools_print_carried_out(server->config.tools, &response->body);
    if (status == 0)
        status = buf_append_str(&response->body, ",\"refused\":");
    if (status == 0)
        status = refusals_print(&server->refusals, &response->body);
    if (status == 0)
        status = buf_append_str(&response->body, "}\n");
    answer_built(response, status);
}

static void on_healthz(
    struct agent_server *server, const struct http_request *request, struct http_response *response)
{
    (void)server;
    (void)request;
    answer_built(response, buf_append_str(&response->body, "{\"status\":\"ok\"}\n"));
}

struct route {
    const char *path;
    bool posted; /* POST; otherwise GET and HEAD */
    void (*handle)(struct agent_server *server, const struct http_request *request,
        struct http_response *response);
};

static bool route_allows(const struct route *route, struct slice method)
{
    if (route->posted)
        return slice_is(method, "POST");
    return slice_is(method, "GET") || slice_is(method, "HEAD");
}

static void handle(void *arg, const struct http_request *request, struct http_response *response)
{
    static const struct route routes[] = {
        {"/tool", true, on_guarded_tool},
        {"/ledger", false, on_ledger},
        {"/calls", false, on_calls},
        {"/healthz", false, on_healthz},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!slice_is(request->path, routes[i].path))
            continue;
        if (route_allows(&routes[i], request->head->method)) {
            routes[i].handle(arg, request, response);
            return;
        }
        response->fields = routes[i].posted ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n";
        answer_problem(response, 405, "wrong_method",
            routes[i].posted ? "only POST is answered here"
                             : "only GET and HEAD are answered here");
        return;
    }
    answer_problem(response, 404, "not_found", "the paths are /tool, /ledger, /calls and /healthz");
}

static void on_no_handshake(void *arg, const char *peer, const char *why)
{
    char text[HOSTPORT_TEXT_MAX + TLS_WHY_MAX + 32];
    snprintf(text, sizeof text, "tls_failed: %s: %s", peer, why);
    show_line(arg, "Refused", slice_str(text));
}

static void on_http_stopped(void *arg)
{
    struct agent_server *server = arg;
    void (*on_stopped)(void *arg) = server->config.on_stopped;
    void *stopped_arg = server->config.arg;
    free(server);
    if (on_stopped != NULL)
        on_stopped(stopped_arg);
}

struct agent_server *agent_server_start(
    uv_loop_t *loop, const struct agent_server_config *config, int *err)
{
    struct agent_server *server = calloc(1, sizeof *server);
    *err = UV_ENOMEM;
    if (server == NULL)
        return NULL;
    server->config = *config;
    const struct http_server_config http = {
        .listen = config->listen,
        .tls = config->tls,
        .body_max = config->body_max,
        .head_timeout = HEAD_TIMEOUT,
        .idle_timeout = IDLE_TIMEOUT,
        .connections_max = CONNECTIONS_MAX,
        .handle = handle,
        .on_no_handshake = on_no_handshake,
        .on_stopped = on_http_stopped,
        .arg = server,
    };
    server->http = http_server_start(loop, &http, err);
    if (server->http == NULL) {
        free(server);
        return NULL;
    }
    return server;
}

int agent_server_address(const struct agent_server *server, struct sockaddr_storage *address)
{
    return http_server_address(server->http, address);
}

void agent_server_stop(struct agent_server *server)
{
    http_server_stop(server->http);
}
