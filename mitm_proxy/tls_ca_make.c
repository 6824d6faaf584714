#include "mitm_proxy/tls_ca_make.h"

#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#include "lib/tls_private.h"
#include "mitm_proxy/tls_certificate.h"
#include "mitm_proxy/tls_names.h"

#define VALID_YEARS 10
#define NAME_SIZE 65 /* ub-common-name of RFC 5280 and the terminator */

static time_t years_later(time_t from, int years)
{
    struct tm parts;
    gmtime_r(&from, &parts);
    parts.tm_year += years;
    return timegm(&parts);
}

/* "Agent MITM CA (HOST, DATE)". What is no host name would not be text either. */
static void name_after_host(char name[NAME_SIZE], time_t now)
{
    char host[256] = "", date[11], ignored[TLS_WHY_MAX];
    struct tls_name checked;
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, sizeof date, "%F", &parts);
    if (gethostname(host, sizeof host - 1) != 0 ||
        !tls_name_read(&checked, slice_str(host), ignored))
        snprintf(host, sizeof host, "localhost");
    snprintf(name, NAME_SIZE, "Agent MITM CA (%.36s, %s)", host, date);
}

static bool set_names(X509 *ca, const char *text, char *why)
{
    X509_NAME *name = X509_NAME_new();
    bool ok = name &&
              X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                  (const unsigned char *)text, -1, -1, 0) == 1 &&
              X509_set_subject_name(ca, name) == 1 && X509_set_issuer_name(ca, name) == 1;
    X509_NAME_free(name);
    if (!ok)
        tls_explain(why, "the name has to be 1 to 64 characters of UTF-8");
    return ok;
}

static bool constrain(X509 *ca, const struct tls_ca_plan *plan, char *why)
{
    if (plan->permits_count == 0)
        return true;
    NAME_CONSTRAINTS *constraints = tls_constraints_new(plan->permits, plan->permits_count, why);
    if (!constraints)
        return false;
    bool ok = X509_add1_ext_i2d(ca, NID_name_constraints, constraints, 1, X509V3_ADD_DEFAULT) == 1;
    NAME_CONSTRAINTS_free(constraints);
    if (!ok)
        tls_explain(why, "the name constraints cannot be set");
    return ok;
}

static X509 *make(const struct tls_ca_plan *plan, EVP_PKEY *key, char *why)
{
    char name[NAME_SIZE];
    time_t now = time(NULL), from = now - TLS_DAY;
    X509 *ca = tls_certificate_new(key, from, years_later(from, VALID_YEARS));
    name_after_host(name, now);
    if (ca && (!set_names(ca, plan->name ? plan->name : name, why) || !constrain(ca, plan, why))) {
        X509_free(ca);
        return NULL;
    }
    if (ca && tls_certificate_extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        tls_certificate_extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        tls_certificate_extend(ca, ca, NID_subject_key_identifier, "hash") &&
        tls_certificate_sign(ca, key))
        return ca;
    X509_free(ca);
    tls_explain(why, "the certificate cannot be made");
    return NULL;
}

static bool append(struct buf *out, BIO *pem)
{
    char *text;
    long len = BIO_get_mem_data(pem, &text);
    return len > 0 && buf_append(out, text, (size_t)len) == 0;
}

static bool write_pem(X509 *ca, EVP_PKEY *ca_key, struct buf *certificate, struct buf *key)
{
    BIO *certificate_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_secmem());
    bool ok = certificate_pem && key_pem && PEM_write_bio_X509(certificate_pem, ca) == 1 &&
              PEM_write_bio_PKCS8PrivateKey(key_pem, ca_key, NULL, NULL, 0, NULL, NULL) == 1 &&
              append(certificate, certificate_pem) && append(key, key_pem);
    BIO_free(certificate_pem);
    BIO_free(key_pem);
    return ok;
}

int tls_ca_make(const struct tls_ca_plan *plan, struct buf *certificate, struct buf *key, char *why)
{
    bool ok = false;
    X509 *ca = NULL;
    EVP_PKEY *ca_key = tls_key_new();
    if (!ca_key) {
        tls_explain(why, "no key can be made");
        return -1;
    }
    ca = make(plan, ca_key, why);
    if (ca) {
        ok = write_pem(ca, ca_key, certificate, key);
        if (!ok)
            tls_explain(why, "the certificate cannot be written down");
    }
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return ok ? 0 : -1;
}
