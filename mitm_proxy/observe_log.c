#include "mitm_proxy/observe_log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define LINES_MAX (256 * 1024UL)   /* bytes gathered … */
#define LINES_ENOUGH (16 * 1024UL) /* … and past this written: a pipe takes that at once */
#define RULES_SHOWN_MAX 160        /* bytes of rules' names in a line */
#define SHOWN_MAX 128              /* bytes of a target in a line */
#define PIECE_MAX 4096 /* PIPE_BUF: what a pipe with room takes whole, without waiting */

/* Where lines go, from one thread at a time: room that one has seen another would take. */
struct outlet {
    pthread_mutex_t lock;
    uint64_t dropped;
    int fd;
};

struct observe_log {
    struct buf lines;
    uint64_t unformed; /* lines for which there was no room */
    bool colour;
    struct outlet *outlet; /* its own, or another one's */
    struct outlet own;
};

static const char *status_colour(const struct exchange *exchange)
{
    if (exchange->error || exchange->status >= 500 || exchange->status == 0)
        return "\x1b[31m";
    return exchange->status >= 400 ? "\x1b[33m" : "\x1b[32m";
}

/* A line is appended piece by piece; the first failure makes the rest no-ops, told at the end. */
struct line {
    struct buf *out;
    int err;
};

static inline void put(struct line *line, const char *text)
{
    if (!line->err)
        line->err = buf_append_str(line->out, text);
}

static void put_number(struct line *line, uint64_t number)
{
    if (!line->err)
        line->err = buf_append_number(line->out, number);
}

/* As much as SIZE bytes show of it, with "…" where that is not all; "?" where it is absent. */
static void put_escaped(struct line *line, struct slice text, size_t size)
{
    char shown[SHOWN_MAX];
    put(line, text.data ? log_escape(text, shown, size) : "?");
}

static void put_duration(struct line *line, uint64_t ns)
{
    uint64_t hundredths = (ns + 5000) / 10000; /* of a millisecond */
    uint64_t ms = (ns + 500000) / 1000000, tenths = (ns + 50000000) / 100000000;
    if (ns < 10000000u) {
        put_number(line, hundredths / 100);
        put(line, hundredths % 100 < 10 ? ".0" : ".");
        put_number(line, hundredths % 100);
        put(line, " ms");
    } else if (ns < 10000000000u) {
        put_number(line, ms);
        put(line, " ms");
    } else {
        put_number(line, tenths / 10);
        put(line, ".");
        put_number(line, tenths % 10);
        put(line, " s");
    }
}

/* "analyze_dependency call-0001 " or as much of it as there is, without the quotes. */
static void put_names(struct line *line, const struct exchange *exchange)
{
    const struct slice names[] = {exchange->rpc_method, exchange->tool_name, exchange->call_id};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct slice name = names[i];
        if (!name.data)
            continue;
        if (name.data[0] == '"')
            name = slice_of(name.data + 1, name.len - 2);
        put_escaped(line, name, 80);
        put(line, " ");
    }
}

/* ", rule steal-deposit" where one fired; of many names those that there is room for. */
static void rules_text(const struct exchange *exchange, char *out, size_t size)
{
    struct slice rules = slice_of(exchange->rules.data, exchange->rules.len);
    char names[RULES_SHOWN_MAX];
    size_t len = 0, i = 0;
    for (; i < rules.len && len + sizeof ", " < sizeof names; i++) {
        if (rules.data[i] != '"') /* nothing in a name is escaped */
            names[len++] = rules.data[i];
        if (rules.data[i] == ',')
            names[len++] = ' ';
    }
    names[len] = '\0';
    bool several = memchr(rules.data, ',', rules.len);
    snprintf(out, size, ", rule%s %s%s", several ? "s" : "", names, i < rules.len ? "…" : "");
}

/* ", websocket 12 B up, 34 B down, 2 frames up, 3 down" behind a 101. */
static void tunnel_text(const struct tunnel *tunnel, char *out, size_t size)
{
    uint64_t frames[2] = {0};
    char protocol[32];
    for (int kind = 0; kind < WEBSOCKET_FRAMES; kind++)
        for (int direction = 0; direction < 2; direction++)
            frames[direction] += tunnel->frames[direction].counts[kind];
    int len = snprintf(out, size, ", %s %llu B up, %llu B down",
        tunnel->protocol ? log_escape(slice_str(tunnel->protocol), protocol, sizeof protocol)
                         : "tunnel",
        (unsigned long long)tunnel->bytes[DIRECTION_REQUEST],
        (unsigned long long)tunnel->bytes[DIRECTION_RESPONSE]);
    if (tunnel->websocket)
        snprintf(out + len, size - (size_t)len, ", %llu frames up, %llu down",
            (unsigned long long)frames[DIRECTION_REQUEST],
            (unsigned long long)frames[DIRECTION_RESPONSE]);
}

/* What only some exchanges have. */
static void put_more(struct line *line, const struct exchange *exchange)
{
    char more[RULES_SHOWN_MAX + 192];
    if (exchange->rules.len > 0) {
        rules_text(exchange, more, sizeof more);
        put(line, more);
    }
    if (exchange->tunnel && exchange->method.data) {
        tunnel_text(exchange->tunnel, more, sizeof more);
        put(line, more);
    }
    if (exchange->error) {
        put(line, " — ");
        put(line, exchange->error);
    }
    if (exchange->reason) {
        put(line, ": ");
        put(line, exchange->reason);
    }
}

static void put_request(struct line *line, const struct exchange *exchange)
{
    char when[CLOCK_OF_DAY_SIZE];
    put(line, clock_of_day(exchange->wall_ns, when));
    put(line, " #");
    put_number(line, exchange->id);
    put(line, " ");
    put_escaped(line, exchange->method, 32);
    put(line, " ");
    put_escaped(line, exchange->target, SHOWN_MAX);
    put(line, " ");
    put_names(line, exchange);
}

static void put_counts(struct line *line, const struct exchange *exchange)
{
    const char *client = exchange->connection->client;
    put_number(line, exchange->request_bytes);
    put(line, " B up, ");
    put_number(line, exchange->response_bytes);
    put(line, " B down, ");
    put_duration(line, exchange->finished_ns - exchange->started_ns);
    put(line, ", ");
    put(line, *client ? client : "sent again");
}

static int add_line(struct buf *lines, const struct exchange *exchange, bool colour)
{
    const char *off = colour ? "\x1b[0m" : "", *dim = colour ? "\x1b[2m" : "";
    struct line line = {.out = lines};
    size_t before = lines->len;
    put(&line, dim);
    put(&line, "[mitm_proxy]");
    put(&line, off);
    put(&line, " ");
    put_request(&line, exchange);
    put(&line, "→ ");
    put(&line, colour ? status_colour(exchange) : "");
    if (exchange->status)
        put_number(&line, (uint64_t)exchange->status);
    else
        put(&line, "---");
    put(&line, off);
    put(&line, ", ");
    put(&line, dim);
    put_counts(&line, exchange);
    put(&line, off);
    put_more(&line, exchange);
    put(&line, "\n");
    if (line.err)
        lines->len = before;
    return line.err;
}

/* True when a write of PIECE_MAX bytes would not wait. A file never does. */
static bool is_ready(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT);
}

/* Whole lines, so that a dropped rest never leaves half a line: up to PIECE_MAX bytes of them. */
static size_t next_piece(const struct buf *lines, size_t from)
{
    size_t left = lines->len - from;
    if (left <= PIECE_MAX)
        return left;
    const char *lf = memrchr(lines->data + from, '\n', PIECE_MAX);
    return lf ? (size_t)(lf - (lines->data + from)) + 1 : PIECE_MAX;
}

static uint64_t count_lines(const char *data, size_t len)
{
    uint64_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += data[i] == '\n';
    return count;
}

static bool say_dropped(struct outlet *outlet)
{
    char line[96];
    int len =
        snprintf(line, sizeof line, "[mitm_proxy] %llu lines were not shown: stdout was full\n",
            (unsigned long long)outlet->dropped);
    if (write(outlet->fd, line, (size_t)len) != len)
        return false;
    outlet->dropped = 0;
    return true;
}

static void write_lines(struct outlet *outlet, const struct buf *lines)
{
    size_t at = 0;
    while (at < lines->len && is_ready(outlet->fd)) {
        if (outlet->dropped > 0) {
            if (!say_dropped(outlet))
                break;
            continue; /* that may have taken the last room */
        }
        size_t len = next_piece(lines, at);
        ssize_t n = write(outlet->fd, lines->data + at, len);
        if (n < 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    outlet->dropped += count_lines(lines->data + at, lines->len - at);
}

static void on_flush(void *state)
{
    struct observe_log *log = state;
    if (log->lines.len == 0)
        return;
    pthread_mutex_lock(&log->outlet->lock);
    log->outlet->dropped += log->unformed;
    write_lines(log->outlet, &log->lines);
    pthread_mutex_unlock(&log->outlet->lock);
    log->unformed = 0;
    buf_clear(&log->lines);
}

static void on_exchange(void *state, const struct exchange *exchange)
{
    struct observe_log *log = state;
    if (add_line(&log->lines, exchange, log->colour))
        log->unformed++;
    if (log->lines.len > LINES_ENOUGH)
        on_flush(log);
}

static void on_close(void *state)
{
    struct observe_log *log = state;
    on_flush(log);
    buf_deinit(&log->lines);
    pthread_mutex_destroy(&log->own.lock);
    free(log);
}

struct observe_log *observe_log_new(int fd, bool colour)
{
    struct observe_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    buf_init(&log->lines, LINES_MAX);
    log->colour = colour;
    log->outlet = &log->own;
    log->own.fd = fd;
    pthread_mutex_init(&log->own.lock, NULL);
    return log;
}

struct observe_log *observe_log_join(const struct observe_log *first)
{
    struct observe_log *log = observe_log_new(-1, first->colour);
    if (log)
        log->outlet = first->outlet;
    return log;
}

struct observer observe_log_observer(struct observe_log *log)
{
    return (struct observer){
        .state = log,
        .exchange = on_exchange,
        .contents = true,
        .flush = on_flush,
        .close = on_close,
    };
}

bool observe_log_wants_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(fd) && !(no_color && *no_color);
}
