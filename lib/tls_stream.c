#include "lib/tls_stream.h"

#include <stdlib.h>

#define RECORD_MAX 16384 /* bytes that a record holds (RFC 8446 §5.1) */
#define SILENCE_MS 2000  /* of a server that may refuse a client, or not say that it does not */

struct tls_stream {
    struct stream *stream;
    struct tls *tls;
    uv_timer_t later; /* delivers what was kept while the owner did not read; ends a silence */
    bool keeps;       /* there may be some */
    bool awaits;      /* that the server takes the client */
    bool failed;      /* which the owner knows */
};

static int on_wire(void *arg, struct slice bytes)
{
    const struct tls_stream *layer = arg;
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
    return stream_write_wire(layer->stream, &run, 1);
}

/* Whether the owner takes more, after an event that it may have closed or stopped in. */
static int more(const struct stream *stream)
{
    if (!stream->open)
        return UV_ECANCELED;
    return stream->reading ? 0 : UV_EAGAIN;
}

static int on_open(void *arg)
{
    const struct tls_stream *layer = arg;
    if (layer->stream->events->on_secured)
        layer->stream->events->on_secured(layer->stream);
    return more(layer->stream);
}

static int on_plain(void *arg, struct slice bytes)
{
    const struct tls_stream *layer = arg;
    stream_deliver(layer->stream, bytes.data, bytes.len);
    return more(layer->stream);
}

static struct tls_sink sink_of(struct tls_stream *layer)
{
    return (struct tls_sink){
        .on_open = on_open, .on_wire = on_wire, .on_plain = on_plain, .arg = layer};
}

static void on_later(uv_timer_t *timer);

/* Not every server that takes a client says so. */
static void await(struct tls_stream *layer)
{
    bool awaits = tls_awaits_acceptance(layer->tls);
    if (awaits && !layer->awaits)
        uv_timer_start(&layer->later, on_later, SILENCE_MS, 0);
    layer->awaits = awaits;
}

static int work(struct tls_stream *layer, struct slice wire)
{
    struct tls_sink sink = sink_of(layer);
    struct stream *stream = layer->stream;
    int err = tls_take(layer->tls, wire, &sink);
    if (!stream->open || layer->failed)
        return 0; /* the owner has closed it, or knows */
    await(layer);
    layer->keeps = err == UV_EAGAIN;
    if (layer->keeps)
        return 0;
    layer->failed = err != 0;
    if (!err && tls_state(layer->tls) == TLS_ENDED) {
        stream_read_stop(stream);
        stream_deliver_eof(stream);
    }
    return err;
}

static int take(void *state, const char *data, size_t len)
{
    return work(state, slice_of(data, len));
}

static int take_end(void *state)
{
    struct tls_stream *layer = state;
    int err = layer->keeps ? work(layer, slice_of(NULL, 0)) : 0;
    if (!err && layer->keeps && layer->stream->open)
        return UV_EAGAIN;
    if (!err && !layer->failed)
        err = tls_take_end(layer->tls);
    layer->failed = layer->failed || err;
    layer->stream->cut = tls_state(layer->tls) != TLS_ENDED;
    return err;
}

static void on_later(uv_timer_t *timer)
{
    struct tls_stream *layer = timer->data;
    if (layer->awaits) {
        tls_presume_accepted(layer->tls);
        layer->keeps = true; /* for an owner that does not read now */
    }
    if (!layer->stream->reading)
        return;
    int err = work(layer, slice_of(NULL, 0));
    if (err)
        stream_fail(layer->stream, err);
}

static void resume(void *state)
{
    struct tls_stream *layer = state;
    if (layer->keeps)
        uv_timer_start(&layer->later, on_later, 0, 0);
}

/* Small runs share a record. */
static int write_plain(void *state, const uv_buf_t *runs, unsigned int count)
{
    struct tls_stream *layer = state;
    struct tls_sink sink = sink_of(layer);
    char record[RECORD_MAX];
    size_t len = 0;
    int err = layer->stream->shut ? UV_EPIPE : 0;
    for (unsigned int i = 0; i < count; i++) {
        struct slice left = slice_of(runs[i].base, runs[i].len);
        while (!err && left.len > 0) {
            size_t n = left.len < sizeof record - len ? left.len : sizeof record - len;
            memcpy(record + len, left.data, n);
            left = slice_of(left.data + n, left.len - n);
            len += n;
            if (len < sizeof record)
                continue;
            err = tls_write(layer->tls, slice_of(record, len), &sink);
            len = 0;
        }
    }
    return err ? err : tls_write(layer->tls, slice_of(record, len), &sink);
}

static int end(void *state)
{
    struct tls_stream *layer = state;
    struct tls_sink sink = sink_of(layer);
    return tls_end(layer->tls, &sink);
}

static void on_later_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void release(void *state)
{
    struct tls_stream *layer = state;
    tls_free(layer->tls);
    uv_close((uv_handle_t *)&layer->later, on_later_closed);
}

static const struct stream_layer tls_layer = {
    .take = take,
    .take_end = take_end,
    .resume = resume,
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
    (void)uv_timer_init(stream->tcp.loop, &layer->later); /* never fails */
    layer->later.data = layer;
    stream_set_layer(stream, &tls_layer, layer);
    return work(layer, first);
}

const struct tls *tls_stream_tls(const struct stream *stream)
{
    const struct tls_stream *layer = stream->layer_state;
    return stream->layer == &tls_layer ? layer->tls : NULL;
}
