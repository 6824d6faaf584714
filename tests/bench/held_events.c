#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "held_load.h"
#include "held_wire.h"

#define TEXT_MAX 2048 /* bytes of a stream that wait for the end of their line */
#define EVENTS_AT_ONCE 256
#define LATE_US 50000 /* behind the latest of the direct ones in the same second */

struct stream {
    int fd;
    bool asked, ended;
    unsigned int n; /* events that have come, all in order */
    size_t len;
    char text[TEXT_MAX];
};

struct sample {
    uint32_t late_us;
    unsigned int second;
};

struct samples {
    struct sample *list;
    size_t count, max;
};

struct watch {
    int epoll;
    uint64_t from;        /* lateness counts from there on: all streams are open */
    size_t count, direct; /* the direct ones come behind the others */
    struct stream *streams;
    size_t asked, broken;
    struct samples samples[2]; /* through the proxy, and direct */
};

static void note(struct watch *watch, size_t index, uint64_t sent_ns)
{
    struct samples *samples = &watch->samples[index >= watch->count];
    uint64_t now = held_now_ns();
    if (!watch->from || sent_ns < watch->from || samples->count == samples->max)
        return;
    samples->list[samples->count++] = (struct sample){
        (uint32_t)((now - sent_ns) / 1000), (unsigned int)((sent_ns - watch->from) / 1000000000)};
}

static void break_stream(struct watch *watch, struct stream *stream, const char *why)
{
    if (!stream->ended && watch->broken++ == 0)
        fprintf(stderr, "held_load: stream %td: %s\n", stream - watch->streams, why);
    stream->ended = true;
}

/* Lines that are no event are the response's head and the framing of chunks. */
static void take_line(struct watch *watch, struct stream *stream, const char *line)
{
    unsigned long long sent_ns;
    unsigned int n;
    if (strncmp(line, "data: ", 6) != 0)
        return;
    if (sscanf(line, "data: {\"event\":%u,\"sent_ns\":%llu}", &n, &sent_ns) != 2 ||
        n != ++stream->n)
        break_stream(watch, stream, "an event is missing, or is another one than was sent");
    else
        note(watch, (size_t)(stream - watch->streams), sent_ns);
}

static void take(struct watch *watch, struct stream *stream)
{
    ssize_t got;
    while (
        (got = recv(stream->fd, stream->text + stream->len, TEXT_MAX - 1 - stream->len, 0)) > 0) {
        char *line = stream->text, *end;
        stream->len += (size_t)got;
        stream->text[stream->len] = '\0';
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            take_line(watch, stream, line);
        }
        stream->len -= (size_t)(line - stream->text);
        memmove(stream->text, line, stream->len);
        if (stream->len == TEXT_MAX - 1)
            break_stream(watch, stream, "a line is too long");
    }
    if (got == 0 || (got < 0 && errno != EAGAIN))
        break_stream(watch, stream, "it ended");
}

static void wait_for_events(struct watch *watch, int timeout)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int n = epoll_wait(watch->epoll, events, EVENTS_AT_ONCE, timeout);
    for (int i = 0; i < n; i++) {
        struct stream *stream = &watch->streams[events[i].data.u64];
        if (!stream->asked && events[i].events & EPOLLOUT) {
            stream->asked = true;
            watch->asked++;
            if (send(stream->fd, HELD_WATCH, sizeof HELD_WATCH - 1, 0) < 0)
                break_stream(watch, stream, "it takes no request");
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !stream->ended)
            take(watch, stream);
    }
}

/* How many are later than the latest direct one of the same second, or of those next to it, by too
 * much. */
static size_t too_late(const struct watch *watch, unsigned int seconds)
{
    uint32_t *worst = calloc(seconds + 3, sizeof *worst);
    size_t late = 0;
    if (!worst)
        load_fail("no memory");
    for (size_t i = 0; i < watch->samples[1].count; i++) {
        const struct sample *sample = &watch->samples[1].list[i];
        for (unsigned int second = sample->second; second < sample->second + 3; second++)
            if (second < seconds + 3 && worst[second] < sample->late_us)
                worst[second] = sample->late_us;
    }
    for (size_t i = 0; i < watch->samples[0].count; i++) {
        const struct sample *sample = &watch->samples[0].list[i];
        unsigned int second = sample->second < seconds ? sample->second : seconds;
        late += sample->late_us > worst[second + 1] + LATE_US;
    }
    free(worst);
    return late;
}

static void report_samples(const struct samples *samples, const char *name)
{
    uint32_t *late = calloc(samples->count + 1, sizeof *late);
    if (!late)
        load_fail("no memory");
    for (size_t i = 0; i < samples->count; i++)
        late[i] = samples->list[i].late_us;
    printf("\"%s\":{\"events\":%zu,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u},", name,
        samples->count, load_quantile(late, samples->count, 500),
        load_quantile(late, samples->count, 990), load_quantile(late, samples->count, 1000));
    free(late);
}

/* A stream may be silent for two seconds, its last event being late; no longer. */
static size_t find_silent(const struct watch *watch, unsigned int seconds)
{
    size_t silent = 0;
    for (size_t i = 0; i < watch->count + watch->direct; i++)
        silent += watch->streams[i].n + 2 < seconds;
    return silent;
}

void events_watch(
    uint16_t port, size_t count, uint16_t direct_port, size_t direct, unsigned int seconds)
{
    struct watch watch = {.epoll = epoll_create1(EPOLL_CLOEXEC), .count = count, .direct = direct};
    size_t all = count + direct;
    watch.streams = calloc(all, sizeof *watch.streams);
    for (int i = 0; i < 2; i++) {
        watch.samples[i].max = (i ? direct : count) * (seconds + 2);
        watch.samples[i].list = calloc(watch.samples[i].max + 1, sizeof(struct sample));
    }
    if (!watch.streams || !watch.samples[0].list || !watch.samples[1].list || watch.epoll < 0)
        load_fail("no memory");
    uint64_t began = held_now_ns();
    for (size_t i = 0; i < all; i++) {
        watch.streams[i].fd = load_connect(watch.epoll, i < count ? port : direct_port, i);
        wait_for_events(&watch, 0);
    }
    while (watch.asked < all && held_now_ns() - began < STALL_MS * 1000000ull)
        wait_for_events(&watch, 100);
    watch.from = held_now_ns();
    while (held_now_ns() - watch.from < seconds * 1000000000ull)
        wait_for_events(&watch, 100);
    printf("{");
    report_samples(&watch.samples[0], "proxied");
    report_samples(&watch.samples[1], "direct");
    printf("\"too_late\":%zu,\"silent\":%zu,\"broken\":%zu}\n", too_late(&watch, seconds),
        find_silent(&watch, seconds), watch.broken);
    for (size_t i = 0; i < all; i++)
        close(watch.streams[i].fd);
    close(watch.epoll);
    free(watch.streams);
    free(watch.samples[0].list);
    free(watch.samples[1].list);
}
