#include "mitm_proxy/observe_exchanges.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json_text.h"
#include "lib/log.h"

#define RECORD_MAX (2UL * 1024 * 1024) /* the most that an exchange has, and a target, escaped */
#define GATHERED_ENOUGH (256UL * 1024) /* bytes of records past which they are written at once */

struct observe_exchanges {
    struct observe_exchanges *first; /* whose file it is, itself or another thread's */
    struct sink_file *file;
    struct sink_file own;
    struct buf gathered; /* records that are to be written yet */
    uint64_t records;    /* so many */
    bool chained;
    struct hash_chain chain;
    uint64_t (*capture_lost)(void *arg); /* NULL: nobody knows */
    void *arg;
    atomic_ullong capture_told; /* the first's: of what the capture lost, in records */
    uint64_t capture_gathered;  /* of that in those that are gathered */
};

/* Members are appended as text; the first failure makes the rest no-ops, told at the end. */
struct members {
    struct buf *out;
    int err;
};

static inline void append(struct members *members, const char *text, size_t len)
{
    if (!members->err)
        members->err = buf_append(members->out, text, len);
}

/* A member's name with all that stands around it, so that it is one copy. */
#define NAME(text) ((struct slice){",\"" text "\":", sizeof(text) + 3})

static inline void append_slice(struct members *members, struct slice text)
{
    append(members, text.data, text.len);
}

static inline void add_null(struct members *members, struct slice name)
{
    append_slice(members, name);
    append(members, "null", 4);
}

/* JSON text of the call's own. */
static inline void add_json(struct members *members, struct slice name, struct slice value)
{
    append_slice(members, name);
    if (!members->err)
        members->err =
            json_text_line(value.data ? value : slice_str("null"), SIZE_MAX, members->out);
}

static inline void add_string(struct members *members, struct slice name, struct slice value)
{
    if (!value.data) {
        add_null(members, name);
        return;
    }
    append_slice(members, name);
    if (!members->err)
        members->err = json_string_encode(value, members->out);
}

static void add_text(struct members *members, struct slice name, const char *value)
{
    add_string(members, name, value && *value ? slice_str(value) : slice_of(NULL, 0));
}

/* TEXT in quotes, or null where there is none. */
static void append_plain(struct members *members, const char *text)
{
    if (!*text) {
        append(members, "null", 4);
        return;
    }
    append(members, "\"", 1);
    append_slice(members, slice_str(text));
    append(members, "\"", 1);
}

/* What has nothing to be escaped: an address, a digest. */
static inline void add_plain(struct members *members, struct slice name, const char *text)
{
    append_slice(members, name);
    append_plain(members, text);
}

static inline void add_number(struct members *members, struct slice name, uint64_t value)
{
    append_slice(members, name);
    if (!members->err)
        members->err = buf_append_number(members->out, value);
}

/* VALUES are JSON text, comma-separated. */
static inline void add_list(struct members *members, struct slice name, const struct buf *values)
{
    append_slice(members, name);
    if (values->len == 0) { /* as most are */
        append(members, "[]", 2);
        return;
    }
    append(members, "[", 1);
    append(members, values->data, values->len);
    append(members, "]", 1);
}

static uint64_t micros_between(uint64_t from, uint64_t to)
{
    return from && to > from ? (to - from) / 1000 : 0;
}

static void add_parties(struct members *members, const struct exchange *exchange)
{
    add_number(members, NAME("exchange"), exchange->id);
    add_number(members, NAME("connection"), exchange->connection->id);
    add_plain(members, NAME("client"), exchange->connection->client);
    add_text(members, NAME("upstream"), exchange->connection->upstream);
    add_plain(members, NAME("upstream_local"), exchange->connection->upstream_local);
}

static void add_message(struct members *members, const struct exchange *exchange)
{
    add_string(members, NAME("method"), exchange->method);
    add_string(members, NAME("target"), exchange->target);
    if (exchange->status)
        add_number(members, NAME("status"), (uint64_t)exchange->status);
    else
        add_null(members, NAME("status"));
    add_json(members, NAME("call_id"), exchange->call_id);
    add_json(members, NAME("tool_name"), exchange->tool_name);
    add_json(members, NAME("rpc_method"), exchange->rpc_method);
    add_number(members, NAME("request_bytes"), exchange->request_bytes);
    add_number(members, NAME("response_bytes"), exchange->response_bytes);
    add_plain(members, NAME("request_sha256"), exchange->request_sha256);
    add_plain(members, NAME("response_sha256"), exchange->response_sha256);
}

static void add_end(struct members *members)
{
    append(members, "}", 1);
}

/* BEFORE is the member's name, and what else stands before the object. */
static void add_frames(
    struct members *members, const char *before, const struct websocket_frames *frames)
{
    append_slice(members, slice_str(before));
    for (int kind = 0; kind < WEBSOCKET_FRAMES && !members->err; kind++)
        members->err = buf_printf(members->out, "%c\"%s\":%llu", kind ? ',' : '{',
            websocket_frame_names[kind], (unsigned long long)frames->counts[kind]);
    if (frames->close_code == WEBSOCKET_NO_CODE)
        add_null(members, NAME("close_code"));
    else
        add_number(members, NAME("close_code"), (uint64_t)frames->close_code);
    add_text(members, NAME("stopped"), frames->stopped);
    add_end(members);
}

static void add_tunnel(struct members *members, const struct tunnel *tunnel)
{
    const char *protocol = tunnel->protocol;
    if (!members->err)
        members->err = buf_append_str(members->out, ",\"tunnel\":{\"protocol\":");
    if (!members->err)
        members->err = protocol ? json_string_encode(slice_str(protocol), members->out)
                                : buf_append_str(members->out, "null");
    add_number(members, NAME("request_bytes"), tunnel->bytes[DIRECTION_REQUEST]);
    add_number(members, NAME("response_bytes"), tunnel->bytes[DIRECTION_RESPONSE]);
    if (tunnel->websocket) {
        add_frames(members, ",\"frames\":{\"request\":", &tunnel->frames[DIRECTION_REQUEST]);
        add_frames(members, ",\"response\":", &tunnel->frames[DIRECTION_RESPONSE]);
        add_end(members);
    } else {
        add_null(members, NAME("frames"));
    }
    add_end(members);
}

/* Where that cannot be, the next record still follows the last one of ours. */
static void resume_chain(struct observe_exchanges *log)
{
    int err = log->chained ? hash_chain_resume(&log->chain, log->file->fd) : 0;
    if (err)
        log_error(
            "the last line of the exchange log %s cannot be read, so the chain breaks there: %s",
            log->file->path, uv_strerror(err));
}

/* Behind what is gathered. CAPTURE_LOST: packets that are in no capture, since the record before.
 */
static int gather_record(
    struct observe_exchanges *log, const struct exchange *exchange, uint64_t capture_lost)
{
    char ts[CLOCK_RFC3339_SIZE];
    struct buf *out = &log->gathered;
    struct members members = {.out = out};
    append(&members, "{", 1);
    if (log->chained) {
        append(&members, "\"previous\":\"", 12);
        append(&members, log->chain.head, SHA256_HEX_SIZE - 1);
        append(&members, "\",", 2);
    }
    append(&members, "\"ts\":\"", 6);
    append(&members, clock_rfc3339(exchange->wall_ns, ts), CLOCK_RFC3339_SIZE - 1);
    append(&members, "\"", 1);
    add_parties(&members, exchange);
    add_message(&members, exchange);
    add_number(
        &members, NAME("duration_us"), micros_between(exchange->started_ns, exchange->finished_ns));
    add_number(
        &members, NAME("upstream_us"), micros_between(exchange->sent_ns, exchange->finished_ns));
    add_list(&members, NAME("rules"), &exchange->rules);
    add_list(&members, NAME("changes"), &exchange->changes);
    add_text(&members, NAME("error"), exchange->error);
    if (exchange->tunnel)
        add_tunnel(&members, exchange->tunnel);
    if (capture_lost > 0)
        add_number(&members, NAME("capture_lost"), capture_lost);
    return members.err ? members.err : buf_append_str(out, "}\n");
}

/* Half a record stays a line of its own, and the next one follows that. False: not yet. */
static bool end_torn_line(struct observe_exchanges *log)
{
    if (!log->chained || !log->file->torn)
        return true; /* or the next write does it */
    if (!sink_file_write(log->file, NULL, 0, 0))
        return false;
    resume_chain(log);
    return true;
}

/* Each for itself: of those that cannot be written together, some may. False: none could. */
static bool write_each(struct observe_exchanges *log)
{
    struct slice rest = slice_of(log->gathered.data, log->gathered.len);
    bool any = false;
    while (rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = (size_t)(end - rest.data) + 1;
        any = sink_file_write(log->file, rest.data, len, 1) || any;
        rest = slice_of(rest.data + len, rest.len - len);
    }
    return any;
}

static void on_commit(void *state)
{
    struct observe_exchanges *log = state;
    if (log->records == 0)
        return;
    bool written =
        log->records > 1 && sink_file_write(log->file, log->gathered.data, log->gathered.len, 0);
    if (!written)
        written = write_each(log);
    if (!written)
        log->first->capture_told -= log->capture_gathered;
    else if (log->chained)
        hash_chain_add(&log->chain, slice_of(log->gathered.data, log->gathered.len - 1));
    log->capture_gathered = 0;
    log->records = 0;
    buf_clear(&log->gathered);
}

/* What the capture has lost and no record tells yet: this one will. */
static uint64_t claim_capture_lost(struct observe_exchanges *log)
{
    struct observe_exchanges *first = log->first;
    unsigned long long lost = first->capture_lost ? first->capture_lost(first->arg) : 0;
    unsigned long long told = atomic_load_explicit(&first->capture_told, memory_order_relaxed);
    while (lost > told)
        if (atomic_compare_exchange_weak(&first->capture_told, &told, lost))
            return lost - told;
    return 0;
}

static void on_exchange(void *state, const struct exchange *exchange)
{
    struct observe_exchanges *log = state;
    uint64_t lost = claim_capture_lost(log);
    size_t before = log->gathered.len;
    if (!end_torn_line(log) || gather_record(log, exchange, lost)) {
        log->gathered.len = before;
        log->file->lost++;
        log->first->capture_told -= lost;
        return;
    }
    log->records++;
    log->capture_gathered += lost;
    if (log->chained || log->gathered.len > GATHERED_ENOUGH)
        on_commit(log);
}

static void on_reopen(void *state)
{
    struct observe_exchanges *log = state;
    on_commit(log);
    if (sink_file_reopen(log->file))
        resume_chain(log);
}

static void on_close(void *state)
{
    struct observe_exchanges *log = state;
    on_commit(log);
    if (log->first == log)
        sink_file_close(log->file);
    if (log->chained)
        log_info("the exchange log %s ends with %s, by %llu records of this run", log->file->path,
            log->chain.head, (unsigned long long)log->chain.records);
    hash_chain_deinit(&log->chain);
    buf_deinit(&log->gathered);
    free(log);
}

struct observe_exchanges *observe_exchanges_join(struct observe_exchanges *first)
{
    struct observe_exchanges *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    buf_init(&log->gathered, GATHERED_ENOUGH + RECORD_MAX);
    log->first = first ? first : log;
    log->file = &log->first->own;
    return log;
}

struct observe_exchanges *observe_exchanges_new(const char *path, int *err)
{
    struct observe_exchanges *log = observe_exchanges_join(NULL);
    *err = UV_ENOMEM;
    if (!log)
        return NULL;
    *err = sink_file_open(log->file, path, "exchange log");
    if (*err) {
        free(log);
        return NULL;
    }
    return log;
}

int observe_exchanges_chain(struct observe_exchanges *log)
{
    int err = hash_chain_init(&log->chain);
    if (!err)
        err = hash_chain_resume(&log->chain, log->file->fd);
    log->chained = err == 0;
    return err;
}

const struct hash_chain *observe_exchanges_head(const struct observe_exchanges *log)
{
    return log->chained ? &log->chain : NULL;
}

struct observer observe_exchanges_observer(struct observe_exchanges *log)
{
    return (struct observer){
        .state = log,
        .exchange = on_exchange,
        .contents = true,
        .commit = on_commit,
        .reopen = on_reopen,
        .close = on_close,
    };
}

void observe_exchanges_watch_capture(
    struct observe_exchanges *log, uint64_t (*lost)(void *arg), void *arg)
{
    log->capture_lost = lost;
    log->arg = arg;
}

struct sink_file *observe_exchanges_file(struct observe_exchanges *log)
{
    return log->file;
}
