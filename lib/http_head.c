#include "lib/http_head.h"

#include "lib/http_chars.h"
#include "lib/http_target.h"

#define CONTENT_LENGTH_MAX (UINT64_MAX / 2)

struct noted_field {
    struct slice first; /* its value, where there is one */
    size_t count;
};

/* What of the fields frames the message, or says how the connection goes on. */
struct noted {
    struct noted_field host, content_length, transfer_encoding, upgrade;
    bool close, keep_alive, upgrades; /* options of Connection */
    bool expect_continue;
};

static bool is_token(struct slice text)
{
    return text.len > 0 && http_chars_are(text, HTTP_TOKEN);
}

static bool refuse(struct http_problem *problem, int status, const char *word, const char *reason)
{
    *problem = (struct http_problem){.word = word, .reason = reason, .status = status};
    return false;
}

static bool bad_request(struct http_problem *problem, const char *reason)
{
    return refuse(problem, 400, "bad_request", reason);
}

static bool bad_response(struct http_problem *problem, const char *reason)
{
    return refuse(problem, 502, "bad_response", reason);
}

static bool bad(enum http_kind kind, struct http_problem *problem, const char *reason)
{
    return kind == HTTP_KIND_REQUEST ? bad_request(problem, reason) : bad_response(problem, reason);
}

/* Takes the next line, without its CRLF, off REST. False when there is none. */
static bool next_line(struct slice *rest, struct slice *line)
{
    const char *lf = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    if (!lf || lf == rest->data || lf[-1] != '\r')
        return false;
    *line = slice_of(rest->data, (size_t)(lf - rest->data) - 1);
    *rest = slice_of(lf + 1, rest->len - line->len - 2);
    return true;
}

static bool read_version(struct slice text, int *minor)
{
    if (text.len != 8 || memcmp(text.data, "HTTP/1.", 7) != 0)
        return false;
    *minor = text.data[7] - '0';
    return *minor == 0 || *minor == 1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool looks_like_version(struct slice text)
{
    return text.len == 8 && memcmp(text.data, "HTTP/", 5) == 0 && text.data[6] == '.' &&
           is_digit(text.data[5]) && is_digit(text.data[7]);
}

/* method SP request-target SP HTTP-version, one space each (RFC 9112 §3) */
static bool read_request_line(
    struct http_head *head, struct slice line, struct http_problem *problem)
{
    const char *first = memchr(line.data, ' ', line.len);
    const char *last = memrchr(line.data, ' ', line.len);
    if (!first || first == last)
        return bad_request(problem, "the request line is not METHOD TARGET VERSION");
    struct slice version = slice_of(last + 1, (size_t)(line.data + line.len - last) - 1);
    head->method = slice_of(line.data, (size_t)(first - line.data));
    head->target = slice_of(first + 1, (size_t)(last - first) - 1);
    if (!read_version(version, &head->version_minor))
        return looks_like_version(version)
                   ? refuse(problem, 505, "bad_version", "only HTTP/1.0 and HTTP/1.1 are spoken")
                   : bad_request(problem, "the request line does not end with an HTTP version");
    if (!is_token(head->method))
        return bad_request(problem, "the method is no token");
    if (head->target.len > HTTP_TARGET_MAX)
        return refuse(problem, 414, "target_too_long", "the target is longer than 16 KiB");
    return true;
}

/* HTTP-version SP 3DIGIT [SP reason] (RFC 9112 §4; the second space is often left out) */
static bool read_status_line(
    struct http_head *head, struct slice line, struct http_problem *problem)
{
    if (line.len < 12 || !read_version(slice_of(line.data, 8), &head->version_minor) ||
        line.data[8] != ' ' || (line.len > 12 && line.data[12] != ' '))
        return bad_response(problem, "the status line is not VERSION STATUS REASON");
    int status = 0;
    for (int i = 9; i < 12; i++) {
        if (!is_digit(line.data[i]))
            return bad_response(problem, "the status is not three digits");
        status = status * 10 + (line.data[i] - '0');
    }
    if (status < 100)
        return bad_response(problem, "the status is below 100");
    head->status = status;
    head->reason = slice_of(line.data + 12, line.len - 12);
    if (head->reason.len > 0)
        head->reason = slice_of(head->reason.data + 1, head->reason.len - 1);
    return http_chars_are(head->reason, HTTP_TEXT) ||
           bad_response(problem, "the reason has a control character");
}

struct slice http_head_field(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (slice_is_nocase(head->fields[i].name, name))
            return head->fields[i].value;
    return slice_of(NULL, 0);
}

/* Takes the next element off a comma-separated list. False when there is none. */
static bool next_element(struct slice *list, struct slice *element)
{
    if (list->len == 0)
        return false;
    const char *comma = memchr(list->data, ',', list->len);
    size_t len = comma ? (size_t)(comma - list->data) : list->len;
    size_t skip = comma ? len + 1 : len;
    *element = slice_trim(slice_of(list->data, len));
    *list = slice_of(list->data + skip, list->len - skip);
    return true;
}

static bool list_has_token(struct slice list, const char *token)
{
    struct slice element;
    while (next_element(&list, &element))
        if (slice_is_nocase(element, token))
            return true;
    return false;
}

bool http_head_has_token(const struct http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (slice_is_nocase(head->fields[i].name, name) &&
            list_has_token(head->fields[i].value, token))
            return true;
    return false;
}

static void note(struct noted_field *noted, const struct http_field *field, const char *name)
{
    if (slice_is_nocase(field->name, name) && noted->count++ == 0)
        noted->first = field->value;
}

static void note_connection(struct noted *noted, struct slice options)
{
    struct slice option;
    while (next_element(&options, &option)) {
        noted->close |= slice_is_nocase(option, "close");
        noted->keep_alive |= slice_is_nocase(option, "keep-alive");
        noted->upgrades |= slice_is_nocase(option, "upgrade");
    }
}

/* Most fields are none of these by their length already. */
static void note_field(struct noted *noted, const struct http_field *field)
{
    switch (field->name.len) {
    case sizeof "Host" - 1:
        note(&noted->host, field, "Host");
        break;
    case sizeof "Expect" - 1:
        if (slice_is_nocase(field->name, "Expect"))
            noted->expect_continue |= list_has_token(field->value, "100-continue");
        break;
    case sizeof "Upgrade" - 1:
        note(&noted->upgrade, field, "Upgrade");
        break;
    case sizeof "Connection" - 1:
        if (slice_is_nocase(field->name, "Connection"))
            note_connection(noted, field->value);
        break;
    case sizeof "Content-Length" - 1:
        note(&noted->content_length, field, "Content-Length");
        break;
    case sizeof "Transfer-Encoding" - 1:
        note(&noted->transfer_encoding, field, "Transfer-Encoding");
        break;
    default:
        break;
    }
}

/* The line at REST has no name of a field. */
static bool bad_name(enum http_kind kind, struct slice rest, struct http_problem *problem)
{
    struct slice line;
    if (!next_line(&rest, &line))
        return bad(kind, problem, "a line does not end with CRLF");
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return bad(kind, problem, "a field is folded over two lines");
    if (!memchr(line.data, ':', line.len))
        return bad(kind, problem, "a field line has no colon");
    return bad(kind, problem, "a field name is empty or no token");
}

/* Takes the field line at *AT. The last byte before END is a LF: no run of characters goes past it.
 */
static bool read_field(struct http_field *field, enum http_kind kind, const char **at,
    const char *end, struct http_problem *problem)
{
    const char *name = *at, *colon = http_chars_end(name, HTTP_TOKEN);
    if (colon == name || *colon != ':')
        return bad_name(kind, slice_of(name, (size_t)(end - name)), problem);
    const char *value = colon + 1, *value_end = http_chars_end(value, HTTP_TEXT);
    if (*value_end != '\r' && *value_end != '\n')
        return bad(kind, problem, "a field value has a control character");
    if (value_end[0] != '\r' || value_end[1] != '\n')
        return bad(kind, problem, "a line does not end with CRLF");
    field->name = slice_of(name, (size_t)(colon - name));
    field->value = slice_trim(slice_of(value, (size_t)(value_end - value)));
    *at = value_end + 2;
    return true;
}

static bool read_fields(struct http_head *head, enum http_kind kind, struct slice lines,
    struct noted *noted, struct http_problem *problem)
{
    const char *at = lines.data, *end = lines.data + lines.len;
    while (at < end) {
        if (at[0] == '\r' && at[1] == '\n')
            return at + 2 == end || bad(kind, problem, "the head goes on after its empty line");
        if (head->n_fields == HTTP_FIELDS_MAX)
            return refuse(problem, 431, "head_too_large", "the head has more than 256 fields");
        struct http_field *field = &head->fields[head->n_fields];
        if (!read_field(field, kind, &at, end, problem))
            return false;
        note_field(noted, field);
        head->n_fields++;
    }
    return bad(kind, problem, "a line does not end with CRLF");
}

/* 1*DIGIT without leading zeros: what one parser reads as octal or twice, no parser gets. */
static bool read_content_length(struct http_head *head, struct slice text)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 19 || (text.len > 1 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    head->content_length = value;
    head->has_content_length = true;
    return value <= CONTENT_LENGTH_MAX;
}

static bool read_transfer_encoding(struct http_head *head, enum http_kind kind,
    const struct noted_field *noted, struct http_problem *problem)
{
    struct slice value = noted->first;
    if (head->version_minor == 0)
        return bad(kind, problem, "Transfer-Encoding in an HTTP/1.0 message");
    if (head->has_content_length)
        return bad(kind, problem, "both Content-Length and Transfer-Encoding");
    if (noted->count > 1 || !slice_is_nocase(value, "chunked")) {
        /* A coding before chunked is valid HTTP that we do not speak; the rest is not valid. */
        bool valid = noted->count > 1 ||
                     (value.len > 0 && value.data[0] != ',' && list_has_token(value, "chunked"));
        if (kind == HTTP_KIND_RESPONSE || !valid)
            return bad(kind, problem, "a Transfer-Encoding that is not just chunked");
        return refuse(
            problem, 501, "not_implemented", "a Transfer-Encoding that is not just chunked");
    }
    head->chunked = true;
    return true;
}

/* RFC 9112 §6: how long the message is, or why that is not certain. */
static bool read_framing(struct http_head *head, enum http_kind kind, const struct noted *noted,
    struct http_problem *problem)
{
    const struct noted_field *length = &noted->content_length, *coding = &noted->transfer_encoding;
    if (length->count > 1)
        return bad(kind, problem, "more than one Content-Length");
    if (length->count == 1 && !read_content_length(head, length->first))
        return bad(kind, problem, "the Content-Length is no plain number");
    if (coding->count > 0 && !read_transfer_encoding(head, kind, coding, problem))
        return false;
    if (kind == HTTP_KIND_RESPONSE && head->chunked && (head->status < 200 || head->status == 204))
        return bad_response(problem, "Transfer-Encoding in a response that has no body");
    return true;
}

/* One that leads somewhere: its host is not empty (RFC 9110 §4.2.1). */
static bool is_authority(struct slice text)
{
    return text.len > 0 && text.data[0] != ':' && http_is_host(text);
}

/* origin-form, absolute-form, authority-form for CONNECT, * for OPTIONS (RFC 9112 §3.2) */
static bool check_target(const struct http_head *head, struct http_problem *problem)
{
    struct slice target = head->target;
    if (!http_chars_are(target, HTTP_TARGET))
        return bad_request(problem, "the target has a character that no target has");
    if (slice_is(head->method, "CONNECT")) {
        if (!is_authority(target) || !memchr(target.data, ':', target.len) ||
            !is_digit(target.data[target.len - 1]))
            return bad_request(problem, "CONNECT takes HOST:PORT");
        if (head->has_content_length || head->chunked)
            return bad_request(problem, "CONNECT with a body");
        return true;
    }
    if (target.data[0] == '/' || is_authority(http_target_authority(target)) ||
        (slice_is(target, "*") && slice_is(head->method, "OPTIONS")))
        return true;
    return bad_request(problem, "the target is no path, URL or *");
}

static bool check_host(
    const struct http_head *head, const struct noted_field *noted, struct http_problem *problem)
{
    struct slice host = noted->first, authority = http_target_authority(head->target);
    if (noted->count > 1)
        return bad_request(problem, "more than one Host");
    if (noted->count == 0)
        return head->version_minor == 0 || bad_request(problem, "no Host");
    if (!http_is_host(host))
        return bad_request(problem, "the Host is no host");
    if (authority.data &&
        (authority.len != host.len || strncasecmp(authority.data, host.data, host.len) != 0))
        return bad_request(problem, "the target and the Host name different hosts");
    return true;
}

static void read_connection(struct http_head *head, const struct noted *noted)
{
    head->keep_alive = !noted->close && (head->version_minor == 1 || noted->keep_alive);
    head->upgrade = noted->upgrade.count > 0 && noted->upgrades;
    head->expect_continue = head->version_minor == 1 && noted->expect_continue;
}

bool http_head_read(struct http_head *head, enum http_kind kind, struct slice bytes,
    struct http_field *fields, struct http_problem *problem)
{
    struct slice rest = bytes, line;
    struct noted noted = {0};
    *head = (struct http_head){.bytes = bytes, .fields = fields};
    if (bytes.len == 0 || bytes.data[bytes.len - 1] != '\n')
        return bad(kind, problem, "a line does not end with CRLF");
    do {
        if (!next_line(&rest, &line))
            return bad(kind, problem, "a line does not end with CRLF");
    } while (line.len == 0 && kind == HTTP_KIND_REQUEST); /* RFC 9112 §2.2 */
    if (kind == HTTP_KIND_REQUEST ? !read_request_line(head, line, problem)
                                  : !read_status_line(head, line, problem))
        return false;
    if (!read_fields(head, kind, rest, &noted, problem) ||
        !read_framing(head, kind, &noted, problem))
        return false;
    read_connection(head, &noted);
    return kind == HTTP_KIND_RESPONSE ||
           (check_target(head, problem) && check_host(head, &noted.host, problem));
}
