#include "capturer/capdiff/options.h"

#include <string.h>

#include "lib/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct program_help help = {
    .name = "capdiff",
    .summary =
        "Says whether what two captures saw of the same HTTP exchanges is the same, byte for "
        "byte, and if not, what changed, where, and on which hop.",
    .usage = "[options] PROXY.pcap SERVER.pcap\n       capdiff [--follow N] CAPTURE",
    .examples = "  capdiff proxy.pcap agent_http.pcap\n"
                "  capdiff --exchange-log exchanges.ndjson --wait 10 proxy.pcap agent_http.pcap\n"
                "  capdiff --format json --output verdict.json proxy.pcap agent_http.pcap\n"
                "  zstdcat big.pcapng.zst | capdiff - agent_http.pcap.gz\n"
                "  capdiff --format html --output report.html proxy.pcap agent_http.pcap\n"
                "  capdiff --annotate all.pcapng --har archives proxy.pcap agent_http.pcap\n"
                "  capdiff agent_http.pcap\n"
                "  capdiff --format json agent_http.pcap | jq -r '.exchanges[].request_sha256'\n"
                "  capdiff --ignore /arguments/nonce --ignore Date proxy.pcap agent_http.pcap\n"
                "\n"
                "exit status:\n"
                "  0  same, or every difference is declared by the exchange log or ignored\n"
                "  1  differ\n"
                "  2  trouble: bad usage, or a file that cannot be read\n"
                "  3  inconclusive: the captures lack evidence\n",
};

/* Each --ignore is a pointer or a field's name; an empty one, or one with a space, is a mistake. */
static bool check_ignore(const struct option_list *ignore)
{
    char shown[80];

    for (size_t i = 0; i < ignore->count; i++) {
        if (ignore->items[i][0] != '/' &&
            (ignore->items[i][0] == '\0' || strpbrk(ignore->items[i], " \t:") != NULL)) {
            log_error("--ignore takes a JSON pointer (/arguments/depth) or a field's name (Date), "
                      "not '%s'",
                log_escape(slice_str(ignore->items[i]), shown, sizeof(shown)));
            return false;
        }
    }
    return true;
}

static bool check_redact(const struct redact *redact)
{
    char shown[80];

    for (size_t i = 0; i < redact->more.count; i++) {
        const char *fault = redact_fault(redact->more.items[i]);

        if (fault == NULL)
            continue;
        log_error("--redact '%s': %s",
            log_escape(slice_str(redact->more.items[i]), shown, sizeof(shown)), fault);
        return false;
    }
    return true;
}

/* Standard input comes once, and only once. */
static bool check_stdin(const struct capdiff_options *options)
{
    const char *const paths[] = {options->proxy_path, options->server_path, options->client_path};
    size_t count = 0;

    for (size_t i = 0; i < COUNT(paths); i++)
        count += paths[i] != NULL && strcmp(paths[i], "-") == 0;
    if (count > 1) {
        log_error("standard input (-) can be one capture only: give the others as files");
        return false;
    }
    if (count > 0 && options->annotate_path != NULL) {
        log_error("--annotate reads again, and standard input (-) comes only once: give a file");
        return false;
    }
    if (count > 0 && options->wait_s > 0) {
        log_error("--wait reads again, and standard input (-) comes only once: give a file");
        return false;
    }
    return true;
}

/* One capture is listed, as text or JSON, or followed, as text; all else is about two. */
static bool check_count(const struct capdiff_options *options)
{
    bool two = options->server_path != NULL;

    if (two && options->follow != 0) {
        log_error("--follow needs one capture, not two");
        return false;
    }
    if (options->follow != 0 && options->format != FORMAT_TEXT) {
        log_error("--follow prints text only: leave --format out, or list the capture");
        return false;
    }
    if (!two && (options->format > FORMAT_JSON || options->client_path != NULL ||
                    options->exchange_log_path != NULL || options->har_path != NULL ||
                    options->annotate_path != NULL)) {
        log_error("one capture is only listed, as text or JSON: give two captures to compare");
        return false;
    }
    return true;
}

static enum options_result check(
    struct capdiff_options *options, const char *const *captures, size_t count)
{
    if (count == 0) {
        log_error("give two captures, the proxy's and the server's, or one to list what is in it "
                  "(see capdiff --help)");
        return OPTIONS_USAGE;
    }
    options->proxy_path = captures[0];
    options->server_path = count == 2 ? captures[1] : NULL;
    if (!check_count(options))
        return OPTIONS_USAGE;
    return check_ignore(&options->ignore) && check_redact(&options->redact) && check_stdin(options)
               ? OPTIONS_OK
               : OPTIONS_USAGE;
}

enum options_result capdiff_options_read(struct capdiff_options *options, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", "html", "junit", NULL};
    static const char *const colors[] = {"auto", "always", "never", NULL};
    uint64_t proxy_port = 0, server_port = 0;
    const char *captures[2];
    size_t count = 0;
    enum options_result result;
    const struct option table[] = {
        {"format", "CAPDIFF_FORMAT", "FORMAT",
            "text, json, html or junit; default text. One capture is listed as text or json.",
            OPTION_CHOICE, &options->format, 0, 0, formats},
        {"output", "CAPDIFF_OUTPUT", "FILE", "Where the report goes; default standard output.",
            OPTION_STRING, &options->output_path, 0, 0, NULL},
        {"annotate", "CAPDIFF_ANNOTATE", "FILE",
            "Also writes the packets of all captures as one pcapng, with a comment on each packet "
            "that carries a difference.",
            OPTION_STRING, &options->annotate_path, 0, 0, NULL},
        {"har", "CAPDIFF_HAR", "DIR",
            "Also writes what each view saw as HAR 1.2: proxy-in.har, proxy-out.har, server.har.",
            OPTION_STRING, &options->har_path, 0, 0, NULL},
        {"exchange-log", "CAPDIFF_EXCHANGE_LOG", "FILE",
            "The proxy's exchange log (NDJSON), to be held against the captures.", OPTION_STRING,
            &options->exchange_log_path, 0, 0, NULL},
        {"client", "CAPDIFF_CLIENT", "FILE", "A third capture, from the client's side.",
            OPTION_STRING, &options->client_path, 0, 0, NULL},
        {"wait", "CAPDIFF_WAIT", "SECONDS",
            "Read again until nothing is missing any more, this long at most; default 0.",
            OPTION_NUMBER, &options->wait_s, 0, 86400, NULL},
        {"proxy-drops", "CAPDIFF_PROXY_DROPS", "N",
            "Packets that the proxy's recorder says it lost; default what its capture says.",
            OPTION_NUMBER, &options->proxy_drops, 0, UINT64_MAX, NULL},
        {"server-drops", "CAPDIFF_SERVER_DROPS", "N",
            "The same of the server's, as in tcpdump's summary: \"N packets dropped by kernel\".",
            OPTION_NUMBER, &options->server_drops, 0, UINT64_MAX, NULL},
        {"ignore", "CAPDIFF_IGNORE", "WHAT",
            "A JSON pointer or a field's name whose differences do not matter; repeatable.",
            OPTION_LIST, &options->ignore, 0, 0, NULL},
        {"redact", "CAPDIFF_REDACT", "WHAT",
            "A JSON pointer or a field whose values no report shows, beside Authorization, "
            "Proxy-Authorization, Cookie and Set-Cookie; repeatable.",
            OPTION_LIST, &options->redact.more, 0, 0, NULL},
        {"show-secrets", "CAPDIFF_SHOW_SECRETS", NULL, "Hide nothing in reports.", OPTION_FLAG,
            &options->redact.off, 0, 0, NULL},
        {"hold", "CAPDIFF_HOLD", "MIB",
            "How much of the captures is held in memory before exchanges that came through every "
            "view the same are forgotten as soon as they are counted; default 4, and 48 for "
            "reports that list them.",
            OPTION_NUMBER, &options->hold_mib, 0, 1u << 20, NULL},
        {"color", "CAPDIFF_COLOR", "WHEN",
            "auto, always or never; default auto: on a terminal without NO_COLOR.", OPTION_CHOICE,
            &options->color, 0, 0, colors},
        {"follow", "CAPDIFF_FOLLOW", "N",
            "With one capture: prints the connection of exchange N, both directions.",
            OPTION_NUMBER, &options->follow, 1, UINT64_MAX, NULL},
        {"proxy-port", "CAPDIFF_PROXY_PORT", "PORT",
            "The proxy's port, where the captures do not tell.", OPTION_NUMBER, &proxy_port, 1,
            65535, NULL},
        {"server-port", "CAPDIFF_SERVER_PORT", "PORT",
            "The server's port, where the captures do not tell.", OPTION_NUMBER, &server_port, 1,
            65535, NULL},
    };

    memset(options, 0, sizeof(*options));
    options->hold_mib = OPTIONS_HOLD;
    result =
        options_parse(&help, table, COUNT(table), argc, argv, captures, COUNT(captures), &count);
    options->ports.proxy = (uint16_t)proxy_port;
    options->ports.server = (uint16_t)server_port;
    return result == OPTIONS_OK ? check(options, captures, count) : result;
}
