/*
 * An HTTPS server for tests/integration/ca.bats, which has a certificate for whoever is asked for.
 *
 * usage: mint_server CA_DIR HOST:PORT [UPSTREAM.der]: says where it listens, and then why it had
 * none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/listener.h"
#include "lib/process.h"
#include "lib/tls_stream.h"
#include "mitm_proxy/first_bytes.h"
#include "mitm_proxy/tls_mint.h"

struct server {
    struct listener listener;
    struct tls_mint *mint;
    struct buf upstream; /* DER, or empty */
};

struct client {
    struct stream stream;
    struct server *server;
    struct buf first;
    bool secured;
};

/* Whom the client means: by name, or by our address. */
static struct slice host_of(struct client *client, struct slice name, struct hostport *address)
{
    char text[HOSTPORT_TEXT_MAX];
    const char *why;
    struct sockaddr_storage local;
    if (name.len > 0)
        return name;
    if (stream_local_address(&client->stream, &local) != 0 ||
        hostport_parse(address, sockaddr_text((struct sockaddr *)&local, text, sizeof text), &why))
        return slice_of(NULL, 0);
    return slice_str(address->host);
}

static void begin(struct client *client, struct slice name)
{
    struct hostport address;
    char why[TLS_WHY_MAX];
    const struct server *server = client->server;
    struct slice upstream = slice_of(server->upstream.data, server->upstream.len);
    struct tls_context *context =
        tls_mint_context(server->mint, host_of(client, name, &address), upstream, why);
    client->secured = true;
    if (!context) {
        printf("%s\n", why);
        stream_close(&client->stream);
        return;
    }
    if (tls_stream_start(
            &client->stream, context, NULL, slice_of(client->first.data, client->first.len)) != 0)
        stream_close(&client->stream);
    tls_context_free(context);
}

static void answer(struct client *client)
{
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    uv_buf_t run = uv_buf_init(text, sizeof text - 1);
    if (stream_write(&client->stream, &run, 1) != 0 || stream_shutdown(&client->stream) != 0)
        stream_close(&client->stream);
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    static char scratch[FIRST_BYTES_MAX];
    struct client *client = stream->data;
    struct slice name = {0};
    if (client->secured) {
        answer(client);
        return;
    }
    enum first_bytes speaks = FIRST_BYTES_OTHER;
    if (buf_append(&client->first, data, len) == 0)
        speaks = first_bytes_look(slice_of(client->first.data, client->first.len), scratch, &name);
    if (speaks == FIRST_BYTES_TLS)
        begin(client, name);
    else if (speaks != FIRST_BYTES_MORE)
        stream_close(stream);
}

static void on_eof(struct stream *stream)
{
    stream_close(stream);
}

static void on_error(struct stream *stream, int status)
{
    (void)status;
    stream_close(stream);
}

static void on_closed(struct stream *stream)
{
    struct client *client = stream->data;
    buf_deinit(&client->first);
    free(client);
}

static void on_connection(struct listener *listener, int status)
{
    static const struct stream_events events = {
        .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .on_closed = on_closed};
    struct client *client = status == 0 ? calloc(1, sizeof *client) : NULL;
    if (!client)
        return;
    client->server = listener->data;
    buf_init(&client->first, FIRST_BYTES_MAX);
    if (stream_init(&client->stream, listener->tcp.loop, &events, client) != 0) {
        free(client);
        return;
    }
    if (stream_accept(&client->stream, (uv_stream_t *)&listener->tcp) != 0 ||
        stream_read_start(&client->stream) != 0)
        stream_close(&client->stream);
}

static int fail(const char *why)
{
    fprintf(stderr, "mint_server: %s\n", why);
    return 1;
}

static bool read_file(const char *path, struct buf *out)
{
    char bytes[4096];
    size_t n;
    bool ok = true;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while (ok && (n = fread(bytes, 1, sizeof bytes, file)) > 0)
        ok = buf_append(out, bytes, n) == 0;
    fclose(file);
    return ok;
}

static int serve(struct server *server, uv_loop_t *loop, const char *place)
{
    struct hostport where;
    struct sockaddr_storage address;
    char text[HOSTPORT_TEXT_MAX];
    const char *wrong;
    if (hostport_parse(&where, place, &wrong) ||
        listener_open(&server->listener, loop, &where, on_connection, server) != 0 ||
        listener_address(&server->listener, &address) != 0)
        return fail("that address cannot be had");
    printf("listening on %s\n", sockaddr_text((struct sockaddr *)&address, text, sizeof text));
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}

static void on_stop(uv_signal_t *handle, int number)
{
    (void)number;
    struct server *server = handle->data;
    listener_close(&server->listener);
    uv_close((uv_handle_t *)handle, NULL);
}

int main(int argc, char **argv)
{
    static struct server server;
    const struct tls_mint_config config = {0};
    char why[TLS_WHY_MAX];
    uv_loop_t loop;
    uv_signal_t stop;
    if (argc < 3)
        return fail("usage: mint_server CA_DIR HOST:PORT [UPSTREAM.der]");
    setvbuf(stdout, NULL, _IOLBF, 0);
    process_init();
    buf_init(&server.upstream, 65536);
    if (argc > 3 && !read_file(argv[3], &server.upstream))
        return fail("the upstream's certificate cannot be read");
    struct tls_ca *ca = tls_ca_load(argv[1], why);
    server.mint = ca ? tls_mint_new(ca, &config, why) : NULL;
    if (!server.mint)
        return fail(why);
    uv_loop_init(&loop);
    uv_signal_init(&loop, &stop);
    stop.data = &server;
    uv_signal_start(&stop, on_stop, SIGTERM);
    int status = serve(&server, &loop, argv[2]);
    tls_mint_free(server.mint);
    buf_deinit(&server.upstream);
    return status == 0 && uv_loop_close(&loop) == 0 ? 0 : 1;
}
