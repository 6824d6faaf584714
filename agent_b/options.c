#include "agent_b/options.h"

#include <unistd.h>

#include "lib/log.h"

#define DATA_DEFAULT "data"
#define BODY_MAX_DEFAULT (1024UL * 1024)
#define BODY_MAX_LIMIT                                                                             \
    (8UL * 1024 * 1024) /* an answer repeats the arguments, and has room for 16 */

static const struct program_help help = {
    .name = "agent_b",
    .summary = "Answers JSON tool calls at POST /tool: the server end of the lab.",
    .usage = "[options]",
    .examples =
        "  agent_b\n"
        "  agent_b --listen 127.0.0.1:0 --data ./samples\n"
        "  agent_b --defence all --key secret.txt\n"
        "  agent_b --listen 0.0.0.0:8443 --tls-cert b.pem --tls-key b.key --tls-client-ca ca.pem\n"
        "  curl -H 'Content-Type: application/json' \\\n"
        "    -d '{\"id\":1,\"tool_name\":\"deposit\",\"arguments\":"
        "{\"account\":\"alice\",\"amount\":10.50}}' \\\n"
        "    http://127.0.0.1:8000/tool\n"
        "  curl -N -H 'Content-Type: application/json' \\\n"
        "    -d '{\"id\":2,\"tool_name\":\"follow_build\",\"arguments\":{\"steps\":3}}' \\\n"
        "    http://127.0.0.1:8000/tool        # a stream of events\n"
        "  curl http://127.0.0.1:8000/ledger   # the balances, and how many deposits\n"
        "  curl http://127.0.0.1:8000/calls    # what was carried out, what was refused\n",
};

enum options_result agent_b_options_read(struct agent_b_options *options, int argc, char **argv)
{
    const char *listen = "0.0.0.0:8000";
    const char *why;
    *options = (struct agent_b_options){
        .body_max = BODY_MAX_DEFAULT, .defence = {.window = DEFENCE_WINDOW_DEFAULT}};
    const struct option table[] = {
        {.name = "listen",
            .env = "AGENT_B_LISTEN",
            .value_name = "HOST:PORT",
            .help = "Where to listen (0.0.0.0:8000); port 0 takes a free one.",
            .kind = OPTION_STRING,
            .target = &listen},
        {.name = "data",
            .env = "AGENT_B_DATA",
            .value_name = "DIR",
            .help = "The only directory that the tool read_file reads (./data if there is one).",
            .kind = OPTION_STRING,
            .target = &options->data},
        {.name = "body-max",
            .env = "AGENT_B_BODY_MAX",
            .value_name = "BYTES",
            .help = "The largest request body, past it the answer is 413 (1048576).",
            .kind = OPTION_NUMBER,
            .target = &options->body_max,
            .min = 1,
            .max = BODY_MAX_LIMIT},
        DEFENCE_OPTIONS(&options->defence),
        {.name = "tls-cert",
            .env = "AGENT_B_TLS_CERT",
            .value_name = "FILE",
            .help = "Speak HTTPS, with this certificate as PEM and what leads to its root.",
            .kind = OPTION_STRING,
            .target = &options->tls_cert},
        {.name = "tls-key",
            .env = "AGENT_B_TLS_KEY",
            .value_name = "FILE",
            .help = "The certificate's key as PEM (in the file of --tls-cert).",
            .kind = OPTION_STRING,
            .target = &options->tls_key},
        {.name = "tls-client-ca",
            .env = "AGENT_B_TLS_CLIENT_CA",
            .value_name = "FILE",
            .help = "Take only clients that show a certificate of these authorities, as PEM.",
            .kind = OPTION_STRING,
            .target = &options->tls_client_ca},
        {.name = "keylog",
            .env = "AGENT_B_KEYLOG",
            .value_name = "FILE",
            .help = "Append the secrets of TLS to it, as SSLKEYLOGFILE: for Wireshark.",
            .kind = OPTION_STRING,
            .target = &options->keylog},
    };
    size_t count = sizeof table / sizeof table[0];
    enum options_result result = options_parse(&help, table, count, argc, argv, NULL, 0, NULL);
    if (result != OPTIONS_OK)
        return result;
    if (hostport_parse(&options->listen, listen, &why) != 0) {
        char shown[HOSTPORT_TEXT_MAX];
        log_error(
            "cannot listen on '%s': %s", log_escape(slice_str(listen), shown, sizeof shown), why);
        return OPTIONS_USAGE;
    }
    if (options->tls_cert == NULL &&
        (options->tls_key != NULL || options->tls_client_ca != NULL || options->keylog != NULL)) {
        log_error("--tls-key, --tls-client-ca and --keylog need the certificate of --tls-cert");
        return OPTIONS_USAGE;
    }
    if (options->data == NULL && access(DATA_DEFAULT, F_OK) == 0)
        options->data = DATA_DEFAULT;
    return OPTIONS_OK;
}
