/* savefile.h: both formats, whole and cut at every byte, and with every byte changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <uv.h>

#include "capturer/capdiff/savefile.h"
#include "lib/buf.h"

static const char *const files[] = {TEST_DATA "/capdiff/server.pcap",
    TEST_DATA "/capdiff/server-sll2-ns.pcap", TEST_DATA "/capdiff/server-sections.pcapng",
    TEST_DATA "/capdiff/server-drops.pcapng"};

#define FILES (sizeof(files) / sizeof(files[0]))

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    char data[4096];
    size_t len;

    assert_non_null(file);
    buf_init(out, (size_t)1024 * 1024);
    while ((len = fread(data, 1, sizeof(data), file)) > 0)
        assert_int_equal(buf_append(out, data, len), 0);
    fclose(file);
}

/* Packets read before the end, and how that was; -1: it was refused. */
static int count_packets(const char *data, size_t len, enum savefile_event *end)
{
    struct savefile_packet packet;
    struct savefile *file;
    char err[256];
    char *copy = malloc(len + 1); /* of exactly that size, so that a read outside is seen */
    int count = 0;
    int status;

    memcpy(copy, data, len);
    copy = realloc(copy, len > 0 ? len : 1);
    status = savefile_open_memory(&file, copy, len, "it", err, sizeof(err));
    if (status == 0) {
        while ((*end = savefile_next(file, &packet)) == SAVEFILE_PACKET) {
            assert_true(packet.data >= (uint8_t *)copy);
            assert_true(packet.data + packet.len <= (uint8_t *)copy + len);
            assert_true(packet.wire_len >= packet.len);
            count++;
        }
        assert_int_equal(savefile_next(file, &packet), *end);
        savefile_close(file);
    }
    free(copy);
    return status == 0 ? count : -1;
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        enum savefile_event end = SAVEFILE_END;
        struct buf whole;
        int last = 0;

        read_file(files[i], &whole);
        for (size_t len = 0; len <= whole.len; len++) {
            int count = count_packets(whole.data, len, &end);

            assert_true(count < 0 || count == last || count == last + 1);
            assert_true(count < 0 || end == SAVEFILE_END || end == SAVEFILE_CUT);
            if (count >= 0)
                last = count;
        }
        assert_int_equal(end, SAVEFILE_END);
        assert_int_equal(last, 40);
        buf_deinit(&whole);
    }
}

static void test_every_byte_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        enum savefile_event end;
        struct buf whole;

        read_file(files[i], &whole);
        for (size_t at = 0; at < whole.len; at++) {
            char kept = whole.data[at];

            for (int value = 0; value < 256; value += 85) {
                whole.data[at] = (char)value;
                (void)count_packets(whole.data, whole.len, &end);
            }
            whole.data[at] = kept;
        }
        buf_deinit(&whole);
    }
}

/* The same packets, whatever the sections, byte orders and resolutions. */
static void test_stamps_and_places(void **state)
{
    struct savefile_packet a, b;
    struct savefile *plain, *sections;
    uint64_t place = 0;
    char err[256];

    (void)state;
    assert_int_equal(savefile_open(&plain, files[0], err, sizeof(err)), 0);
    assert_int_equal(savefile_open(&sections, files[2], err, sizeof(err)), 0);
    while (savefile_next(plain, &a) == SAVEFILE_PACKET) {
        uint64_t apart;

        assert_int_equal(savefile_next(sections, &b), SAVEFILE_PACKET);
        apart = a.time_ns > b.time_ns ? a.time_ns - b.time_ns : b.time_ns - a.time_ns;
        assert_true(apart < 1000000); /* one of the interfaces counts milliseconds */
        assert_true(a.offset > place);
        place = a.offset;
    }
    assert_int_equal(savefile_next(sections, &b), SAVEFILE_END);
    savefile_close(plain);
    savefile_close(sections);
}

static void test_drops(void **state)
{
    struct savefile_packet packet;
    struct savefile *file;
    char err[256];
    bool known;

    (void)state;
    assert_int_equal(savefile_open(&file, files[3], err, sizeof(err)), 0);
    assert_int_equal(savefile_dropped(file, &known), 0);
    assert_false(known);
    while (savefile_next(file, &packet) == SAVEFILE_PACKET)
        continue;
    assert_int_equal(savefile_dropped(file, &known), 7); /* counters go on: 3, then 7 */
    assert_true(known);
    savefile_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_stamps_and_places),
        cmocka_unit_test(test_drops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
