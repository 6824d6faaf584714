#include "lib/redact.h"

#include <stdio.h>

#include "lib/json_text.h"

static const char *const always[] = {
    "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", NULL};

static bool is_pointer(const char *item)
{
    return item[0] == '/';
}

const char *redact_fault(const char *item)
{
    if (is_pointer(item)) {
        for (const char *tilde = strchr(item, '~'); tilde; tilde = strchr(tilde + 1, '~'))
            if (tilde[1] != '0' && tilde[1] != '1')
                return "in a JSON pointer ~ is followed by 0 or 1";
        return NULL;
    }
    return *item && !strpbrk(item, " \t:\"(),/;<=>?@[\\]{}")
               ? NULL
               : "it is neither a field's name nor a JSON pointer, as in /arguments/password";
}

bool redact_hides_field(const struct redact *redact, struct slice name)
{
    if (redact->off)
        return false;
    for (size_t i = 0; always[i]; i++)
        if (slice_is_nocase(name, always[i]))
            return true;
    for (size_t i = 0; i < redact->more.count; i++)
        if (!is_pointer(redact->more.items[i]) && slice_is_nocase(name, redact->more.items[i]))
            return true;
    return false;
}

static bool is_beneath(struct slice pointer, struct slice top)
{
    return pointer.len >= top.len &&
           (top.len == 0 || memcmp(pointer.data, top.data, top.len) == 0) &&
           (pointer.len == top.len || pointer.data[top.len] == '/');
}

bool redact_hides_value(const struct redact *redact, struct slice pointer)
{
    for (size_t i = 0; !redact->off && i < redact->more.count; i++) {
        struct slice item = slice_str(redact->more.items[i]);
        if (is_pointer(item.data) && (is_beneath(pointer, item) || is_beneath(item, pointer)))
            return true;
    }
    return false;
}

bool redact_hides_values(const struct redact *redact)
{
    return redact_hides_value(redact, slice_of("", 0));
}

/* Where the line at AT ends: some readers take a CR that stands alone for its end. */
static size_t line_end(const char *head, size_t len, size_t at)
{
    while (
        at < len && head[at] != '\n' && (head[at] != '\r' || at + 1 == len || head[at + 1] == '\n'))
        at++;
    return at;
}

/*
 * A line that begins with white space goes on with the value before (RFC 9112 §5.2), or is a field
 * all the same, as some readers have it.
 */
void redact_mask_head(const struct redact *redact, char *head, size_t len)
{
    bool hidden = false;
    for (size_t at = 0; at < len;) {
        size_t end = line_end(head, len, at), from = at;
        bool folded = head[at] == ' ' || head[at] == '\t';
        const char *colon = memchr(head + at, ':', end - at);
        if (!hidden || !folded) {
            size_t name_len = colon ? (size_t)(colon - head) - at : 0;
            hidden = colon && redact_hides_field(redact, slice_trim(slice_of(head + at, name_len)));
            from += name_len + 1;
        }
        for (; hidden && from < end; from++)
            if (!strchr(" \t\r", head[from]))
                head[from] = '*';
        at = end + 1;
    }
}

/* The values beneath VALUE that REST names. Its key is compared decoded, as readers have it. */
static void mask_values(const struct json_text *json, int value, const char *rest, char *text)
{
    if (*rest == '\0') {
        struct slice raw = json_text_raw(json, value), whole = json_text_raw(json, 0);
        memset(text + (raw.data - whole.data), '*', raw.len);
        return;
    }
    size_t len = strcspn(rest + 1, "/");
    char key[512];
    size_t key_len = 0, index = 0;
    bool decoded =
        len < sizeof key && json_reference_decode(slice_of(rest + 1, len), key, &key_len);
    for (int child = json_text_first(json, value); child >= 0;
         child = json_text_next(json, child)) {
        struct slice name = json_text_key(json, child);
        char digits[24];
        snprintf(digits, sizeof digits, "%zu", index++);
        if (decoded && (name.data ? json_string_is(name, slice_of(key, key_len))
                                  : slice_is(slice_of(key, key_len), digits)))
            mask_values(json, child, rest + 1 + len, text);
    }
}

void redact_mask_json(const struct redact *redact, char *text, size_t len)
{
    if (len == 0 || !redact_hides_values(redact))
        return;
    struct json_text *json = json_text_parse(slice_of(text, len), NULL, NULL);
    if (!json) {
        memset(text, '*', len);
        return;
    }
    char *root = text + (json_text_raw(json, 0).data - text);
    for (size_t i = 0; i < redact->more.count; i++)
        if (is_pointer(redact->more.items[i]))
            mask_values(json, 0, redact->more.items[i], root);
    json_text_free(json);
}
