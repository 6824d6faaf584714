#include "capturer/capdiff/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/log_link.h"
#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/numbering.h"
#include "capturer/capdiff/pairing.h"
#include "capturer/capdiff/reading.h"
#include "capturer/capdiff/redeal.h"
#include "capturer/capdiff/settle.h"

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

uint64_t evidence_forgotten(const struct evidence *evidence)
{
    return evidence->settled.exchanges + evidence->settled.tally.compared;
}

bool evidence_is_whole(const struct evidence *evidence, enum source source)
{
    return recording_is_whole(&evidence->recordings[source]) &&
           evidence->settled.given_up[source] == 0;
}

const char *view_text(enum view view)
{
    static const char *const texts[VIEWS] = {
        "the client's own capture", "client to proxy", "proxy to server", "the server's capture"};

    return texts[view];
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
        if (crossing->record == NULL)
            crossing->record = exchange->record;
        exchange = exchange->after;
    }
}

/* All that it had was a copy of another's response. */
static bool is_empty(const struct exchange *exchange)
{
    return exchange->request.state == MESSAGE_NONE && exchange->response.state == MESSAGE_NONE;
}

static void collect(struct evidence *evidence, int view, enum leg leg)
{
    const struct connections *table =
        &evidence->recordings[view_source((enum view)view)].connections;

    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        for (size_t k = 0; connection->leg == leg && k < connection->http.count; k++) {
            struct exchange *exchange = connection->http.items[k];

            if (exchange->before == NULL && !exchange->settled && !is_empty(exchange))
                add_crossing(evidence, exchange, view);
        }
    }
}

const struct exchange *crossing_exchange(const struct crossing *crossing)
{
    const struct exchange *exchange = NULL;

    for (int view = 0; exchange == NULL && view < VIEWS; view++)
        exchange = crossing->at[view];
    return exchange;
}

static int by_time(const void *left, const void *right)
{
    const struct crossing *a = left, *b = right;

    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return 0;
}

/* The number that it has in whichever view. */
static uint64_t number_of(const struct crossing *crossing)
{
    for (int view = 0; view < VIEWS; view++) {
        if (crossing->at[view] != NULL && crossing->at[view]->number != 0)
            return crossing->at[view]->number;
    }
    return 0;
}

static void number(struct evidence *evidence)
{
    const struct connection_list all =
        connections_all(&evidence->recordings[SOURCE_PROXY].connections);

    numbering_go_on(evidence, &all);
    for (size_t i = 0; i < evidence->count; i++) {
        struct crossing *crossing = &evidence->crossings[i];

        if (evidence->has_log)
            crossing->number = crossing->record != NULL ? crossing->record->exchange : 0;
        else
            crossing->number = number_of(crossing);
    }
}

static void sort(struct evidence *evidence)
{
    if (evidence->count > 0)
        qsort(evidence->crossings, evidence->count, sizeof(struct crossing), by_time);
}

/* What the options, or the log, say about a recording's losses, where that is more than it says
 * itself. */
static void add_drops(struct evidence *evidence, const struct capdiff_options *options)
{
    uint64_t logged = evidence->has_log ? evidence->log.capture_lost : 0;
    const uint64_t told[SOURCES] = {
        [SOURCE_PROXY] = options->proxy_drops > logged ? options->proxy_drops : logged,
        [SOURCE_SERVER] = options->server_drops};

    for (int i = 0; i < SOURCES; i++) {
        struct capture_facts *facts = &evidence->recordings[i].facts;

        if (told[i] <= facts->dropped)
            continue;
        facts->drops_known = true;
        facts->dropped = told[i];
    }
}

static int open_files(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size)
{
    const char *paths[SOURCES] = {options->client_path, options->proxy_path, options->server_path};
    int status = 0;

    for (int i = 0; i < SOURCES && status == 0; i++) {
        if (paths[i] == NULL)
            continue;
        status = recording_open(&evidence->recordings[i], paths[i], err, err_size);
        evidence->has[i] = status == 0;
    }
    if (status == 0 && options->exchange_log_path != NULL) {
        status = exchange_log_open(&evidence->log, options->exchange_log_path, err, err_size);
        evidence->has_log = status == 0;
    }
    return status;
}

static int finish_captures(struct evidence *evidence, char *err, size_t err_size)
{
    int status = 0;

    for (int i = 0; i < SOURCES && status == 0; i++) {
        if (evidence->has[i])
            status = recording_finish(&evidence->recordings[i], err, err_size);
        evidence->has[i] = evidence->has[i] && status == 0;
    }
    return status;
}

#define ROUND_MIN 4096
#define HOLD_AGAIN ((size_t)64 * 1024 * 1024)

static void read_captures(struct evidence *evidence, const struct capdiff_options *options)
{
    struct reading reading;

    /* What is not to be held for long is looked at often. */
    reading_begin(&reading, evidence, evidence->settled.hold == 0 ? ROUND_MIN : 0);
    while (reading_round(&reading)) {
        if (options->server_path != NULL)
            settle_round(evidence, options);
        else
            settle_listing(evidence);
    }
    reading_end(&reading);
}

static int load_files(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size)
{
    int status = open_files(evidence, options, err, err_size);

    if (status == 0) {
        read_captures(evidence, options);
        status = finish_captures(evidence, err, err_size);
    }
    /* Last: what the log speaks of had been on the wire before it was written down. */
    if (status == 0 && evidence->has_log)
        status = exchange_log_finish(&evidence->log, err, err_size);
    return status;
}

/* One capture: all that is in it, as if it were one leg. */
static void collect_alone(struct evidence *evidence)
{
    const struct connections *table = &evidence->recordings[SOURCE_PROXY].connections;

    for (size_t i = 0; i < table->count; i++)
        table->items[i]->leg = LEG_CLIENT;
    collect(evidence, VIEW_CLIENT_LEG, LEG_CLIENT);
    sort(evidence);
    for (size_t i = 0; i < evidence->count; i++)
        evidence->crossings[i].number = i + 1;
}

static bool can_read_again(const struct evidence *evidence)
{
    for (int i = 0; i < SOURCES; i++) {
        if (evidence->has[i] && strcmp(evidence->recordings[i].path, "-") == 0)
            return false;
    }
    return true;
}

static int load(struct evidence *evidence, const struct capdiff_options *options, size_t hold,
    char *err, size_t err_size)
{
    int status;

    memset(evidence, 0, sizeof(*evidence));
    evidence->settled.hold = hold;
    status = load_files(evidence, options, err, err_size);
    if (status != 0)
        evidence_deinit(evidence);
    return status;
}

/* Reads all; once more, with more of it to go by, where the beginning misled about the legs. */
static int load_rightly(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size)
{
    int status = load(evidence, options, settle_hold(options), err, err_size);

    if (status != 0 || options->server_path == NULL || !can_read_again(evidence) ||
        !pairing_was_hasty(evidence, &options->ports))
        return status;
    evidence_deinit(evidence);
    return load(evidence, options, HOLD_AGAIN, err, err_size);
}

int evidence_load(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size)
{
    int status = load_rightly(evidence, options, err, err_size);

    if (status != 0)
        return status;
    add_drops(evidence, options);
    if (options->server_path == NULL) {
        collect_alone(evidence);
        return 0;
    }
    pairing_finish(evidence, &options->ports);
    if (evidence->has_log) {
        log_match(&evidence->log, &evidence->recordings[SOURCE_PROXY].connections);
        log_link(&evidence->recordings[SOURCE_PROXY].connections);
        redeal_responses(&evidence->recordings[SOURCE_PROXY].connections);
    }
    for (int view = 0; view < VIEWS; view++)
        collect(evidence, view, view <= VIEW_CLIENT_LEG ? LEG_CLIENT : LEG_UPSTREAM);
    sort(evidence);
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
    settle_end(evidence);
    free(evidence->crossings);
    memset(evidence, 0, sizeof(*evidence));
}
