/* The list of one capture's exchanges for programs; see report.schema.json. */
#include <inttypes.h>
#include <stdlib.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/json_object.h"
#include "capturer/capdiff/listing.h"
#include "capturer/capdiff/report_json.h"

#define LISTING_FORMAT 1 /* raised when a reader of the former would be misled */
#define REQUEST_LINE_MAX 8192
#define NS_PER_US 1000u

static void add_duration(cJSON *item, const struct exchange *exchange)
{
    uint64_t begin = exchange->request.first_ns, end = exchange->response.last_ns;

    if (begin != 0 && end >= begin)
        json_object_add_number(item, "duration_us", (end - begin) / NS_PER_US);
    else
        json_object_add_text(item, "duration_us", NULL);
}

static void add_message(cJSON *item, const struct message *message, const char *const names[3])
{
    static const char *const states[] = {"none", "partial", "whole"};
    char sha256[SHA256_HEX_SIZE];
    bool whole = message->state == MESSAGE_WHOLE && !message->gap;

    json_object_add_text(item, names[0], states[message->state]);
    json_object_add_number(item, names[1], message->content_len);
    json_object_add_text(item, names[2], whole ? message_content_sha256(message, sha256) : NULL);
}

static void add_texts(cJSON *item, const struct crossing *crossing)
{
    const struct exchange *exchange = crossing->at[VIEW_CLIENT_LEG];
    const char *id = crossing_call_id(crossing);
    char *line = excerpt_text(align_title(exchange), REQUEST_LINE_MAX);
    char *call_id = id != NULL ? excerpt_text(slice_str(id), CALL_ID_MAX) : NULL;
    char end[HOSTPORT_TEXT_MAX];

    json_object_add_text(
        item, "client", endpoint_text(connection_client(exchange->connection), end));
    json_object_add_text(
        item, "server", endpoint_text(connection_server(exchange->connection), end));
    json_object_add_text(
        item, "request_line", exchange->request.state != MESSAGE_NONE ? line : NULL);
    json_object_add_text(item, "call_id", call_id);
    free(line);
    free(call_id);
}

static cJSON *exchange_object(const struct crossing *crossing)
{
    static const char *const request[] = {"request_state", "request_bytes", "request_sha256"};
    static const char *const response[] = {"response_state", "response_bytes", "response_sha256"};
    const struct exchange *exchange = crossing->at[VIEW_CLIENT_LEG];
    cJSON *item = json_object_need(cJSON_CreateObject());

    json_object_add_number(item, "exchange", crossing->number);
    json_object_add_time(item, "time", crossing->time_ns);
    add_duration(item, exchange);
    add_texts(item, crossing);
    if (exchange->status != 0)
        json_object_add_number(item, "status", (uint64_t)exchange->status);
    else
        json_object_add_text(item, "status", NULL);
    add_message(item, &exchange->request, request);
    add_message(item, &exchange->response, response);
    return item;
}

/* One exchange a line, as it comes: there may be millions. */
void listing_json(const struct report *report, FILE *file)
{
    const struct evidence *evidence = report->evidence;

    fprintf(file, "{\n\"listing_format\": %d,\n\"capdiff\": \"%s\",\n\"quality\": ", LISTING_FORMAT,
        AGENT_MITM_VERSION);
    json_object_print(report_json_quality(evidence, true), false, file);
    fputs(",\n\"exchanges\": [", file);
    for (size_t i = 0; i < evidence->count; i++) {
        fputs(i > 0 ? ",\n" : "\n", file);
        json_object_print(exchange_object(&evidence->crossings[i]), true, file);
    }
    fprintf(
        file, "\n],\n\"not_listed\": %" PRIu64 "\n}\n", evidence->settled.given_up[SOURCE_PROXY]);
}
