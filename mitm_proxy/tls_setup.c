#include "mitm_proxy/tls_setup.h"

#include <sys/stat.h>
#include <uv.h>

#include "lib/log.h"
#include "lib/own_file.h"
#include "lib/tls_peer.h"

#define SECRET_MAX 512 /* bytes of a line of SSLKEYLOGFILE */

static void on_secret(void *arg, const char *line)
{
    struct tls_setup *setup = arg;
    char text[SECRET_MAX];
    int len = snprintf(text, sizeof text, "%s\n", line);
    if (len > 0 && (size_t)len < sizeof text)
        sink_file_write(&setup->keylog, text, (size_t)len, 1);
}

static struct tls_context *mint(void *arg, const char *host, const struct tls *upstream, char *why)
{
    struct tls_setup *setup = arg;
    struct tls_context *context = NULL;
    struct buf der;
    buf_init(&der, TLS_MINT_UPSTREAM_MAX);
    /* One that is too large to be copied is stood in for by its name alone. */
    if (upstream && tls_peer_certificate(upstream, &der))
        buf_clear(&der);
    context = tls_mint_context(
        setup->mint, slice_str(host), slice_of(der.len > 0 ? der.data : NULL, der.len), why);
    buf_deinit(&der);
    return context;
}

/* Who has the secrets can read all traffic. */
static void hide(const struct sink_file *keylog)
{
    (void)fchmod(keylog->fd, 0600);
}

void tls_setup_reopen(struct tls_setup *setup)
{
    if (setup->keylog.path && sink_file_reopen(&setup->keylog))
        hide(&setup->keylog);
}

static bool open_keylog(struct tls_setup *setup, const char *path)
{
    int err = sink_file_open(&setup->keylog, path, "key log");
    if (err) {
        log_error("the key log %s cannot be opened: %s", path, own_file_strerror(err));
        return false;
    }
    hide(&setup->keylog);
    return true;
}

static bool open_mint(struct tls_setup *setup, const struct tls_options *options)
{
    char why[TLS_WHY_MAX];
    struct tls_mint_config config = {
        .on_secret = options->keylog ? on_secret : NULL,
        .arg = setup,
    };
    struct tls_ca *ca = tls_ca_load(options->ca_dir, why);
    setup->mint = ca ? tls_mint_new(ca, &config, why) : NULL;
    if (!setup->mint) {
        log_error("--ca-dir %s: %s", options->ca_dir, why);
        return false;
    }
    return true;
}

bool tls_setup_join(struct tls_setup *setup, struct proxy *proxy, const struct tls_options *options)
{
    char why[TLS_WHY_MAX];
    struct tls_config config = {
        .ca_file = options->upstream_ca,
        .unverified = options->upstream_insecure,
        .on_secret = options->keylog ? on_secret : NULL,
        .arg = setup,
    };
    proxy->mint = setup->mint ? mint : NULL;
    proxy->mint_arg = setup;
    proxy->upstream_tls = tls_context_new(&config, why);
    if (!proxy->upstream_tls)
        log_error("%s", why);
    return proxy->upstream_tls;
}

void tls_setup_leave(struct proxy *proxy)
{
    tls_context_free(proxy->upstream_tls);
    proxy->upstream_tls = NULL;
}

bool tls_setup_open(struct tls_setup *setup, const struct tls_options *options)
{
    if (options->keylog && !open_keylog(setup, options->keylog))
        return false;
    if (options->upstream_insecure)
        log_info("--upstream-insecure: whoever answers as the upstream is believed");
    return !options->ca_dir || open_mint(setup, options);
}

void tls_setup_close(struct tls_setup *setup)
{
    tls_mint_free(setup->mint);
    if (setup->keylog.path)
        sink_file_close(&setup->keylog);
}
