#include "capturer/capdiff/chunks.h"

#include "capturer/capdiff/hash.h"

bool chunks_read(struct chunks *chunks, struct slice body)
{
    struct chunk chunk;

    *chunks = (struct chunks){.borders = HASH_START, .spelling = HASH_START};
    while (chunks_next(&body, &chunk)) {
        chunks->spelling = hash_bytes(chunks->spelling, chunk.line.data, chunk.line.len + 1);
        if (chunk.size == 0) {
            chunks->trailers = slice_of(body.data, body.len >= 2 ? body.len - 2 : 0);
            return body.len >= 2;
        }
        chunks->borders = hash_bytes(chunks->borders, &chunk.size, sizeof(chunk.size));
        chunks->count++;
    }
    return false;
}
