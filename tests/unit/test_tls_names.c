/* Names of hosts, and what name constraints are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/tls.h"
#include "mitm_proxy/tls_names.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_253                                                                                   \
    LABEL_63 "." LABEL_63 "." LABEL_63 "." /* and 61 more */                                       \
             "a234567890123456789012345678901234567890123456789012345678901"

struct name_case {
    const char *host;
    const char *text; /* NULL: no host name … */
    size_t address_len;
    const char *why; /* … and a part of the reason */
};

static const struct name_case names[] = {
    {"agent-b", "agent-b", 0, NULL},
    {"Agent-B.Example.TEST", "agent-b.example.test", 0, NULL},
    {"example.test.", "example.test", 0, NULL},
    {"_dmarc.example_1.test", "_dmarc.example_1.test", 0, NULL},
    {"xn--bcher-kva.example", "xn--bcher-kva.example", 0, NULL},
    {"123", "123", 0, NULL},
    {"r3---a-.example", "r3---a-.example", 0, NULL},
    {LABEL_63 ".test", LABEL_63 ".test", 0, NULL},
    {NAME_253, NAME_253, 0, NULL},
    {NAME_253 ".", NAME_253, 0, NULL},
    {"127.0.0.1", "127.0.0.1", 4, NULL},
    {"::1", "::1", 16, NULL},
    {"2001:DB8:0::1", "2001:db8::1", 16, NULL},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.1", 16, NULL},
    {"256.0.0.1", "256.0.0.1", 0, NULL},
    {"", NULL, 0, "1 to 63 bytes"},
    {".", NULL, 0, "1 to 63 bytes"},
    {"a..b", NULL, 0, "1 to 63 bytes"},
    {".a", NULL, 0, "1 to 63 bytes"},
    {"a..", NULL, 0, "1 to 63 bytes"},
    {LABEL_63 "4.test", NULL, 0, "1 to 63 bytes"},
    {NAME_253 "4", NULL, 0, "253 bytes"},
    {"*", NULL, 0, "'*' is no host name"},
    {"*.example.test", NULL, 0, "no host name"},
    {"a b", NULL, 0, "no host name"},
    {"a/b", NULL, 0, "no host name"},
    {"a:80", NULL, 0, "no host name"},
    {"[::1]", NULL, 0, "no host name"},
    {"fe80::1%eth0", NULL, 0, "no host name"},
    {"bücher.example", NULL, 0, "xn--"},
    {"a\nb", NULL, 0, "no host name"},
    {"a\x1b[31m", NULL, 0, "no host name"},
    {"a\xff", NULL, 0, "no host name"},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct name_case *c = &names[i];
        struct tls_name name;
        char why[TLS_WHY_MAX] = "";
        print_message("%s\n", c->host);
        bool ok = tls_name_read(&name, slice_str(c->host), why);
        assert_int_equal(ok, c->text != NULL);
        if (ok) {
            assert_string_equal(name.text, c->text);
            assert_int_equal(name.address_len, c->address_len);
        } else {
            assert_non_null(strstr(why, c->why));
            assert_null(strpbrk(why, "\n\x1b"));
        }
    }
}

static void test_a_zero_byte(void **state)
{
    struct tls_name name;
    char why[TLS_WHY_MAX] = "";
    (void)state;
    assert_false(tls_name_read(&name, slice_of("good.test\0.evil.test", 20), why));
    assert_non_null(strstr(why, "zero byte"));
    assert_false(tls_name_read(&name, slice_of(NULL, 0), why));
}

struct constraint_case {
    const char *permits[4];
    const char *text; /* as below, or a part of the reason, which begins with '!' */
};

static const struct constraint_case constraints[] = {
    {{"example.test"}, "+DNS:example.test -IP:0.0.0.0/0.0.0.0 -IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0"},
    {{"Example.Test.", "other.test"}, "+DNS:example.test +DNS:other.test -IP:0.0.0.0/0.0.0.0 "
                                      "-IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0"},
    {{"10.0.0.0/8"}, "+IP:10.0.0.0/255.0.0.0 -DNS:"},
    {{"10.1.2.3"}, "+IP:10.1.2.3/255.255.255.255 -DNS:"},
    {{"0.0.0.0/0"}, "+IP:0.0.0.0/0.0.0.0 -DNS:"},
    {{"10.128.0.0/9"}, "+IP:10.128.0.0/255.128.0.0 -DNS:"},
    {{"192.0.2.254/31"}, "+IP:192.0.2.254/255.255.255.254 -DNS:"},
    {{"fd00::/8"}, "+IP:FD00:0:0:0:0:0:0:0/FF00:0:0:0:0:0:0:0 -DNS:"},
    {{"::1"}, "+IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF -DNS:"},
    {{"a.test", "10.0.0.0/8", "2001:db8::/33"},
        "+DNS:a.test +IP:10.0.0.0/255.0.0.0 "
        "+IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:8000:0:0:0:0:0"},
    {{"10.0.0.1/8"}, "!bits behind"},
    {{"10.0.0.0/33"}, "!no prefix"},
    {{"10.0.0.0/"}, "!no prefix"},
    {{"10.0.0.0/-1"}, "!no prefix"},
    {{"10.0.0.0/8x"}, "!no prefix"},
    {{"10.0.0.0/99999999999999999999"}, "!no prefix"},
    {{"::/129"}, "!no prefix"},
    {{"10.0.0"}, "!neither"},
    {{"256.0.0.1"}, "!neither"},
    {{"example.test/8"}, "!neither"},
    {{"*.example.test"}, "!no host name"},
    {{".example.test"}, "!no host name"},
    {{"good.test", ""}, "!no host name"},
};

static void write_subtrees(struct buf *out, char sign, STACK_OF(GENERAL_SUBTREE) * subtrees)
{
    char name[300];
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); i++) {
        const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(subtrees, i)->base;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(base, NULL);
        const unsigned char *b = ASN1_STRING_get0_data(value);
        int len = ASN1_STRING_length(value);
        if (base->type == GEN_DNS)
            snprintf(name, sizeof name, "DNS:%.*s", len, (const char *)b);
        else if (len == 8)
            snprintf(name, sizeof name, "IP:%u.%u.%u.%u/%u.%u.%u.%u", b[0], b[1], b[2], b[3], b[4],
                b[5], b[6], b[7]);
        else {
            size_t done = (size_t)snprintf(name, sizeof name, "IP");
            for (int k = 0; k < len; k += 2)
                done += (size_t)snprintf(name + done, sizeof name - done, "%c%X",
                    k == 0    ? ':'
                    : k == 16 ? '/'
                              : ':',
                    (unsigned int)(b[k] << 8 | b[k + 1]));
        }
        assert_int_equal(buf_printf(out, "%s%c%s", out->len ? " " : "", sign, name), 0);
    }
}

static void test_constraints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof constraints / sizeof constraints[0]; i++) {
        const struct constraint_case *c = &constraints[i];
        char why[TLS_WHY_MAX] = "";
        struct buf text;
        size_t count = 0;
        print_message("%s\n", c->permits[0]);
        while (count < 4 && c->permits[count])
            count++;
        NAME_CONSTRAINTS *made = tls_constraints_new(c->permits, count, why);
        if (c->text[0] == '!') {
            assert_null(made);
            assert_non_null(strstr(why, c->text + 1));
            continue;
        }
        assert_non_null(made);
        buf_init(&text, 4096);
        write_subtrees(&text, '+', made->permittedSubtrees);
        write_subtrees(&text, '-', made->excludedSubtrees);
        assert_int_equal(buf_append_char(&text, '\0'), 0);
        assert_string_equal(text.data, c->text);
        buf_deinit(&text);
        NAME_CONSTRAINTS_free(made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_zero_byte),
        cmocka_unit_test(test_constraints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
