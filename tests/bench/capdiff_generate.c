/*
 * Writes the two captures of one case of the bench, and says on one line how many exchanges went
 * through the proxy and how many packets both captures hold.
 *
 * usage: capdiff_generate CASE SHARE PROXY.pcap SERVER.pcap LOG
 * SHARE: 1 is the usual size. LOG is written where the case has one. Without arguments: the cases.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floods.h"
#include "traffic.h"

struct scenario {
    const char *name;
    struct traffic traffic;
    void (*flood)(long count); /* before the traffic */
    long count;
};

/* What goes on beside a flood. */
#define BESIDE                                                                                     \
    {                                                                                              \
        100, 10, 330, 64, 0, segments_plain, BODY_TOOL                                             \
    }

/* Connections grow with the share; where there is one, its exchanges; and then their bodies. */
static const struct scenario scenarios[] = {
    {"keep-alive", {640, 350, 330, 64, TRAFFIC_BEHIND, segments_plain, BODY_TOOL}, NULL, 0},
    {"small-bodies", {640, 350, 330, 64, 0, segments_plain, BODY_TOOL}, NULL, 0},
    {"one-connection", {1, 1000000, 0, 1, 0, segments_plain, BODY_TOOL}, NULL, 0},
    {"connections", {100000, 1, 0, 1000, 0, segments_plain, BODY_TOOL}, NULL, 0},
    {"mixed", {280, 55, 0, 64, TRAFFIC_BEHIND | TRAFFIC_MIXED, segments_plain, BODY_TOOL}, NULL, 0},
    {"bodies-1M", {120, 1, 1000000, 8, TRAFFIC_BEHIND, segments_plain, BODY_TOOL}, NULL, 0},
    {"bodies-100M", {1, 2, 100000000, 1, 0, segments_plain, BODY_TOOL}, NULL, 0},
    {"log", {640, 350, 330, 64, TRAFFIC_LOGGED, segments_plain, BODY_TOOL}, NULL, 0},
    {"log-renamed",
        {640, 350, 330, 64, TRAFFIC_LOGGED | TRAFFIC_RENAMED, segments_plain, BODY_TOOL}, NULL, 0},
    {"renamed", {640, 350, 330, 64, TRAFFIC_RENAMED, segments_plain, BODY_TOOL}, NULL, 0},
    {"repeated", {640, 100, 330, 64, TRAFFIC_REPEATED, segments_plain, BODY_TOOL}, NULL, 0},
    {"pooled", {640, 350, 330, 64, TRAFFIC_POOLED, segments_plain, BODY_TOOL}, NULL, 0},
    {"equal", {20000, 10, 0, 1000, TRAFFIC_EQUAL, segments_plain, BODY_TOOL}, NULL, 0},
    {"equal-pooled",
        {20000, 10, 0, 1000, TRAFFIC_EQUAL | TRAFFIC_POOLED, segments_plain, BODY_TOOL}, NULL, 0},
    {"swapped", {640, 100, 330, 64, 0, segments_swapped, BODY_TOOL}, NULL, 0},
    {"twice", {640, 100, 330, 64, 0, segments_twice, BODY_TOOL}, NULL, 0},
    {"overlapping", {640, 50, 330, 64, 0, segments_overlapping, BODY_TOOL}, NULL, 0},
    {"one-byte", {1000, 2, 200, 64, 0, segments_of_one, BODY_TOOL}, NULL, 0},
    {"combed", {200, 1, 3800, 64, 0, segments_combed, BODY_TOOL}, NULL, 0},
    {"missing", {512, 1, 65536, 64, 0, segments_missing, BODY_TOOL}, NULL, 0},
    {"pipelined", {400, 500, 0, 64, TRAFFIC_PIPELINED, segments_plain, BODY_TOOL}, NULL, 0},
    {"chunks", {256, 2, 16384, 64, 0, segments_plain, BODY_CHUNKED}, NULL, 0},
    {"lists", {100, 1, 60000, 64, TRAFFIC_CHANGED, segments_plain, BODY_LIST}, NULL, 0},
    {"lines", {100, 1, 60000, 64, TRAFFIC_CHANGED, segments_plain, BODY_LINES}, NULL, 0},
    {"fields", {640, 10, 330, 64, TRAFFIC_CHANGED, segments_plain, BODY_FIELDS}, NULL, 0},
    {"live", {200000, 1, 0, 200000, TRAFFIC_LIVE, segments_plain, BODY_TOOL}, NULL, 0},
    {"live-half", {200000, 1, 0, 200000, TRAFFIC_LIVE | TRAFFIC_HALF, segments_plain, BODY_TOOL},
        NULL, 0},
    {"same-ports", {200000, 1, 0, 1, TRAFFIC_REUSED, segments_plain, BODY_TOOL}, NULL, 0},
    {"syn-flood", BESIDE, flood_syn, 2000000},
    {"stray-flood", BESIDE, flood_stray, 2000000},
    {"syn-same-ends", BESIDE, flood_same_ends, 2000000},
    {"one-bucket", BESIDE, flood_one_bucket, 4000},
    {"holes", BESIDE, flood_holes, 10000},
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static long share_of(long count, double share)
{
    long part = (long)((double)count * share + 0.5);

    return part > 0 ? part : 1;
}

static struct traffic scaled(struct traffic traffic, double share)
{
    if (traffic.connections == 1 && (double)traffic.exchanges * share < 1)
        traffic.body = (size_t)share_of((long)traffic.body * traffic.exchanges, share);
    if (traffic.connections == 1)
        traffic.exchanges = share_of(traffic.exchanges, share);
    else
        traffic.connections = share_of(traffic.connections, share);
    if (traffic.together > traffic.connections)
        traffic.together = traffic.connections;
    return traffic;
}

static long make(const struct scenario *scenario, double share, FILE *log)
{
    struct traffic traffic = scenario->traffic;

    if (scenario->flood == NULL) {
        traffic = scaled(traffic, share);
        return traffic_make(&traffic, log);
    }
    scenario->flood(share_of(scenario->count, share));
    return traffic_make(&traffic, NULL);
}

static int write_all(const struct scenario *scenario, char **argv)
{
    FILE *log = NULL;
    long exchanges;

    if ((scenario->traffic.manner & TRAFFIC_LOGGED) != 0) {
        log = fopen(argv[5], "wb");
        if (log == NULL) {
            fprintf(stderr, "%s: %s\n", argv[5], strerror(errno));
            return 1;
        }
    }
    wire_create(argv[3], argv[4]);
    exchanges = make(scenario, atof(argv[2]), log);
    wire_close();
    printf("%ld %" PRIu64 "\n", exchanges, wire_packets());
    return log != NULL && fclose(log) != 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < SCENARIOS; i++) {
        if (argc == 1)
            puts(scenarios[i].name);
        else if (argc == 6 && strcmp(argv[1], scenarios[i].name) == 0)
            return write_all(&scenarios[i], argv);
    }
    if (argc > 1)
        fprintf(stderr, "usage: %s CASE SHARE PROXY.pcap SERVER.pcap LOG\n", argv[0]);
    return argc > 1 ? 2 : 0;
}
