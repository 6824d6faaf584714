/*
 * Runs of bytes that wait behind a hole of a stream, by number, none overlapping.
 *
 * Finding a place takes log n steps. Making room for one moves the pointers on its shorter side,
 * which are half of tcp_stream.h's TCP_PIECES_MAX at the most, and few where pieces come near the
 * beginning or the end.
 */
#ifndef CAPDIFF_TCP_PIECES_H
#define CAPDIFF_TCP_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp_piece {
    uint64_t start, end; /* numbers of the first byte, and of the one behind the last */
    uint64_t time_ns;
    uint32_t ack;
    bool head;
    uint8_t data[];
};

struct tcp_pieces; /* NULL stands for none */

/* Position of the first piece that ends behind NUMBER; the count of pieces where none does. */
size_t tcp_pieces_find(const struct tcp_pieces *pieces, uint64_t number);

const struct tcp_piece *tcp_pieces_at(const struct tcp_pieces *pieces, size_t position);

/* Takes over PIECE, which may go there. Returns PIECES, or what stands in its place. */
struct tcp_pieces *tcp_pieces_insert(struct tcp_pieces *pieces, size_t position,
    struct tcp_piece *piece) __attribute__((warn_unused_result));

/* Frees the first one; there must be one. Returns PIECES, or NULL where none is left. */
struct tcp_pieces *tcp_pieces_drop_first(struct tcp_pieces *pieces)
    __attribute__((warn_unused_result));

void tcp_pieces_free(struct tcp_pieces *pieces);

#endif
