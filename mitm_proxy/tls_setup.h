/*
 * The TLS of the running proxy: as whom it appears to clients, whom it trusts as upstream, and the
 * file of secrets.
 */
#ifndef MITM_PROXY_TLS_SETUP_H
#define MITM_PROXY_TLS_SETUP_H

#include <stdbool.h>

#include "mitm_proxy/proxy.h"
#include "mitm_proxy/sink_file.h"
#include "mitm_proxy/tls_mint.h"

struct tls_options {
    const char *ca_dir;      /* NULL: clients' TLS is not taken apart */
    const char *upstream_ca; /* PEM; NULL: whom the system trusts */
    bool upstream_insecure;  /* any certificate will do */
    const char *keylog;      /* NULL: none */
};

/* Zeroed. The sink and the mint are there where the options say so. */
struct tls_setup {
    struct sink_file keylog;
    struct tls_mint *mint;
};

/* False: what is wrong was logged. tls_setup_close is owed either way. */
bool tls_setup_open(struct tls_setup *setup, const struct tls_options *options);
/*
 * Fills what PROXY needs: the mint, which all have together, and TLS with upstreams of its own.
 * tls_setup_leave is owed. The same.
 */
bool tls_setup_join(
    struct tls_setup *setup, struct proxy *proxy, const struct tls_options *options);
void tls_setup_leave(struct proxy *proxy);
/* The key log may have been moved. */
void tls_setup_reopen(struct tls_setup *setup);
void tls_setup_close(struct tls_setup *setup);

#endif
