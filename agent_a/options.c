#include "agent_a/options.h"

#include <string.h>

#include "agent_a/forward_proxy.h"
#include "lib/log.h"

#define COUNT_MAX 1000000
#define CONCURRENCY_MAX 1000
#define INTERVAL_MAX (3600UL * 1000)
#define SECONDS_MAX 3600
#define RETRIES_MAX 1000

static const struct program_help help = {
    .name = "agent_a",
    .summary = "Posts JSON tool calls and checks the answers: the client end of the lab.\n"
               "Exits with 0 when every answer is 2xx and has the id of its call, 1 when a call "
               "failed, 2 on bad usage.\n"
               "Of an answer that is text/event-stream, the last event "
               "\"result\" counts.",
    .usage = "[options]",
    .examples = "  agent_a --url http://127.0.0.1:8080/tool\n"
                "  agent_a --url http://127.0.0.1:8080/tool --count 1000 --concurrency 64\n"
                "  agent_a --call deposit.json --call read.json --interval 500\n"
                "  agent_a --defence all --key secret.txt\n"
                "  agent_a --url https://agent-b:8443/tool --ca ca.pem --cert a.pem --key a.key\n"
                "  HTTP_PROXY=http://127.0.0.1:8080 agent_a --url http://agent-b:8000/tool\n"
                "  agent_a --timeout 2 --retries 3 --results results.ndjson\n"
                "  echo '{\"id\":1,\"tool_name\":\"deposit\",\"arguments\":{\"account\":\"alice\","
                "\"amount\":5}}' |\n"
                "    agent_a --call -\n",
};

static enum options_result choose_proxy(struct agent_a_options *options, const char *proxy)
{
    int found = forward_proxy_choose(&options->proxy, proxy, &options->url);
    if (found < 0)
        return OPTIONS_USAGE;
    options->proxied = found > 0;
    if (!options->proxied || options->url.tls || forward_proxy_set_target(&options->url))
        return OPTIONS_OK;
    log_error("the URL is too long to be sent to a proxy");
    return OPTIONS_USAGE;
}

static enum options_result check(struct agent_a_options *options, const char *url)
{
    const char *why;
    if (http_url_parse(&options->url, url, &why) != 0) {
        char shown[256];
        log_error("cannot use the URL '%s': %s, as in http://127.0.0.1:8080/tool",
            log_escape(slice_str(url), shown, sizeof shown), why);
        return OPTIONS_USAGE;
    }
    if (!options->url.tls &&
        (options->ca != NULL || options->cert != NULL || options->keylog != NULL)) {
        log_error("--ca, --cert and --keylog are for a URL that begins with https://");
        return OPTIONS_USAGE;
    }
    if (options->cert == NULL && options->tls_key != NULL) {
        log_error("--tls-key needs the certificate of --cert");
        return OPTIONS_USAGE;
    }
    if (options->tls_key == NULL && options->defence.profile == DEFENCE_NONE)
        options->tls_key = options->defence.key;
    if (options->quiet && options->verbose) {
        log_error("--quiet and --verbose contradict each other: give one of them");
        return OPTIONS_USAGE;
    }
    return OPTIONS_OK;
}

enum options_result agent_a_options_read(struct agent_a_options *options, int argc, char **argv)
{
    const char *url = "http://agent-b:8000/tool";
    const char *proxy = NULL;
    *options = (struct agent_a_options){
        .count = 1, .concurrency = 1, .timeout = 30, .defence = {.window = DEFENCE_WINDOW_DEFAULT}};
    const struct option table[] = {
        {.name = "url",
            .env = "SERVER_URL",
            .value_name = "URL",
            .help = "Where the calls are posted (http://agent-b:8000/tool).",
            .kind = OPTION_STRING,
            .target = &url},
        {.name = "proxy",
            .env = "AGENT_A_PROXY",
            .value_name = "URL",
            .help = "The forward proxy that the calls go through, as http://HOST:PORT (that of "
                    "HTTP_PROXY, or with https HTTPS_PROXY, but for NO_PROXY and the own machine).",
            .kind = OPTION_STRING,
            .target = &proxy},
        {.name = "call",
            .env = "AGENT_A_CALL",
            .value_name = "FILE",
            .help = "A call that is sent as it is, - for stdin; repeatable (a built-in call).",
            .kind = OPTION_LIST,
            .target = &options->calls},
        {.name = "count",
            .env = "AGENT_A_COUNT",
            .value_name = "N",
            .help = "How often each call is sent (1); the built-in call counts its id up.",
            .kind = OPTION_NUMBER,
            .target = &options->count,
            .min = 1,
            .max = COUNT_MAX},
        {.name = "concurrency",
            .env = "AGENT_A_CONCURRENCY",
            .value_name = "N",
            .help = "How many connections send at the same time, each kept open (1).",
            .kind = OPTION_NUMBER,
            .target = &options->concurrency,
            .min = 1,
            .max = CONCURRENCY_MAX},
        {.name = "interval",
            .env = "AGENT_A_INTERVAL",
            .value_name = "MS",
            .help = "Milliseconds that a connection rests between an answer and its next call (0).",
            .kind = OPTION_NUMBER,
            .target = &options->interval,
            .max = INTERVAL_MAX},
        {.name = "timeout",
            .env = "AGENT_A_TIMEOUT",
            .value_name = "S",
            .help =
                "Seconds that an attempt may take, from connecting to the end of the answer (30).",
            .kind = OPTION_NUMBER,
            .target = &options->timeout,
            .min = 1,
            .max = SECONDS_MAX},
        {.name = "retries",
            .env = "AGENT_A_RETRIES",
            .value_name = "N",
            .help = "How often a call that got no answer is sent again, although it may have been "
                    "carried out (0).",
            .kind = OPTION_NUMBER,
            .target = &options->retries,
            .max = RETRIES_MAX},
        {.name = "results",
            .env = "AGENT_A_RESULTS",
            .value_name = "FILE",
            .help =
                "Write a line of JSON for each call at its end: accepted, refused or failed, by "
                "whom, why, and the answer.",
            .kind = OPTION_STRING,
            .target = &options->results},
        {.name = "wait",
            .env = "AGENT_A_WAIT",
            .value_name = "S",
            .help = "First ask the server's /healthz until it answers 2xx, at most S seconds (0: "
                    "do not ask).",
            .kind = OPTION_NUMBER,
            .target = &options->wait,
            .max = SECONDS_MAX},
        DEFENCE_OPTIONS(&options->defence),
        {.name = "ca",
            .env = "AGENT_A_CA",
            .value_name = "FILE",
            .help = "With https: the authorities that the server's certificate may come from, as "
                    "PEM (those that the system trusts).",
            .kind = OPTION_STRING,
            .target = &options->ca},
        {.name = "cert",
            .env = "AGENT_A_CERT",
            .value_name = "FILE",
            .help = "With https: the certificate to show to the server, as PEM.",
            .kind = OPTION_STRING,
            .target = &options->cert},
        {.name = "tls-key",
            .env = "AGENT_A_TLS_KEY",
            .value_name = "FILE",
            .help = "The key of --cert as PEM (that of --key where there is no --defence, else in "
                    "the file of --cert).",
            .kind = OPTION_STRING,
            .target = &options->tls_key},
        {.name = "keylog",
            .env = "AGENT_A_KEYLOG",
            .value_name = "FILE",
            .help = "With https: append the secrets of TLS to it, as SSLKEYLOGFILE: for Wireshark.",
            .kind = OPTION_STRING,
            .target = &options->keylog},
        {.name = "quiet",
            .env = "AGENT_A_QUIET",
            .help = "Print failures and the summary only, as is done for more than 20 calls.",
            .kind = OPTION_FLAG,
            .target = &options->quiet},
        {.name = "verbose",
            .env = "AGENT_A_VERBOSE",
            .help = "Print every call and answer, also for more than 20 calls.",
            .kind = OPTION_FLAG,
            .target = &options->verbose},
    };
    size_t count = sizeof table / sizeof table[0];
    enum options_result result = options_parse(&help, table, count, argc, argv, NULL, 0, NULL);
    if (result == OPTIONS_OK)
        result = check(options, url);
    return result == OPTIONS_OK ? choose_proxy(options, proxy) : result;
}
