#include "lib/chunks.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the line that REST begins with; false: it has no end. */
static bool take_line(struct slice *rest, struct slice *line)
{
    const char *eol = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t len;

    if (eol == NULL || eol == rest->data || eol[-1] != '\r')
        return false;
    len = (size_t)(eol - rest->data);
    *line = slice_of(rest->data, len - 1);
    *rest = slice_of(eol + 1, rest->len - len - 1);
    return true;
}

static bool read_size(struct slice line, uint64_t *size)
{
    size_t i = 0;

    *size = 0;
    for (; i < line.len && hex_digit(line.data[i]) >= 0; i++) {
        if (*size >> 60 != 0)
            return false;
        *size = *size << 4 | (uint64_t)hex_digit(line.data[i]);
    }
    return i > 0;
}

bool chunks_next(struct slice *rest, struct chunk *chunk)
{
    size_t there;

    if (!take_line(rest, &chunk->line) || !read_size(chunk->line, &chunk->size))
        return false;
    there = chunk->size < rest->len ? (size_t)chunk->size : rest->len;
    chunk->data = slice_of(rest->data, there);
    if (chunk->size > 0) /* what follows the last one is no data of its */
        there = rest->len - there < 2 ? rest->len : there + 2;
    *rest = slice_of(rest->data + there, rest->len - there);
    return true;
}

/* Takes one byte of what is around the data. */
static void take_framing(struct chunk_stream *stream, char c)
{
    if (stream->part == CHUNK_SIZE && hex_digit(c) >= 0)
        stream->size = stream->size << 4 | (uint64_t)hex_digit(c);
    else if (stream->part == CHUNK_SIZE && c != '\n')
        stream->part = CHUNK_EXTENSION;
    else if (stream->part == CHUNK_END && c == '\n')
        stream->part = CHUNK_SIZE;
    else if (c == '\n' && stream->part < CHUNK_DATA)
        stream->part = stream->size > 0 ? CHUNK_DATA : CHUNK_TRAILERS;
}

bool chunk_stream_next(struct chunk_stream *stream, struct slice *rest, struct slice *data)
{
    *data = slice_of(rest->data, 0);
    while (rest->len > 0 && stream->part != CHUNK_DATA) {
        take_framing(stream, rest->data[0]);
        *rest = slice_of(rest->data + 1, rest->len - 1);
    }
    if (rest->len == 0)
        return false;
    *data = slice_of(rest->data, stream->size < rest->len ? (size_t)stream->size : rest->len);
    *rest = slice_of(rest->data + data->len, rest->len - data->len);
    stream->size -= data->len;
    if (stream->size == 0)
        stream->part = CHUNK_END;
    return true;
}
