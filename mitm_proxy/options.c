#include "mitm_proxy/options.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "mitm_proxy/route.h"
#include "mitm_proxy/workers.h"

#define DAY_SECONDS 86400

/* What the table of options writes to, as text or in seconds. */
struct raw_options {
    const char *listen, *upstream, *admin;
    bool preserve_host, rewrite_host;
    int mode, pcap_source, on_record_failure, sandbox;
    uint64_t connect_timeout, head_timeout, idle_timeout, response_timeout, drain_timeout;
};

static const struct program_help help = {
    .name = "mitm_proxy",
    .summary = "Forwards each HTTP call to the upstream, byte for byte, and records it.\n"
               "Changes calls only where --rules says so.",
    .usage = "--upstream URL [options] | --check-rules FILE | ca init DIR | ca export DIR",
    .examples =
        "  mitm_proxy --upstream http://127.0.0.1:8000\n"
        "  mitm_proxy --upstream http://agent-b:8000 --listen 0.0.0.0:8080 \\\n"
        "      --exchange-log exchanges.ndjson --pcap proxy.pcap\n"
        "  mitm_proxy --upstream http://127.0.0.1:8000 --pcap proxy.pcap --pcap-source payload\n"
        "  mitm_proxy --check-rules rules.json\n"
        "  mitm_proxy --upstream http://127.0.0.1:8000 --rules rules.json\n"
        "  mitm_proxy --mode forward --allow agent-b:8000\n",
};

static const char *const modes[] = {"reverse", "forward", "transparent", NULL};
static const char *const pcap_sources[] = {"wire", "payload", NULL};
static const char *const sandboxes[] = {"on", "off", "require", NULL};
static const char *const record_failures[] = {"continue", "refuse", NULL};

static int parse_listeners(struct proxy_options *options, const struct raw_options *raw)
{
    const char *why;
    if (hostport_parse(&options->proxy.listen, raw->listen, &why)) {
        log_error("--listen '%s' is no HOST:PORT: %s", raw->listen, why);
        return -1;
    }
    if (hostport_parse(&options->admin.listen, raw->admin, &why)) {
        log_error("--admin '%s' is no HOST:PORT: %s", raw->admin, why);
        return -1;
    }
    return 0;
}

static int parse_places(struct proxy_options *options, const struct raw_options *raw)
{
    const char *why;
    options->proxy.mode = (enum proxy_mode)raw->mode;
    if (!raw->upstream && raw->mode != MODE_REVERSE)
        return parse_listeners(options, raw);
    if (!raw->upstream) {
        log_error("--upstream is missing: where shall calls go? As in --upstream "
                  "http://127.0.0.1:8000");
        return -1;
    }
    if (http_url_parse(&options->proxy.upstream, raw->upstream, &why)) {
        log_error("--upstream '%s' is no URL to forward to: %s", raw->upstream, why);
        return -1;
    }
    if (strcmp(options->proxy.upstream.target, "/") != 0) {
        log_error("--upstream '%s' has a path: give http://HOST:PORT or https, the path comes from "
                  "each call",
            raw->upstream);
        return -1;
    }
    return parse_listeners(options, raw);
}

/* A forward proxy that goes anywhere would be everyone's. */
static int check_allowed(struct proxy_options *options)
{
    struct option_list *allow = &options->proxy.allow;
    for (size_t i = 0; i < allow->count; i++) {
        const char *fault = route_pattern_fault(allow->items[i]);
        if (!fault)
            continue;
        log_error("--allow '%s' fits nothing: %s; as in agent-b:8000, *.test or [fd00::1]:*",
            allow->items[i], fault);
        return -1;
    }
    if (allow->count == 0 && *options->proxy.upstream.authority)
        allow->items[allow->count++] = options->proxy.upstream.authority;
    if (allow->count > 0)
        return 0;
    log_error("--mode forward wants to know where calls may go, as in --allow agent-b:8000");
    return -1;
}

/* An option that would do nothing is a mistake. */
static int check_no_tls(const struct tls_options *tls)
{
    const char *given = tls->keylog              ? "--keylog"
                        : tls->upstream_ca       ? "--upstream-ca"
                        : tls->upstream_insecure ? "--upstream-insecure"
                                                 : NULL;
    if (given)
        log_error("%s: nothing here speaks TLS: give an https --upstream, or --ca-dir", given);
    return given ? -1 : 0;
}

/* Who sees counters and may let held calls go: this machine, or whoever has the token. */
static int check_admin(struct admin_gate *gate)
{
    const char *token = getenv("MITM_ADMIN_TOKEN"); /* an option would show it to ps */
    gate->token = token && *token ? token : NULL;
    const char *fault = gate->token ? admin_gate_token_fault(gate->token) : NULL;
    if (fault) {
        log_error("MITM_ADMIN_TOKEN is no token: %s; make one with openssl rand -hex 32", fault);
        return -1;
    }
    if (gate->token || admin_gate_is_local(&gate->listen))
        return 0;
    log_error(
        "--admin %s:%u can be reached from outside: set MITM_ADMIN_TOKEN to a secret that who "
        "asks must have, or give 127.0.0.1",
        gate->listen.host, gate->listen.port);
    return -1;
}

/* What goes with this mode, and what does not. */
static int check_mode(struct proxy_options *options, const struct raw_options *raw)
{
    const struct proxy_config *proxy = &options->proxy;
    if (raw->rewrite_host && proxy->mode != MODE_REVERSE) {
        log_error("--rewrite-host goes with --mode reverse: elsewhere clients know whom they call");
        return -1;
    }
    if (proxy->tproxy && proxy->mode != MODE_TRANSPARENT) {
        log_error("--tproxy goes with --mode transparent");
        return -1;
    }
    if (proxy->allow.count > 0 && proxy->mode != MODE_FORWARD) {
        log_error("--allow goes with --mode forward");
        return -1;
    }
    if (*proxy->upstream.authority && proxy->mode == MODE_TRANSPARENT) {
        log_error("--upstream does not go with --mode transparent: each connection's is where it "
                  "was going");
        return -1;
    }
    return proxy->mode == MODE_FORWARD ? check_allowed(options) : 0;
}

/* What is in one order over all calls is not in several threads' hands. */
static int check_workers(const struct proxy_options *options)
{
    const char *ordered = options->rules        ? "--rules counts calls"
                          : options->hash_chain ? "--hash-chain has records follow each other"
                                                : NULL;
    if (options->workers > 1 && ordered)
        log_error("%s in one order, which several workers do not keep: give --workers 1", ordered);
    return options->workers > 1 && ordered ? -1 : 0;
}

static int check_redact(const struct redact *redact)
{
    char shown[128];
    for (size_t i = 0; i < redact->more.count; i++) {
        const char *fault = redact_fault(redact->more.items[i]);
        if (!fault)
            continue;
        log_error("--redact '%s': %s",
            log_escape(slice_str(redact->more.items[i]), shown, sizeof shown), fault);
        return -1;
    }
    return 0;
}

static int check(struct proxy_options *options, const struct raw_options *raw)
{
    const struct proxy_config *proxy = &options->proxy;
    if (raw->preserve_host && raw->rewrite_host) {
        log_error("--preserve-host and --rewrite-host exclude each other: give one");
        return -1;
    }
    if (proxy->listen.port && proxy->listen.port == proxy->upstream.origin.port &&
        strcmp(proxy->listen.host, proxy->upstream.origin.host) == 0) {
        log_error("--upstream is the proxy's own --listen: every call would go round in a loop");
        return -1;
    }
    if (proxy->listen.port && proxy->listen.port == options->admin.listen.port &&
        strcmp(proxy->listen.host, options->admin.listen.host) == 0) {
        log_error("--listen and --admin are both %s: give each its own port", raw->admin);
        return -1;
    }
    if (options->conceal.count > 0 && !options->rules) {
        log_error("--conceal names a rule: give its file with --rules");
        return -1;
    }
    if (check_redact(&options->redact))
        return -1;
    if (options->hash_chain && !options->exchange_log) {
        log_error("--hash-chain is for the exchange log: give its file with --exchange-log");
        return -1;
    }
    if (*proxy->intercept == '\0') {
        log_error("--intercept does not take '': it takes all, none or a glob for names");
        return -1;
    }
    if (check_mode(options, raw) || check_workers(options) || check_admin(&options->admin))
        return -1;
    options->proxy.peeks =
        options->tls.ca_dir || proxy->upstream.tls || proxy->mode == MODE_TRANSPARENT;
    if (!proxy->peeks && proxy->mode == MODE_REVERSE && check_no_tls(&options->tls))
        return -1;
    options->proxy.rewrite_host = raw->rewrite_host;
    options->proxy.connect_timeout = raw->connect_timeout * 1000;
    options->proxy.head_timeout = raw->head_timeout * 1000;
    options->proxy.idle_timeout = raw->idle_timeout * 1000;
    options->proxy.response_timeout = raw->response_timeout * 1000;
    options->proxy.drain_timeout = raw->drain_timeout * 1000;
    options->pcap_source = (enum pcap_source)raw->pcap_source;
    options->sandbox = (enum sandbox_wish)raw->sandbox;
    options->refuse_unrecorded = raw->on_record_failure == 1;
    return 0;
}

static enum options_result parse_table(
    struct proxy_options *o, struct raw_options *raw, int argc, char **argv)
{
    const struct option table[] = {
        {"listen", "MITM_LISTEN", "HOST:PORT", "Where agent_a calls (127.0.0.1:8080).",
            OPTION_STRING, &raw->listen, 0, 0, NULL},
        {"upstream", "MITM_UPSTREAM", "URL", "Where calls go, as http://HOST:PORT or https.",
            OPTION_STRING, &raw->upstream, 0, 0, NULL},
        {"mode", "MITM_MODE", "MODE",
            "reverse: every call goes to --upstream; forward: where it says, as HTTP_PROXY and "
            "HTTPS_PROXY want it; transparent: where it was going when the kernel diverted it here "
            "(reverse).",
            OPTION_CHOICE, &raw->mode, 0, 0, modes},
        {"tproxy", "MITM_TPROXY", NULL,
            "With --mode transparent: diverted by TPROXY, and the upstream sees the client's own "
            "address; needs CAP_NET_RAW or CAP_NET_ADMIN.",
            OPTION_FLAG, &o->proxy.tproxy, 0, 0, NULL},
        {"allow", "MITM_ALLOW", "HOST[:PORT]",
            "With --mode forward: where calls may go, as a glob; repeatable (only --upstream).",
            OPTION_LIST, &o->proxy.allow, 0, 0, NULL},
        {"rules", "MITM_RULES", "FILE",
            "Tamper with calls by these rules, in JSON; SIGHUP reads them again.", OPTION_STRING,
            &o->rules, 0, 0, NULL},
        {"conceal", "MITM_CONCEAL", "RULE",
            "Leave what this rule does out of the exchange log, as a lying proxy would; "
            "repeatable.",
            OPTION_LIST, &o->conceal, 0, 0, NULL},
        {"rule-body-max", "MITM_RULE_BODY_MAX", "BYTES",
            "Of a body that a rule needs whole; past it the call fails with 413 or 502 (8388608).",
            OPTION_NUMBER, &o->proxy.rule_body_max, 0, 1 << 30, NULL},
        {"check-rules", NULL, "FILE",
            "Say all that is wrong with a file of rules, and exit: with 0 if nothing is, else 2.",
            OPTION_STRING, &o->check_rules, 0, 0, NULL},
        {"ca-dir", "MITM_CA_DIR", "DIR",
            "The CA of \"mitm_proxy ca init DIR\": with it, clients' TLS is taken apart.",
            OPTION_STRING, &o->tls.ca_dir, 0, 0, NULL},
        {"intercept", "MITM_INTERCEPT", "WHICH",
            "Whose TLS is taken apart: all, none, or a glob for the server's name; the rest passes "
            "unread (all).",
            OPTION_STRING, &o->proxy.intercept, 0, 0, NULL},
        {"upstream-ca", "MITM_UPSTREAM_CA", "FILE",
            "Certificates to trust for https upstreams, in PEM, in the place of the system's.",
            OPTION_STRING, &o->tls.upstream_ca, 0, 0, NULL},
        {"upstream-insecure", "MITM_UPSTREAM_INSECURE", NULL,
            "Believe whoever answers as the upstream.", OPTION_FLAG, &o->tls.upstream_insecure, 0,
            0, NULL},
        {"keylog", "MITM_KEYLOG", "FILE",
            "Append the TLS secrets of both legs, as SSLKEYLOGFILE: for Wireshark.", OPTION_STRING,
            &o->tls.keylog, 0, 0, NULL},
        {"exchange-log", "MITM_EXCHANGE_LOG", "FILE", "Append one JSON line per exchange.",
            OPTION_STRING, &o->exchange_log, 0, 0, NULL},
        {"redact", "MITM_REDACT", "WHAT",
            "A JSON pointer or a field whose values the exchange log does not show, beside "
            "Authorization, Proxy-Authorization, Cookie and Set-Cookie; repeatable.",
            OPTION_LIST, &o->redact.more, 0, 0, NULL},
        {"show-secrets", "MITM_SHOW_SECRETS", NULL, "Hide nothing in the exchange log.",
            OPTION_FLAG, &o->redact.off, 0, 0, NULL},
        {"hash-chain", "MITM_HASH_CHAIN", NULL,
            "Each record of the exchange log carries the hash of the line before; scripts/lab "
            "verify-log checks them.",
            OPTION_FLAG, &o->hash_chain, 0, 0, NULL},
        {"pcap", "MITM_PCAP", "FILE",
            "Record the packets of both legs; a capture goes on behind what FILE holds.",
            OPTION_STRING, &o->pcap, 0, 0, NULL},
        {"pcap-source", "MITM_PCAP_SOURCE", "SOURCE",
            "wire: from the interface, needs CAP_NET_RAW; payload: built from the bytes read and "
            "written, needs nothing (wire).",
            OPTION_CHOICE, &raw->pcap_source, 0, 0, pcap_sources},
        {"pcap-interface", "MITM_PCAP_INTERFACE", "IF", "Interface of the wire capture (any).",
            OPTION_STRING, &o->pcap_interface, 0, 0, NULL},
        {"user", "MITM_USER", "NAME[:GROUP]",
            "Who root becomes once all is open that takes a privilege (the owner of the folder of "
            "its files; nobody where that is root).",
            OPTION_STRING, &o->user, 0, 0, NULL},
        {"sandbox", "MITM_SANDBOX", "WISH",
            "on: once it runs, the kernel takes from it only the system calls it makes and opens "
            "only "
            "what it needs, by seccomp and Landlock, as far as it can; require: all of that, or no "
            "start; off (on).",
            OPTION_CHOICE, &raw->sandbox, 0, 0, sandboxes},
        {"admin", "MITM_ADMIN", "HOST:PORT",
            "Where /healthz, /metrics and /held are; beyond this machine only for who has the "
            "token "
            "in the environment's MITM_ADMIN_TOKEN (127.0.0.1:8081).",
            OPTION_STRING, &raw->admin, 0, 0, NULL},
        {"admin-host", "MITM_ADMIN_HOST", "NAME",
            "A name by which --admin may be called, beside its address and localhost; repeatable.",
            OPTION_LIST, &o->admin.hosts, 0, 0, NULL},
        {"preserve-host", "MITM_PRESERVE_HOST", NULL, "Pass the Host field as it came (default).",
            OPTION_FLAG, &raw->preserve_host, 0, 0, NULL},
        {"rewrite-host", "MITM_REWRITE_HOST", NULL,
            "Set the Host field to the upstream's; the exchange log declares the change.",
            OPTION_FLAG, &raw->rewrite_host, 0, 0, NULL},
        {"on-record-failure", "MITM_ON_RECORD_FAILURE", "WHAT",
            "When the log or capture cannot be written: continue, or refuse calls with 503 "
            "(continue).",
            OPTION_CHOICE, &raw->on_record_failure, 0, 0, record_failures},
        {"workers", "MITM_WORKERS", "N",
            "Threads that share the connections; more than one not with --rules or --hash-chain, "
            "which keep an order over all calls (1).",
            OPTION_NUMBER, &o->workers, 1, WORKERS_MAX, NULL},
        {"max-connections", "MITM_MAX_CONNECTIONS", "N", "At once; more get 503 (10000).",
            OPTION_NUMBER, &o->proxy.connections_max, 1, 1000000, NULL},
        {"max-body", "MITM_MAX_BODY", "BYTES", "Of a request; more get 413; 0: no limit (0).",
            OPTION_NUMBER, &o->proxy.body_max, 0, UINT64_MAX, NULL},
        {"connect-timeout", "MITM_CONNECT_TIMEOUT", "S", "Seconds to reach the upstream (5).",
            OPTION_NUMBER, &raw->connect_timeout, 1, DAY_SECONDS, NULL},
        {"head-timeout", "MITM_HEAD_TIMEOUT", "S",
            "Seconds from a request's first byte to its whole head (10).", OPTION_NUMBER,
            &raw->head_timeout, 1, DAY_SECONDS, NULL},
        {"idle-timeout", "MITM_IDLE_TIMEOUT", "S",
            "Seconds without a byte between exchanges, or within a request body (300).",
            OPTION_NUMBER, &raw->idle_timeout, 1, DAY_SECONDS, NULL},
        {"response-timeout", "MITM_RESPONSE_TIMEOUT", "S",
            "Seconds from a whole request to the response's head (300).", OPTION_NUMBER,
            &raw->response_timeout, 1, DAY_SECONDS, NULL},
        {"drain-timeout", "MITM_DRAIN_TIMEOUT", "S",
            "Seconds that exchanges in flight get after SIGTERM (10).", OPTION_NUMBER,
            &raw->drain_timeout, 0, DAY_SECONDS, NULL},
        {"quiet", "MITM_QUIET", NULL, "Print no line per exchange.", OPTION_FLAG, &o->quiet, 0, 0,
            NULL},
    };
    return options_parse(&help, table, sizeof table / sizeof table[0], argc, argv, NULL, 0, NULL);
}

enum options_result proxy_options_parse(struct proxy_options *options, int argc, char **argv)
{
    struct raw_options raw = {
        .listen = "127.0.0.1:8080",
        .admin = "127.0.0.1:8081",
        .connect_timeout = 5,
        .head_timeout = 10,
        .idle_timeout = 300,
        .response_timeout = 300,
        .drain_timeout = 10,
    };
    *options = (struct proxy_options){
        .pcap_interface = "any",
        .workers = 1,
        .proxy = {.connections_max = 10000, .rule_body_max = 8 << 20, .intercept = "all"},
    };
    enum options_result result = parse_table(options, &raw, argc, argv);
    if (result != OPTIONS_OK || options->check_rules)
        return result;
    return parse_places(options, &raw) == 0 && check(options, &raw) == 0 ? OPTIONS_OK
                                                                         : OPTIONS_USAGE;
}
