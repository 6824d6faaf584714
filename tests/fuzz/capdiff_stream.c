/*
 * Reassembly: segments of any numbers, in any order, with any bytes. Input: records of flags, a
 * number relative to the start (2 bytes), a length (1 byte), and what the peer acknowledges.
 */
#include <string.h>

#include "capturer/capdiff/tcp_stream.h"
#include "tests/fuzz/fuzz.h"

#define RECORD 5
#define START 0xffffff00u /* so that numbers wrap */

struct heard {
    uint64_t given, gaps, clashes, fins;
};

static void on_data(void *arg, int side, const struct tcp_run *run)
{
    struct heard *heard = arg;

    (void)side;
    PROMISE(run->len > 0);
    PROMISE(run->seq == START + (uint32_t)(heard->given + heard->gaps));
    heard->given += run->len;
}

static void on_gap(void *arg, int side, uint64_t len)
{
    (void)side;
    PROMISE(len > 0);
    ((struct heard *)arg)->gaps += len;
}

static void on_clash(void *arg, int side, const struct tcp_clash *clash)
{
    (void)side;
    PROMISE(memcmp(clash->before, clash->later, clash->len) != 0);
    ((struct heard *)arg)->clashes++;
}

static void on_fin(void *arg, int side)
{
    (void)side;
    PROMISE(((struct heard *)arg)->fins++ == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct heard heard = {0};
    struct tcp_sink sink = {on_data, on_gap, on_clash, on_fin, &heard};
    struct tcp_stream stream;
    uint64_t time_ns = 0;

    tcp_stream_init(&stream, &sink, 0);
    tcp_stream_start(&stream, START);
    while (len >= RECORD) {
        uint32_t number = (uint32_t)(data[1] << 8 | data[2]);
        size_t size = data[3] < len - RECORD ? data[3] : len - RECORD;
        struct segment segment = {.seq = START + number,
            .flags = data[0] & (SEGMENT_FIN | SEGMENT_SYN),
            .time_ns = time_ns,
            .payload = data + RECORD,
            .len = size,
            .wire_len = size + ((data[0] & 0x20) != 0 ? 7 : 0)};

        time_ns += (uint64_t)data[0] << 24;
        tcp_stream_segment(&stream, &segment);
        if ((data[0] & SEGMENT_ACK) != 0)
            tcp_stream_ack(&stream, START + number + data[4]);
        if ((data[0] & 0x40) != 0)
            tcp_stream_pass_acked(&stream, time_ns);
        PROMISE(stream.held <= TCP_HELD_MAX && stream.n_pieces <= TCP_PIECES_MAX);
        data += RECORD + size;
        len -= RECORD + size;
    }
    tcp_stream_finish(&stream);
    PROMISE(stream.pieces == NULL && stream.held == 0);
    PROMISE(stream.gap_bytes == heard.gaps && stream.clashes == heard.clashes);
    tcp_stream_deinit(&stream);
    return 0;
}
