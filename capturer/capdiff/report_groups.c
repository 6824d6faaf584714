#include "capturer/capdiff/report_groups.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"

/* The next character of a place's text that matters: a run of digits is one, as offsets vary. */
static char next_character(const char **at)
{
    char c = **at;

    if (c == '\0')
        return '\0';
    (*at)++;
    if (!isdigit((unsigned char)c))
        return c;
    while (isdigit((unsigned char)**at))
        (*at)++;
    return '0';
}

static bool same_text(const char *a, const char *b)
{
    char c;

    do {
        c = next_character(&a);
        if (c != next_character(&b))
            return false;
    } while (c != '\0');
    return true;
}

/* What a place is called exactly where it has a name, as /items/3 is not /items/4. */
static bool same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_alike(const struct finding *a, const struct finding *b)
{
    return a->kind == b->kind && a->hop == b->hop && same_name(a->place.name, b->place.name) &&
           same_text(a->place.text, b->place.text);
}

static uint64_t hash_of(const struct finding *finding)
{
    const char *at = finding->place.text;
    uint64_t hash = hash_bytes(HASH_START, &finding->kind, sizeof(finding->kind));
    char c;

    hash = hash_bytes(hash, &finding->hop, sizeof(finding->hop));
    if (finding->place.name != NULL)
        hash = hash_bytes(hash, finding->place.name, strlen(finding->place.name));
    while ((c = next_character(&at)) != '\0')
        hash = hash_bytes(hash, &c, 1);
    return hash;
}

void report_groups_init(struct report_groups *groups, const struct findings *findings)
{
    size_t n = findings->count, n_buckets = 64, *buckets, *older;

    while (n_buckets < n)
        n_buckets *= 2;
    groups->group = memory_new(n, sizeof(size_t));
    groups->rank = memory_new(n, sizeof(size_t));
    groups->size = memory_new(n, sizeof(size_t));
    buckets = memory_new(n_buckets, sizeof(size_t)); /* the last group, counted from 1 */
    older = memory_new(n, sizeof(size_t));
    for (size_t i = 0; i < n; i++) {
        size_t *bucket = &buckets[hash_of(&findings->items[i]) & (n_buckets - 1)];
        size_t at = *bucket;

        while (at > 0 && !is_alike(&findings->items[at - 1], &findings->items[i]))
            at = older[at - 1];
        if (at == 0) {
            older[i] = *bucket;
            *bucket = at = i + 1;
        }
        groups->group[i] = at - 1;
        groups->rank[i] = groups->size[at - 1]++;
    }
    free(buckets);
    free(older);
}

void report_groups_deinit(struct report_groups *groups)
{
    free(groups->group);
    free(groups->rank);
    free(groups->size);
    *groups = (struct report_groups){NULL, NULL, NULL};
}
