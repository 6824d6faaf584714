/* HTTP message signatures and digests, against published and made-up cases in tests/data/signature.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/http_digest.h"
#include "lib/http_signature.h"

#define FIELDS_MAX 32
#define FILE_MAX (64UL * 1024)

/* A message as a case has it: no parser of ours stands between, since folds are wanted too. */
struct message {
    struct http_head head;
    struct http_field fields[FIELDS_MAX];
};

static char *read_data(const char *name)
{
    char path[512];
    char *text = calloc(1, FILE_MAX);
    snprintf(path, sizeof path, "%s/signature/%s", TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(text);
    if (file == NULL) {
        free(text);
        return NULL;
    }
    assert_true(fread(text, 1, FILE_MAX - 1, file) < FILE_MAX - 1);
    fclose(file);
    return text;
}

/* What stands between the line "== NAME" and the next of its kind; absent: there is none. */
static struct slice section(const char *text, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "== %s\n", name);
    const char *start = strncmp(text, line, strlen(line)) == 0 ? text : NULL;
    if (start == NULL) {
        snprintf(line, sizeof line, "\n== %s\n", name);
        start = strstr(text, line);
    }
    if (start == NULL)
        return slice_of(NULL, 0);
    start += strlen(line);
    const char *end = strstr(start - 1, "\n== ");
    size_t len = end != NULL ? (size_t)(end + 1 - start) : strlen(start);
    return slice_of(start, len);
}

static struct slice without_line_end(struct slice text)
{
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    return text;
}

/* Up to the line end that no fold follows. */
static struct slice take_line(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len &&
           (rest->data[len] != '\n' || (len + 1 < rest->len && rest->data[len + 1] == ' ')))
        len++;
    struct slice line = slice_of(rest->data, len);
    *rest = slice_of(rest->data + len + 1, rest->len - len - 1);
    return line;
}

static struct slice take_word(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ' ')
        len++;
    assert_true(len < rest->len);
    struct slice word = slice_of(rest->data, len);
    *rest = slice_of(rest->data + len + 1, rest->len - len - 1);
    return word;
}

static void read_message(struct message *message, struct slice text)
{
    memset(message, 0, sizeof *message);
    struct http_head *head = &message->head;
    struct slice line = take_line(&text);
    struct slice first = take_word(&line);
    struct slice second = take_word(&line);
    head->fields = message->fields;
    if (slice_is(first, "HTTP/1.1")) {
        head->status = atoi(second.data);
    } else {
        head->method = first;
        head->target = second;
    }
    while (text.len > 0) {
        line = take_line(&text);
        const char *colon = memchr(line.data, ':', line.len);
        assert_non_null(colon);
        assert_true(head->n_fields < FIELDS_MAX);
        struct http_field *field = &message->fields[head->n_fields++];
        field->name = slice_of(line.data, (size_t)(colon - line.data));
        field->value = slice_trim(slice_of(colon + 1, line.len - field->name.len - 1));
    }
}

static struct crypto_key *read_secret(const char *text)
{
    unsigned char bytes[256];
    size_t len;
    assert_true(sf_bytes_decode(without_line_end(slice_str(text)), bytes, sizeof bytes, &len));
    return crypto_key_secret(slice_of((const char *)bytes, len));
}

/* The key that verifies, or with SIGNS the one that signs. */
static struct crypto_key *read_key(struct slice name, bool signs)
{
    char file[128];
    struct crypto_key *key;
    name = without_line_end(name);
    snprintf(file, sizeof file, "%.*s", (int)name.len, name.data);
    char *dot = strrchr(file, '.');
    assert_non_null(dot);
    bool secret = strcmp(dot, ".secret") == 0;
    if (signs && !secret)
        memcpy(dot, ".pem", sizeof ".pem");
    char *text = read_data(file);
    assert_non_null(text);
    if (secret)
        key = read_secret(text);
    else
        key = signs ? crypto_key_private(slice_str(text)) : crypto_key_public(slice_str(text));
    assert_non_null(key);
    free(text);
    return key;
}

static void check_base(const struct http_signature *signature,
    const struct signature_message *message, struct slice wanted)
{
    struct buf base;
    if (wanted.data == NULL)
        return;
    buf_init(&base, SIGNATURE_BASE_MAX);
    assert_int_equal(signature_base_append(&base, message, &signature->input), 0);
    wanted = without_line_end(wanted);
    if (!slice_equal(wanted, slice_of(base.data, base.len)))
        fail_msg("the base is:\n%.*s", (int)base.len, base.data);
    buf_deinit(&base);
}

/* Both of our algorithms give the same signature each time. */
static void check_signing(const struct http_signature *signature,
    const struct signature_message *message, struct slice key_name)
{
    char label[64];
    struct buf out;
    struct buf input;
    struct buf wanted;
    struct crypto_key *key = read_key(key_name, true);
    snprintf(label, sizeof label, "%.*s", (int)signature->label.len, signature->label.data);
    buf_init(&out, FILE_MAX);
    buf_init(&input, FILE_MAX);
    buf_init(&wanted, FILE_MAX);
    assert_int_equal(sf_append_value(&input, &signature->input), 0);
    assert_int_equal(
        http_signature_sign(&out, message, label, slice_of(input.data, input.len), key), 0);
    assert_int_equal(buf_printf(&wanted, "Signature-Input: %s=%.*s\r\nSignature: %s=", label,
                         (int)input.len, input.data, label),
        0);
    assert_int_equal(sf_append_bytes(&wanted, signature->bytes, signature->len), 0);
    assert_int_equal(buf_append_str(&wanted, "\r\n"), 0);
    assert_int_equal(out.len, wanted.len);
    assert_memory_equal(out.data, wanted.data, out.len);
    buf_deinit(&out);
    buf_deinit(&input);
    buf_deinit(&wanted);
    crypto_key_free(key);
}

static const char *outcome_of(const struct http_signature *signature,
    const struct signature_message *message, struct slice key_name)
{
    if (key_name.data == NULL)
        return "base";
    struct crypto_key *key = read_key(key_name, false);
    int status = http_signature_verify(signature, message, key);
    crypto_key_free(key);
    if (status == 0)
        check_signing(signature, message, key_name);
    return status == 0           ? "verified"
           : status == UV_EACCES ? "forged"
           : status == UV_ENOENT ? "absent"
                                 : "unsignable";
}

static void check_case(const char *text)
{
    static const char *const found[] = {
        [HTTP_SIGNATURE_MISSING] = "missing",
        [HTTP_SIGNATURE_BAD] = "unreadable",
        [HTTP_SIGNATURE_NO_MEMORY] = "no memory",
    };
    struct message request;
    struct message response;
    struct http_signature signature;
    struct slice answer = section(text, "response");
    read_message(&request, section(text, "request"));
    const struct signature_message asked = {.head = &request.head, .scheme = "https"};
    struct signature_message message = asked;
    if (answer.data != NULL) {
        read_message(&response, answer);
        message = (struct signature_message){&response.head, "https", &asked};
    }
    enum http_signature_result result =
        http_signature_find(&signature, message.head, slice_of(NULL, 0));
    const char *outcome = found[result];
    if (result == HTTP_SIGNATURE_FOUND) {
        check_base(&signature, &message, section(text, "base"));
        outcome = outcome_of(&signature, &message, section(text, "key"));
    }
    struct slice wanted = without_line_end(section(text, "expect"));
    if (!slice_is(wanted, outcome))
        fail_msg("the outcome is %s", outcome);
    http_signature_deinit(&signature);
}

static void test_cases(void **state)
{
    (void)state;
    DIR *directory = opendir(TEST_DATA "/signature");
    const struct dirent *entry;
    size_t count = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len < 4 || strcmp(entry->d_name + len - 4, ".txt") != 0)
            continue;
        char *text = read_data(entry->d_name);
        assert_non_null(text);
        print_message("%s\n", entry->d_name);
        check_case(text);
        free(text);
        count++;
    }
    closedir(directory);
    assert_true(count > 40);
}

static void test_digests(void **state)
{
    (void)state;
    static const struct {
        const char *field, *body;
        enum http_digest_result result;
    } cases[] = {
        /* RFC 9530, §2 and Appendices B and D. */
        {"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", "{\"hello\": \"world\"}\n",
            HTTP_DIGEST_MATCHES},
        {"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "", HTTP_DIGEST_MATCHES},
        {"sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/"
         "WkppmM44T3qg==:",
            "{\"hello\": \"world\"}\n", HTTP_DIGEST_MATCHES},
        /* RFC 9421, Appendix B.2. */
        {"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHW"
         "XvJwew==:",
            "{\"hello\": \"world\"}", HTTP_DIGEST_MATCHES},
        /* Two that are both right, one that is wrong, and some that say nothing to us. */
        {"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, "
         "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHW"
         "XvJwew==:",
            "{\"hello\": \"world\"}", HTTP_DIGEST_MATCHES},
        {"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, sha-512=:AAAA:",
            "{\"hello\": \"world\"}", HTTP_DIGEST_DIFFERS},
        {"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", "{\"hello\": \"World\"}",
            HTTP_DIGEST_DIFFERS},
        {"sha-256=:AAAA:", "", HTTP_DIGEST_DIFFERS},
        {"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", "", HTTP_DIGEST_MISSING},
        {"", "", HTTP_DIGEST_MISSING},
        {NULL, "", HTTP_DIGEST_MISSING},
        {"sha-256=47DEQpj8HBSa", "", HTTP_DIGEST_BAD},
        {"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:,", "", HTTP_DIGEST_BAD},
        {"SHA-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "", HTTP_DIGEST_BAD},
        {"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "", HTTP_DIGEST_BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_field field = {slice_str("content-DIGEST"), {0}};
        if (cases[i].field != NULL)
            field.value = slice_str(cases[i].field);
        const struct http_head head = {.fields = &field, .n_fields = cases[i].field != NULL};
        print_message("%s\n", cases[i].field != NULL ? cases[i].field : "(none)");
        assert_int_equal(http_digest_check(&head, slice_str(cases[i].body)), cases[i].result);
    }
}

static void test_digest_is_written(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(http_digest_append(&out, slice_str("{\"hello\": \"world\"}\n")), 0);
    assert_int_equal(buf_append_char(&out, '\0'), 0);
    assert_string_equal(
        out.data, "Content-Digest: sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:\r\n");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_digest_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
