#include "capturer/capdiff/head_cache.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"

#define ENTRIES 1024 /* a power of two */
#define END "\r\n\r\n"
#define END_LEN 4

struct entry {
    size_t len; /* 0: unused */
    struct head_facts facts;
    char *bytes;
};

struct head_cache {
    struct entry entries[ENTRIES];
};

struct head_cache *head_cache_new(void)
{
    return memory_new(1, sizeof(struct head_cache));
}

void head_cache_free(struct head_cache *cache)
{
    for (size_t i = 0; cache != NULL && i < ENTRIES; i++)
        free(cache->entries[i].bytes);
    free(cache);
}

static size_t place_of(const char *data, size_t len)
{
    return (size_t)hash_fast(data, len) & (ENTRIES - 1);
}

/* The length of the head that DATA begins with; 0: its end is not there, or too far away. */
static size_t length_of(struct slice data)
{
    size_t max = data.len < HEAD_CACHE_LENGTH_MAX ? data.len : HEAD_CACHE_LENGTH_MAX;
    const char *at = data.data, *end = data.data + max;

    /* Line by line: memchr is far quicker than memmem. */
    while (end - at >= END_LEN) {
        at = memchr(at, '\r', (size_t)(end - at) - (END_LEN - 1));
        if (at == NULL)
            return 0;
        if (memcmp(at, END, END_LEN) == 0)
            return (size_t)(at - data.data) + END_LEN;
        at++;
    }
    return 0;
}

static bool begins_with(struct slice data, const struct entry *entry)
{
    return entry->len > 0 && entry->len <= data.len &&
           memcmp(entry->bytes, data.data, entry->len) == 0;
}

const struct head_facts *head_cache_find(
    const struct head_cache *cache, struct slice data, size_t *len, unsigned *guess)
{
    const struct entry *entry = &cache->entries[*guess];

    if (begins_with(data, entry)) {
        *len = entry->len;
        return &entry->facts;
    }
    *len = length_of(data);
    if (*len == 0)
        return NULL;
    *guess = (unsigned)place_of(data.data, *len);
    entry = &cache->entries[*guess];
    return entry->len == *len && begins_with(data, entry) ? &entry->facts : NULL;
}

void head_cache_put(struct head_cache *cache, struct slice head, const struct head_facts *facts)
{
    struct entry *entry;

    /* Empty lines before a head, and heads behind interim ones, are not the head alone. */
    if (head.len == 0 || length_of(head) != head.len || head.data[0] == '\r')
        return;
    entry = &cache->entries[place_of(head.data, head.len)];
    free(entry->bytes);
    entry->bytes = memory_text(head.data, head.len);
    entry->len = head.len;
    entry->facts = *facts;
}
