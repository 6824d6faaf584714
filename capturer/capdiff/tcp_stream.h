/*
 * One direction of a TCP connection: segments in, the byte stream out (RFC 9293 §3.4).
 *
 * Sequence numbers are counted on in 64 bits, so a stream may wrap as often as it likes. Bytes are
 * given once and in order, whatever order and however often their segments were recorded. Where
 * segments overlap, the bytes recorded first count, and others under the same numbers are
 * reported. A hole is never filled: bytes that the peer acknowledged and that were not recorded
 * are a gap.
 */
#ifndef CAPDIFF_TCP_STREAM_H
#define CAPDIFF_TCP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/packet.h"
#include "capturer/capdiff/tcp_history.h"

#define TCP_HELD_MAX ((size_t)1024 * 1024) /* bytes behind a hole, per direction */
#define TCP_PATIENCE_NS 1000000000u        /* recordings may have packets this much out of order */
#define TCP_NOW_LAST UINT64_MAX
#define TCP_PIECES_MAX 4096 /* runs of them */

/* A run of bytes, all from one segment. */
struct tcp_run {
    const uint8_t *data;
    size_t len;
    uint64_t time_ns;
    uint32_t seq; /* of the first byte */
    uint32_t ack; /* of the segment */
    bool head;    /* the run begins where its segment's payload began */
    uint64_t
        place; /* in the file: it and all that follows on the stream were recorded there or later */
};

/* A segment that has other bytes under numbers seen before. */
struct tcp_clash {
    const uint8_t *before, *later; /* what was recorded first, and what then; LEN bytes each */
    size_t len;
    uint64_t time_ns; /* of the later one */
    uint32_t seq;     /* of the first byte of both */
};

/* Called during tcp_stream_segment and tcp_stream_finish. */
struct tcp_sink {
    void (*on_data)(void *arg, int side, const struct tcp_run *run);
    void (*on_gap)(void *arg, int side, uint64_t len);
    void (*on_clash)(void *arg, int side, const struct tcp_clash *clash);
    void (*on_fin)(void *arg, int side);
    void *arg;
};

struct tcp_pieces; /* bytes that wait behind a hole */

struct tcp_stream {
    const struct tcp_sink *sink;
    int side; /* handed to the sink */
    bool started;
    uint64_t next;  /* the number wanted next; its low 32 bits are the sequence number */
    uint64_t acked; /* what the peer wants next; 0 while it has acknowledged nothing */
    uint64_t fin;   /* the FIN's number; 0 while none was seen */
    bool fin_given;
    struct tcp_pieces *pieces; /* NULL: none */
    size_t held, n_pieces;
    uint64_t held_from;         /* the place of the first of them */
    struct tcp_history history; /* the last bytes before next */
    uint64_t retransmissions, gaps, gap_bytes, clashes;
    bool clashing;  /* the segment at hand has been reported */
    bool forgetful; /* history is not kept any more */
    uint32_t first; /* the sequence number that it began with */
};

void tcp_stream_init(struct tcp_stream *stream, const struct tcp_sink *sink, int side);
void tcp_stream_deinit(struct tcp_stream *stream);

/* The next byte has the number SEQ. Without this call the first segment says where it begins. */
void tcp_stream_start(struct tcp_stream *stream, uint32_t seq);

/* A segment of this direction. */
void tcp_stream_segment(struct tcp_stream *stream, const struct segment *segment);

/* The peer's acknowledgement of this direction. */
void tcp_stream_ack(struct tcp_stream *stream, uint32_t ack);

/*
 * It is NOW_NS: holes that the peer has acknowledged, and that have been there for
 * TCP_PATIENCE_NS, will not be filled any more and are gaps. TCP_NOW_LAST: whatever their age.
 */
void tcp_stream_pass_acked(struct tcp_stream *stream, uint64_t now_ns);

/* The connection is over: retransmissions are no longer checked, and the memory for that goes. */
void tcp_stream_forget(struct tcp_stream *stream);

/* No more segments come: reports the holes that are left. */
void tcp_stream_finish(struct tcp_stream *stream);

#endif
