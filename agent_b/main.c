/*
 * agent_b: the server end of the lab. Wires options, tools, server and signals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent_b/options.h"
#include "agent_b/server.h"
#include "agent_b/tools.h"
#include "lib/log.h"
#include "lib/process.h"
#include "lib/tls.h"

#define EXIT_USAGE 2
#define STOP_TIMEOUT 2000 /* ms for what has begun to come to its end */

struct agent_b {
    uv_signal_t signals[2];
    uv_timer_t patience;
    struct agent_server *server; /* NULL once stopped */
    struct line_out out;
};

static void on_patience_over(uv_timer_t *timer)
{
    struct agent_b *agent = timer->data;
    if (agent->server != NULL)
        agent_server_stop(agent->server);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct agent_b *agent = handle->data;
    (void)number;
    if (agent->server == NULL)
        return;
    agent_server_stop(agent->server);
    uv_timer_start(&agent->patience, on_patience_over, STOP_TIMEOUT, 0);
}

static void on_stopped(void *arg)
{
    struct agent_b *agent = arg;
    agent->server = NULL;
    uv_close((uv_handle_t *)&agent->patience, NULL);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&agent->signals[i], NULL);
}

static void watch_signals(struct agent_b *agent, uv_loop_t *loop)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    uv_timer_init(loop, &agent->patience);
    agent->patience.data = agent;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &agent->signals[i]);
        agent->signals[i].data = agent;
        uv_signal_start(&agent->signals[i], on_signal, numbers[i]);
    }
}

static void say_listening(struct agent_b *agent, bool tls)
{
    struct sockaddr_storage address;
    char where[HOSTPORT_TEXT_MAX];
    char line[HOSTPORT_TEXT_MAX + 64];
    if (agent_server_address(agent->server, &address) != 0)
        return;
    sockaddr_text((struct sockaddr *)&address, where, sizeof where);
    snprintf(line, sizeof line, "[Agent B] Listening on %s%s\n", where, tls ? " with TLS" : "");
    line_out_write(&agent->out, slice_str(line));
}

static int serve(const struct agent_b_options *options, struct tools *tools, struct guard *guard,
    struct tls_context *tls)
{
    struct agent_b agent = {.out = {.fd = STDOUT_FILENO, .name = "stdout"}};
    uv_loop_t *loop = uv_default_loop();
    const struct agent_server_config config = {
        .listen = options->listen,
        .body_max = options->body_max,
        .tools = tools,
        .guard = guard,
        .tls = tls,
        .out = &agent.out,
        .on_stopped = on_stopped,
        .arg = &agent,
    };
    int err = 0;
    if (loop == NULL) {
        log_error("cannot start: there are too few descriptors or there is too little memory");
        return EXIT_FAILURE;
    }
    agent.server = agent_server_start(loop, &config, &err);
    if (agent.server == NULL) {
        log_error("cannot listen on %s port %u: %s; choose another with --listen HOST:PORT",
            options->listen.host, options->listen.port, uv_strerror(err));
        return EXIT_FAILURE;
    }
    watch_signals(&agent, loop);
    say_listening(&agent, tls != NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    line_out_report(&agent.out);
    return uv_loop_close(loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* False when its files cannot be used: an error was logged. *TLS is NULL where none is wanted. */
static bool open_tls(const struct agent_b_options *options, struct tls_context **tls)
{
    char why[TLS_WHY_MAX];
    const struct tls_config config = {
        .server = true,
        .cert_file = options->tls_cert,
        .key_file = options->tls_key,
        .ca_file = options->tls_client_ca,
        .wants_peer = options->tls_client_ca != NULL,
        .keylog_file = options->keylog,
    };
    *tls = options->tls_cert != NULL ? tls_context_new(&config, why) : NULL;
    if (options->tls_cert == NULL || *tls != NULL)
        return true;
    log_error("cannot speak TLS: %s", why);
    return false;
}

static int serve_with_tools(
    const struct agent_b_options *options, struct guard *guard, struct tls_context *tls)
{
    int err = 0;
    struct tools *tools = tools_new(options->data, &err);
    if (tools == NULL) {
        log_error("cannot read the directory of --data, %s: %s",
            options->data != NULL ? options->data : "(none)", uv_strerror(err));
        return EXIT_FAILURE;
    }
    int status = serve(options, tools, guard, tls);
    tools_free(tools);
    return status;
}

int main(int argc, char **argv)
{
    struct agent_b_options options;
    process_init();
    enum options_result result = agent_b_options_read(&options, argc, argv);
    if (result != OPTIONS_OK)
        return result == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    bool guarded = options.defence.profile != DEFENCE_NONE;
    struct guard *guard = guarded ? guard_new(&options.defence) : NULL;
    struct tls_context *tls = NULL;
    int status = EXIT_USAGE;
    if ((!guarded || guard != NULL) && open_tls(&options, &tls))
        status = serve_with_tools(&options, guard, tls);
    tls_context_free(tls);
    guard_free(guard);
    return status;
}
