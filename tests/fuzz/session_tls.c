#include "tests/fuzz/session_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mitm_proxy/ca_files.h"
#include "mitm_proxy/tls_ca_make.h"
#include "mitm_proxy/tls_mint.h"
#include "tests/fuzz/fuzz.h"

#define PEM_MAX 65536

static struct tls_context *mint_for(
    void *arg, const char *host, const struct tls *upstream, char *why)
{
    (void)upstream;
    return tls_mint_context(arg, slice_str(host), slice_of(NULL, 0), why);
}

static struct tls_ca *make_ca(char *why)
{
    char parent[] = "/tmp/fuzz_session_XXXXXX", path[64], command[80];
    const struct tls_ca_plan plan = {.name = "fuzz"};
    struct buf certificate, key;
    buf_init(&certificate, PEM_MAX);
    buf_init(&key, PEM_MAX);
    PROMISE(mkdtemp(parent) && tls_ca_make(&plan, &certificate, &key, why) == 0);
    snprintf(path, sizeof path, "%s/ca", parent);
    PROMISE(ca_files_write(path, slice_of(certificate.data, certificate.len),
                slice_of(key.data, key.len), why, TLS_WHY_MAX) == 0);
    struct tls_ca *ca = tls_ca_load(path, why);
    snprintf(command, sizeof command, "rm -r '%s'", parent);
    PROMISE(ca && system(command) == 0); /* NOLINT(cert-env33-c) */
    buf_deinit(&certificate);
    buf_deinit(&key);
    return ca;
}

void session_tls_begin(struct proxy *proxy, bool mint)
{
    static struct tls_context *upstream;
    static struct tls_mint *made;
    const struct tls_config trusting = {.unverified = true};
    const struct tls_mint_config kept = {.keep = 16};
    char why[TLS_WHY_MAX];
    if (!upstream)
        upstream = tls_context_new(&trusting, why);
    if (!made)
        made = tls_mint_new(make_ca(why), &kept, why);
    PROMISE(upstream && made);
    proxy->upstream_tls = upstream;
    proxy->mint = mint ? mint_for : NULL;
    proxy->mint_arg = made;
}
