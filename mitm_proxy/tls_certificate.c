#include "mitm_proxy/tls_certificate.h"

#define SERIAL_BITS 128

EVP_PKEY *tls_key_new(void)
{
    return EVP_EC_gen("P-256");
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    bool ok = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));
    BN_free(serial);
    return ok;
}

X509 *tls_certificate_new(EVP_PKEY *key, time_t from, time_t until)
{
    X509 *certificate = X509_new();
    if (certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        set_serial(certificate) && ASN1_TIME_set(X509_getm_notBefore(certificate), from) &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), until) &&
        X509_set_pubkey(certificate, key) == 1)
        return certificate;
    X509_free(certificate);
    return NULL;
}

bool tls_certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *words)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, words);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

bool tls_certificate_sign(X509 *certificate, EVP_PKEY *key)
{
    return X509_sign(certificate, key, EVP_sha256()) > 0;
}

time_t tls_time(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : -1;
}
