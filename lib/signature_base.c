#include "lib/signature_base.h"

#include <uv.h>

#include "lib/http_fields.h"

/* One covered component, by its identifier (RFC 9421 §2). */
struct component {
    struct slice name;
    bool req;
    struct slice query_name; /* of "@query-param"; absent otherwise */
};

/* A request target taken apart; of the origin form, the authority is absent. */
struct target {
    struct slice scheme, authority, path;
    struct slice query; /* with its question mark; absent: none */
};

static bool read_component(const struct sf_value *item, struct component *component)
{
    struct sf_member param;
    struct slice rest = item->params;
    enum sf_result result;
    *component = (struct component){.name = item->text};
    if (item->type != SF_STRING || item->text.len == 0)
        return false;
    while ((result = sf_next_param(&rest, &param)) == SF_OK) {
        bool is_true = param.value.type == SF_BOOLEAN && param.value.integer == 1;
        if (slice_is(param.key, "req") && is_true && !component->req)
            component->req = true;
        else if (slice_is(param.key, "name") && param.value.type == SF_STRING &&
                 component->query_name.data == NULL)
            component->query_name = param.value.text;
        else
            return false;
    }
    bool is_query_param = slice_is(component->name, "@query-param");
    return result == SF_END && is_query_param == (component->query_name.data != NULL);
}

static bool same_component(const struct component *a, const struct component *b)
{
    return a->req == b->req && slice_equal(a->name, b->name) &&
           slice_equal(a->query_name, b->query_name);
}

static struct target read_target(struct slice text)
{
    struct target target = {.path = text};
    size_t scheme = 0;
    while (scheme < text.len && text.data[scheme] != ':' && text.data[scheme] != '/')
        scheme++;
    if (text.len - scheme >= 3 && memcmp(text.data + scheme, "://", 3) == 0) {
        size_t at = scheme + 3;
        while (at < text.len && text.data[at] != '/' && text.data[at] != '?')
            at++;
        target.scheme = slice_of(text.data, scheme);
        target.authority = slice_of(text.data + scheme + 3, at - scheme - 3);
        target.path = slice_of(text.data + at, text.len - at);
    }
    const char *query = target.path.len > 0 ? memchr(target.path.data, '?', target.path.len) : NULL;
    if (query != NULL) {
        size_t len = (size_t)(query - target.path.data);
        target.query = slice_of(query, target.path.len - len);
        target.path.len = len;
    }
    if (target.path.len == 0)
        target.path = slice_str("/");
    return target;
}

static int append_slice(struct buf *out, struct slice text)
{
    return text.len > 0 ? buf_append(out, text.data, text.len) : 0;
}

static int append_lower(struct buf *out, struct slice text)
{
    int status = 0;
    for (size_t i = 0; i < text.len && status == 0; i++) {
        char c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        status = buf_append_char(out, c);
    }
    return status;
}

static struct slice scheme_of(const struct signature_message *message, const struct target *target)
{
    return target->scheme.data != NULL ? target->scheme : slice_str(message->scheme);
}

/* Normalised as RFC 9421 §2.2.3 wants it: in lower case, without the scheme's own port. */
static int append_authority(
    struct buf *out, const struct signature_message *message, const struct target *target)
{
    bool tls = slice_is_nocase(scheme_of(message, target), "https");
    struct slice port = slice_str(tls ? ":443" : ":80");
    struct slice text =
        target->authority.data != NULL ? target->authority : http_head_field(message->head, "Host");
    if (text.data == NULL)
        return UV_ENOENT;
    if (text.len > port.len &&
        slice_equal(slice_of(text.data + text.len - port.len, port.len), port))
        text.len -= port.len;
    return append_lower(out, text);
}

static int append_target_uri(
    struct buf *out, const struct signature_message *message, const struct target *target)
{
    int status = append_lower(out, scheme_of(message, target));
    if (status == 0)
        status = buf_append_str(out, "://");
    if (status == 0)
        status = append_authority(out, message, target);
    if (status == 0)
        status = append_slice(out, target->path);
    return status == 0 ? append_slice(out, target->query) : status;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Decodes as a form does and encodes again in the one way of RFC 9421 §2.2.8. */
static int append_form_text(struct buf *out, struct slice text)
{
    int status = 0;
    for (size_t i = 0; i < text.len && status == 0; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '%' && i + 2 < text.len && hex_digit(text.data[i + 1]) >= 0 &&
            hex_digit(text.data[i + 2]) >= 0) {
            c = (unsigned char)(hex_digit(text.data[i + 1]) * 16 + hex_digit(text.data[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != '\0' && strchr("*-._", c) != NULL);
        status = plain ? buf_append_char(out, (char)c) : buf_printf(out, "%%%02X", c);
    }
    return status;
}

static bool is_form_name(struct slice text, struct slice name)
{
    struct buf encoded;
    buf_init(&encoded, HTTP_TARGET_MAX * 3);
    bool same = append_form_text(&encoded, text) == 0 &&
                slice_equal(slice_of(encoded.data, encoded.len), name);
    buf_deinit(&encoded);
    return same;
}

/* A name that stands twice cannot be covered (RFC 9421 §2.2.8). */
static int append_query_param(struct buf *out, struct slice query, struct slice name)
{
    struct slice value = slice_of(NULL, 0);
    size_t found = 0;
    while (query.len > 0) {
        struct slice pair = slice_of(query.data + 1, query.len - 1); /* past ? or & */
        const char *end = pair.len > 0 ? memchr(pair.data, '&', pair.len) : NULL;
        if (end != NULL)
            pair.len = (size_t)(end - pair.data);
        query = slice_of(pair.data + pair.len, query.len - 1 - pair.len);
        const char *equals = pair.len > 0 ? memchr(pair.data, '=', pair.len) : NULL;
        struct slice key = pair;
        if (equals != NULL)
            key.len = (size_t)(equals - pair.data);
        if (!is_form_name(key, name))
            continue;
        found++;
        value = slice_of(pair.data + key.len, pair.len - key.len);
        if (equals != NULL)
            value = slice_of(value.data + 1, value.len - 1);
    }
    if (found != 1)
        return found == 0 ? UV_ENOENT : UV_EINVAL;
    return append_form_text(out, value);
}

static int append_of_request(
    struct buf *out, const struct signature_message *message, const struct component *component)
{
    struct slice name = component->name;
    const struct target target = read_target(message->head->target);
    if (slice_is(name, "@method"))
        return append_slice(out, message->head->method);
    if (slice_is(name, "@target-uri"))
        return append_target_uri(out, message, &target);
    if (slice_is(name, "@authority"))
        return append_authority(out, message, &target);
    if (slice_is(name, "@scheme"))
        return append_lower(out, scheme_of(message, &target));
    if (slice_is(name, "@request-target"))
        return append_slice(out, message->head->target);
    if (slice_is(name, "@path"))
        return append_slice(out, target.path);
    if (slice_is(name, "@query"))
        return append_slice(out, target.query.data != NULL ? target.query : slice_str("?"));
    if (slice_is(name, "@query-param"))
        return append_query_param(out, target.query, component->query_name);
    return UV_EINVAL;
}

static bool is_lower_case(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] >= 'A' && name.data[i] <= 'Z')
            return false;
    }
    return true;
}

static int append_component(
    struct buf *out, const struct signature_message *message, const struct component *component)
{
    if (component->req)
        message = message->request;
    if (message == NULL)
        return UV_EINVAL;
    if (component->name.data[0] != '@')
        return is_lower_case(component->name)
                   ? http_fields_combine(message->head, component->name, out)
                   : UV_EINVAL;
    bool is_response = message->head->status != 0;
    if (slice_is(component->name, "@status"))
        return is_response ? buf_printf(out, "%d", message->head->status) : UV_EINVAL;
    return is_response ? UV_EINVAL : append_of_request(out, message, component);
}

static int append_line(struct buf *out, const struct signature_message *message,
    const struct sf_value *item, const struct component *component)
{
    int status = sf_append_value(out, item);
    if (status == 0)
        status = buf_append_str(out, ": ");
    if (status == 0)
        status = append_component(out, message, component);
    return status == 0 ? buf_append_char(out, '\n') : status;
}

static bool is_among(const struct component *seen, size_t count, const struct component *component)
{
    for (size_t i = 0; i < count; i++) {
        if (same_component(&seen[i], component))
            return true;
    }
    return false;
}

int signature_base_append(
    struct buf *out, const struct signature_message *message, const struct sf_value *input)
{
    struct component seen[SIGNATURE_COMPONENTS_MAX];
    struct sf_value item;
    struct slice rest = input->text;
    enum sf_result result;
    size_t count = 0;
    if (input->type != SF_INNER_LIST)
        return UV_EINVAL;
    while ((result = sf_next_item(&rest, &item)) == SF_OK) {
        if (count == SIGNATURE_COMPONENTS_MAX || !read_component(&item, &seen[count]) ||
            is_among(seen, count, &seen[count]))
            return UV_EINVAL;
        int status = append_line(out, message, &item, &seen[count++]);
        if (status != 0)
            return status;
    }
    if (result == SF_BAD)
        return UV_EINVAL;
    int status = buf_append_str(out, "\"@signature-params\": ");
    return status == 0 ? sf_append_value(out, input) : status;
}

bool signature_base_covers(const struct sf_value *input, const char *name, bool req)
{
    const struct component wanted = {.name = slice_str(name), .req = req};
    struct component component;
    struct sf_value item;
    struct slice rest = input->text;
    while (sf_next_item(&rest, &item) == SF_OK) {
        if (read_component(&item, &component) && same_component(&component, &wanted))
            return true;
    }
    return false;
}
