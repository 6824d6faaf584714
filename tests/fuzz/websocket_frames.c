/*
 * Frames of a WebSocket, as anyone may send them: the same is counted however they are cut. The
 * first byte says how.
 */
#include "mitm_proxy/websocket_frames.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

static void count(
    struct websocket_frames *frames, int how, const uint8_t *data, size_t len, size_t step)
{
    websocket_frames_begin(frames, how & 1, how & 2);
    for (size_t at = 0; at < len; at += step)
        websocket_frames_take(frames, (const char *)data + at, len - at < step ? len - at : step);
    websocket_frames_end(frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct websocket_frames whole, pieces;
    uint64_t sum = 0;
    if (len == 0)
        return 0;
    count(&whole, data[0], data + 1, len - 1, len);
    count(&pieces, data[0], data + 1, len - 1, (data[0] >> 2) % 16 + 1);
    for (int i = 0; i < WEBSOCKET_FRAMES; i++) {
        PROMISE(whole.counts[i] == pieces.counts[i]);
        sum += whole.counts[i];
    }
    PROMISE(sum <= len / 2);
    PROMISE(whole.close_code == pieces.close_code);
    PROMISE(whole.stopped == pieces.stopped); /* fixed words */
    return 0;
}
