#include "lib/http_heads.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#define READINGS_MAX 256      /* of a kind that are kept */
#define READING_KEEP_MAX 1024 /* bytes of a head, or of its fields, that are kept */

static struct http_reading *reading_new(void)
{
    struct http_reading *reading = calloc(1, sizeof *reading);
    if (!reading)
        return NULL;
    buf_init(&reading->bytes, HTTP_HEAD_MAX + 1);
    buf_init(&reading->fields, HTTP_FIELDS_MAX * sizeof(struct http_field));
    return reading;
}

static void reading_free(struct http_reading *reading)
{
    buf_deinit(&reading->bytes);
    buf_deinit(&reading->fields);
    free(reading);
}

static void reading_empty(struct http_reading *reading)
{
    buf_clear(&reading->bytes);
    buf_clear(&reading->fields);
    memset(&reading->head, 0, sizeof reading->head);
    reading->whole = false;
}

static bool is_of(const struct http_reading *reading, const char *data, size_t len)
{
    return reading->whole && reading->bytes.len <= len &&
           memcmp(reading->bytes.data, data, reading->bytes.len) == 0;
}

struct http_reading *http_heads_take(
    struct http_heads *heads, enum http_kind kind, const char *data, size_t len)
{
    struct http_reading *taken, **link = &heads->last[kind];
    size_t left = heads->variety;
    bool known = false;
    while ((taken = *link) && !(known = is_of(taken, data, len)) && --left > 0)
        link = &taken->next;
    if (!taken)
        return reading_new();
    *link = taken->next;
    heads->count[kind]--;
    ASAN_UNPOISON_MEMORY_REGION(&taken->head, sizeof taken->head);
    if (!known)
        reading_empty(taken);
    return taken;
}

/* AddressSanitizer is to see who looks at a head that was given back. */
void http_heads_give(struct http_heads *heads, enum http_kind kind, struct http_reading *reading)
{
    if (!reading)
        return;
    if (heads->count[kind] == READINGS_MAX || reading->bytes.size > READING_KEEP_MAX ||
        reading->fields.size > READING_KEEP_MAX) {
        reading_free(reading);
        return;
    }
    ASAN_POISON_MEMORY_REGION(&reading->head, sizeof reading->head);
    reading->next = heads->last[kind];
    heads->last[kind] = reading;
    heads->count[kind]++;
}

void http_heads_deinit(struct http_heads *heads)
{
    for (int kind = HTTP_KIND_REQUEST; kind <= HTTP_KIND_RESPONSE; kind++) {
        for (struct http_reading *next, *each = heads->last[kind]; each; each = next) {
            next = each->next;
            reading_free(each);
        }
        heads->last[kind] = NULL;
        heads->count[kind] = 0;
    }
}
