/* Structured field values: what is read of a dictionary, and how it is written again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/structured_fields.h"

/* Every member as KEY=VALUE in the one way to write it, with "|" between; NULL: it is bad. */
static void check(const char *text, const char *wanted)
{
    struct slice rest = slice_str(text);
    struct sf_member member;
    enum sf_result result;
    struct buf out;
    buf_init(&out, 4096);
    while ((result = sf_next_member(&rest, &member)) == SF_OK) {
        assert_int_equal(buf_printf(&out, "%s%.*s=", out.len > 0 ? "|" : "", (int)member.key.len,
                             member.key.data),
            0);
        assert_int_equal(sf_append_value(&out, &member.value), 0);
    }
    assert_int_equal(buf_append_char(&out, '\0'), 0);
    print_message("%s\n", text);
    if (wanted == NULL)
        assert_int_equal(result, SF_BAD);
    else
        assert_int_equal(result, SF_END);
    if (wanted != NULL)
        assert_string_equal(out.data, wanted);
    buf_deinit(&out);
}

static void test_dictionaries(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", ""},
        {"   ", ""},
        {"a=1", "a=1"},
        {"a=1,b=2", "a=1|b=2"},
        {"a=1 \t,\t b=-007", "a=1|b=-7"},
        {"a", "a=?1"},
        {"a;x=1, b=?0", "a=?1;x=1|b=?0"},
        {"a=\"x\\\"y\\\\z\"", "a=\"x\\\"y\\\\z\""},
        {"a=tok*/:en!", "a=tok*/:en!"},
        {"a=*t", "a=*t"},
        {"*a-_.9=1", "*a-_.9=1"},
        {"a=:aGVsbG8=:", "a=:aGVsbG8=:"},
        {"a=::", "a=::"},
        {"a=@1659578233", "a=@1659578233"},
        {"a=1.5, b=-0.125", "a=1.5|b=-0.125"},
        {"a=999999999999999", "a=999999999999999"},
        {"a=()", "a=()"},
        {"a=( \"x\"   y;q=1;r  1 );p=\")\"", "a=(\"x\" y;q=1;r 1);p=\")\""},
        {"a=1;  x=\"a,b\";y, b=2", "a=1;x=\"a,b\";y|b=2"},
        {"a=1,", NULL},
        {",a=1", NULL},
        {"a=1,,b=2", NULL},
        {"a=1 b=2", NULL},
        {"A=1", NULL},
        {"1=a", NULL},
        {"a= 1", NULL},
        {"a=", NULL},
        {"a=1;", NULL},
        {"a=1;X=1", NULL},
        {"a=\"x", NULL},
        {"a=\"x\\y\"", NULL},
        {"a=\"\xc3\xa9\"", NULL},
        {"a=\"\x7f\"", NULL},
        {"a=:aGVsbG8=", NULL},
        {"a=:aGVs*G8=:", NULL},
        {"a=:a:", NULL},
        {"a=:aGVsbG8==:", NULL},
        {"a=:aGVsb===:", NULL},
        {"a=1000000000000000", NULL},
        {"a=1234567890123.1", NULL},
        {"a=1.", NULL},
        {"a=1.1234", NULL},
        {"a=-", NULL},
        {"a=?2", NULL},
        {"a=@1.5", NULL},
        {"a=(1", NULL},
        {"a=(1 2", NULL},
        {"a=(1,2)", NULL},
        {"a=((1))", NULL},
        {"a=(\"x\"\"y\")", NULL},
        {"a=%\"x\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(cases[i].text, cases[i].wanted);
}

static void test_the_last_of_a_key_counts(void **state)
{
    (void)state;
    struct sf_value value;
    struct slice text = slice_str("a=1, b=2, a=3");
    assert_int_equal(sf_find(text, slice_str("a"), &value), SF_OK);
    assert_int_equal(value.integer, 3);
    assert_int_equal(sf_find(text, slice_str("c"), &value), SF_END);
    assert_int_equal(sf_find(slice_str("a=1, b=("), slice_str("a"), &value), SF_BAD);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", "::"},
        {"f", ":Zg==:"},
        {"fo", ":Zm8=:"},
        {"foo", ":Zm9v:"},
        {"foob", ":Zm9vYg==:"},
        {"\xff\xfe\xfd", "://79:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        unsigned char back[8];
        size_t len = strlen(cases[i].bytes);
        size_t back_len;
        buf_init(&out, 64);
        assert_int_equal(sf_append_bytes(&out, cases[i].bytes, len), 0);
        assert_true(slice_is(slice_of(out.data, out.len), cases[i].text));
        assert_true(
            sf_bytes_decode(slice_of(out.data + 1, out.len - 2), back, sizeof back, &back_len));
        assert_int_equal(back_len, len);
        if (len > 0) {
            assert_memory_equal(back, cases[i].bytes, len);
            assert_false(
                sf_bytes_decode(slice_of(out.data + 1, out.len - 2), back, len - 1, &back_len));
        }
        buf_deinit(&out);
    }
    unsigned char back[8];
    size_t len;
    assert_true(sf_bytes_decode(slice_str("Zm8"), back, sizeof back, &len)); /* no padding */
    assert_int_equal(len, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dictionaries),
        cmocka_unit_test(test_the_last_of_a_key_counts),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
