#include "mitm_proxy/wire_capture.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/own_file.h"
#include "mitm_proxy/capture_end.h"
#include "mitm_proxy/sink_file.h"

#define SNAPLEN 262144
#define KERNEL_BUFFER (32 << 20) /* a burst of a tenth of a second at 300 MB/s */
#define BATCH_MAX (64 << 20)     /* one kernel buffer and the record headers */
#define DRAIN_ROUNDS 5
#define FILTER_MAX (HOSTPORT_TEXT_MAX + 64)
#define LOOPBACK "lo"
#define LINKTYPE_RAW 101 /* the one link type whose number in files is not the DLT */
#define NANOSECOND_MAGIC 0xa1b23c4du

struct pcap_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t reserved[2], snaplen, linktype;
};

struct wire_capture {
    pcap_t *pcap;
    struct sink_file file;
    struct buf batch;
    uint64_t batch_packets;
    uv_thread_t thread;
    bool started;
    struct pcap_header header;
    atomic_bool stop, reopen, running;
    atomic_ullong packets, dropped, dropped_interface, lost;
};

static void on_packet(
    unsigned char *arg, const struct pcap_pkthdr *packet, const unsigned char *data)
{
    struct wire_capture *capture = (void *)arg;
    /* libpcap puts nanoseconds into tv_usec, as asked for. */
    uint32_t record[4] = {
        (uint32_t)packet->ts.tv_sec, (uint32_t)packet->ts.tv_usec, packet->caplen, packet->len};
    size_t before = capture->batch.len;
    int err = buf_append(&capture->batch, record, sizeof record);
    if (!err)
        err = buf_append(&capture->batch, data, packet->caplen);
    if (err) {
        capture->batch.len = before;
        capture->file.lost++;
        return;
    }
    capture->batch_packets++;
}

static void write_batch(struct wire_capture *capture)
{
    struct buf *batch = &capture->batch;
    if (batch->len > 0 &&
        sink_file_write(&capture->file, batch->data, batch->len, capture->batch_packets))
        atomic_fetch_add(&capture->packets, capture->batch_packets);
    buf_clear(batch);
    capture->batch_packets = 0;
    atomic_store(&capture->lost, capture->file.lost);
}

static unsigned long long capture_dropped(const struct wire_capture *capture)
{
    return atomic_load(&capture->dropped) + atomic_load(&capture->dropped_interface);
}

static void read_drops(struct wire_capture *capture)
{
    struct pcap_stat stat;
    if (pcap_stats(capture->pcap, &stat) != 0)
        return;
    if (capture_dropped(capture) == 0 && stat.ps_drop + stat.ps_ifdrop > 0)
        log_error(
            "the wire capture drops packets, for this machine is too busy: what it has is not "
            "all; --pcap-source payload drops none");
    atomic_store(&capture->dropped, stat.ps_drop);
    atomic_store(&capture->dropped_interface, stat.ps_ifdrop);
}

static void reopen_file(struct wire_capture *capture)
{
    write_batch(capture); /* what came before belongs to the old file */
    if (sink_file_reopen(&capture->file))
        sink_file_write(&capture->file, NULL, 0, 0);
}

/*
 * After the stop: what the kernel still holds. It hands over a block that is not full only when the
 * latency has passed, so nothing more comes once some of those have brought nothing.
 */
static void drain(struct wire_capture *capture)
{
    char err[PCAP_ERRBUF_SIZE];
    struct pollfd fd = {.fd = pcap_get_selectable_fd(capture->pcap), .events = POLLIN};
    if (pcap_setnonblock(capture->pcap, 1, err) != 0)
        return;
    for (int quiet = 0; quiet < DRAIN_ROUNDS;) {
        int n = pcap_dispatch(capture->pcap, -1, on_packet, (void *)capture);
        write_batch(capture);
        if (n == PCAP_ERROR)
            return;
        if (n > 0)
            quiet = 0;
        else if (poll(&fd, 1, WIRE_CAPTURE_LATENCY_MS) <= 0)
            quiet++;
    }
}

static void run(void *arg)
{
    struct wire_capture *capture = arg;
    while (!atomic_load(&capture->stop)) {
        int n = pcap_dispatch(capture->pcap, -1, on_packet, arg);
        if (atomic_exchange(&capture->reopen, false))
            reopen_file(capture);
        write_batch(capture);
        read_drops(capture);
        if (n == PCAP_ERROR) {
            log_error("the wire capture ended: %s", pcap_geterr(capture->pcap));
            atomic_store(&capture->running, false);
            return;
        }
    }
    drain(capture);
    read_drops(capture);
}

static int use_filter(struct wire_capture *capture, const char *text)
{
    struct bpf_program program;
    if (pcap_compile(capture->pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return -1;
    int err = pcap_setfilter(capture->pcap, &program);
    pcap_freecode(&program);
    return err;
}

/*
 * What goes out by the loopback comes in by it, and libpcap hands on only that: so the kernel need
 * not keep the other. By "any", that is for the filter; where it cannot say so, nothing is lost.
 */
static int skip_echo(struct wire_capture *capture, const char *interface, const char *text)
{
    char without[FILTER_MAX + 64];
    int one = 1;
    if (strcmp(interface, LOOPBACK) == 0)
        (void)setsockopt(
            pcap_fileno(capture->pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    if (strcmp(interface, "any") != 0)
        return -1;
    snprintf(without, sizeof without, "(%s) and not (outbound and ifindex %u)", text,
        if_nametoindex(LOOPBACK));
    return use_filter(capture, without);
}

static int set_filter(struct wire_capture *capture, const struct wire_capture_config *config)
{
    char text[FILTER_MAX] = "tcp";
    struct sockaddr_storage address;
    if (config->upstream_port)
        snprintf(text, sizeof text, "tcp port %u or tcp port %u", config->listen_port,
            config->upstream_port);
    else if (config->except && hostport_literal(config->except, &address) == 0)
        snprintf(text, sizeof text, "tcp and not (host %s and tcp port %u)", config->except->host,
            config->except->port);
    return skip_echo(capture, config->interface, text) == 0 ? 0 : use_filter(capture, text);
}

/* Why the interface could not be opened, and what to do about it. */
static void explain(pcap_t *pcap, int status, const char *interface, char *err, size_t size)
{
    if (status == PCAP_ERROR_PERM_DENIED)
        snprintf(err, size,
            "recording on '%s' needs CAP_NET_RAW: run as root, or 'setcap cap_net_raw=ep' on the "
            "program, or use --pcap-source payload",
            interface);
    else if (status == PCAP_ERROR_NO_SUCH_DEVICE)
        snprintf(err, size, "there is no interface '%s': 'ip link' lists them", interface);
    else
        snprintf(err, size, "recording on '%s' failed: %s", interface,
            *pcap_geterr(pcap) ? pcap_geterr(pcap) : pcap_statustostr(status));
}

static int activate(
    struct wire_capture *capture, const struct wire_capture_config *config, char *err, size_t size)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    capture->pcap = pcap_create(config->interface, why);
    if (!capture->pcap) {
        snprintf(err, size, "recording on '%s' failed: %s", config->interface, why);
        return -1;
    }
    pcap_set_snaplen(capture->pcap, SNAPLEN);
    pcap_set_timeout(capture->pcap, WIRE_CAPTURE_LATENCY_MS);
    pcap_set_buffer_size(capture->pcap, KERNEL_BUFFER);
    pcap_set_tstamp_precision(capture->pcap, PCAP_TSTAMP_PRECISION_NANO);
    int status = pcap_activate(capture->pcap);
    if (status < 0) {
        explain(capture->pcap, status, config->interface, err, size);
        return -1;
    }
    (void)pcap_set_datalink(capture->pcap, DLT_LINUX_SLL2); /* "any" can; others keep theirs */
    int linktype = pcap_datalink(capture->pcap);
    capture->header = (struct pcap_header){NANOSECOND_MAGIC, 2, 4, {0, 0}, SNAPLEN,
        linktype == DLT_RAW ? LINKTYPE_RAW : (uint32_t)linktype};
    if (set_filter(capture, config) != 0) {
        snprintf(err, size, "the capture filter was refused: %s", pcap_geterr(capture->pcap));
        return -1;
    }
    return 0;
}

struct wire_capture *wire_capture_open(
    const struct wire_capture_config *config, char *err, size_t err_size)
{
    struct wire_capture *capture = calloc(1, sizeof *capture);
    if (!capture) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    buf_init(&capture->batch, BATCH_MAX);
    capture->file.fd = -1;
    if (activate(capture, config, err, err_size) != 0) {
        wire_capture_close(capture);
        return NULL;
    }
    int status = sink_file_open_headed(&capture->file, config->path, "wire capture",
        &capture->header, sizeof capture->header, capture_end_pcap);
    if (status) {
        snprintf(err, err_size, "the capture file %s cannot be written: %s", config->path,
            own_file_strerror(status));
        wire_capture_close(capture);
        return NULL;
    }
    sink_file_write(&capture->file, NULL, 0, 0);
    return capture;
}

int wire_capture_start(struct wire_capture *capture)
{
    atomic_store(&capture->running, true);
    int err = uv_thread_create(&capture->thread, run, capture);
    capture->started = err == 0;
    return err;
}

struct sink_file *wire_capture_file(struct wire_capture *capture)
{
    return &capture->file;
}

struct wire_capture_stats wire_capture_stats(const struct wire_capture *capture)
{
    return (struct wire_capture_stats){
        .packets = atomic_load(&capture->packets),
        .dropped = atomic_load(&capture->dropped),
        .dropped_interface = atomic_load(&capture->dropped_interface),
        .lost = atomic_load(&capture->lost),
        .running = atomic_load(&capture->running),
    };
}

void wire_capture_reopen(struct wire_capture *capture)
{
    atomic_store(&capture->reopen, true);
    pcap_breakloop(capture->pcap); /* it may be waiting for a packet */
}

void wire_capture_close(struct wire_capture *capture)
{
    if (capture->started) {
        atomic_store(&capture->stop, true);
        pcap_breakloop(capture->pcap);
        uv_thread_join(&capture->thread);
    }
    if (capture_dropped(capture) > 0)
        log_error("the wire capture has dropped %llu packets", capture_dropped(capture));
    if (capture->pcap)
        pcap_close(capture->pcap);
    if (capture->file.fd >= 0)
        sink_file_close(&capture->file);
    buf_deinit(&capture->batch);
    free(capture);
}
