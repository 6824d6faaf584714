#include "mitm_proxy/tls_leaf.h"

#include <string.h>

#define COMMON_NAME_MAX 64 /* ub-common-name of RFC 5280 */

/* By its subjectAltNames alone (RFC 9525 §6.3). */
static bool covers(X509 *upstream, const struct tls_name *host)
{
    if (host->address_len)
        return X509_check_ip(upstream, host->address, host->address_len, 0) == 1;
    return X509_check_host(upstream, host->text, strlen(host->text),
               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
               NULL) == 1;
}

static GENERAL_NAMES *names_of(const struct tls_name *host, X509 *upstream)
{
    GENERAL_NAMES *names =
        upstream ? X509_get_ext_d2i(upstream, NID_subject_alt_name, NULL, NULL) : NULL;
    if (!names)
        names = sk_GENERAL_NAME_new_null();
    if (!names || (upstream && covers(upstream, host)))
        return names;
    GENERAL_NAME *own = tls_name_general(host);
    if (own && sk_GENERAL_NAME_push(names, own) > 0)
        return names;
    GENERAL_NAME_free(own);
    GENERAL_NAMES_free(names);
    return NULL;
}

static bool copy_common_names(X509_NAME *subject, X509 *upstream)
{
    const X509_NAME *from = X509_get_subject_name(upstream);
    int i = -1;
    while ((i = X509_NAME_get_index_by_NID(from, NID_commonName, i)) >= 0)
        if (X509_NAME_add_entry(subject, X509_NAME_get_entry(from, i), -1, 0) != 1)
            return false;
    return true;
}

/* An address, or a name that is too long, is none: it stands in the subjectAltNames only. */
static X509_NAME *subject_of(const struct tls_name *host, X509 *upstream)
{
    X509_NAME *subject = X509_NAME_new();
    bool ok = subject != NULL;
    if (ok && upstream)
        ok = copy_common_names(subject, upstream);
    else if (ok && host->address_len == 0 && strlen(host->text) <= COMMON_NAME_MAX)
        ok = X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                 (const unsigned char *)host->text, -1, -1, 0) == 1;
    if (!ok) {
        X509_NAME_free(subject);
        return NULL;
    }
    return subject;
}

/* Names are critical where the subject is empty (RFC 5280 §4.2.1.6). */
static bool set_names(X509 *leaf, const struct tls_name *host, X509 *upstream)
{
    X509_NAME *subject = subject_of(host, upstream);
    GENERAL_NAMES *names = names_of(host, upstream);
    bool ok = subject && names && X509_set_subject_name(leaf, subject) == 1 &&
              X509_add1_ext_i2d(leaf, NID_subject_alt_name, names,
                  X509_NAME_entry_count(subject) == 0, X509V3_ADD_DEFAULT) == 1;
    X509_NAME_free(subject);
    GENERAL_NAMES_free(names);
    return ok;
}

X509 *tls_leaf_new(const struct tls_ca *ca, EVP_PKEY *key, const struct tls_name *host,
    X509 *upstream, time_t from, time_t until)
{
    X509 *leaf = tls_certificate_new(key, from, until);
    if (leaf && set_names(leaf, host, upstream) &&
        X509_set_issuer_name(leaf, X509_get_subject_name(ca->certificate)) == 1 &&
        tls_certificate_extend(leaf, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
        tls_certificate_extend(leaf, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
        tls_certificate_extend(leaf, ca->certificate, NID_ext_key_usage, "serverAuth") &&
        tls_certificate_extend(leaf, ca->certificate, NID_subject_key_identifier, "hash") &&
        tls_certificate_extend(leaf, ca->certificate, NID_authority_key_identifier, "keyid") &&
        tls_certificate_sign(leaf, ca->key))
        return leaf;
    X509_free(leaf);
    return NULL;
}
