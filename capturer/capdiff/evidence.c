#include "capturer/capdiff/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/one_leg.h"
#include "capturer/capdiff/pool.h"

enum source view_source(enum view view)
{
    static const enum source sources[VIEWS] = {
        SOURCE_CLIENT_HOST, SOURCE_PROXY, SOURCE_PROXY, SOURCE_SERVER};

    return sources[view];
}

int64_t evidence_offset_ns(const struct evidence *evidence, enum source source)
{
    int64_t ns = clock_offset_ns(&evidence->clocks[source]);

    return source == SOURCE_CLIENT_HOST ? -ns : ns;
}

uint64_t evidence_time(const struct evidence *evidence, enum source source, uint64_t ns)
{
    return ns != 0 ? ns - (uint64_t)evidence_offset_ns(evidence, source) : 0;
}

void pairing_of(const struct exchange *near, enum pair_how *how, enum pair_sureness *sure)
{
    const struct connection *connection = near->connection;

    *how = near->how != PAIR_NONE ? (enum pair_how)near->how : connection->how;
    *sure = near->how != PAIR_NONE ? (enum pair_sureness)near->sure : connection->sure;
}

bool evidence_has_view(const struct evidence *evidence, enum view view)
{
    return evidence->has[view_source(view)] &&
           !(evidence->legs.one_leg && view < VIEW_UPSTREAM_LEG);
}

const char *view_text(enum view view)
{
    static const char *const texts[VIEWS] = {
        "the client's own capture", "client to proxy", "proxy to server", "the server's capture"};

    return texts[view];
}

/* Exchanges of every pair of connections that belong together. */
static void align_all(const struct connections *near, enum leg leg)
{
    for (size_t i = 0; i < near->count; i++) {
        if (near->items[i]->leg == leg && near->items[i]->towards_server != NULL)
            align_exchanges(near->items[i], near->items[i]->towards_server);
    }
}

/* Where the client's own host was recorded: its connections to the proxy. */
static void match_client_host(struct evidence *evidence)
{
    struct connections *host = &evidence->recordings[SOURCE_CLIENT_HOST].connections;

    legs_match(host, &evidence->recordings[SOURCE_PROXY].connections);
    for (size_t i = 0; i < host->count; i++) {
        struct connection *connection = host->items[i];
        struct connection *other = connection->towards_server;
        bool to_proxy = evidence->legs.has_proxy &&
                        endpoint_equal(connection_server(connection), &evidence->legs.proxy);

        if (other != NULL && other->leg != LEG_CLIENT) {
            other->towards_client = NULL;
            connection->towards_server = NULL;
        }
        if (connection->towards_server != NULL || to_proxy)
            connection->leg = LEG_CLIENT;
    }
    align_all(host, LEG_CLIENT);
}

/* Exchanges of pooled connections, by how they were paired. */
static void count_pooled(struct evidence *evidence, const struct connection *connection)
{
    for (size_t k = 0; k < connection->http.count; k++) {
        const struct exchange *exchange = connection->http.items[k];

        if (exchange->after != NULL)
            evidence->pooled[exchange->how][exchange->sure]++;
    }
}

static void count_pairs(struct evidence *evidence)
{
    const struct connections *table = &evidence->recordings[SOURCE_PROXY].connections;

    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        if (connection->leg == LEG_CLIENT && connection->pooled)
            count_pooled(evidence, connection);
        if (connection->towards_server == NULL || connection->http.count == 0)
            continue;
        if (connection->sure != PAIR_SURE)
            evidence->unsure_pairs++;
        if (connection->leg == LEG_CLIENT)
            evidence->paired[connection->how]++;
        else if (connection->leg == LEG_UPSTREAM)
            evidence->matched[connection->how]++;
    }
}

static void swap(struct recording *a, struct recording *b)
{
    struct recording kept = *a;

    *a = *b;
    *b = kept;
}

/* Finds the legs; if the first capture holds no proxy and the second one does, it comes first. */
static void find_legs(struct evidence *evidence, const struct legs_ports *ports)
{
    struct recording *proxy = &evidence->recordings[SOURCE_PROXY];
    struct recording *server = &evidence->recordings[SOURCE_SERVER];

    legs_find(proxy, server, ports, &evidence->legs);
    if (evidence->legs.has_proxy || ports->proxy != 0 || ports->server != 0)
        return;
    for (int i = 0; i < 2; i++) {
        legs_forget(&proxy->connections);
        legs_forget(&server->connections);
        swap(proxy, server);
        legs_find(proxy, server, ports, &evidence->legs);
        evidence->turned = i == 0 && evidence->legs.has_proxy;
        if (evidence->turned)
            return;
    }
}

static void pair_all(struct evidence *evidence, const struct legs_ports *ports)
{
    struct recording *proxy = &evidence->recordings[SOURCE_PROXY];
    struct recording *server = &evidence->recordings[SOURCE_SERVER];

    find_legs(evidence, ports);
    if (!evidence->legs.has_proxy && !evidence->has_log && !evidence->has[SOURCE_CLIENT_HOST] &&
        ports->proxy == 0 && one_leg_find(proxy, server)) {
        evidence->legs.one_leg = true;
        evidence->legs.other_proxy = evidence->legs.other_server = 0;
    }
    pair_by_content(&proxy->connections, &server->connections);
    /* The way to the server is known; the legs meet in the proxy. */
    pair_legs(&proxy->connections, evidence->has_log ? &evidence->log : NULL);
    align_all(&proxy->connections, LEG_UPSTREAM);
    align_all(&proxy->connections, LEG_CLIENT);
    pool_pair(&proxy->connections);
    pool_mark_repeated(&proxy->connections);
    pool_mark_repeated(&server->connections);
    if (evidence->has[SOURCE_CLIENT_HOST])
        match_client_host(evidence);
    clock_offset_find(&evidence->clocks[SOURCE_CLIENT_HOST],
        &evidence->recordings[SOURCE_CLIENT_HOST].connections, LEG_CLIENT);
    clock_offset_find(&evidence->clocks[SOURCE_SERVER], &proxy->connections, LEG_UPSTREAM);
    count_pairs(evidence);
}

/* Follows an exchange from the view nearest to the client on. */
static void add_crossing(struct evidence *evidence, struct exchange *exchange, int view)
{
    struct crossing *crossing;

    evidence->crossings =
        memory_room(evidence->crossings, evidence->count, &evidence->room, sizeof(struct crossing));
    crossing = &evidence->crossings[evidence->count++];
    memset(crossing, 0, sizeof(*crossing));
    crossing->stored = true;
    crossing->time_ns =
        exchange->request.first_ns != 0 ? exchange->request.first_ns : exchange->response.first_ns;
    crossing->time_ns = evidence_time(evidence, view_source((enum view)view), crossing->time_ns);
    for (; exchange != NULL && view < VIEWS; view++) {
        crossing->at[view] = exchange;
        if (exchange->record != NULL)
            crossing->record = exchange->record;
        exchange = exchange->after;
    }
}

static void collect(struct evidence *evidence, int view, enum leg leg)
{
    const struct connections *table =
        &evidence->recordings[view_source((enum view)view)].connections;

    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        for (size_t k = 0; connection->leg == leg && k < connection->http.count; k++) {
            if (connection->http.items[k]->before == NULL)
                add_crossing(evidence, connection->http.items[k], view);
        }
    }
}

static int by_time(const void *left, const void *right)
{
    const struct crossing *a = left, *b = right;

    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return 0;
}

static void number(struct evidence *evidence)
{
    uint64_t next = 1;

    if (evidence->count > 0)
        qsort(evidence->crossings, evidence->count, sizeof(struct crossing), by_time);
    for (size_t i = 0; i < evidence->count; i++) {
        struct crossing *crossing = &evidence->crossings[i];

        if (evidence->has_log)
            crossing->number = crossing->record != NULL ? crossing->record->exchange : 0;
        else if (crossing->at[VIEW_CLIENT_LEG] != NULL || evidence->legs.one_leg)
            crossing->number = next++;
    }
}

/* What the options say about a recording's losses, where that is more than it says itself. */
static void add_drops(struct evidence *evidence, const struct capdiff_options *options)
{
    const uint64_t told[SOURCES] = {
        [SOURCE_PROXY] = options->proxy_drops, [SOURCE_SERVER] = options->server_drops};

    for (int i = 0; i < SOURCES; i++) {
        struct capture_facts *facts = &evidence->recordings[i].facts;

        if (told[i] <= facts->dropped)
            continue;
        facts->drops_known = true;
        facts->dropped = told[i];
    }
}

static int load_files(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size)
{
    const char *paths[SOURCES] = {options->client_path, options->proxy_path, options->server_path};
    int status = 0;

    for (int i = 0; i < SOURCES && status == 0; i++) {
        if (paths[i] == NULL)
            continue;
        status = recording_load(&evidence->recordings[i], paths[i], err, err_size);
        evidence->has[i] = status == 0;
    }
    /* Last: what the log speaks of had been on the wire before it was written down. */
    if (status == 0 && options->exchange_log_path != NULL) {
        status = exchange_log_read(&evidence->log, options->exchange_log_path, err, err_size);
        evidence->has_log = status == 0;
    }
    return status;
}

/* One capture: all that is in it, as if it were one leg. */
static void collect_alone(struct evidence *evidence)
{
    const struct connections *table = &evidence->recordings[SOURCE_PROXY].connections;

    for (size_t i = 0; i < table->count; i++)
        table->items[i]->leg = LEG_CLIENT;
    collect(evidence, VIEW_CLIENT_LEG, LEG_CLIENT);
    number(evidence);
}

int evidence_load(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size)
{
    int status;

    memset(evidence, 0, sizeof(*evidence));
    status = load_files(evidence, options, err, err_size);
    if (status != 0) {
        evidence_deinit(evidence);
        return status;
    }
    add_drops(evidence, options);
    if (options->server_path == NULL) {
        collect_alone(evidence);
        return 0;
    }
    pair_all(evidence, &options->ports);
    if (evidence->has_log)
        log_match(&evidence->log, &evidence->recordings[SOURCE_PROXY].connections);
    for (int view = 0; view < VIEWS; view++)
        collect(evidence, view, view <= VIEW_CLIENT_LEG ? LEG_CLIENT : LEG_UPSTREAM);
    number(evidence);
    return 0;
}

void evidence_deinit(struct evidence *evidence)
{
    for (int i = 0; i < SOURCES; i++) {
        if (evidence->has[i])
            recording_deinit(&evidence->recordings[i]);
    }
    if (evidence->has_log)
        exchange_log_deinit(&evidence->log);
    free(evidence->crossings);
    memset(evidence, 0, sizeof(*evidence));
}
