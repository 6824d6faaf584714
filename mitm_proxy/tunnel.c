#include "mitm_proxy/tunnel.h"

#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "lib/structured_fields.h"

#define KEY_TEXT_SIZE 24 /* characters: 16 bytes in base64 */
#define KEY_SIZE 16

static const char websocket_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */

/* What the client asks for is a WebSocket (§4.1): then the proof is known that it has to get. */
static bool find_accept(const struct http_head *request, unsigned char *accept)
{
    struct slice key = http_head_field(request, "Sec-WebSocket-Key");
    unsigned char bytes[KEY_SIZE], digest[CRYPTO_DIGEST_MAX];
    char text[KEY_TEXT_SIZE + sizeof websocket_guid];
    size_t len;
    if (!slice_is(request->method, "GET") ||
        !http_head_has_token(request, "Upgrade", "websocket") ||
        !slice_is(http_head_field(request, "Sec-WebSocket-Version"), "13") ||
        key.len != KEY_TEXT_SIZE || !sf_bytes_decode(key, bytes, sizeof bytes, &len) ||
        len != KEY_SIZE)
        return false;
    memcpy(text, key.data, KEY_TEXT_SIZE);
    memcpy(text + KEY_TEXT_SIZE, websocket_guid, sizeof websocket_guid);
    if (crypto_digest(CRYPTO_SHA1, slice_str(text), digest) != TUNNEL_ACCEPT_SIZE)
        return false;
    memcpy(accept, digest, TUNNEL_ACCEPT_SIZE);
    return true;
}

/* The server has agreed, and has proven that it knows to what (§4.2.2). */
static bool is_accepted(const struct tunnel *tunnel, const struct http_head *switched)
{
    struct slice accept = http_head_field(switched, "Sec-WebSocket-Accept");
    unsigned char bytes[TUNNEL_ACCEPT_SIZE];
    size_t len;
    return tunnel->asks_websocket &&
           slice_is_nocase(http_head_field(switched, "Upgrade"), "websocket") &&
           http_head_has_token(switched, "Connection", "upgrade") &&
           sf_bytes_decode(accept, bytes, sizeof bytes, &len) && len == sizeof bytes &&
           memcmp(bytes, tunnel->accept, sizeof bytes) == 0;
}

struct tunnel *tunnel_new(const struct http_head *request)
{
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel && request)
        tunnel->asks_websocket = find_accept(request, tunnel->accept);
    return tunnel;
}

void tunnel_free(struct tunnel *tunnel)
{
    if (tunnel)
        free(tunnel->protocol);
    free(tunnel);
}

void tunnel_begin(struct tunnel *tunnel, const struct http_head *switched)
{
    tunnel->begun = true;
    if (!switched)
        return;
    struct slice protocol = http_head_field(switched, "Upgrade");
    if (protocol.data)
        tunnel->protocol = strndup(protocol.data, protocol.len);
    tunnel->websocket = is_accepted(tunnel, switched);
    bool extended = http_head_field(switched, "Sec-WebSocket-Extensions").len > 0;
    websocket_frames_begin(&tunnel->frames[DIRECTION_REQUEST], true, extended);
    websocket_frames_begin(&tunnel->frames[DIRECTION_RESPONSE], false, extended);
}

void tunnel_take(struct tunnel *tunnel, enum direction direction, const char *data, size_t len)
{
    tunnel->bytes[direction] += len;
    if (tunnel->websocket)
        websocket_frames_take(&tunnel->frames[direction], data, len);
}

void tunnel_end(struct tunnel *tunnel)
{
    if (!tunnel->websocket)
        return;
    websocket_frames_end(&tunnel->frames[DIRECTION_REQUEST]);
    websocket_frames_end(&tunnel->frames[DIRECTION_RESPONSE]);
}
