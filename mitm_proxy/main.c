/* Wiring: options, observers, proxy, admin port, signals, and the way back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/own_file.h"
#include "lib/process.h"
#include "mitm_proxy/admin.h"
#include "mitm_proxy/ca_command.h"
#include "mitm_proxy/changes.h"
#include "mitm_proxy/confinement.h"
#include "mitm_proxy/counters.h"
#include "mitm_proxy/observe_exchanges.h"
#include "mitm_proxy/observe_log.h"
#include "mitm_proxy/observe_pcap.h"
#include "mitm_proxy/options.h"
#include "mitm_proxy/privileges.h"
#include "mitm_proxy/proxy.h"
#include "mitm_proxy/rules_in_force.h"
#include "mitm_proxy/rules_load.h"
#include "mitm_proxy/wire_capture.h"

#define LAST_WAIT_MS 500

enum signal_slot {
    SLOT_TERM,
    SLOT_INT,
    SLOT_HUP,
    SLOTS,
};

struct program {
    uv_loop_t loop;
    struct proxy_options options;
    struct counters counters;
    struct proxy proxy;
    struct admin admin;
    struct privileges_user user;
    struct confinement confinement;
    struct tls_setup tls;         /* zeroed: none */
    struct wire_capture *wire;    /* NULL: none */
    struct sink_file *exchanges;  /* NULL: none; an observer has it */
    struct observe_pcap *payload; /* NULL: none; its observer frees it */
    uv_signal_t signals[SLOTS];
    uv_timer_t patience; /* keeps nothing alive: ends a loop that others keep alive */
    bool gave_up;
};

/* Called from the loop, or from the capture's thread. */
static void on_record_change(void *arg, bool failing)
{
    struct program *program = arg;
    atomic_fetch_add(&program->proxy.failing_records, failing ? 1 : -1);
}

static void watch_file(struct program *program, struct sink_file *file)
{
    if (!program->options.refuse_unrecorded)
        return;
    file->on_change = on_record_change;
    file->arg = program;
}

static struct admin_recording recording(void *arg);

static uint64_t count_lost(void *arg)
{
    struct admin_recording all = recording(arg);
    return all.lost + all.dropped + all.dropped_interface;
}

static int open_exchange_log(struct program *program)
{
    const char *path = program->options.exchange_log;
    int err;
    if (!path)
        return 0;
    struct observe_exchanges *log = observe_exchanges_new(path, &err);
    if (!log) {
        log_error("the exchange log %s cannot be opened: %s", path, own_file_strerror(err));
        return err;
    }
    observe_exchanges_watch_capture(log, count_lost, program);
    struct observer observer = observe_exchanges_observer(log);
    if (program->options.hash_chain)
        err = observe_exchanges_chain(log);
    if (err) {
        log_error("--hash-chain: the last line of %s cannot be read: %s", path, uv_strerror(err));
        observer.close(observer.state);
        return err;
    }
    program->admin.chain = observe_exchanges_head(log);
    program->exchanges = observe_exchanges_file(log);
    program->admin.exchange_log = program->exchanges;
    watch_file(program, program->exchanges);
    observers_add(&program->proxy.observers, &observer);
    return 0;
}

static int open_payload_capture(struct program *program)
{
    const char *path = program->options.pcap;
    int err;
    struct observe_pcap *pcap = observe_pcap_new(path, &err);
    if (!pcap) {
        log_error("the capture file %s cannot be written: %s", path, own_file_strerror(err));
        return err;
    }
    struct observer observer = observe_pcap_observer(pcap);
    program->payload = pcap;
    watch_file(program, observe_pcap_file(pcap));
    observers_add(&program->proxy.observers, &observer);
    return 0;
}

static int open_wire_capture(struct program *program, uint16_t listen_port)
{
    char why[512];
    bool reverse = program->options.proxy.mode == MODE_REVERSE;
    struct wire_capture_config config = {
        .interface = program->options.pcap_interface,
        .path = program->options.pcap,
        .listen_port = listen_port,
        /* The other modes go anywhere. */
        .upstream_port = reverse ? program->options.proxy.upstream.origin.port : 0,
        .except = &program->options.admin.listen,
    };
    program->wire = wire_capture_open(&config, why, sizeof why);
    if (!program->wire) {
        log_error("%s", why);
        return UV_EPERM;
    }
    watch_file(program, wire_capture_file(program->wire));
    return 0;
}

static int start_wire_capture(struct program *program)
{
    int err = wire_capture_start(program->wire);
    if (err)
        log_error("the wire capture cannot start: %s", uv_strerror(err));
    return err;
}

static struct admin_recording recording(void *arg)
{
    const struct program *program = arg;
    if (program->wire) {
        struct wire_capture_stats stats = wire_capture_stats(program->wire);
        return (struct admin_recording){
            stats.packets, stats.lost, stats.dropped, stats.dropped_interface, !stats.running};
    }
    if (program->payload)
        return (struct admin_recording){.packets = observe_pcap_packets(program->payload),
            .lost = observe_pcap_file(program->payload)->lost};
    return (struct admin_recording){0};
}

static int open_lines(struct program *program)
{
    if (program->options.quiet)
        return 0;
    struct observe_log *log =
        observe_log_new(STDOUT_FILENO, observe_log_wants_colour(STDOUT_FILENO));
    if (!log)
        return UV_ENOMEM;
    struct observer observer = observe_log_observer(log);
    observers_add(&program->proxy.observers, &observer);
    return 0;
}

static int explain_listen(const char *option, const struct hostport *where, int err)
{
    const char *hint = err == UV_EADDRINUSE      ? ": another program has it; choose another port"
                       : err == UV_EACCES        ? ": ports below 1024 need privileges"
                       : err == UV_EADDRNOTAVAIL ? ": this machine has no such address"
                                                 : "";
    if (err)
        log_error("%s %s:%u cannot be had: %s%s", option, where->host, where->port,
            uv_strerror(err), hint);
    return err;
}

/* What still runs is a name lookup in another thread, which nothing can stop. */
static void on_patience_over(uv_timer_t *timer)
{
    struct program *program = timer->data;
    program->gave_up = true;
    uv_stop(&program->loop);
}

static void on_drained(void *arg)
{
    struct program *program = arg;
    admin_stop(&program->admin);
    uv_timer_start(&program->patience, on_patience_over, LAST_WAIT_MS, 0);
    for (int i = 0; i < SLOTS; i++)
        uv_close((uv_handle_t *)&program->signals[i], NULL);
    signal(SIGHUP, SIG_IGN); /* one that comes now asks for nothing that would still be done */
}

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    (void)number;
    if (program->proxy.draining)
        _exit(1); /* the second one: at once */
    proxy_drain(&program->proxy, on_drained, program);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    const struct proxy_options *options = &program->options;
    (void)number;
    if (options->rules && program->proxy.rules)
        rules_in_force_reload(&program->proxy.rules, options->rules, &options->conceal);
    observers_reopen(&program->proxy.observers);
    if (program->wire)
        wire_capture_reopen(program->wire);
    tls_setup_reopen(&program->tls);
    log_info("files reopened");
}

static void watch_signals(struct program *program)
{
    static const int numbers[SLOTS] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < SLOTS; i++) {
        uv_signal_init(&program->loop, &program->signals[i]);
        program->signals[i].data = program;
        uv_signal_start(
            &program->signals[i], numbers[i] == SIGHUP ? on_hangup : on_stop_signal, numbers[i]);
    }
}

static const char *address_text(const struct sockaddr_storage *address, char *out, size_t size)
{
    return sockaddr_text((const struct sockaddr *)address, out, size);
}

/* ", 1 rule of rules.json", or nothing where there are none. */
static const char *rules_text(const struct program *program, char *out, size_t size)
{
    size_t count = program->proxy.rules ? program->proxy.rules->count : 0;
    out[0] = '\0';
    if (program->proxy.rules)
        snprintf(
            out, size, ", %zu rule%s of %s", count, count == 1 ? "" : "s", program->options.rules);
    return out;
}

/* Where calls go, for people. */
static const char *route_text(const struct program *program, char *out, size_t size)
{
    const struct proxy_config *config = &program->options.proxy;
    if (config->mode == MODE_FORWARD)
        snprintf(out, size, "forward proxy");
    else if (config->mode == MODE_TRANSPARENT)
        snprintf(out, size, "transparent");
    else
        snprintf(out, size, "upstream %s://%s", config->upstream.tls ? "https" : "http",
            config->upstream.authority);
    return out;
}

static void announce(const struct program *program)
{
    char listen[HOSTPORT_TEXT_MAX], admin[HOSTPORT_TEXT_MAX], route[HOSTPORT_TEXT_MAX + 32],
        rules[512], line[2048];
    int len =
        snprintf(line, sizeof line, "[mitm_proxy] listening on %s, %s%s, admin on http://%s\n",
            address_text(&program->proxy.listen_address, listen, sizeof listen),
            route_text(program, route, sizeof route), rules_text(program, rules, sizeof rules),
            address_text(&program->proxy.admin_address, admin, sizeof admin));
    if (write(STDOUT_FILENO, line, (size_t)len) != len)
        log_error("stdout takes no lines");
}

static uint16_t listen_port(const struct proxy *proxy)
{
    return ntohs(proxy->listen_address.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)&proxy->listen_address)->sin6_port
                     : ((const struct sockaddr_in *)&proxy->listen_address)->sin_port);
}

/* Whom root becomes depends on where files may have to be begun anew. */
static bool find_user(struct program *program)
{
    const struct proxy_options *options = &program->options;
    const char *path = options->exchange_log ? options->exchange_log
                       : options->pcap       ? options->pcap
                                             : options->tls.keylog;
    const char *why;
    program->user = privileges_user_default(path);
    if (!options->user || privileges_user_named(&program->user, options->user, &why) == 0)
        return true;
    log_error("--user '%s': %s", options->user, why);
    return false;
}

/* What makes sockets transparent stays with another process, and with it alone. */
static int start_broker(struct program *program)
{
    int err = socket_broker_start(&program->proxy.broker, &program->user, program->options.sandbox);
    if (err == UV_EPERM)
        log_error("--tproxy needs CAP_NET_RAW or CAP_NET_ADMIN: run as root");
    else if (err && err != UV_ENOTSUP) /* which it has said itself */
        log_error("--tproxy: %s", uv_strerror(err));
    return err;
}

/* What root has made is for whom it becomes, who makes the next one, after a rotation. */
static void give_files(const struct program *program)
{
    const struct privileges_user *user = &program->user;
    if (!user->changes || !user->owns)
        return;
    if (program->exchanges)
        sink_file_give(program->exchanges, user->uid, user->gid);
    if (program->payload)
        sink_file_give(observe_pcap_file(program->payload), user->uid, user->gid);
    if (program->wire)
        sink_file_give(wire_capture_file(program->wire), user->uid, user->gid);
    if (program->tls.keylog.path)
        sink_file_give(&program->tls.keylog, user->uid, user->gid);
}

/* All that takes a privilege is open. */
static int give_up_privileges(const struct program *program)
{
    give_files(program);
    int err = privileges_give_up(&program->user, 0);
    if (err)
        log_error("the privileges that the start took cannot be given up: %s", uv_strerror(err));
    else if (program->user.changes && !program->options.user)
        log_info("runs as user %u and group %u from here on; --user says another",
            program->user.uid, program->user.gid);
    return err;
}

/* A file is begun anew only when nothing else can stop the start, and before any call. */
static int start(struct program *program)
{
    const struct proxy_options *options = &program->options;
    changes_redact(&options->redact);
    struct observer counting = counters_observer(&program->counters);
    observers_add(&program->proxy.observers, &counting);
    int err = options->proxy.tproxy ? start_broker(program) : 0;
    if (!err)
        err = open_exchange_log(program);
    if (!err)
        err = open_lines(program);
    bool tls = options->proxy.peeks || options->proxy.mode == MODE_FORWARD;
    if (!err && tls && !tls_setup_open(&program->tls, &program->proxy, &options->tls))
        err = UV_EINVAL;
    if (err)
        return err;
    err = explain_listen("--listen", &options->proxy.listen,
        proxy_start(&program->proxy, &program->loop, &options->proxy));
    program->admin.gate = &options->admin;
    program->admin.counters = &program->counters;
    program->admin.draining = &program->proxy.draining;
    program->admin.waiting = &program->proxy.waiting;
    program->admin.rules = &program->proxy.rules;
    program->admin.mint = program->tls.mint;
    program->admin.confinement = &program->confinement;
    program->admin.recording = recording;
    program->admin.arg = program;
    if (!err)
        err = explain_listen(
            "--admin", &options->admin.listen, admin_start(&program->admin, &program->loop));
    if (!err)
        (void)http_server_address(program->admin.server, &program->proxy.admin_address);
    if (!err && options->pcap)
        err = options->pcap_source == PCAP_SOURCE_PAYLOAD
                  ? open_payload_capture(program)
                  : open_wire_capture(program, listen_port(&program->proxy));
    if (!err)
        err = give_up_privileges(program);
    if (!err)
        err = confine(&program->confinement, options);
    if (!err && program->wire)
        err = start_wire_capture(program);
    return err;
}

static void finish(struct program *program)
{
    if (program->wire)
        wire_capture_close(program->wire);
    observers_close(&program->proxy.observers);
    tls_setup_close(&program->tls, &program->proxy);
    if (program->options.proxy.tproxy)
        socket_broker_stop(&program->proxy.broker);
}

static int run(struct program *program)
{
    uv_timer_init(&program->loop, &program->patience);
    uv_unref((uv_handle_t *)&program->patience);
    program->patience.data = program;
    watch_signals(program);
    announce(program);
    uv_run(&program->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&program->patience, NULL);
    uv_run(&program->loop, UV_RUN_NOWAIT);
    finish(program);
    if (program->gave_up)
        _exit(0); /* exit() would wait for that thread */
    return uv_loop_close(&program->loop) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct program program;
    if (argc > 1 && strcmp(argv[1], "ca") == 0)
        return ca_command(argc - 1, argv + 1);
    enum options_result result = proxy_options_parse(&program.options, argc, argv);
    if (result != OPTIONS_OK)
        return result == OPTIONS_DONE ? 0 : 2;
    if (program.options.check_rules)
        return rules_in_force_check(program.options.check_rules);
    if (program.options.rules) {
        program.proxy.rules = rules_in_force_load(program.options.rules, &program.options.conceal);
        if (!program.proxy.rules)
            return 2;
    }
    if (!find_user(&program))
        return 2;
    program.proxy.broker.channel = -1;
    process_init();
    confine_begin(program.options.sandbox);
    int err = uv_loop_init(&program.loop);
    if (err) {
        log_error("cannot start: %s", uv_strerror(err));
        return 1;
    }
    if (start(&program) != 0) {
        finish(&program);
        return 1;
    }
    return run(&program);
}
