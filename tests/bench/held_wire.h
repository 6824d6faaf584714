/*
 * What the two ends of tests/bench/held say to each other, with a proxy between them or without.
 */
#ifndef TESTS_BENCH_HELD_WIRE_H
#define TESTS_BENCH_HELD_WIRE_H

#include <stdint.h>
#include <time.h>

#define HELD_CALL                                                                                  \
    "POST /tool HTTP/1.1\r\nHost: agent-b:8000\r\nUser-Agent: held/1\r\nAccept: */*\r\n"           \
    "Content-Type: application/json\r\nContent-Length: 130\r\n\r\n"                                \
    "{\"id\":\"call-%08llu\",\"type\":\"tool_call\",\"tool_name\":\"analyze_dependency\","         \
    "\"arguments\":{\"repo\":\"demo\",\"target\":\"libssl\",\"depth\":2}}"
#define HELD_RESULT                                                                                \
    "{\"type\":\"tool_result\",\"result\":{\"ok\":true,\"echo\":{\"repo\":\"demo-repo\"}}}"
#define HELD_ANSWER                                                                                \
    "HTTP/1.1 200 OK\r\nServer: held\r\nDate: Sat, 28 Nov 2026 13:13:13 GMT\r\n"                   \
    "Content-Type: application/json\r\nContent-Length: 71\r\n\r\n" HELD_RESULT
#define HELD_WATCH                                                                                 \
    "GET /events HTTP/1.1\r\nHost: agent-b:8000\r\nUser-Agent: held/1\r\n"                         \
    "Accept: text/event-stream\r\n\r\n"
#define HELD_STREAM                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"            \
    "Transfer-Encoding: chunked\r\n\r\n"
#define HELD_EVENT "data: {\"event\":%u,\"sent_ns\":%llu}\n\n"
#define HELD_EVENT_EVERY_MS 1000

/* One clock for both ends: they are on one machine. */
static inline uint64_t held_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
