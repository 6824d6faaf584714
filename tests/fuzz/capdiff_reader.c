/* A capture file of any bytes: formats, link layers, fragments, connections, exchanges. */
#include <stdio.h>

#include "capturer/capdiff/capture.h"
#include "capturer/capdiff/connection.h"
#include "tests/fuzz/fuzz.h"

#define KEEP ((size_t)16 * 1024 * 1024)
#define SLICE 1000

static void on_segment(void *arg, const struct segment *segment)
{
    PROMISE(segment->len <= segment->wire_len);
    connections_segment(arg, segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct connections table;
    struct capture *capture;
    char err[256];

    if (capture_open_memory(&capture, data, len, err, sizeof(err)) != 0)
        return 0;
    connections_init(&table, KEEP);
    while (capture_read(capture, SLICE, on_segment, &table))
        continue;
    PROMISE(capture_facts(capture)->bytes <= len);
    connections_finish(&table);
    connections_deinit(&table);
    capture_close(capture);
    return 0;
}
