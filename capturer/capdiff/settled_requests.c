#include "capturer/capdiff/settled_requests.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"

#define SETS ((size_t)16 * 1024) /* a power of two */
#define WAYS 8                   /* of a set: the newest comes first */

struct settled_requests {
    uint64_t sets[SETS][WAYS];
};

struct settled_requests *settled_requests_new(void)
{
    return memory_new(1, sizeof(struct settled_requests));
}

void settled_requests_free(struct settled_requests *requests)
{
    free(requests);
}

static uint64_t key_of(const struct exchange *exchange)
{
    return hash_fast(exchange->request.raw.data, exchange->request.raw.len);
}

void settled_requests_add(struct settled_requests *requests, const struct exchange *exchange)
{
    uint64_t key = key_of(exchange);
    uint64_t *set = requests->sets[key & (SETS - 1)];

    memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
    set[0] = key;
}

bool settled_requests_have(const struct settled_requests *requests, const struct exchange *exchange)
{
    uint64_t key = key_of(exchange);
    const uint64_t *set = requests->sets[key & (SETS - 1)];

    for (int way = 0; way < WAYS; way++) {
        if (set[way] == key)
            return true;
    }
    return false;
}
