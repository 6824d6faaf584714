#include "mitm_proxy/ca_command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/options.h"
#include "lib/tls.h"
#include "mitm_proxy/ca_files.h"
#include "mitm_proxy/tls_ca.h"
#include "mitm_proxy/tls_ca_make.h"

#define PEM_MAX (64UL << 10) /* bytes */

struct ca_options {
    const char *words[2]; /* what to do, and where */
    size_t n_words;
    const char *name;
    struct option_list permits;
};

static const struct program_help help = {
    .name = "mitm_proxy ca",
    .summary =
        "Makes the certificate authority with which mitm_proxy reads TLS, and shows it.\n"
        "Whoever has DIR/" CA_KEY_FILE " can stand for any server towards all that trust it.",
    .usage = "init DIR [options] | export DIR",
    .examples = "  mitm_proxy ca init ca --permit example.test --permit 10.0.0.0/8\n"
                "  mitm_proxy ca export ca >mitm-ca.pem\n"
                "  curl --cacert mitm-ca.pem https://agent-b.example.test/healthz\n",
};

static enum options_result parse(struct ca_options *options, int argc, char **argv)
{
    const struct option table[] = {
        {"name", NULL, "NAME", "init: its common name (Agent MITM CA, with host and date).",
            OPTION_STRING, &options->name, 0, 0, NULL},
        {"permit", NULL, "NAME|NETWORK",
            "init: a DNS name, with all below it, or addresses, that it may stand for, and for no "
            "other; repeatable (all).",
            OPTION_LIST, &options->permits, 0, 0, NULL},
    };
    return options_parse(&help, table, sizeof table / sizeof table[0], argc, argv, options->words,
        2, &options->n_words);
}

static int init(const struct ca_options *options)
{
    char why[TLS_WHY_MAX];
    const char *dir = options->words[1];
    struct tls_ca_plan plan = {
        .name = options->name,
        .permits = options->permits.items,
        .permits_count = options->permits.count,
    };
    struct buf certificate, key;
    buf_init(&certificate, PEM_MAX);
    buf_init(&key, PEM_MAX);
    int err = tls_ca_make(&plan, &certificate, &key, why);
    if (!err)
        err = ca_files_write(dir, slice_of(certificate.data, certificate.len),
            slice_of(key.data, key.len), why, sizeof why);
    if (key.data)
        explicit_bzero(key.data, key.len);
    buf_deinit(&key);
    buf_deinit(&certificate);
    if (err) {
        log_error("%s", why);
        return 2;
    }
    printf("[mitm_proxy] made %s/" CA_CERTIFICATE_FILE ", for clients to trust, and %s/" CA_KEY_FILE
           ", for nobody else\n",
        dir, dir);
    return 0;
}

static int export(const char *dir)
{
    char why[TLS_WHY_MAX];
    struct buf pem;
    buf_init(&pem, PEM_MAX);
    int err = tls_ca_export(dir, &pem, why);
    if (!err && (fwrite(pem.data, 1, pem.len, stdout) != pem.len || fflush(stdout) != 0)) {
        snprintf(why, sizeof why, "stdout does not take the certificate");
        err = -1;
    }
    buf_deinit(&pem);
    if (err)
        log_error("%s", why);
    else if (isatty(STDERR_FILENO))
        log_info("to trust it: agent_a --ca FILE, curl --cacert FILE, NODE_EXTRA_CA_CERTS=FILE, "
                 "REQUESTS_CA_BUNDLE=FILE, where FILE is %s/" CA_CERTIFICATE_FILE " or a copy",
            dir);
    return err ? 2 : 0;
}

int ca_command(int argc, char **argv)
{
    struct ca_options options = {0};
    enum options_result result = parse(&options, argc, argv);
    if (result != OPTIONS_OK)
        return result == OPTIONS_DONE ? 0 : 2;
    if (options.n_words == 2 && strcmp(options.words[0], "init") == 0)
        return init(&options);
    if (options.n_words == 2 && strcmp(options.words[0], "export") == 0) {
        if (!options.name && options.permits.count == 0)
            return export(options.words[1]);
        log_error("--name and --permit are for ca init: a CA that is there stays as it is");
        return 2;
    }
    log_error("give ca init DIR or ca export DIR: see mitm_proxy ca --help");
    return 2;
}
