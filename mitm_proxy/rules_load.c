#include "mitm_proxy/rules_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/utf8.h"
#include "mitm_proxy/rules_load_parts.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define COUNTER(name)                                                                              \
    {                                                                                              \
        .key = #name, .read = rules_read_whole, .offset = offsetof(struct rule_when, name),        \
        .min = 1, .max = RULES_COUNTER_MAX                                                         \
    }

void rules_read_name(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_text text = {false, {NULL, 0}};
    size_t len = 0;
    (void)member;
    if (json_text_type(reader->rules->json, value) == JSON_STRING &&
        !rules_decode(reader, json_text_raw(reader->rules->json, value), &text.text))
        return;
    while (len < text.text.len && text.text.data[len] != '\0' &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
               text.text.data[len]) != NULL)
        len++;
    if (len == 0 || len > RULE_NAME_MAX || len != text.text.len)
        rules_error(reader, "must be a name of 1 to %d letters, digits, \".\", \"_\", \"-\"",
            RULE_NAME_MAX);
    *(struct slice *)target = text.text;
}

static void read_field_match(struct rules_reader *reader, int value, struct rule_field_match *match)
{
    static const struct rules_member plain = {.key = NULL};
    enum json_type type = json_text_type(reader->rules->json, value);
    rules_check_token(reader, match->name, "a field name");
    if (type != JSON_STRING && type != JSON_NULL)
        rules_error(reader, "must be a string, or null where the field must be absent");
    else if (type == JSON_STRING)
        rules_read_line(reader, value, &plain, &match->value);
}

static void read_fields(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_match *match = target; /* the row's offset is 0 */
    const struct json_text *json = reader->rules->json;
    (void)member;
    if (!rules_expect(reader, value, JSON_OBJECT, "an object"))
        return;
    size_t count = rules_count_members(reader, value);
    match->fields = rules_reader_keep(reader, count, sizeof match->fields[0]);
    int i = json_text_first(json, value);
    for (; match->n_fields < count && match->fields != NULL; i = json_text_next(json, i)) {
        struct rule_field_match *field = &match->fields[match->n_fields++];
        if (!rules_decode(reader, json_text_key(json, i), &field->name))
            return;
        size_t before = rules_enter_key(reader, field->name);
        read_field_match(reader, i, field);
        rules_leave(reader, before);
    }
}

static void read_json(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_match *match = target; /* the row's offset is 0 */
    const struct json_text *json = reader->rules->json;
    (void)member;
    if (!rules_expect(reader, value, JSON_OBJECT, "an object"))
        return;
    size_t count = rules_count_members(reader, value);
    match->json = rules_reader_keep(reader, count, sizeof match->json[0]);
    int i = json_text_first(json, value);
    for (; match->n_json < count && match->json != NULL; i = json_text_next(json, i)) {
        struct rule_json_match *wanted = &match->json[match->n_json++];
        if (!rules_decode(reader, json_text_key(json, i), &wanted->pointer))
            return;
        wanted->value = i;
        size_t before = rules_enter_key(reader, wanted->pointer);
        rules_check_pointer(reader, wanted->pointer);
        rules_leave(reader, before);
    }
}

static void read_match(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    static const struct rules_member table[] = {
        {.key = "method", .read = rules_read_method, .offset = offsetof(struct rule_match, method)},
        {.key = "path",
            .read = rules_read_text,
            .offset = offsetof(struct rule_match, path),
            .min = 1},
        {.key = "tool",
            .read = rules_read_text,
            .offset = offsetof(struct rule_match, tool),
            .min = 1},
        {.key = "client",
            .read = rules_read_text,
            .offset = offsetof(struct rule_match, client),
            .min = 1},
        {.key = "fields", .read = read_fields},
        {.key = "json", .read = read_json},
    };
    (void)member;
    rules_read_object(reader, value, table, COUNT(table), target);
}

static void read_probability(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_when *when = target; /* the row's offset is 0 */
    (void)member;
    bool number = json_text_type(reader->rules->json, value) == JSON_NUMBER;
    /* The file's text ends with a NUL. */
    double probability = number ? strtod(json_text_raw(reader->rules->json, value).data, NULL) : -1;
    if (!(probability >= 0 && probability <= 1))
        rules_error(reader, "must be a number from 0 to 1");
    when->by_chance = true;
    when->probability = probability;
}

static void read_when(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    static const struct rules_member table[] = {
        COUNTER(nth),
        COUNTER(every),
        COUNTER(count),
        {.key = "probability", .read = read_probability},
        {.key = "seed",
            .read = rules_read_whole,
            .offset = offsetof(struct rule_when, seed),
            .max = UINT64_MAX},
    };
    (void)member;
    rules_read_object(reader, value, table, COUNT(table), target);
    if (!rules_has(reader, value, "probability") && rules_has(reader, value, "seed"))
        rules_error(reader, "\"seed\" goes with \"probability\" only");
}

static void read_rule(struct rules_reader *reader, int value, struct rule *rule)
{
    static const char *const sides[] = {"request", "response", NULL};
    static const struct rules_member table[] = {
        {.key = "name",
            .read = rules_read_name,
            .offset = offsetof(struct rule, name),
            .required = true},
        {.key = "on",
            .read = rules_read_choice,
            .offset = offsetof(struct rule, side),
            .required = true,
            .choices = sides},
        {.key = "match", .read = read_match, .offset = offsetof(struct rule, match)},
        {.key = "when", .read = read_when, .offset = offsetof(struct rule, when)},
        {.key = "do", .required = true},
    };
    rule->side = -1;
    rules_read_object(reader, value, table, COUNT(table), rule);
    /* Last, as what may be done hangs on the side. */
    int actions = json_text_member(reader->rules->json, value, "do");
    if (actions < 0)
        return;
    size_t before = rules_enter_key(reader, slice_str("do"));
    rules_read_actions(reader, actions, rule);
    rules_leave(reader, before);
}

static void check_name(struct rules_reader *reader, size_t index)
{
    const struct rule *list = reader->rules->list;
    for (size_t i = 0; i < index; i++) {
        if (list[index].name.len == 0 || !slice_equal(list[i].name, list[index].name))
            continue;
        size_t before = rules_enter_key(reader, slice_str("name"));
        rules_error(reader, "is the name of rule %zu too", i);
        rules_leave(reader, before);
        return;
    }
}

static void read_rules(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rules *rules = target;
    size_t count = rules_count_children(reader, value);
    (void)member;
    if (!rules_expect(reader, value, JSON_ARRAY, "a list of rules"))
        return;
    if (count > RULES_MAX) {
        rules_error(reader, "must have at most %d rules", RULES_MAX);
        return;
    }
    /* A key that stands twice brings us here twice. */
    rules->count = 0;
    rules->list = rules_reader_keep(reader, count, sizeof rules->list[0]);
    rules->firing = rules_reader_keep(reader, count, sizeof(const struct rule *));
    for (int i = json_text_first(rules->json, value); i >= 0 && rules->list != NULL;
         i = json_text_next(rules->json, i)) {
        size_t before = rules_enter_index(reader, rules->count);
        read_rule(reader, i, &rules->list[rules->count++]);
        check_name(reader, rules->count - 1);
        rules_leave(reader, before);
    }
    rules_check_saved(reader);
}

static void read_schema(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    (void)member;
    (void)target;
    rules_expect(reader, value, JSON_STRING, "a string");
}

static void read_document(struct rules_reader *reader)
{
    static const struct rules_member table[] = {
        {.key = "$schema", .read = read_schema},
        {.key = "rules", .read = read_rules, .required = true},
    };
    rules_read_object(reader, 0, table, COUNT(table), reader->rules);
}

/* "line 3, column 5: reason", as editors count: columns in bytes. */
static void error_at(struct rules_reader *reader, struct slice text, size_t at, const char *reason)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.data[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    rules_error(reader, "line %zu, column %zu: %s", line, at - start + 1, reason);
}

static void parse(struct rules_reader *reader, struct slice text)
{
    const char *why = NULL;
    size_t at = 0;
    struct slice rest = text;
    size_t len = 1;
    while (rest.len > 0 && (len = utf8_length(rest)) > 0)
        rest = slice_of(rest.data + len, rest.len - len);
    if (rest.len > 0) {
        error_at(reader, text, text.len - rest.len, "is no UTF-8");
        return;
    }
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        rules_error(reader, "begins with a byte order mark, which is no JSON: save it without");
        return;
    }
    reader->rules->json = json_text_parse(text, &why, &at);
    if (why == JSON_TEXT_NO_MEMORY)
        reader->no_memory = true;
    else if (reader->rules->json == NULL)
        error_at(reader, text, at, why);
    else
        read_document(reader);
}

struct rules *rules_load_text(
    const char *file, struct slice text, struct buf *errors, size_t *n_errors)
{
    struct rules_reader reader = {.rules = rules_new(), .file = file, .errors = errors};
    size_t before = errors->len;
    char *kept = NULL;
    buf_init(&reader.pointer, 8 * (size_t)RULES_FILE_MAX); /* each key's, escaped */
    if (reader.rules != NULL)
        kept = rules_reader_keep(&reader, text.len + 1, 1);
    if (kept != NULL && text.len > 0)
        memcpy(kept, text.data, text.len);
    if (kept != NULL)
        parse(&reader, slice_of(kept, text.len));
    buf_clear(&reader.pointer);
    if (kept == NULL || reader.no_memory) {
        /* What else was found may only be for want of what could not be read. */
        errors->len = before;
        reader.n_errors = 0;
        rules_error(&reader, "there is not enough memory to read it");
    }
    buf_deinit(&reader.pointer);
    *n_errors = reader.n_errors;
    if (reader.n_errors == 0)
        return reader.rules;
    rules_free(reader.rules);
    return NULL;
}

/* 0 or an errno. */
static int read_file(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "rb");
    int err = file == NULL ? errno : 0;
    size_t got = 1;
    while (err == 0 && got > 0) {
        if (text->len == text->max)
            err = EFBIG;
        else if (buf_reserve(text, text->max - text->len < 65536 ? text->max - text->len : 65536))
            err = ENOMEM;
        else if ((got = fread(text->data + text->len, 1, text->size - text->len, file)) == 0)
            err = ferror(file) ? errno : 0;
        text->len += err == 0 ? got : 0;
    }
    if (file != NULL)
        fclose(file);
    return err;
}

struct rules *rules_load(const char *path, struct buf *errors, size_t *n_errors)
{
    struct buf text;
    struct rules *rules = NULL;
    buf_init(&text, RULES_FILE_MAX + 1);
    int err = read_file(path, &text);
    if (err == 0) {
        rules = rules_load_text(path, slice_of(text.data, text.len), errors, n_errors);
    } else {
        struct rules_reader reader = {.file = path, .errors = errors};
        if (err == EFBIG)
            rules_error(&reader, "is larger than %d bytes", RULES_FILE_MAX);
        else
            rules_error(&reader, "cannot be read: %s", strerror(err));
        *n_errors = reader.n_errors;
    }
    buf_deinit(&text);
    return rules;
}
