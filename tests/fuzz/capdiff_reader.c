/* A capture file of any bytes: formats, link layers, fragments, connections, exchanges. */
#include <stdio.h>

#include "capturer/capdiff/capture.h"
#include "capturer/capdiff/connection.h"
#include "tests/fuzz/fuzz.h"

#define KEEP ((size_t)16 * 1024 * 1024)

static void on_segment(void *arg, const struct segment *segment)
{
    PROMISE(segment->len <= segment->wire_len);
    connections_segment(arg, segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct connections table;
    struct capture_facts facts;
    struct savefile *file;
    char err[256];

    if (savefile_open_memory(&file, data, len, "it", err, sizeof(err)) != 0)
        return 0;
    connections_init(&table, KEEP);
    (void)capture_read_file(file, "it", on_segment, &table, &facts, err, sizeof(err));
    PROMISE(facts.bytes <= len);
    connections_finish(&table);
    connections_deinit(&table);
    savefile_close(file);
    return 0;
}
