#include "mitm_proxy/tls_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tls_private.h"
#include "mitm_proxy/ca_files.h"
#include "mitm_proxy/tls_certificate.h"

/* SECRET: others must not be able to read it. NULL with a sentence in WHY. */
static FILE *open_file(const char *dir, const char *name, bool secret, char *why)
{
    char path[PATH_MAX];
    struct stat now;
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = (size_t)len < sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0 && errno == ENOENT)
        snprintf(
            why, TLS_WHY_MAX, "there is no %s/%s: mitm_proxy ca init DIR makes one", dir, name);
    else if (fd < 0 || fstat(fd, &now) != 0)
        snprintf(why, TLS_WHY_MAX, "%s/%s cannot be read: %s", dir, name, strerror(errno));
    else if (!S_ISREG(now.st_mode))
        snprintf(why, TLS_WHY_MAX, "%s/%s is no file", dir, name);
    else if (secret && (now.st_mode & 077))
        snprintf(why, TLS_WHY_MAX,
            "%s/%s is a key that not only its owner can read: chmod 600 mends that", dir, name);
    else {
        FILE *file = fdopen(fd, "r");
        if (file)
            return file;
        snprintf(why, TLS_WHY_MAX, "out of memory");
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Nobody is asked for one. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static void explain(const char *dir, const char *name, const char *what, char *why)
{
    char sentence[TLS_WHY_MAX];
    snprintf(sentence, sizeof sentence, "%s/%s has no %s that can be read", dir, name, what);
    tls_explain(why, sentence);
}

static X509 *read_certificate(const char *dir, char *why)
{
    FILE *file = open_file(dir, CA_CERTIFICATE_FILE, false, why);
    if (!file)
        return NULL;
    X509 *certificate = PEM_read_X509(file, NULL, no_password, NULL);
    fclose(file);
    if (!certificate)
        explain(dir, CA_CERTIFICATE_FILE, "certificate", why);
    return certificate;
}

static EVP_PKEY *read_key(const char *dir, char *why)
{
    FILE *file = open_file(dir, CA_KEY_FILE, true, why);
    if (!file)
        return NULL;
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_password, NULL);
    fclose(file);
    if (!key)
        explain(dir, CA_KEY_FILE, "key without a password", why);
    return key;
}

/* What makes it unfit, or NULL. */
static const char *problem(const struct tls_ca *ca)
{
    if (X509_check_private_key(ca->certificate, ca->key) != 1)
        return CA_KEY_FILE " is not the key of " CA_CERTIFICATE_FILE;
    if (X509_check_ca(ca->certificate) != 1)
        return CA_CERTIFICATE_FILE " is no CA's certificate";
    return NULL;
}

struct tls_ca *tls_ca_load(const char *dir, char *why)
{
    struct tls_ca *ca = calloc(1, sizeof *ca);
    const char *wrong = NULL;
    if (!ca) {
        snprintf(why, TLS_WHY_MAX, "out of memory");
        return NULL;
    }
    ca->certificate = read_certificate(dir, why);
    ca->key = ca->certificate ? read_key(dir, why) : NULL;
    if (ca->key)
        wrong = problem(ca);
    if (wrong) {
        snprintf(why, TLS_WHY_MAX, "in %s %s: make a CA with mitm_proxy ca init in a new directory",
            dir, wrong);
        ERR_clear_error();
    }
    if (ca->key && !wrong) {
        ca->from = tls_time(X509_get0_notBefore(ca->certificate));
        ca->until = tls_time(X509_get0_notAfter(ca->certificate));
        if (tls_ca_is_valid(ca, time(NULL), why))
            return ca;
    }
    tls_ca_free(ca);
    return NULL;
}

void tls_ca_free(struct tls_ca *ca)
{
    if (!ca)
        return;
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
    free(ca);
}

bool tls_ca_is_valid(const struct tls_ca *ca, time_t now, char *why)
{
    char date[11];
    struct tm parts;
    if (now >= ca->from && now <= ca->until)
        return true;
    gmtime_r(now < ca->from ? &ca->from : &ca->until, &parts);
    strftime(date, sizeof date, "%F", &parts);
    if (now < ca->from)
        snprintf(
            why, TLS_WHY_MAX, "the CA is valid from %s on: is this machine's clock right?", date);
    else
        snprintf(why, TLS_WHY_MAX,
            "the CA expired on %s: make one with mitm_proxy ca init in a new directory", date);
    return false;
}

int tls_ca_export(const char *dir, struct buf *pem, char *why)
{
    int err = -1;
    char *text;
    X509 *certificate = read_certificate(dir, why);
    BIO *out = certificate ? BIO_new(BIO_s_mem()) : NULL;
    if (!certificate)
        return -1;
    if (out && PEM_write_bio_X509(out, certificate) == 1) {
        long len = BIO_get_mem_data(out, &text);
        err = buf_append(pem, text, (size_t)len) == 0 ? 0 : -1;
    }
    if (err)
        snprintf(why, TLS_WHY_MAX, "out of memory");
    BIO_free(out);
    X509_free(certificate);
    return err;
}
