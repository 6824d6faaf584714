#include "lib/tls_stream.h"

#include <stdlib.h>

struct tls_stream {
    struct stream *stream;
    struct tls *tls;
    bool secured; /* on_secured has been called */
};

static int on_wire(void *arg, struct slice bytes)
{
    const struct tls_stream *layer = arg;
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
    return stream_write_wire(layer->stream, &run, 1);
}

static void tell_secured(struct tls_stream *layer)
{
    struct stream *stream = layer->stream;
    if (layer->secured || tls_state(layer->tls) == TLS_HANDSHAKE)
        return;
    layer->secured = true;
    if (stream->open && stream->events->on_secured)
        stream->events->on_secured(stream);
}

static int on_plain(void *arg, struct slice bytes)
{
    struct tls_stream *layer = arg;
    tell_secured(layer);
    stream_deliver(layer->stream, bytes.data, bytes.len);
    return layer->stream->open ? 0 : UV_ECANCELED;
}

static struct tls_sink sink_of(struct tls_stream *layer)
{
    return (struct tls_sink){.on_wire = on_wire, .on_plain = on_plain, .arg = layer};
}

static int work(struct tls_stream *layer, struct slice wire)
{
    struct tls_sink sink = sink_of(layer);
    struct stream *stream = layer->stream;
    int err = tls_take(layer->tls, wire, &sink);
    if (!stream->open)
        return 0; /* the owner has closed it */
    if (err)
        return err;
    tell_secured(layer);
    if (stream->open && tls_state(layer->tls) == TLS_ENDED)
        stream_deliver_eof(stream);
    return 0;
}

static int take(void *state, const char *data, size_t len)
{
    return work(state, slice_of(data, len));
}

static int take_end(void *state)
{
    const struct tls_stream *layer = state;
    if (tls_state(layer->tls) == TLS_HANDSHAKE)
        return UV_ECONNRESET;
    layer->stream->cut = tls_state(layer->tls) != TLS_ENDED;
    return 0;
}

static int write_plain(void *state, const uv_buf_t *runs, unsigned int count)
{
    struct tls_stream *layer = state;
    struct tls_sink sink = sink_of(layer);
    int err = layer->stream->shut ? UV_EPIPE : 0;
    for (unsigned int i = 0; !err && i < count; i++)
        err = tls_write(layer->tls, slice_of(runs[i].base, runs[i].len), &sink);
    return err;
}

static int end(void *state)
{
    struct tls_stream *layer = state;
    struct tls_sink sink = sink_of(layer);
    return tls_end(layer->tls, &sink);
}

static void release(void *state)
{
    struct tls_stream *layer = state;
    tls_free(layer->tls);
    free(layer);
}

static const struct stream_layer tls_layer = {
    .take = take,
    .take_end = take_end,
    .write = write_plain,
    .end = end,
    .free = release,
};

int tls_stream_start(
    struct stream *stream, struct tls_context *context, const char *host, struct slice first)
{
    struct tls_stream *layer = calloc(1, sizeof *layer);
    if (!layer)
        return UV_ENOMEM;
    layer->stream = stream;
    layer->tls = tls_new(context, host);
    if (!layer->tls) {
        free(layer);
        return UV_ENOMEM;
    }
    stream_set_layer(stream, &tls_layer, layer);
    return work(layer, first);
}

const struct tls *tls_stream_tls(const struct stream *stream)
{
    const struct tls_stream *layer = stream->layer_state;
    return stream->layer == &tls_layer ? layer->tls : NULL;
}
