#include "capturer/capdiff/fragments.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

#define PAYLOAD_MAX 65536 /* bytes; offsets reach no further */
#define UNIT 8            /* all pieces but the last have a multiple of it */
#define LIFETIME_NS 30000000000u

enum slot_state {
    SLOT_FREE,
    SLOT_OPEN,
    SLOT_DONE, /* kept for a while: pieces may be recorded twice */
    SLOT_GIVEN_UP,
};

struct slot {
    enum slot_state state;
    struct segment first; /* what it is known by */
    uint64_t used;        /* when, counted in pieces */
    uint64_t pieces;
    size_t total;   /* bytes; 0 until the last piece came */
    size_t covered; /* units */
    uint8_t have[PAYLOAD_MAX / UNIT / 8];
    uint8_t data[PAYLOAD_MAX];
};

struct fragments {
    struct slot *slots[FRAGMENTS_PACKETS_MAX]; /* made when they are needed */
    uint64_t used, lost;
};

struct fragments *fragments_new(void)
{
    return memory_new(1, sizeof(struct fragments));
}

void fragments_free(struct fragments *fragments)
{
    for (size_t i = 0; fragments != NULL && i < FRAGMENTS_PACKETS_MAX; i++)
        free(fragments->slots[i]);
    free(fragments);
}

static bool is_of(const struct slot *slot, const struct segment *piece)
{
    uint64_t a = slot->first.time_ns, b = piece->time_ns;

    return slot->state != SLOT_FREE && slot->first.fragment.id == piece->fragment.id &&
           slot->first.fragment.next == piece->fragment.next &&
           endpoint_same_address(&slot->first.from, &piece->from) &&
           endpoint_same_address(&slot->first.to, &piece->to) &&
           (a > b ? a - b : b - a) < LIFETIME_NS;
}

static void slot_begin(struct fragments *fragments, struct slot *slot, const struct segment *piece)
{
    if (slot->state == SLOT_OPEN)
        fragments->lost += slot->pieces;
    slot->state = SLOT_OPEN;
    slot->first = *piece;
    slot->pieces = slot->total = slot->covered = 0;
    memset(slot->have, 0, sizeof(slot->have));
}

/* The packet's slot; else an unused one, or the one that has been left alone for longest. */
static struct slot *slot_of(struct fragments *fragments, const struct segment *piece)
{
    struct slot *oldest = NULL;

    for (size_t i = 0; i < FRAGMENTS_PACKETS_MAX; i++) {
        if (fragments->slots[i] == NULL)
            fragments->slots[i] = memory_new(1, sizeof(struct slot));
        if (is_of(fragments->slots[i], piece))
            return fragments->slots[i];
        if (oldest == NULL || fragments->slots[i]->used < oldest->used)
            oldest = fragments->slots[i];
        if (fragments->slots[i]->state == SLOT_FREE)
            break; /* those behind it are free, too */
    }
    slot_begin(fragments, oldest, piece);
    return oldest;
}

static bool has_unit(const struct slot *slot, size_t unit)
{
    return (slot->have[unit / 8] >> (unit % 8) & 1) != 0;
}

/* True for a piece that fits what is there; it is copied into its place. */
static bool slot_put(struct slot *slot, const struct segment *piece)
{
    size_t offset = piece->fragment.offset, end = offset + piece->len;

    if (piece->len == 0 || piece->len != piece->wire_len || end > PAYLOAD_MAX ||
        (piece->fragment.more && piece->len % UNIT != 0) ||
        (!piece->fragment.more && slot->total != 0 && slot->total != end) ||
        (slot->total != 0 && end > slot->total))
        return false;
    for (size_t at = offset; at < end; at += UNIT) {
        size_t len = end - at < UNIT ? end - at : UNIT;

        if (has_unit(slot, at / UNIT)) {
            if (memcmp(slot->data + at, piece->payload + (at - offset), len) != 0)
                return false;
            continue;
        }
        memcpy(slot->data + at, piece->payload + (at - offset), len);
        slot->have[at / UNIT / 8] |= (uint8_t)(1u << (at / UNIT % 8));
        slot->covered++;
    }
    if (!piece->fragment.more)
        slot->total = end;
    return true;
}

bool fragments_take(
    struct fragments *fragments, const struct segment *piece, const uint8_t **payload, size_t *len)
{
    struct slot *slot = slot_of(fragments, piece);

    slot->used = ++fragments->used;
    if (slot->state == SLOT_DONE) {
        if (slot_put(slot, piece))
            return false;
        slot_begin(fragments, slot, piece); /* the number is used again, for another packet */
    }
    slot->pieces++;
    if (slot->state == SLOT_GIVEN_UP) {
        fragments->lost++;
        return false;
    }
    if (!slot_put(slot, piece)) {
        fragments->lost += slot->pieces;
        slot->state = SLOT_GIVEN_UP;
        return false;
    }
    if (slot->total == 0 || slot->covered < (slot->total + UNIT - 1) / UNIT)
        return false;
    slot->state = SLOT_DONE;
    *payload = slot->data;
    *len = slot->total;
    return true;
}

uint64_t fragments_lost(const struct fragments *fragments)
{
    uint64_t lost = fragments->lost;

    for (size_t i = 0; i < FRAGMENTS_PACKETS_MAX && fragments->slots[i] != NULL; i++)
        lost += fragments->slots[i]->state == SLOT_OPEN ? fragments->slots[i]->pieces : 0;
    return lost;
}
