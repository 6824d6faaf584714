/* The defences of two sides that face each other, and what someone between them can still do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "lib/defence.h"

#define CALL "{\"id\":1,\"amount\":5}"
#define ANSWER "{\"id\":1,\"ok\":true}"
#define WINDOW 30

static int64_t the_time = 1700000000;

static int64_t now(void)
{
    return the_time;
}

/* A message as it is sent: its head, read again from its bytes as the other side does it. */
struct sent {
    char text[4096];
    struct http_head head;
    struct http_field fields[HTTP_FIELDS_MAX];
};

struct sides {
    struct defence *a, *b;
};

static struct defence *make(int profile, const char *own, const char *peer)
{
    const struct defence_options options = {.profile = profile, .window = WINDOW};
    struct defence *defence = defence_new(&options, own, peer);
    assert_non_null(defence);
    defence_set_clock(defence, now);
    return defence;
}

static struct sides make_sides(int profile)
{
    setenv("AGENT_SECRET", "a secret of both sides", 1);
    return (struct sides){make(profile, "agent_a", "agent_b"), make(profile, "agent_b", "agent_a")};
}

static void free_sides(struct sides *sides)
{
    defence_free(sides->a);
    defence_free(sides->b);
}

static void read_head(struct sent *sent, enum http_kind kind)
{
    struct http_problem problem;
    if (!http_head_read(&sent->head, kind, slice_str(sent->text), sent->fields, &problem))
        fail_msg("%s: %s", problem.reason, sent->text);
}

/* Appends PROOF and the empty line. */
static void finish(struct sent *sent, enum http_kind kind, const struct buf *proof)
{
    size_t len = strlen(sent->text);
    snprintf(sent->text + len, sizeof sent->text - len, "%.*s\r\n", (int)proof->len,
        proof->data != NULL ? proof->data : "");
    read_head(sent, kind);
}

static void begin(struct sent *sent, enum http_kind kind, const char *start_line)
{
    snprintf(sent->text, sizeof sent->text,
        "%s\r\nHost: agent-b:8000\r\nContent-Type: application/json\r\n\r\n", start_line);
    read_head(sent, kind);
}

static void cut_empty_line(struct sent *sent)
{
    sent->text[strlen(sent->text) - 2] = '\0';
}

static void send_request(const struct sides *sides, const char *body, struct sent *request)
{
    struct buf proof;
    buf_init(&proof, 4096);
    begin(request, HTTP_KIND_REQUEST, "POST /tool?x=1 HTTP/1.1");
    assert_int_equal(defence_sign_request(sides->a, &request->head, slice_str(body), &proof), 0);
    cut_empty_line(request);
    finish(request, HTTP_KIND_REQUEST, &proof);
    buf_deinit(&proof);
}

static void send_response(
    const struct sides *sides, const struct sent *request, const char *body, struct sent *response)
{
    struct buf proof;
    buf_init(&proof, 4096);
    begin(response, HTTP_KIND_RESPONSE, "HTTP/1.1 200 OK");
    assert_int_equal(
        defence_sign_response(sides->b, &request->head, &response->head, slice_str(body), &proof),
        0);
    cut_empty_line(response);
    finish(response, HTTP_KIND_RESPONSE, &proof);
    buf_deinit(&proof);
}

/* "ok", or the word of the refusal. */
static const char *receive_request(
    const struct sides *sides, const struct sent *request, const char *body)
{
    char nonce[DEFENCE_NONCE_MAX + 1];
    struct defence_refusal refusal;
    if (defence_check_request(sides->b, &request->head, slice_str(body), nonce, &refusal))
        return "ok";
    assert_true(refusal.status >= 400 && refusal.status < 500);
    return refusal.word;
}

static const char *receive_response(const struct sides *sides, const struct sent *request,
    const struct sent *response, const char *body)
{
    struct defence_refusal refusal;
    return defence_check_response(
               sides->a, &request->head, &response->head, slice_str(body), &refusal)
               ? "ok"
               : refusal.word;
}

/* Someone between them: replaces what stands in the head, which keeps its length or does not. */
static void tamper(struct sent *sent, enum http_kind kind, const char *from, const char *to)
{
    char copy[sizeof sent->text];
    const char *at = strstr(sent->text, from);
    assert_non_null(at);
    snprintf(
        copy, sizeof copy, "%.*s%s%s", (int)(at - sent->text), sent->text, to, at + strlen(from));
    memcpy(sent->text, copy, sizeof copy);
    read_head(sent, kind);
}

static const int heads[] = {DEFENCE_DIGEST, DEFENCE_SIGNED, DEFENCE_SIGNED_NONCE, DEFENCE_ALL};

static void test_both_sides_agree(void **state)
{
    (void)state;
    for (size_t i = 0; defence_profiles[i] != NULL; i++) {
        struct sides sides = make_sides((int)i);
        struct sent request;
        struct sent response;
        send_request(&sides, CALL, &request);
        assert_string_equal(receive_request(&sides, &request, CALL), "ok");
        send_response(&sides, &request, ANSWER, &response);
        assert_string_equal(receive_response(&sides, &request, &response, ANSWER), "ok");
        free_sides(&sides);
    }
}

static void test_nothing_is_sent_without_need(void **state)
{
    (void)state;
    static const int silent[] = {DEFENCE_NONE, DEFENCE_STRICT_JSON};
    for (size_t i = 0; i < 2; i++) {
        struct sides sides = make_sides(silent[i]);
        struct sent request;
        send_request(&sides, CALL, &request);
        assert_true(defence_is_silent(sides.a));
        assert_int_equal(request.head.n_fields, 2);
        free_sides(&sides);
    }
    assert_true(defence_is_silent(NULL));
}

static void test_a_changed_body_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct sides sides = make_sides(heads[i]);
        struct sent request;
        struct sent response;
        send_request(&sides, CALL, &request);
        assert_string_equal(
            receive_request(&sides, &request, "{\"id\":1,\"amount\":9}"), "digest_mismatch");
        send_response(&sides, &request, ANSWER, &response);
        assert_string_equal(receive_response(&sides, &request, &response, "{}"), "digest_mismatch");
        free_sides(&sides);
    }
}

/* A field, its value that comes from elsewhere, and what each profile makes of it. */
static void test_a_changed_head(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *digest, *with_signature;
    } cases[] = {
        {"Content-Digest: ", "X-Digest: ", "digest_missing", "digest_missing"},
        {"Content-Digest: sha-256", "Content-Digest: SHA-256", "digest_mismatch",
            "digest_mismatch"},
        {"POST /tool?x=1", "PUT /tool?x=1", "ok", "signature_invalid"},
        {"/tool?x=1", "/tool?x=2", "ok", "signature_invalid"},
        {"/tool?x=1", "/tools?x=1", "ok", "signature_invalid"},
        {"agent-b:8000", "agent-c:8000", "ok", "signature_invalid"},
        {"application/json", "application/x", "ok", "signature_invalid"},
        {"Signature: ", "X-Signature: ", NULL, "signature_missing"},
        {"Signature-Input: ", "X-Signature-Input: ", NULL, "signature_missing"},
        {"Signature: sig1", "Signature: sig2", NULL, "signature_invalid"},
        {"tag=\"agent-mitm\"", "tag=\"other\"", NULL, "signature_missing"},
        {"keyid=\"agent_a\"", "keyid=\"agent_b\"", NULL, "signature_invalid"},
        {"created=1700000000", "created=1700000001", NULL, "signature_invalid"},
        {";created=1700000000", "", NULL, "signature_invalid"},
        {"\"content-digest\"", "\"date\"", NULL, "signature_invalid"},
        {"alg=\"hmac-sha256\"", "alg=\"ed25519\"", NULL, "signature_invalid"},
        {"Host: ", "Via: 1.1 proxy\r\nHost: ", "ok", "ok"}, /* it covers what matters only */
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct sides sides = make_sides(heads[i]);
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            bool digest = heads[i] == DEFENCE_DIGEST;
            struct sent request;
            if (digest && cases[k].digest == NULL)
                continue;
            send_request(&sides, CALL, &request);
            tamper(&request, HTTP_KIND_REQUEST, cases[k].from, cases[k].to);
            assert_string_equal(receive_request(&sides, &request, CALL),
                digest ? cases[k].digest : cases[k].with_signature);
        }
        free_sides(&sides);
    }
}

/* Whoever changes the body and has no key makes a digest, and only a digest. */
static void test_a_recomputed_digest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct sides sides = make_sides(heads[i]);
        struct sides attacker = make_sides(DEFENCE_DIGEST);
        struct sent request;
        struct sent forged;
        send_request(&sides, CALL, &request);
        send_request(&attacker, "{\"id\":1,\"amount\":9}", &forged);
        const char *old = strstr(request.text, "sha-256");
        const char *new = strstr(forged.text, "sha-256");
        char from[64];
        char to[64];
        snprintf(from, sizeof from, "%.53s", old);
        snprintf(to, sizeof to, "%.53s", new);
        tamper(&request, HTTP_KIND_REQUEST, from, to);
        assert_string_equal(receive_request(&sides, &request, "{\"id\":1,\"amount\":9}"),
            heads[i] == DEFENCE_DIGEST ? "ok" : "signature_invalid");
        free_sides(&attacker);
        free_sides(&sides);
    }
}

/* The answer to another call has a good signature, only not one to this request. */
static void test_a_swapped_response(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct sides sides = make_sides(heads[i]);
        struct sent one;
        struct sent other;
        struct sent response;
        send_request(&sides, CALL, &one);
        send_request(&sides, "{\"id\":1,\"amount\":6}", &other);
        send_response(&sides, &other, ANSWER, &response);
        assert_string_equal(receive_response(&sides, &other, &response, ANSWER), "ok");
        assert_string_equal(receive_response(&sides, &one, &response, ANSWER),
            heads[i] == DEFENCE_DIGEST ? "ok" : "signature_invalid");
        free_sides(&sides);
    }
}

/* Two equal calls within a second are one to whoever signs without a nonce. */
static void test_equal_calls_need_a_nonce(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof heads / sizeof heads[0]; i++) {
        struct sides sides = make_sides(heads[i]);
        struct sent one;
        struct sent other;
        struct sent response;
        send_request(&sides, CALL, &one);
        send_request(&sides, CALL, &other);
        send_response(&sides, &other, ANSWER, &response);
        assert_string_equal(receive_response(&sides, &one, &response, ANSWER),
            heads[i] == DEFENCE_SIGNED ? "ok" : "signature_invalid");
        free_sides(&sides);
    }
}

/* A request is no response, although one secret signs both. */
static void test_a_reflected_message(void **state)
{
    (void)state;
    struct sides sides = make_sides(DEFENCE_ALL);
    struct sent request;
    send_request(&sides, CALL, &request);
    assert_string_equal(receive_response(&sides, &request, &request, CALL), "signature_invalid");
    free_sides(&sides);
}

static void test_the_window(void **state)
{
    (void)state;
    static const struct {
        int64_t later;
        const char *with_nonce;
    } cases[] = {
        {0, "ok"},
        {WINDOW, "ok"},
        {WINDOW + 1, "expired"},
        {-WINDOW, "ok"}, /* the clocks differ */
        {-WINDOW - 1, "expired"},
        {1000000, "expired"},
    };
    for (size_t i = 1; i < sizeof heads / sizeof heads[0]; i++) {
        struct sides sides = make_sides(heads[i]);
        struct sent request;
        struct sent response;
        send_request(&sides, CALL, &request);
        send_response(&sides, &request, ANSWER, &response);
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            const char *wanted = heads[i] == DEFENCE_SIGNED ? "ok" : cases[k].with_nonce;
            the_time += cases[k].later;
            assert_string_equal(receive_request(&sides, &request, CALL), wanted);
            assert_string_equal(receive_response(&sides, &request, &response, ANSWER), wanted);
            the_time -= cases[k].later;
        }
        free_sides(&sides);
    }
}

static void test_a_nonce_is_asked_for(void **state)
{
    (void)state;
    struct sides plain = make_sides(DEFENCE_SIGNED);
    struct sides sides = make_sides(DEFENCE_SIGNED_NONCE);
    struct sent request;
    char nonce[DEFENCE_NONCE_MAX + 1];
    struct defence_refusal refusal;
    send_request(&plain, CALL, &request);
    assert_string_equal(receive_request(&sides, &request, CALL), "signature_invalid");
    send_request(&sides, CALL, &request);
    assert_true(defence_check_request(sides.b, &request.head, slice_str(CALL), nonce, &refusal));
    assert_int_equal(strlen(nonce), 32);
    assert_non_null(strstr(request.text, nonce));
    free_sides(&plain);
    free_sides(&sides);
}

static void test_strict_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"{\"id\":1,\"tool\":{\"id\":2},\"list\":[{\"id\":1},{\"id\":1}]}", true},
        {"{}", true},
        {"[]", true},
        {"7", true},
        {"{\"\":1,\"a\":2}", true},
        {"{\"\":1,\"\":2}", false},
        {"{\"id\":1,\"x\":0,\"id\":1}", false},
        {"{\"id\":1,\"ID\":2}", false},
        {"{\"id\":1,\"\\u0069d\":2}", false},
        {"{\"ok\":1,\"o\xe2\x84\xaa\":2}", false}, /* the sign for kelvin */
        {"{\"is\":1,\"i\xc5\xbf\":2}", false},     /* the long s */
        {"{\"\xc3\xa9\":1,\"\xc3\x89\":2}", true}, /* beyond ASCII few parsers fold */
        {"{\"a\":{\"b\":[[{\"c\":1,\"C\":1}]]}}", false},
        {"[{\"a\":1},[{\"b\":1,\"b\":1}],2]", false},
        {"{\"a\":\"\xff\"}", false},
        {"{\"a\":\"\xc3\xa9\"}", true},
        {"{\"a\":\"\xed\xa0\x80\"}", false},
    };
    struct sides strict = make_sides(DEFENCE_STRICT_JSON);
    struct sides all = make_sides(DEFENCE_ALL);
    struct sides loose = make_sides(DEFENCE_SIGNED_NONCE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice text = slice_str(cases[i].text);
        struct json_text *json = json_text_parse(text, NULL, NULL);
        struct defence_refusal refusal = {"ambiguous_json", "", 400};
        print_message("%s\n", cases[i].text);
        assert_non_null(json);
        assert_int_equal(defence_check_json(strict.a, json, text, &refusal), cases[i].good);
        assert_string_equal(refusal.word, "ambiguous_json");
        assert_int_equal(defence_check_json(all.b, json, text, &refusal), cases[i].good);
        assert_true(defence_check_json(loose.b, json, text, &refusal));
        json_text_free(json);
    }
    free_sides(&strict);
    free_sides(&all);
    free_sides(&loose);
}

/* Ed25519: each side has its own key, and knows the public one of the other. */
static void test_key_pairs(void **state)
{
    (void)state;
    struct defence_options options = {.profile = DEFENCE_ALL,
        .key = TEST_DATA "/signature/test-key-ed25519.pem",
        .peer_key = TEST_DATA "/signature/test-key-ed25519.pub",
        .window = WINDOW};
    struct sides sides = {
        defence_new(&options, "agent_a", "agent_b"), defence_new(&options, "agent_b", "agent_a")};
    struct sent request;
    struct sent response;
    assert_non_null(sides.a);
    assert_non_null(sides.b);
    send_request(&sides, CALL, &request);
    assert_non_null(strstr(request.text, "alg=\"ed25519\""));
    assert_string_equal(receive_request(&sides, &request, CALL), "ok");
    send_response(&sides, &request, ANSWER, &response);
    assert_string_equal(receive_response(&sides, &request, &response, ANSWER), "ok");
    free_sides(&sides);
}

static void test_bad_keys(void **state)
{
    (void)state;
    static const struct {
        const char *key, *peer;
    } cases[] = {
        {"/no/such/file", NULL},
        {TEST_DATA "/signature/test-key-ed25519.pub", NULL},
        {TEST_DATA "/signature/test-key-ed25519.pem", NULL},
        {TEST_DATA "/signature/test-key-ed25519.pem", "/no/such/file"},
        {TEST_DATA "/signature/test-key-ed25519.pem", TEST_DATA "/signature/README.md"},
        {"/dev/null", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct defence_options options = {
            .profile = DEFENCE_SIGNED, .key = cases[i].key, .peer_key = cases[i].peer};
        assert_null(defence_new(&options, "agent_a", "agent_b"));
    }
    const struct defence_options options = {.profile = DEFENCE_SIGNED};
    setenv("AGENT_SECRET", "short", 1);
    assert_null(defence_new(&options, "agent_a", "agent_b"));
    unsetenv("AGENT_SECRET");
    assert_null(defence_new(&options, "agent_a", "agent_b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_agree),
        cmocka_unit_test(test_nothing_is_sent_without_need),
        cmocka_unit_test(test_a_changed_body_is_noticed),
        cmocka_unit_test(test_a_changed_head),
        cmocka_unit_test(test_a_recomputed_digest),
        cmocka_unit_test(test_a_swapped_response),
        cmocka_unit_test(test_equal_calls_need_a_nonce),
        cmocka_unit_test(test_a_reflected_message),
        cmocka_unit_test(test_the_window),
        cmocka_unit_test(test_a_nonce_is_asked_for),
        cmocka_unit_test(test_strict_json),
        cmocka_unit_test(test_key_pairs),
        cmocka_unit_test(test_bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
