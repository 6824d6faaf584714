#include "mitm_proxy/rules_load_parts.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

bool rules_check_pointer(struct rules_reader *reader, struct slice pointer)
{
    bool good = pointer.len == 0 || pointer.data[0] == '/';
    for (size_t i = 0; i < pointer.len && good; i++) {
        if (pointer.data[i] == '~')
            good =
                i + 1 < pointer.len && (pointer.data[i + 1] == '0' || pointer.data[i + 1] == '1');
    }
    if (!good)
        rules_error(reader, "must be a JSON Pointer: \"\", or \"/\" and keys with ~0 for ~ and ~1 "
                            "for /");
    return good;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool rules_check_token(struct rules_reader *reader, struct slice name, const char *what)
{
    size_t len = 0;
    while (len < name.len && is_token_char(name.data[len]))
        len++;
    if (name.len > 0 && len == name.len)
        return true;
    rules_error(reader, "must be %s", what);
    return false;
}

void rules_check_framing(struct rules_reader *reader, struct slice name)
{
    if (slice_is_nocase(name, "Content-Length") || slice_is_nocase(name, "Transfer-Encoding"))
        rules_error(reader, "must be no field of the framing, which follows the body; for another "
                            "framing there is reframe");
}

void rules_read_method(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    const struct rule_text *text = target;
    size_t errors = reader->n_errors;
    rules_read_text(reader, value, member, target);
    if (errors == reader->n_errors)
        rules_check_token(reader, text->text, "a method, as in POST");
}

void rules_read_pointer(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    const struct rule_text *text = target;
    size_t errors = reader->n_errors;
    rules_read_text(reader, value, member, target);
    if (errors == reader->n_errors)
        rules_check_pointer(reader, text->text);
}

void rules_read_json(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    (void)member;
    *(struct rule_text *)target =
        (struct rule_text){true, json_text_raw(reader->rules->json, value)};
}

void rules_read_body(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct body {
        struct rule_text text, json;
    } body = {{false, {NULL, 0}}, {false, {NULL, 0}}};
    static const struct rules_member table[] = {
        {.key = "text", .read = rules_read_text, .offset = offsetof(struct body, text)},
        {.key = "json", .read = rules_read_json, .offset = offsetof(struct body, json)},
    };
    (void)member;
    rules_read_object(reader, value, table, COUNT(table), &body);
    if (json_text_type(reader->rules->json, value) == JSON_OBJECT &&
        rules_has(reader, value, "text") == rules_has(reader, value, "json"))
        rules_error(reader, "needs either \"text\" or \"json\"");
    *(struct rule_text *)target = body.json.given ? body.json : body.text;
}

void rules_read_field_name(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_text text = {false, {NULL, 0}};
    size_t errors = reader->n_errors;
    rules_read_text(reader, value, member, &text);
    if (errors == reader->n_errors && rules_check_token(reader, text.text, "a field name"))
        rules_check_framing(reader, text.text);
    *(struct slice *)target = text.text;
}

void rules_read_field_value(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_text text = {false, {NULL, 0}};
    rules_read_line(reader, value, member, &text);
    *(struct slice *)target = text.text;
}

/* One operation as the file has it. */
struct raw_op {
    int op; /* enum json_op_kind, -1 where it is wrong */
    struct rule_text path, from, value;
};

/* An error if a member is there that the operation has no use for, or lacks. */
static void check_use(struct rules_reader *reader, int value, const char *key, bool used)
{
    bool there = rules_has(reader, value, key);
    if (used && !there)
        rules_error(reader, "\"%s\" is missing", key);
    if (!used && there) {
        size_t before = rules_enter_key(reader, slice_str(key));
        rules_error(reader, "is of no use for this operation");
        rules_leave(reader, before);
    }
}

static void check_op(struct rules_reader *reader, int value, const struct raw_op *raw)
{
    bool from = raw->op == JSON_OP_MOVE || raw->op == JSON_OP_COPY;
    check_use(reader, value, "from", from);
    check_use(reader, value, "value", !from && raw->op != JSON_OP_REMOVE);
    size_t before = rules_enter_key(reader, slice_str("path"));
    if (raw->op == JSON_OP_REMOVE && raw->path.given && raw->path.text.len == 0)
        rules_error(reader, "must not be the whole document");
    if (raw->op == JSON_OP_MOVE && raw->path.given && raw->from.given &&
        json_pointer_is_inside(raw->path.text, raw->from.text))
        rules_error(reader, "must not be inside of \"from\"");
    rules_leave(reader, before);
}

static struct json_op read_op(struct rules_reader *reader, int value)
{
    static const char *const names[] = {"add", "remove", "replace", "move", "copy", "test", NULL};
    static const struct rules_member table[] = {
        {.key = "op",
            .read = rules_read_choice,
            .offset = offsetof(struct raw_op, op),
            .required = true,
            .choices = names},
        {.key = "path",
            .read = rules_read_pointer,
            .offset = offsetof(struct raw_op, path),
            .required = true},
        {.key = "from", .read = rules_read_pointer, .offset = offsetof(struct raw_op, from)},
        {.key = "value", .read = rules_read_json, .offset = offsetof(struct raw_op, value)},
    };
    struct raw_op raw = {.op = -1};
    rules_read_object(reader, value, table, COUNT(table), &raw);
    if (raw.op >= 0)
        check_op(reader, value, &raw);
    return (struct json_op){
        (enum json_op_kind)raw.op, raw.path.text, raw.from.text, raw.value.text};
}

void rules_read_patch(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target)
{
    struct rule_patch *patch = target;
    size_t count = rules_count_children(reader, value);
    (void)member;
    if (!rules_expect(reader, value, JSON_ARRAY, "a list of operations"))
        return;
    if (count == 0 || count > RULE_OPS_MAX) {
        rules_error(reader, "must have 1 to %d operations", RULE_OPS_MAX);
        return;
    }
    patch->ops = rules_reader_keep(reader, count, sizeof patch->ops[0]);
    for (int i = json_text_first(reader->rules->json, value); i >= 0 && patch->ops != NULL;
         i = json_text_next(reader->rules->json, i)) {
        size_t before = rules_enter_index(reader, patch->count);
        patch->ops[patch->count++] = read_op(reader, i);
        rules_leave(reader, before);
    }
}
