#include "capturer/capdiff/tcp_stream.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/tcp_pieces.h"

/* A run with its 64-bit number. */
struct placed {
    struct tcp_run run;
    uint64_t start;
};

void tcp_stream_init(struct tcp_stream *stream, const struct tcp_sink *sink, int side)
{
    memset(stream, 0, sizeof(*stream));
    stream->sink = sink;
    stream->side = side;
}

void tcp_stream_deinit(struct tcp_stream *stream)
{
    tcp_pieces_free(stream->pieces);
    stream->pieces = NULL;
    tcp_history_deinit(&stream->history);
}

void tcp_stream_start(struct tcp_stream *stream, uint32_t seq)
{
    stream->started = true;
    stream->first = seq;
    stream->next = (1ull << 32) + seq; /* above 0, so that a step back stays positive */
}

/* The 64-bit number nearest to the next one that has these low 32 bits. */
static uint64_t unwrap(const struct tcp_stream *stream, uint32_t seq)
{
    return stream->next + (uint64_t)(int64_t)(int32_t)(seq - (uint32_t)stream->next);
}

static void skip(struct placed *placed, size_t len)
{
    placed->run.data += len;
    placed->run.len -= len;
    placed->run.seq += (uint32_t)len;
    placed->run.head = placed->run.head && len == 0;
    placed->start += len;
}

static void give(struct tcp_stream *stream, const struct tcp_run *run)
{
    if (!stream->forgetful && run->len > 0)
        tcp_history_add(&stream->history, run->data, run->len);
    stream->next += run->len;
    stream->sink->on_data(stream->sink->arg, stream->side, run);
}

/* Reports a segment that has other bytes under numbers seen before, once. */
static void check_same(
    struct tcp_stream *stream, const struct placed *later, const void *first, size_t len)
{
    if (len == 0 || stream->clashing || memcmp(first, later->run.data, len) == 0)
        return;
    struct tcp_clash clash = {first, later->run.data, len, later->run.time_ns, later->run.seq};

    stream->clashing = true;
    stream->clashes++;
    stream->sink->on_clash(stream->sink->arg, stream->side, &clash);
}

/* Holds what was given before against what is remembered of it: LEN bytes from BACK before the
 * next. */
static void check_given(
    struct tcp_stream *stream, const struct placed *later, uint64_t back, size_t len)
{
    const struct tcp_history *history = &stream->history;
    struct placed known = *later;
    uint8_t *first;

    if (back > history->len) {
        if (back - history->len >= len)
            return;
        len -= (size_t)(back - history->len);
        skip(&known, (size_t)(back - history->len));
        back = history->len;
    }
    if (len == 0 || tcp_history_same(history, (size_t)back, known.run.data, len))
        return;
    first = memory_raw(len);
    tcp_history_get(history, (size_t)back, first, len);
    check_same(stream, &known, first, len);
    free(first);
}

/* Leaves out what was given before, after a look whether it is the same. */
static void skip_given(struct tcp_stream *stream, struct placed *placed)
{
    uint64_t behind = stream->next - placed->start;
    size_t len = behind < placed->run.len ? (size_t)behind : placed->run.len;

    stream->retransmissions++;
    check_given(stream, placed, behind, len);
    skip(placed, len);
}

static struct tcp_piece *piece_new(const struct placed *placed, size_t len)
{
    struct tcp_piece *piece = memory_new(1, sizeof(*piece) + len);

    piece->start = placed->start;
    piece->end = placed->start + len;
    piece->time_ns = placed->run.time_ns;
    piece->ack = placed->run.ack;
    piece->head = placed->run.head;
    memcpy(piece->data, placed->run.data, len);
    return piece;
}

/* Holds what begins the run, which is new, as far as UNTIL. */
static void hold_new(
    struct tcp_stream *stream, struct placed *placed, size_t position, uint64_t until)
{
    size_t len = placed->run.len;

    if (until - placed->start < len)
        len = (size_t)(until - placed->start);
    stream->pieces = tcp_pieces_insert(stream->pieces, position, piece_new(placed, len));
    stream->held += len;
    stream->n_pieces++;
    skip(placed, len);
}

/* Leaves out what begins the run and is held already. */
static void skip_held(
    struct tcp_stream *stream, struct placed *placed, const struct tcp_piece *piece)
{
    size_t len = placed->run.len;

    if (piece->end - placed->start < len)
        len = (size_t)(piece->end - placed->start);
    check_same(stream, placed, piece->data + (placed->start - piece->start), len);
    skip(placed, len);
}

/* Keeps a run that lies behind a hole; where pieces are held already, theirs are the bytes. */
static void hold(struct tcp_stream *stream, struct placed placed)
{
    size_t i = tcp_pieces_find(stream->pieces, placed.start);

    if (stream->pieces == NULL)
        stream->held_from = placed.run.place;
    for (; placed.run.len > 0; i++) {
        const struct tcp_piece *piece =
            i < stream->n_pieces ? tcp_pieces_at(stream->pieces, i) : NULL;

        if (piece == NULL || piece->start > placed.start)
            hold_new(stream, &placed, i, piece != NULL ? piece->start : UINT64_MAX);
        else
            skip_held(stream, &placed, piece);
    }
}

static const struct tcp_piece *first_piece(const struct tcp_stream *stream)
{
    return tcp_pieces_at(stream->pieces, 0);
}

static void drop_first(struct tcp_stream *stream)
{
    const struct tcp_piece *piece = first_piece(stream);

    stream->held -= (size_t)(piece->end - piece->start);
    stream->n_pieces--;
    stream->pieces = tcp_pieces_drop_first(stream->pieces);
}

static void give_held(struct tcp_stream *stream)
{
    while (stream->pieces != NULL && first_piece(stream)->start == stream->next) {
        const struct tcp_piece *piece = first_piece(stream);
        struct tcp_run run = {piece->data, (size_t)(piece->end - piece->start), piece->time_ns,
            (uint32_t)piece->start, piece->ack, piece->head, stream->held_from};

        give(stream, &run);
        drop_first(stream);
    }
}

static void give_fin(struct tcp_stream *stream)
{
    if (stream->fin == 0 || stream->fin_given || stream->next != stream->fin)
        return;
    stream->fin_given = true;
    stream->sink->on_fin(stream->sink->arg, stream->side);
}

static void gap(struct tcp_stream *stream, uint64_t len)
{
    stream->gaps++;
    stream->gap_bytes += len;
    stream->next += len;
    tcp_history_clear(&stream->history);
    stream->sink->on_gap(stream->sink->arg, stream->side, len);
}

/*
 * Gives up on the first hole. Where the peer has acknowledged nothing of it, the bytes behind it
 * may never have been accepted, so they go; a peer that was never heard proves nothing.
 */
static void pass_hole(struct tcp_stream *stream)
{
    if (stream->acked != 0 && stream->acked <= stream->next) {
        drop_first(stream);
        return;
    }
    gap(stream, first_piece(stream)->start - stream->next);
    give_held(stream);
}

void tcp_stream_segment(struct tcp_stream *stream, const struct segment *segment)
{
    uint32_t seq = segment->seq + ((segment->flags & SEGMENT_SYN) != 0);
    struct placed placed = {
        {segment->payload, segment->len, segment->time_ns, seq, segment->ack, true, segment->place},
        0};

    if (!stream->started)
        tcp_stream_start(stream, seq);
    stream->clashing = false;
    placed.start = unwrap(stream, seq);
    if ((segment->flags & SEGMENT_FIN) != 0 && stream->fin == 0)
        stream->fin = placed.start + segment->wire_len;

    /* A keep-alive probe has the number before the next one, and at most one byte of anything. */
    if (segment->wire_len <= 1 && placed.start + 1 == stream->next)
        placed.run.len = 0;
    if (placed.run.len > 0 && placed.start < stream->next)
        skip_given(stream, &placed);
    if (placed.run.len > 0 && placed.start == stream->next && stream->pieces == NULL)
        give(stream, &placed.run);
    else if (placed.run.len > 0)
        hold(stream, placed);
    give_held(stream);
    while (stream->held > TCP_HELD_MAX || stream->n_pieces > TCP_PIECES_MAX)
        pass_hole(stream);
    give_fin(stream);
}

void tcp_stream_ack(struct tcp_stream *stream, uint32_t ack)
{
    uint64_t acked;

    if (!stream->started)
        tcp_stream_start(stream, ack);
    acked = unwrap(stream, ack);
    if (acked > stream->acked)
        stream->acked = acked;
}

void tcp_stream_pass_acked(struct tcp_stream *stream, uint64_t now_ns)
{
    while (stream->pieces != NULL && stream->acked >= first_piece(stream)->start &&
           (now_ns == TCP_NOW_LAST || now_ns > first_piece(stream)->time_ns + TCP_PATIENCE_NS))
        pass_hole(stream);
    give_fin(stream);
}

void tcp_stream_forget(struct tcp_stream *stream)
{
    stream->forgetful = true;
    tcp_history_deinit(&stream->history);
}

void tcp_stream_finish(struct tcp_stream *stream)
{
    while (stream->pieces != NULL)
        pass_hole(stream);
    give_fin(stream);
    /* One number more than the bytes is the FIN's, recorded or not. */
    if (stream->acked > stream->next + 1)
        gap(stream, stream->acked - stream->next - (stream->fin == stream->acked - 1));
}
