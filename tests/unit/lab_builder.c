#include "tests/unit/lab_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void make_file(char *path)
{
    int fd;

    snprintf(path, LAB_PATH, "/tmp/capdiff-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

int lab_setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    pcap_builder_init(&lab->proxy);
    pcap_builder_init(&lab->server);
    make_file(lab->proxy_path);
    make_file(lab->server_path);
    lab->options.proxy_path = lab->proxy_path;
    lab->options.server_path = lab->server_path;
    lab->options.hold_mib = getenv("CAPDIFF_HOLD") != NULL ? 0 : OPTIONS_HOLD;
    *state = lab;
    return 0;
}

int lab_teardown(void **state)
{
    struct lab *lab = *state;

    findings_deinit(&lab->findings);
    evidence_deinit(&lab->evidence);
    pcap_builder_deinit(&lab->proxy);
    pcap_builder_deinit(&lab->server);
    unlink(lab->proxy_path);
    unlink(lab->server_path);
    free(lab);
    return 0;
}

enum verdict lab_judge(struct lab *lab)
{
    char err[512];

    pcap_builder_write(&lab->proxy, lab->proxy_path);
    pcap_builder_write(&lab->server, lab->server_path);
    assert_int_equal(evidence_load(&lab->evidence, &lab->options, err, sizeof(err)), 0);
    verdict_find(&lab->findings, &lab->evidence, &lab->options.ignore);
    return findings_verdict(&lab->findings);
}

void lab_upstream_say(struct lab *lab, size_t i, int side, const char *text)
{
    struct pcap_connection copy = lab->upstream[i];

    lab->server.time_us = lab->proxy.time_us;
    pcap_connection_say(&lab->server, &copy, side, text);
    pcap_connection_say(&lab->proxy, &lab->upstream[i], side, text);
}

void lab_client_say(struct lab *lab, size_t i, int side, const char *text)
{
    struct pcap_connection copy = lab->client[i];

    if (lab->one_host) {
        lab->server.time_us = lab->proxy.time_us;
        pcap_connection_say(&lab->server, &copy, side, text);
    }
    pcap_connection_say(&lab->proxy, &lab->client[i], side, text);
}

void lab_open_client(struct lab *lab, size_t i)
{
    struct pcap_end agent = {lab->one_host ? LAB_LOOPBACK : LAB_AGENT, (uint16_t)(10000 + i)};
    struct pcap_end in = {lab->one_host ? LAB_LOOPBACK : LAB_PROXY, 8080};
    struct pcap_connection copy;

    pcap_connection_open(&lab->proxy, &lab->client[i], agent, in, (uint32_t)(i * 7919));
    if (lab->one_host)
        pcap_connection_open(&lab->server, &copy, agent, in, (uint32_t)(i * 7919));
}

void lab_open_upstream(struct lab *lab, size_t i)
{
    struct pcap_end out = {lab->one_host ? LAB_LOOPBACK : LAB_PROXY, (uint16_t)(20000 + i)};
    struct pcap_end server = {lab->one_host ? LAB_LOOPBACK : LAB_SERVER, 8000};
    struct pcap_connection copy;

    lab->server.time_us = lab->proxy.time_us;
    pcap_connection_open(&lab->server, &copy, out, server, (uint32_t)(i * 104729));
    pcap_connection_open(&lab->proxy, &lab->upstream[i], out, server, (uint32_t)(i * 104729));
}

static void end(struct pcap_builder *builder, struct pcap_connection connection, bool reset)
{
    if (reset)
        pcap_builder_segment(builder, connection.ends[0], connection.ends[1], connection.next[0],
            connection.next[1], PCAP_ACK | PCAP_RST, "", 0);
    else
        pcap_connection_close(builder, &connection);
}

void lab_close(struct lab *lab, size_t i, bool reset)
{
    end(&lab->proxy, lab->client[i], reset);
    lab->server.time_us = lab->proxy.time_us;
    end(&lab->server, lab->upstream[i], reset);
    end(&lab->proxy, lab->upstream[i], reset);
}

const char *lab_call(char *out, const char *host, const char *body)
{
    snprintf(out, LAB_MESSAGE, "POST /tool HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n%s",
        host, strlen(body), body);
    return out;
}

const char *lab_answer(char *out, size_t number)
{
    snprintf(out, LAB_MESSAGE, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08zu", number);
    return out;
}
