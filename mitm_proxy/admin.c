#include "mitm_proxy/admin.h"

#define BODY_MAX 4096 /* nothing is posted here */
#define HEAD_TIMEOUT_MS 5000
#define IDLE_TIMEOUT_MS 60000
#define CONNECTIONS_MAX 64

/* The first failure makes the rest no-ops; the server then answers 500. */
struct page {
    struct buf *out;
    int err;
};

static void __attribute__((format(printf, 2, 3))) add(struct page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!page->err)
        page->err = buf_vprintf(page->out, format, args);
    va_end(args);
}

static void add_head(struct page *page, const char *name, const char *type, const char *help)
{
    add(page, "# HELP mitm_%s %s\n# TYPE mitm_%s %s\n", name, help, name, type);
}

static void add_counter(struct page *page, const char *name, const char *help, uint64_t value)
{
    add_head(page, name, "counter", help);
    add(page, "mitm_%s %llu\n", name, (unsigned long long)value);
}

static void add_exchanges(struct page *page, const struct counters *counters)
{
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    add_head(page, "exchanges_total", "counter", "Exchanges by the class of their status.");
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        add(page, "mitm_exchanges_total{status=\"%s\"} %llu\n", classes[i],
            (unsigned long long)counters->exchanges_by_class[i]);
    add_head(page, "errors_total", "counter", "Exchanges that failed, by the word in the log.");
    for (size_t i = 0; i < COUNTED_ERRORS && counters->errors[i].word; i++)
        add(page, "mitm_errors_total{error=\"%s\"} %llu\n", counters->errors[i].word,
            (unsigned long long)counters->errors[i].count);
}

static void add_durations(struct page *page, const struct counters *counters)
{
    uint64_t count = 0;
    add_head(page, "exchange_duration_seconds", "histogram",
        "From the request's head to the end of the response.");
    for (size_t i = 0; i < DURATION_BUCKETS; i++) {
        count += counters->durations[i];
        add(page, "mitm_exchange_duration_seconds_bucket{le=\"%g\"} %llu\n", counters_bounds[i],
            (unsigned long long)count);
    }
    count += counters->durations[DURATION_BUCKETS];
    add(page,
        "mitm_exchange_duration_seconds_bucket{le=\"+Inf\"} %llu\n"
        "mitm_exchange_duration_seconds_sum %.6f\nmitm_exchange_duration_seconds_count %llu\n",
        (unsigned long long)count, (double)counters->duration_sum_us / 1e6,
        (unsigned long long)count);
}

static void add_traffic(struct page *page, const struct counters *counters)
{
    static const char *const legs[] = {"client", "upstream"};
    static const char *const directions[] = {"request", "response"};
    long long open = (long long)(counters->connections - counters->connections_closed);
    add_counter(page, "connections_total", "Client connections accepted.", counters->connections);
    add_counter(page, "upstream_connections_total", "Connections made to the upstream.",
        counters->upstream_connections);
    add_head(page, "connections_open", "gauge", "Client connections open now.");
    add(page, "mitm_connections_open %llu\n", open > 0 ? (unsigned long long)open : 0);
    add_head(page, "bytes_total", "counter", "Bytes read or written, by leg and direction.");
    for (int leg = 0; leg < 2; leg++)
        for (int direction = 0; direction < 2; direction++)
            add(page, "mitm_bytes_total{leg=\"%s\",direction=\"%s\"} %llu\n", legs[leg],
                directions[direction], (unsigned long long)counters->bytes[leg][direction]);
}

static void add_tunnels(struct page *page, const struct counters *counters)
{
    static const char *const directions[] = {"request", "response"};
    add_counter(page, "tunnels_total", "Tunnels that have ended.", counters->tunnels);
    add_head(page, "websocket_frames_total", "counter",
        "Frames of WebSockets that have ended, by direction and kind.");
    for (int direction = 0; direction < 2; direction++)
        for (int kind = 0; kind < WEBSOCKET_FRAMES; kind++)
            add(page, "mitm_websocket_frames_total{direction=\"%s\",kind=\"%s\"} %llu\n",
                directions[direction], websocket_frame_names[kind],
                (unsigned long long)counters->frames[direction][kind]);
}

static void add_recording(struct page *page, const struct admin *admin)
{
    struct admin_recording recording = admin->recording(admin->arg);
    add_counter(page, "log_records_lost_total", "Exchange log records that could not be written.",
        admin->exchange_log ? admin->exchange_log->lost : 0);
    add_counter(
        page, "capture_packets_total", "Packets written to the capture.", recording.packets);
    add_counter(
        page, "capture_packets_lost_total", "Packets that could not be written.", recording.lost);
    add_head(page, "capture_packets_dropped_total", "counter",
        "Packets that the capture never saw, by who dropped them.");
    add(page,
        "mitm_capture_packets_dropped_total{by=\"kernel\"} %llu\n"
        "mitm_capture_packets_dropped_total{by=\"interface\"} %llu\n",
        (unsigned long long)recording.dropped, (unsigned long long)recording.dropped_interface);
}

static void add_confinement(struct page *page, const struct confinement *confinement)
{
    add_head(page, "sandbox", "gauge",
        "What is in force: seccomp (1), and the version of Landlock's interface; 0: it is not.");
    add(page, "mitm_sandbox{by=\"seccomp\"} %d\nmitm_sandbox{by=\"landlock\"} %d\n",
        confinement->calls, confinement->files);
}

/* A rule's name needs no escapes. One that is concealed is so here, too. */
static void add_rules(struct page *page, const struct rules *rules)
{
    if (!rules)
        return;
    add_head(page, "rule_fired_total", "counter",
        "Messages at which a rule fired, since the rules were read.");
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->list[i];
        if (!rule->concealed)
            add(page, "mitm_rule_fired_total{rule=\"%.*s\"} %llu\n", (int)rule->name.len,
                rule->name.data, (unsigned long long)rule->fired);
    }
}

static void add_certificates(struct page *page, struct tls_mint *mint)
{
    if (!mint)
        return;
    struct tls_mint_counts counts = tls_mint_counts(mint);
    add_counter(
        page, "certificates_made_total", "Certificates that the CA has signed.", counts.made);
    add_head(page, "certificates_kept", "gauge",
        "Of these, how many are kept for the next who asks; the ones used last.");
    add(page, "mitm_certificates_kept %zu\n", counts.kept);
}

static void show_metrics(const struct admin *admin, struct http_response *response)
{
    struct page page = {.out = &response->body};
    struct counters counters = {0};
    admin->count(admin->arg, &counters);
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    add_exchanges(&page, &counters);
    add_durations(&page, &counters);
    add_traffic(&page, &counters);
    add_tunnels(&page, &counters);
    add_recording(&page, admin);
    add_certificates(&page, admin->mint);
    add_confinement(&page, admin->confinement);
    add_rules(&page, *admin->rules);
    if (page.err)
        response->status = 500;
}

static void show_health(const struct admin *admin, struct http_response *response)
{
    struct page page = {.out = &response->body};
    bool ended = admin->recording(admin->arg).ended;
    response->status = ended || *admin->draining ? 503 : 200;
    add(&page, "{\"status\":\"%s\"}\n",
        ended              ? "the capture ended"
        : *admin->draining ? "draining"
                           : "ok");
}

static void show_held(const struct admin *admin, struct http_response *response)
{
    if (waiting_list(admin->waiting, &response->body))
        response->status = 500;
}

/* PATH is what stands behind "/held". */
static void release(const struct admin *admin, struct slice path, struct http_response *response)
{
    struct page page = {.out = &response->body};
    char text[32];
    unsigned long long id = 0;
    int len = 0;
    if (slice_is(path, "/release")) {
        size_t count = waiting_release_all(admin->waiting);
        add(&page, "{\"released\":%zu}\n", count);
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)path.len, path.data);
    bool whole = sscanf(text, "/%llu/release%n", &id, &len) == 1 && (size_t)len == path.len;
    if (whole && waiting_release(admin->waiting, id)) {
        add(&page, "{\"released\":1}\n");
    } else {
        response->status = 404;
        add(&page, "{\"error\":\"not_held\"}\n");
    }
}

static void refuse_method(struct http_response *response, const char *fields)
{
    struct page page = {.out = &response->body};
    response->status = 405;
    response->fields = fields;
    add(&page, "{\"error\":\"method_not_allowed\"}\n");
}

static void show(const struct admin *admin, struct slice path, struct http_response *response)
{
    struct page page = {.out = &response->body};
    if (slice_is(path, "/healthz")) {
        show_health(admin, response);
    } else if (slice_is(path, "/metrics")) {
        show_metrics(admin, response);
    } else if (slice_is(path, "/log") && admin->chain) {
        add(&page, "{\"head\":\"%s\",\"records\":%llu}\n", admin->chain->head,
            (unsigned long long)admin->chain->records);
    } else if (slice_is(path, "/held")) {
        show_held(admin, response);
    } else {
        response->status = 404;
        add(&page,
            "{\"error\":\"not_found\",\"paths\":[\"/healthz\",\"/metrics\",\"/held\",\"/log\"]}\n");
    }
}

/* False when the request was refused, and is answered. */
static bool admits(const struct admin *admin, const struct http_head *head, bool changes,
    struct http_response *response)
{
    struct http_problem problem;
    if (admin_gate_admits(admin->gate, head, changes, &problem))
        return true;
    http_response_problem(response, &problem);
    if (problem.status == 401)
        response->fields = "WWW-Authenticate: Bearer\r\n";
    return false;
}

static void handle(void *arg, const struct http_request *request, struct http_response *response)
{
    const struct admin *admin = arg;
    struct slice method = request->head->method, path = request->path;
    bool get = slice_is(method, "GET") || slice_is(method, "HEAD");
    bool releases = path.len > 6 && memcmp(path.data, "/held/", 6) == 0;
    bool posted = releases && slice_is(method, "POST");
    if (!admits(admin, request->head, posted, response))
        return;
    if (posted)
        release(admin, slice_of(path.data + 5, path.len - 5), response);
    else if (releases)
        refuse_method(response, "Allow: POST\r\n");
    else if (get)
        show(admin, path, response);
    else
        refuse_method(response, "Allow: GET, HEAD\r\n");
}

int admin_start(struct admin *admin, uv_loop_t *loop)
{
    struct http_server_config config = {
        .listen = admin->gate->listen,
        .body_max = BODY_MAX,
        .head_timeout = HEAD_TIMEOUT_MS,
        .idle_timeout = IDLE_TIMEOUT_MS,
        .connections_max = CONNECTIONS_MAX,
        .handle = handle,
        .arg = admin,
    };
    int err;
    admin->server = http_server_start(loop, &config, &err);
    return admin->server ? 0 : err;
}

void admin_stop(struct admin *admin)
{
    if (admin->server)
        http_server_stop(admin->server);
    admin->server = NULL;
}
