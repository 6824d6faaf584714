/*
 * The frames of one direction of a WebSocket (RFC 6455 §5), counted as their bytes pass.
 *
 * Takes any split of the bytes and keeps none of the payload. What breaks the rules stops the
 * counting, and nothing else: it passes all the same. No I/O.
 */
#ifndef MITM_PROXY_WEBSOCKET_FRAMES_H
#define MITM_PROXY_WEBSOCKET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEBSOCKET_HEADER_MAX 14 /* bytes before the payload */
#define WEBSOCKET_NO_CODE (-1)

enum websocket_frame {
    WEBSOCKET_TEXT,
    WEBSOCKET_BINARY,
    WEBSOCKET_CONTINUATION,
    WEBSOCKET_CLOSE,
    WEBSOCKET_PING,
    WEBSOCKET_PONG,
    WEBSOCKET_FRAMES, /* how many kinds there are */
};

/* As the exchange log and the metrics call them. */
extern const char *const websocket_frame_names[WEBSOCKET_FRAMES];

struct websocket_frames {
    uint64_t counts[WEBSOCKET_FRAMES]; /* of frames that were whole */
    int close_code;                    /* of the first close frame (§7.4), or WEBSOCKET_NO_CODE */
    const char *stopped;               /* the schema of the exchange log has the words; or NULL */
    /* The rest is the reader's own. */
    bool masks, extended;
    bool in_message; /* a frame of data was not the last of its message */
    bool in_payload;
    enum websocket_frame kind; /* of the frame whose header is there */
    unsigned char header[WEBSOCKET_HEADER_MAX];
    size_t header_len, header_size; /* bytes that are there, and that are wanted */
    uint64_t size, taken;           /* of the payload */
    unsigned char code[2];          /* of a close frame */
};

/* MASKS: the client's frames, which have to be masked. EXTENDED: an extension was agreed on, which
 * may use the reserved bits. */
void websocket_frames_begin(struct websocket_frames *frames, bool masks, bool extended);

void websocket_frames_take(struct websocket_frames *frames, const char *data, size_t len);

/* There are no more bytes. */
void websocket_frames_end(struct websocket_frames *frames);

#endif
