#include "mitm_proxy/recorders.h"

#include <unistd.h>

#include "lib/log.h"
#include "lib/own_file.h"
#include "mitm_proxy/observe_exchanges.h"
#include "mitm_proxy/observe_log.h"
#include "mitm_proxy/observe_pcap.h"
#include "mitm_proxy/wire_capture.h"

/* Called from whichever thread writes. */
static void on_record_change(void *arg, bool failing)
{
    struct recorders *recorders = arg;
    atomic_fetch_add(recorders->failing, failing ? 1 : -1);
}

static void watch_file(struct recorders *recorders, struct sink_file *file)
{
    if (!recorders->options->refuse_unrecorded)
        return;
    file->on_change = on_record_change;
    file->arg = recorders;
}

struct admin_recording recorders_capture(void *arg)
{
    const struct recorders *recorders = arg;
    if (recorders->wire) {
        struct wire_capture_stats stats = wire_capture_stats(recorders->wire);
        return (struct admin_recording){
            stats.packets, stats.lost, stats.dropped, stats.dropped_interface, !stats.running};
    }
    if (recorders->payload) {
        const struct sink_file *file = observe_pcap_file(recorders->payload);
        return (struct admin_recording){.packets = file->written, .lost = file->lost};
    }
    return (struct admin_recording){0};
}

static uint64_t count_lost(void *arg)
{
    struct admin_recording all = recorders_capture(arg);
    return all.lost + all.dropped + all.dropped_interface;
}

static void add(struct observers *observers, struct observer observer)
{
    observers_add(observers, &observer);
}

static int open_exchange_log(struct recorders *recorders)
{
    const char *path = recorders->options->exchange_log;
    int err;
    if (!path)
        return 0;
    struct observe_exchanges *log = observe_exchanges_new(path, &err);
    if (!log) {
        log_error("the exchange log %s cannot be opened: %s", path, own_file_strerror(err));
        return err;
    }
    observe_exchanges_watch_capture(log, count_lost, recorders);
    struct observer observer = observe_exchanges_observer(log);
    if (recorders->options->hash_chain)
        err = observe_exchanges_chain(log);
    if (err) {
        log_error("--hash-chain: the last line of %s cannot be read: %s", path, uv_strerror(err));
        observer.close(observer.state);
        return err;
    }
    recorders->exchanges = log;
    watch_file(recorders, observe_exchanges_file(log));
    add(recorders->first, observer);
    return 0;
}

static int open_lines(struct recorders *recorders)
{
    if (recorders->options->quiet)
        return 0;
    struct observe_log *log =
        observe_log_new(STDOUT_FILENO, observe_log_wants_colour(STDOUT_FILENO));
    if (!log)
        return UV_ENOMEM;
    recorders->lines = log;
    add(recorders->first, observe_log_observer(log));
    return 0;
}

int recorders_open(struct recorders *recorders)
{
    int err = open_exchange_log(recorders);
    return err ? err : open_lines(recorders);
}

static int open_payload_capture(struct recorders *recorders)
{
    const char *path = recorders->options->pcap;
    int err;
    struct observe_pcap *pcap = observe_pcap_new(path, &err);
    if (!pcap) {
        log_error("the capture file %s cannot be written: %s", path, own_file_strerror(err));
        return err;
    }
    recorders->payload = pcap;
    watch_file(recorders, observe_pcap_file(pcap));
    add(recorders->first, observe_pcap_observer(pcap));
    return 0;
}

static int open_wire_capture(struct recorders *recorders, uint16_t listen_port)
{
    char why[512];
    const struct proxy_options *options = recorders->options;
    bool reverse = options->proxy.mode == MODE_REVERSE;
    struct wire_capture_config config = {
        .interface = options->pcap_interface,
        .path = options->pcap,
        .listen_port = listen_port,
        /* The other modes go anywhere. */
        .upstream_port = reverse ? options->proxy.upstream.origin.port : 0,
        .except = &options->admin.listen,
    };
    recorders->wire = wire_capture_open(&config, why, sizeof why);
    if (!recorders->wire) {
        log_error("%s", why);
        return UV_EPERM;
    }
    watch_file(recorders, wire_capture_file(recorders->wire));
    return 0;
}

int recorders_open_capture(struct recorders *recorders, uint16_t listen_port)
{
    if (!recorders->options->pcap)
        return 0;
    return recorders->options->pcap_source == PCAP_SOURCE_PAYLOAD
               ? open_payload_capture(recorders)
               : open_wire_capture(recorders, listen_port);
}

int recorders_join(struct recorders *recorders, struct observers *observers)
{
    struct observe_exchanges *exchanges =
        recorders->exchanges ? observe_exchanges_join(recorders->exchanges) : NULL;
    struct observe_log *lines = recorders->lines ? observe_log_join(recorders->lines) : NULL;
    struct observe_pcap *payload =
        recorders->payload ? observe_pcap_join(recorders->payload) : NULL;
    if (exchanges)
        add(observers, observe_exchanges_observer(exchanges));
    if (lines)
        add(observers, observe_log_observer(lines));
    if (payload)
        add(observers, observe_pcap_observer(payload));
    bool all = !recorders->exchanges == !exchanges && !recorders->lines == !lines &&
               !recorders->payload == !payload;
    return all ? 0 : UV_ENOMEM;
}

void recorders_give(const struct recorders *recorders, uid_t uid, gid_t gid)
{
    if (recorders->exchanges)
        sink_file_give(observe_exchanges_file(recorders->exchanges), uid, gid);
    if (recorders->payload)
        sink_file_give(observe_pcap_file(recorders->payload), uid, gid);
    if (recorders->wire)
        sink_file_give(wire_capture_file(recorders->wire), uid, gid);
}

int recorders_start(struct recorders *recorders)
{
    int err = recorders->wire ? wire_capture_start(recorders->wire) : 0;
    if (err)
        log_error("the wire capture cannot start: %s", uv_strerror(err));
    return err;
}

void recorders_reopen(struct recorders *recorders)
{
    observers_reopen(recorders->first);
    if (recorders->wire)
        wire_capture_reopen(recorders->wire);
}

const struct sink_file *recorders_log_file(const struct recorders *recorders)
{
    return recorders->exchanges ? observe_exchanges_file(recorders->exchanges) : NULL;
}

const struct hash_chain *recorders_chain(const struct recorders *recorders)
{
    return recorders->exchanges ? observe_exchanges_head(recorders->exchanges) : NULL;
}

void recorders_close(struct recorders *recorders)
{
    if (recorders->wire)
        wire_capture_close(recorders->wire);
    observers_close(recorders->first);
}
