/* A CA: made, written down, read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/tls.h"
#include "mint_kit.h"
#include "mitm_proxy/ca_files.h"
#include "mitm_proxy/tls_ca.h"
#include "mitm_proxy/tls_certificate.h"

static char why[TLS_WHY_MAX];

static mode_t mode_of(const char *path)
{
    struct stat now;
    assert_int_equal(stat(path, &now), 0);
    return now.st_mode & 07777;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_refused(const char *dir, const char *reason)
{
    why[0] = '\0';
    struct tls_ca *ca = tls_ca_load(kit_path(dir), why);
    print_message("%s\n", why);
    assert_null(ca);
    assert_non_null(strstr(why, reason));
}

static void test_made_and_loaded(void **state)
{
    (void)state;
    mode_t before = umask(0077);
    kit_make_ca("ca", NULL);
    umask(before);
    assert_int_equal(mode_of(kit_path("ca")), 0700);
    assert_int_equal(mode_of(kit_path("ca/ca.pem")), 0644);
    assert_int_equal(mode_of(kit_path("ca/ca-key.pem")), 0600);
    struct tls_ca *ca = tls_ca_load(kit_path("ca"), why);
    assert_non_null(ca);
    assert_int_equal(X509_check_ca(ca->certificate), 1);
    assert_int_equal(X509_get_pathlen(ca->certificate), 0);
    assert_int_equal(X509_get_key_usage(ca->certificate), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_non_null(X509_get0_subject_key_id(ca->certificate));
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(ca->certificate)), 16);
    tls_ca_free(ca);
}

static void test_modes_with_an_open_umask(void **state)
{
    (void)state;
    mode_t before = umask(0);
    kit_make_ca("ca", NULL);
    umask(before);
    assert_int_equal(mode_of(kit_path("ca")), 0700);
    assert_int_equal(mode_of(kit_path("ca/ca-key.pem")), 0600);
}

static void test_years(void **state)
{
    (void)state;
    kit_make_ca("ca", NULL);
    kit_shift = -2 * KIT_DAY;
    assert_refused("ca", "clock");
    kit_shift = 3650 * KIT_DAY;
    tls_ca_free(tls_ca_load(kit_path("ca"), why));
    kit_shift = 3653 * KIT_DAY;
    assert_refused("ca", "expired on 2");
    assert_non_null(strstr(why, "mitm_proxy ca init"));
}

static void test_never_overwritten(void **state)
{
    static const char *const files[] = {CA_CERTIFICATE_FILE, CA_KEY_FILE};
    struct slice some = slice_str("new");
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mkdir(kit_path(files[i]), 0700), 0); /* a folder of that name will do */
        char there[64];
        snprintf(there, sizeof there, "%s/%s", files[i], files[i]);
        write_file(kit_path(there), "old");
        assert_int_equal(ca_files_write(kit_path(files[i]), some, some, why, sizeof why), -1);
        assert_non_null(strstr(why, "is there already"));
        assert_non_null(strstr(why, files[i]));
        /* Nothing else has come: the folder goes with the one file. */
        assert_int_equal(unlink(kit_path(there)), 0);
        assert_int_equal(rmdir(kit_path(files[i])), 0);
    }
}

static void test_a_link_is_not_followed(void **state)
{
    struct slice some = slice_str("new");
    (void)state;
    assert_int_equal(mkdir(kit_path("ca"), 0700), 0);
    assert_int_equal(symlink(kit_path("elsewhere"), kit_path("ca/ca.pem")), 0);
    assert_int_equal(ca_files_write(kit_path("ca"), some, some, why, sizeof why), -1);
    assert_non_null(strstr(why, "is there already"));
    assert_int_not_equal(access(kit_path("elsewhere"), F_OK), 0);
    assert_int_not_equal(access(kit_path("ca/ca-key.pem"), F_OK), 0);
}

static void test_no_directory(void **state)
{
    struct slice some = slice_str("new");
    (void)state;
    assert_int_equal(ca_files_write(kit_path("a/b"), some, some, why, sizeof why), -1);
    assert_non_null(strstr(why, "No such file"));
    write_file(kit_path("file"), "");
    assert_int_equal(ca_files_write(kit_path("file"), some, some, why, sizeof why), -1);
    assert_non_null(strstr(why, "Not a directory"));
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_refused("none", "mitm_proxy ca init DIR makes one");
    kit_make_ca("ca", NULL);
    assert_int_equal(chmod(kit_path("ca/ca-key.pem"), 0640), 0);
    assert_refused("ca", "chmod 600");
    assert_int_equal(chmod(kit_path("ca/ca-key.pem"), 0604), 0);
    assert_refused("ca", "chmod 600");
    assert_int_equal(chmod(kit_path("ca/ca-key.pem"), 0400), 0);
    struct tls_ca *ca = tls_ca_load(kit_path("ca"), why);
    assert_non_null(ca);
    tls_ca_free(ca);

    kit_make_ca("other", NULL);
    assert_int_equal(rename(kit_path("other/ca-key.pem"), kit_path("ca/ca-key.pem")), 0);
    assert_refused("ca", "is not the key of ca.pem");
    write_file(kit_path("ca/ca-key.pem"), "nothing");
    assert_refused("ca", "has no key");
    write_file(kit_path("ca/ca.pem"), "nothing");
    assert_refused("ca", "has no certificate");
    assert_int_equal(unlink(kit_path("ca/ca.pem")), 0);
    assert_int_equal(mkfifo(kit_path("ca/ca.pem"), 0600), 0);
    assert_refused("ca", "is no file");
}

/* What stands beside the certificate in its file is not given away. */
static void test_export(void **state)
{
    struct buf pem;
    (void)state;
    kit_make_ca("ca", NULL);
    FILE *file = fopen(kit_path("ca/ca.pem"), "a");
    assert_non_null(file);
    fputs("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n", file);
    fclose(file);
    kit_shift = 9999 * KIT_DAY; /* expired or not */
    buf_init(&pem, 65536);
    assert_int_equal(tls_ca_export(kit_path("ca"), &pem, why), 0);
    assert_int_equal(buf_append_char(&pem, '\0'), 0);
    assert_int_equal(strncmp(pem.data, "-----BEGIN CERTIFICATE-----\n", 28), 0);
    assert_null(strstr(pem.data, "PRIVATE"));
    buf_clear(&pem);
    pem.max = 10;
    assert_int_equal(tls_ca_export(kit_path("ca"), &pem, why), -1);
    assert_int_equal(tls_ca_export(kit_path("none"), &pem, why), -1);
    buf_deinit(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_and_loaded, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_modes_with_an_open_umask, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_years, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_never_overwritten, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_link_is_not_followed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_directory, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_export, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
