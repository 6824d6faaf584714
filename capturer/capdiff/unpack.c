#include "capturer/capdiff/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_WINDOW (16 + MAX_WBITS) /* zlib's way to ask for gzip */
#define SLICE_MAX ((size_t)1 << 30)  /* zlib counts in 32 bits */

static void *gzip_open(void)
{
    z_stream *stream = calloc(1, sizeof(*stream));

    if (stream != NULL && inflateInit2(stream, GZIP_WINDOW) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

/* A gzip file may be several, one behind the other (RFC 1952 §2.2). */
static bool gzip_step(void *state, struct unpack_step *step)
{
    z_stream *stream = state;
    size_t in_len = step->in_len < SLICE_MAX ? step->in_len : SLICE_MAX;
    size_t out_len = step->out_len < SLICE_MAX ? step->out_len : SLICE_MAX;
    int status;

    if (step->whole && in_len > 0 && inflateReset(stream) != Z_OK)
        return false;
    stream->next_in = (z_const Bytef *)(uintptr_t)step->in; /* zlib leaves it as it is */
    stream->avail_in = (uInt)in_len;
    stream->next_out = step->out;
    stream->avail_out = (uInt)out_len;
    status = inflate(stream, Z_NO_FLUSH);
    step->in += in_len - stream->avail_in;
    step->in_len -= in_len - stream->avail_in;
    step->out += out_len - stream->avail_out;
    step->out_len -= out_len - stream->avail_out;
    step->whole = status == Z_STREAM_END;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
}

static void gzip_close(void *state)
{
    (void)inflateEnd(state);
    free(state);
}

static void *zstd_open(void)
{
    return ZSTD_createDStream();
}

static bool zstd_step(void *state, struct unpack_step *step)
{
    ZSTD_inBuffer in = {step->in, step->in_len, 0};
    ZSTD_outBuffer out = {step->out, step->out_len, 0};
    size_t status = ZSTD_decompressStream(state, &out, &in);

    step->in += in.pos;
    step->in_len -= in.pos;
    step->out += out.pos;
    step->out_len -= out.pos;
    step->whole = status == 0;
    return ZSTD_isError(status) == 0;
}

static void zstd_close(void *state)
{
    ZSTD_freeDStream(state);
}

const struct unpacker *unpacker_find(const uint8_t *magic, size_t len)
{
    static const struct unpacker gzip = {
        "gzip", "the gzip data is damaged", gzip_open, gzip_step, gzip_close};
    static const struct unpacker zstd = {
        "zstd", "the zstd data is damaged", zstd_open, zstd_step, zstd_close};

    if (len >= 2 && memcmp(magic, "\x1f\x8b", 2) == 0)
        return &gzip;
    if (len >= 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
        return &zstd;
    /* A skippable frame may stand first; its magic number is one of sixteen. */
    if (len >= 4 && (magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, "\x2a\x4d\x18", 3) == 0)
        return &zstd;
    return NULL;
}
