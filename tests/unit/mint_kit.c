#include "mint_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/tls.h"
#include "mitm_proxy/ca_files.h"
#include "mitm_proxy/tls_ca_make.h"
#include "mitm_proxy/tls_certificate.h"

static char folder[32];
time_t kit_shift;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker names them */
time_t __real_time(time_t *out);
time_t __wrap_time(time_t *out);

time_t __wrap_time(time_t *out)
{
    return __real_time(out) + kit_shift;
}
/* NOLINTEND(bugprone-reserved-identifier) */

int kit_setup(void **state)
{
    (void)state;
    kit_shift = 0;
    snprintf(folder, sizeof folder, "/tmp/test_mint_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int kit_teardown(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command); /* NOLINT(cert-env33-c) */
}

const char *kit_path(const char *name)
{
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void kit_make_ca(const char *dir, const char *const *permits)
{
    char why[TLS_WHY_MAX] = "";
    struct buf certificate, key;
    struct tls_ca_plan plan = {.permits = permits};
    while (permits && permits[plan.permits_count])
        plan.permits_count++;
    buf_init(&certificate, 65536);
    buf_init(&key, 65536);
    if (tls_ca_make(&plan, &certificate, &key, why) ||
        ca_files_write(kit_path(dir), slice_of(certificate.data, certificate.len),
            slice_of(key.data, key.len), why, sizeof why))
        fail_msg("%s", why);
    buf_deinit(&certificate);
    buf_deinit(&key);
}

struct slice kit_upstream(const char *names, const char *common_name, time_t until)
{
    static unsigned char der[65536];
    unsigned char *out = der;
    EVP_PKEY *key = tls_key_new();
    X509 *upstream = tls_certificate_new(key, 0, until);
    X509_NAME *subject = X509_NAME_new();
    if (common_name)
        assert_int_equal(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                             (const unsigned char *)common_name, -1, -1, 0),
            1);
    X509_set_subject_name(upstream, subject);
    if (names)
        assert_true(tls_certificate_extend(upstream, upstream, NID_subject_alt_name, names));
    assert_true(tls_certificate_sign(upstream, key));
    assert_in_range(i2d_X509(upstream, NULL), 1, sizeof der);
    int len = i2d_X509(upstream, &out);
    X509_NAME_free(subject);
    X509_free(upstream);
    EVP_PKEY_free(key);
    return slice_of((const char *)der, (size_t)len);
}
