#include "capturer/capdiff/tcp_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

#define ROOM_FIRST 4

struct tcp_pieces {
    size_t first, count, room; /* those in use stand anywhere in the room */
    struct tcp_piece *items[];
};

size_t tcp_pieces_find(const struct tcp_pieces *pieces, uint64_t number)
{
    size_t low = 0, high = pieces != NULL ? pieces->count : 0;

    if (high > 0 && tcp_pieces_at(pieces, high - 1)->end <= number)
        return high; /* as most come */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tcp_pieces_at(pieces, middle)->end <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct tcp_piece *tcp_pieces_at(const struct tcp_pieces *pieces, size_t position)
{
    return pieces->items[pieces->first + position];
}

static struct tcp_pieces *pieces_new(size_t room)
{
    struct tcp_pieces *pieces = memory_raw(sizeof(*pieces) + room * sizeof(struct tcp_piece *));

    pieces->first = pieces->count = 0;
    pieces->room = room;
    return pieces;
}

/* Puts the pieces into the middle of the room, of which they are to take half at the most. */
static struct tcp_pieces *centre(struct tcp_pieces *pieces)
{
    bool grows = 2 * (pieces->count + 1) > pieces->room;
    struct tcp_pieces *centred = grows ? pieces_new(2 * pieces->room) : pieces;
    size_t first = (centred->room - pieces->count) / 2;

    memmove(centred->items + first, pieces->items + pieces->first,
        pieces->count * sizeof(struct tcp_piece *));
    centred->count = pieces->count;
    centred->first = first;
    if (grows)
        free(pieces);
    return centred;
}

struct tcp_pieces *tcp_pieces_insert(
    struct tcp_pieces *pieces, size_t position, struct tcp_piece *piece)
{
    struct tcp_piece **items;
    bool to_front;

    if (pieces == NULL)
        pieces = pieces_new(ROOM_FIRST);
    to_front = position < pieces->count / 2;
    if (to_front ? pieces->first == 0 : pieces->first + pieces->count == pieces->room)
        pieces = centre(pieces);
    pieces->first -= to_front;
    items = pieces->items + pieces->first;
    if (to_front)
        memmove(items, items + 1, position * sizeof(struct tcp_piece *));
    else
        memmove(items + position + 1, items + position,
            (pieces->count - position) * sizeof(struct tcp_piece *));
    items[position] = piece;
    pieces->count++;
    return pieces;
}

struct tcp_pieces *tcp_pieces_drop_first(struct tcp_pieces *pieces)
{
    free(pieces->items[pieces->first++]);
    if (--pieces->count > 0)
        return pieces;
    free(pieces);
    return NULL;
}

void tcp_pieces_free(struct tcp_pieces *pieces)
{
    for (size_t i = 0; pieces != NULL && i < pieces->count; i++)
        free(pieces->items[pieces->first + i]);
    free(pieces);
}
