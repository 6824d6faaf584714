/* SHA-256: the same digest whatever the pieces are, and whichever thread it is that hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/sha256.h"
#include "lib/sha256_thread.h"

#define LONG_BODY (6UL << 20) /* bytes: several times what a thread's ring has */
#define SMALL 4096            /* pieces that no thread is begun for */
#define DIGESTS (SHA256_THREADS_MAX + 2)

static unsigned char *body;

static int make_body(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    body = malloc(LONG_BODY);
    for (size_t i = 0; body && i < LONG_BODY; i++)
        body[i] = (unsigned char)rand();
    return body ? 0 : -1;
}

static int free_body(void **state)
{
    (void)state;
    free(body);
    return 0;
}

static struct sha256 *begin(void)
{
    struct sha256 *sha = sha256_new();
    assert_non_null(sha);
    return sha;
}

/* By the calling thread alone. */
static void expected(size_t len, char hex[SHA256_HEX_SIZE])
{
    struct sha256 *sha = begin();
    for (size_t at = 0; at < len; at += SMALL)
        sha256_update(sha, body + at, len - at < SMALL ? len - at : SMALL);
    sha256_hex(sha, hex);
    sha256_free(sha);
}

static void assert_digest(struct sha256 *sha, size_t len)
{
    char hex[SHA256_HEX_SIZE], wanted[SHA256_HEX_SIZE];
    expected(len, wanted);
    sha256_hex(sha, hex);
    assert_string_equal(hex, wanted);
}

static void test_examples(void **state)
{
    struct sha256 *sha = begin();
    char hex[SHA256_HEX_SIZE];
    (void)state;
    sha256_hex(sha, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_reset(sha);
    sha256_update(sha, "a", 1);
    sha256_update(sha, "bc", 2);
    sha256_hex(sha, hex); /* FIPS 180-4, the one-block example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_free(sha);
}

/* Mostly large ones, with small ones and none at all between. */
static size_t a_piece(size_t left)
{
    static const size_t most[] = {1, 100, 20000, 70000, 70000, 130000, 130000, 400000};
    size_t len = (size_t)rand() % (most[(size_t)rand() % (sizeof most / sizeof most[0])] + 1);
    return len < left ? len : left;
}

/* More of them at once than there are threads, so some of them have none. */
static void test_side_by_side(void **state)
{
    struct sha256 *digests[DIGESTS];
    size_t lens[DIGESTS], done[DIGESTS] = {0}, whole = 0;
    (void)state;
    for (size_t i = 0; i < DIGESTS; i++) {
        digests[i] = begin();
        lens[i] = LONG_BODY - (size_t)rand() % 100000;
    }
    while (whole < DIGESTS) {
        size_t i = (size_t)rand() % DIGESTS, len = a_piece(lens[i] - done[i]);
        if (done[i] == lens[i])
            continue;
        sha256_update(digests[i], body + done[i], len);
        done[i] += len;
        whole += done[i] == lens[i];
    }
    for (size_t i = 0; i < DIGESTS; i++) {
        assert_digest(digests[i], lens[i]);
        sha256_free(digests[i]);
    }
}

/* A body is given up in its middle, and another one comes. */
static void test_given_up(void **state)
{
    struct sha256 *sha = begin();
    (void)state;
    for (int i = 0; i < 20; i++) {
        for (size_t at = 0; at < (2UL << 20); at += 130000)
            sha256_update(sha, body + at, 130000);
        sha256_reset(sha);
        sha256_update(sha, body, SMALL);
        assert_digest(sha, SMALL);
        sha256_reset(sha);
    }
    for (size_t at = 0; at < (2UL << 20); at += 130000)
        sha256_update(sha, body + at, 130000);
    sha256_free(sha);
}

static void hash_nothing(void *state, const void *data, size_t len)
{
    (void)data;
    *(size_t *)state += len;
}

static void test_threads_are_few(void **state)
{
    struct sha256_thread *threads[SHA256_THREADS_MAX];
    size_t lens[SHA256_THREADS_MAX + 1] = {0};
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SHA256_THREADS_MAX; i++)
            assert_non_null(threads[i] = sha256_thread_new(hash_nothing, &lens[i]));
        assert_null(sha256_thread_new(hash_nothing, &lens[SHA256_THREADS_MAX]));
        for (size_t i = 0; i < SHA256_THREADS_MAX; i++) {
            sha256_thread_give(threads[i], body, LONG_BODY - i);
            sha256_thread_free(threads[i]);
            assert_int_equal(lens[i], (LONG_BODY - i) * ((size_t)round + 1));
        }
    }
    sha256_thread_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_threads_are_few),
    };
    return cmocka_run_group_tests(tests, make_body, free_body);
}
