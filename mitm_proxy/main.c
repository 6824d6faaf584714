/* Wiring: options, observers, proxy, admin port, signals, and the way back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/process.h"
#include "mitm_proxy/admin.h"
#include "mitm_proxy/ca_command.h"
#include "mitm_proxy/changes.h"
#include "mitm_proxy/confinement.h"
#include "mitm_proxy/counters.h"
#include "mitm_proxy/options.h"
#include "mitm_proxy/privileges.h"
#include "mitm_proxy/proxy.h"
#include "mitm_proxy/recorders.h"
#include "mitm_proxy/rules_in_force.h"
#include "mitm_proxy/rules_load.h"
#include "mitm_proxy/workers.h"

#define LAST_WAIT_MS 500

enum signal_slot {
    SLOT_TERM,
    SLOT_INT,
    SLOT_HUP,
    SLOTS,
};

struct program {
    struct proxy_shared shared;
    struct socket_broker broker;
    struct recorders recorders;
    struct admin admin;
    struct tls_setup tls;   /* zeroed: none */
    uv_timer_t patience;    /* keeps nothing alive: ends a loop that others keep alive */
    struct workers workers; /* but for the first */
    uv_signal_t signals[SLOTS];
    struct counters counters;
    uv_loop_t loop;
    struct proxy proxy; /* the first, on the main loop */
    struct proxy_options options;
    struct confinement confinement;
    struct privileges_user user;
    bool drained; /* the first proxy */
    bool gave_up;
};

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

/* When all have drained. */
static void end(struct program *program)
{
    admin_stop(&program->admin);
    uv_timer_start(&program->patience, on_patience_over, LAST_WAIT_MS, 0);
    for (int i = 0; i < SLOTS; i++)
        uv_close((uv_handle_t *)&program->signals[i], NULL);
    signal(SIGHUP, SIG_IGN); /* one that comes now asks for nothing that would still be done */
}

static void on_drained(void *arg)
{
    struct program *program = arg;
    program->drained = true;
    if (workers_ended(&program->workers))
        end(program);
}

static void on_workers_ended(void *arg)
{
    struct program *program = arg;
    if (program->drained)
        end(program);
}

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    (void)number;
    if (program->proxy.draining)
        _exit(1); /* the second one: at once */
    proxy_drain(&program->proxy, on_drained, program);
    workers_drain(&program->workers);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    const struct proxy_options *options = &program->options;
    (void)number;
    if (options->rules && program->proxy.rules)
        rules_in_force_reload(&program->proxy.rules, options->rules, &options->conceal);
    recorders_reopen(&program->recorders);
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
    int err = socket_broker_start(&program->broker, &program->user, program->options.sandbox);
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
    recorders_give(&program->recorders, user->uid, user->gid);
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

static void count(void *arg, struct counters *sum)
{
    const struct program *program = arg;
    counters_add(sum, &program->counters);
    for (size_t i = 0; i < program->workers.count; i++)
        counters_add(sum, &program->workers.list[i].counters);
}

static struct admin_recording recording(void *arg)
{
    struct program *program = arg;
    return recorders_capture(&program->recorders);
}

static int start_admin(struct program *program)
{
    struct admin *admin = &program->admin;
    admin->gate = &program->options.admin;
    admin->count = count;
    admin->exchange_log = recorders_log_file(&program->recorders);
    admin->chain = recorders_chain(&program->recorders);
    admin->draining = &program->proxy.draining;
    admin->waiting = &program->proxy.waiting;
    admin->rules = &program->proxy.rules;
    admin->mint = program->tls.mint;
    admin->confinement = &program->confinement;
    admin->recording = recording;
    admin->arg = program;
    int err = explain_listen("--admin", &admin->gate->listen, admin_start(admin, &program->loop));
    if (!err)
        (void)http_server_address(admin->server, &program->proxy.admin_address);
    return err;
}

static bool speaks_tls(const struct proxy_config *config)
{
    return config->peeks || config->mode == MODE_FORWARD;
}

/* All that a worker's proxy needs and that the first one has. */
static int equip_workers(struct program *program)
{
    bool tls = speaks_tls(&program->options.proxy);
    int err = 0;
    for (size_t i = 0; !err && i < program->workers.count; i++) {
        struct proxy *proxy = &program->workers.list[i].proxy;
        proxy->broker = program->proxy.broker;
        proxy->admin_address = program->proxy.admin_address;
        err = recorders_join(&program->recorders, &proxy->observers);
        if (!err && tls && !tls_setup_join(&program->tls, proxy, &program->options.tls))
            err = UV_EINVAL;
    }
    return err;
}

static int open_tls(struct program *program)
{
    const struct tls_options *options = &program->options.tls;
    return tls_setup_open(&program->tls, options) &&
                   tls_setup_join(&program->tls, &program->proxy, options)
               ? 0
               : UV_EINVAL;
}

static int start_listening(struct program *program)
{
    const struct proxy_config *config = &program->options.proxy;
    int err = proxy_start(&program->proxy, &program->loop, config);
    if (!err)
        err = workers_open(
            &program->workers, program->options.workers - 1, &program->loop, &program->proxy);
    return explain_listen("--listen", &config->listen, err);
}

static int start_workers(struct program *program)
{
    int err = workers_start(&program->workers, on_workers_ended, program);
    if (err)
        log_error("--workers: no thread can be made: %s", uv_strerror(err));
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
        err = recorders_open(&program->recorders);
    if (!err && speaks_tls(&options->proxy))
        err = open_tls(program);
    if (!err)
        err = start_listening(program);
    if (!err)
        err = start_admin(program);
    if (!err)
        err = recorders_open_capture(&program->recorders, proxy_port(&program->proxy));
    if (!err)
        err = equip_workers(program);
    if (!err)
        err = give_up_privileges(program);
    if (!err)
        err = confine(&program->confinement, options);
    if (!err)
        err = recorders_start(&program->recorders);
    if (!err)
        err = start_workers(program);
    return err;
}

/* False: what a name lookup in another thread uses is still there. */
static bool finish(struct program *program)
{
    for (size_t i = 0; i < program->workers.count; i++)
        tls_setup_leave(&program->workers.list[i].proxy);
    bool closed = workers_close(&program->workers);
    recorders_close(&program->recorders);
    tls_setup_leave(&program->proxy);
    tls_setup_close(&program->tls);
    if (program->options.proxy.tproxy)
        socket_broker_stop(&program->broker);
    return closed;
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
    bool closed = finish(program);
    if (program->gave_up || !closed)
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
    program.broker.channel = -1;
    program.proxy.broker = &program.broker;
    program.proxy.shared = &program.shared;
    program.recorders.options = &program.options;
    program.recorders.first = &program.proxy.observers;
    program.recorders.failing = &program.shared.failing_records;
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
