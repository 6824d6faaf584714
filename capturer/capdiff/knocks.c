#include "capturer/capdiff/knocks.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

#define SETS ((size_t)32 * 1024) /* a power of two */
#define WAYS 32     /* places of a set, so many that a set is rarely full before others */
#define KEY_BITS 28 /* of a place's mark; above them: */
#define TAKEN (1u << 28)
#define LOWER_IS_CLIENT (1u << 29) /* the end whose hash is lower */
#define HAS_CLIENT (1u << 30)
#define HAS_SERVER (1u << 31)

struct place {
    uint32_t mark, isn[2];
};

struct knocks {
    struct place sets[SETS][WAYS];
};

struct knocks *knocks_new(void)
{
    return memory_new(1, sizeof(struct knocks));
}

void knocks_free(struct knocks *knocks)
{
    free(knocks);
}

static struct place *set_of(
    struct knocks *knocks, const struct endpoint *a, const struct endpoint *b, uint32_t *key)
{
    uint64_t hash = endpoint_pair_hash(a, b);

    *key = (uint32_t)(hash >> (64 - KEY_BITS)) | TAKEN;
    return knocks->sets[hash & (SETS - 1)];
}

static bool is_lower(const struct endpoint *a, const struct endpoint *b)
{
    return endpoint_hash(a) < endpoint_hash(b);
}

void knocks_put(struct knocks *knocks, const struct endpoint *client, const struct endpoint *server,
    const struct knock *knock)
{
    uint32_t key;
    struct place *place = set_of(knocks, client, server, &key);
    size_t newer = 0; /* the newest comes first; a gap is filled before the oldest goes */

    while (newer < WAYS - 1 && place[newer].mark != 0)
        newer++;
    memmove(place + 1, place, newer * sizeof(*place));
    place->mark = key | (is_lower(client, server) ? LOWER_IS_CLIENT : 0) |
                  (knock->has_isn[0] ? HAS_CLIENT : 0) | (knock->has_isn[1] ? HAS_SERVER : 0);
    place->isn[0] = knock->isn[0];
    place->isn[1] = knock->isn[1];
}

bool knocks_take(struct knocks *knocks, const struct endpoint *a, const struct endpoint *b,
    struct knock *knock, bool *from_client)
{
    uint32_t key;
    struct place *place = set_of(knocks, a, b, &key);
    int way = 0;

    while (way < WAYS && (place[way].mark & (TAKEN | (TAKEN - 1))) != key)
        way++;
    if (way == WAYS)
        return false;
    place += way;
    *from_client = is_lower(a, b) == ((place->mark & LOWER_IS_CLIENT) != 0);
    knock->has_isn[0] = (place->mark & HAS_CLIENT) != 0;
    knock->has_isn[1] = (place->mark & HAS_SERVER) != 0;
    knock->isn[0] = place->isn[0];
    knock->isn[1] = place->isn[1];
    place->mark = 0;
    return true;
}
