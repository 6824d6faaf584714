#include "mitm_proxy/rules_reader.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"

#define SHOWN_MAX 512 /* bytes of a pointer in an error */

void rules_error(struct rules_reader *reader, const char *format, ...)
{
    char pointer[SHOWN_MAX], reason[SHOWN_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    log_escape(slice_of(reader->pointer.data, reader->pointer.len), pointer, sizeof pointer);
    reader->n_errors++;
    /* A line that finds no room is counted. */
    (void)!buf_printf(reader->errors, "%s: %s%s%s\n", reader->file, pointer,
        pointer[0] != '\0' ? ": " : "", reason);
}

void *rules_reader_keep(struct rules_reader *reader, size_t count, size_t size)
{
    void *memory = rules_keep(reader->rules, count * size);
    reader->no_memory = reader->no_memory || memory == NULL;
    return memory;
}

size_t rules_enter_key(struct rules_reader *reader, struct slice key)
{
    size_t before = reader->pointer.len;
    int status = buf_append_char(&reader->pointer, '/');
    for (size_t i = 0; i < key.len && status == 0; i++) {
        if (key.data[i] == '~' || key.data[i] == '/')
            status = buf_append_str(&reader->pointer, key.data[i] == '~' ? "~0" : "~1");
        else
            status = buf_append_char(&reader->pointer, key.data[i]);
    }
    reader->no_memory = reader->no_memory || status != 0;
    return before;
}

size_t rules_enter_index(struct rules_reader *reader, size_t index)
{
    size_t before = reader->pointer.len;
    if (buf_printf(&reader->pointer, "/%zu", index) != 0)
        reader->no_memory = true;
    return before;
}

void rules_leave(struct rules_reader *reader, size_t length)
{
    reader->pointer.len = length;
}

bool rules_expect(struct rules_reader *reader, int value, enum json_type wanted, const char *what)
{
    if (json_text_type(reader->rules->json, value) == wanted)
        return true;
    rules_error(reader, "must be %s", what);
    return false;
}

bool rules_decode(struct rules_reader *reader, struct slice raw, struct slice *out)
{
    struct buf text;
    buf_init(&text, raw.len);
    char *kept =
        json_string_decode(raw, &text) == 0 ? rules_reader_keep(reader, text.len + 1, 1) : NULL;
    reader->no_memory = reader->no_memory || kept == NULL;
    if (kept != NULL && text.len > 0)
        memcpy(kept, text.data, text.len);
    *out = slice_of(kept, kept != NULL ? text.len : 0);
    buf_deinit(&text);
    return kept != NULL;
}

bool rules_has(const struct rules_reader *reader, int value, const char *key)
{
    return json_text_member(reader->rules->json, value, key) >= 0;
}

size_t rules_count_children(const struct rules_reader *reader, int value)
{
    size_t count = 0;
    for (int i = json_text_first(reader->rules->json, value); i >= 0;
         i = json_text_next(reader->rules->json, i))
        count++;
    return count;
}

/* An error if an earlier member of OBJECT has the key of VALUE. */
static void check_twice(struct rules_reader *reader, int object, int value, struct slice key)
{
    const struct json_text *json = reader->rules->json;
    for (int i = json_text_first(json, object); i >= 0 && i < value; i = json_text_next(json, i)) {
        if (json_string_is(json_text_key(json, i), key)) {
            rules_error(reader, "stands twice");
            return;
        }
    }
}

static bool too_many_members(struct rules_reader *reader, int value)
{
    bool too_many = rules_count_children(reader, value) > RULES_MEMBERS_MAX;
    if (too_many)
        rules_error(reader, "has more than %d members", RULES_MEMBERS_MAX);
    return too_many;
}

size_t rules_count_members(struct rules_reader *reader, int value)
{
    const struct json_text *json = reader->rules->json;
    if (too_many_members(reader, value))
        return 0;
    for (int i = json_text_first(json, value); i >= 0; i = json_text_next(json, i)) {
        struct slice key;
        if (!rules_decode(reader, json_text_key(json, i), &key))
            return 0;
        size_t before = rules_enter_key(reader, key);
        check_twice(reader, value, i, key);
        rules_leave(reader, before);
    }
    return rules_count_children(reader, value);
}

static void say_unknown(struct rules_reader *reader, const struct rules_member *table, size_t count)
{
    char known[SHOWN_MAX] = "";
    size_t len = 0;
    for (size_t i = 0; i < count && len < sizeof known; i++)
        len += (size_t)snprintf(
            known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "", table[i].key);
    if (count == 0)
        rules_error(reader, "is unknown: there are no parameters");
    else
        rules_error(reader, "is unknown: known %s %s", count > 1 ? "are" : "is", known);
}

static void read_member(struct rules_reader *reader, int object, int value,
    const struct rules_member *table, size_t count, void *target)
{
    struct slice key;
    if (!rules_decode(reader, json_text_key(reader->rules->json, value), &key))
        return;
    size_t before = rules_enter_key(reader, key);
    size_t row = 0;
    while (row < count && !slice_is(key, table[row].key))
        row++;
    check_twice(reader, object, value, key);
    if (row == count)
        say_unknown(reader, table, count);
    else if (table[row].read != NULL)
        table[row].read(reader, value, &table[row], (char *)target + table[row].offset);
    rules_leave(reader, before);
}

void rules_read_object(struct rules_reader *reader, int value, const struct rules_member *table,
    size_t count, void *target)
{
    const struct json_text *json = reader->rules->json;
    if (!rules_expect(reader, value, JSON_OBJECT, "an object") || too_many_members(reader, value))
        return;
    for (int i = json_text_first(json, value); i >= 0; i = json_text_next(json, i))
        read_member(reader, value, i, table, count, target);
    for (size_t i = 0; i < count; i++) {
        if (table[i].required && !rules_has(reader, value, table[i].key))
            rules_error(reader, "\"%s\" is missing", table[i].key);
    }
}

/* The digits of a number, and nothing but digits. False when it does not fit either. */
static bool read_digits(struct slice raw, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] < '0' || raw.data[i] > '9')
            return false;
        unsigned int digit = (unsigned int)(raw.data[i] - '0');
        if (*out > (UINT64_MAX - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return raw.len > 0;
}

void rules_read_whole(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    uint64_t number = 0;
    if (json_text_type(reader->rules->json, value) != JSON_NUMBER ||
        !read_digits(json_text_raw(reader->rules->json, value), &number) || number < member->min ||
        number > member->max)
        rules_error(reader, "must be a whole number from %" PRIu64 " to %" PRIu64, member->min,
            member->max);
    else
        *(uint64_t *)target = number;
}

void rules_read_choice(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    char list[SHOWN_MAX] = "";
    size_t len = 0;
    for (int i = 0; member->choices[i] != NULL; i++) {
        if (json_string_is(
                json_text_raw(reader->rules->json, value), slice_str(member->choices[i]))) {
            *(int *)target = i;
            return;
        }
        if (len < sizeof list)
            len += (size_t)snprintf(
                list + len, sizeof list - len, "%s\"%s\"", i > 0 ? ", " : "", member->choices[i]);
    }
    rules_error(reader, "must be one of %s", list);
}

void rules_read_text(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_text *text = target;
    if (!rules_expect(reader, value, JSON_STRING, "a string") ||
        !rules_decode(reader, json_text_raw(reader->rules->json, value), &text->text))
        return;
    text->given = true;
    if (text->text.len < member->min)
        rules_error(reader, "must not be empty");
    if (member->max > 0 && text->text.len > member->max)
        rules_error(reader, "must be of at most %" PRIu64 " bytes", member->max);
}

void rules_read_line(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    const struct rule_text *text = target;
    size_t errors = reader->n_errors;
    rules_read_text(reader, value, member, target);
    for (size_t i = 0; errors == reader->n_errors && i < text->text.len; i++) {
        char c = text->text.data[i];
        if (c == '\r' || c == '\n' || c == '\0')
            rules_error(reader, "must have no line break and no NUL in it");
    }
}
