#include "capturer/capdiff/har.h"

#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/har_text.h"
#include "capturer/capdiff/message_view.h"
#include "lib/clock.h"

#define NS_PER_MS 1e6

const char *har_name(const struct evidence *evidence, enum view view)
{
    static const char *const names[VIEWS] = {
        "client.har", "proxy-in.har", "proxy-out.har", "server.har"};

    if (evidence->legs.one_leg)
        return view == VIEW_SERVER ? "second.har" : "first.har";
    return names[view];
}

/* The target as an absolute URL: by the Host field, or else by where the connection went. */
static void write_url(FILE *file, const struct exchange *exchange, const struct message_view *view,
    struct slice target)
{
    struct slice host = message_view_field(view, "host");
    char server[HOSTPORT_TEXT_MAX];

    fputs("\"url\":", file);
    if (target.len == 0 || target.data[0] != '/') {
        har_string(file, target);
        return;
    }
    if (host.len == 0)
        host = slice_str(endpoint_text(connection_server(exchange->connection), server));
    har_strings(file, (const struct slice[]){slice_str("http://"), host, target}, 3);
}

static void write_sizes(FILE *file, const struct message *message)
{
    fprintf(file, "\"headersSize\":%" PRIu64 ",\"bodySize\":%" PRIu64, message->head_len,
        message->len - message->head_len);
}

static void write_cut(FILE *file, const struct message_view *view)
{
    if (view->missing > 0)
        fprintf(file, ",\"comment\":\"%" PRIu64 " bytes more were not kept\"", view->missing);
}

static void write_request(FILE *file, const struct exchange *exchange)
{
    struct har_line line;
    struct message_view view;
    struct slice type;

    message_view_open(&view, &exchange->request, false);
    line = har_first_line(view.head);
    type = message_view_field(&view, "content-type");
    fputs("\"request\":{\"method\":", file);
    har_string(file, line.words[0]);
    fputc(',', file);
    write_url(file, exchange, &view, line.words[1]);
    fputs(",\"httpVersion\":", file);
    har_string(file, line.words[2]);
    fputs(",\"cookies\":[],\"headers\":", file);
    har_fields(file, view.head);
    fputs(",\"queryString\":", file);
    har_query(file, line.words[1]);
    if (view.content.len > 0) {
        fputs(",\"postData\":{\"mimeType\":", file);
        har_string(file, type);
        fputs(",\"params\":[],", file);
        har_body(file, view.content, "_encoding");
        write_cut(file, &view);
        fputc('}', file);
    }
    fputc(',', file);
    write_sizes(file, &exchange->request);
    fputs("},\n", file);
    message_view_close(&view);
}

static void write_response(FILE *file, const struct exchange *exchange)
{
    struct har_line line;
    struct message_view view;

    message_view_open(&view, &exchange->response, true);
    line = har_first_line(har_last_head(view.head));
    fprintf(file, "\"response\":{\"status\":%d,\"statusText\":", exchange->status);
    har_string(file, line.words[2]);
    fputs(",\"httpVersion\":", file);
    har_string(file, line.words[0]);
    fputs(",\"cookies\":[],\"headers\":", file);
    har_fields(file, har_last_head(view.head));
    fprintf(
        file, ",\"content\":{\"size\":%" PRIu64 ",\"mimeType\":", exchange->response.content_len);
    har_string(file, message_view_field(&view, "content-type"));
    fputc(',', file);
    har_body(file, view.content, "encoding");
    write_cut(file, &view);
    fputs("},\"redirectURL\":", file);
    har_string(file, message_view_field(&view, "location"));
    fputc(',', file);
    write_sizes(file, &exchange->response);
    fputs("},\n", file);
    message_view_close(&view);
}

static double ms_between(uint64_t from, uint64_t to)
{
    return from != 0 && to > from ? (double)(to - from) / NS_PER_MS : 0;
}

static void write_entry(
    FILE *file, const struct crossing *crossing, const struct exchange *exchange)
{
    const struct message *request = &exchange->request, *response = &exchange->response;
    double send = ms_between(request->first_ns, request->last_ns);
    double wait = ms_between(request->last_ns, response->first_ns);
    double receive = ms_between(response->first_ns, response->last_ns);
    char text[CLOCK_RFC3339_SIZE], server[HOSTPORT_TEXT_MAX];

    fprintf(file, "{\"startedDateTime\":\"%s\",\"time\":%.6f,\n",
        clock_rfc3339(request->first_ns, text), send + wait + receive);
    write_request(file, exchange);
    write_response(file, exchange);
    endpoint_text(connection_server(exchange->connection), server);
    fprintf(file,
        "\"cache\":{},\"timings\":{\"blocked\":-1,\"dns\":-1,\"connect\":-1,\"ssl\":-1,"
        "\"send\":%.6f,\"wait\":%.6f,\"receive\":%.6f},\n\"serverIPAddress\":",
        send, wait, receive);
    har_string(file, har_address(slice_str(server)));
    fprintf(file,
        ",\"connection\":\"%u\",\"_exchange\":", connection_client(exchange->connection)->port);
    if (crossing->number != 0)
        fprintf(file, "%" PRIu64, crossing->number);
    else
        fputs("null", file);
    fprintf(file, ",\"_whole\":%s}",
        request->state == MESSAGE_WHOLE && response->state == MESSAGE_WHOLE ? "true" : "false");
}

void har_write(const struct evidence *evidence, enum view view, FILE *file)
{
    const char *separator = "\n";
    char comment[160];

    fputs("{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"capdiff\",\"version\":"
          "\"" AGENT_MITM_VERSION "\"},\"pages\":[],\"comment\":",
        file);
    snprintf(comment, sizeof(comment), "%s", view_text(view));
    if (evidence_forgotten(evidence) > 0)
        snprintf(comment, sizeof(comment),
            "%s; %" PRIu64 " exchanges more were judged and not kept (capdiff --hold)",
            view_text(view), evidence_forgotten(evidence));
    har_string(file, slice_str(comment));
    fputs(",\"entries\":[", file);
    for (size_t i = 0; i < evidence->count; i++) {
        const struct exchange *exchange = evidence->crossings[i].at[view];

        /* Without a request's head there is nothing that the format has a place for. */
        if (exchange == NULL || exchange->request.head_len == 0)
            continue;
        fputs(separator, file);
        write_entry(file, &evidence->crossings[i], exchange);
        separator = ",\n";
    }
    fputs("\n]}}\n", file);
}
