#include "lib/http_head.h"

#include <ctype.h>

#include "lib/http_target.h"

#define CONTENT_LENGTH_MAX (UINT64_MAX / 2)

/* tchar of RFC 9110 §5.6.2 */
static bool is_token_char(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_char((unsigned char)text.data[i]))
            return false;
    return text.len > 0;
}

/* field-vchar, SP and HTAB: no other control may stand in a value (RFC 9110 §5.5). */
static bool is_field_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
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

static bool looks_like_version(struct slice text)
{
    return text.len == 8 && memcmp(text.data, "HTTP/", 5) == 0 && text.data[6] == '.' &&
           isdigit((unsigned char)text.data[5]) && isdigit((unsigned char)text.data[7]);
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
        if (!isdigit((unsigned char)line.data[i]))
            return bad_response(problem, "the status is not three digits");
        status = status * 10 + (line.data[i] - '0');
    }
    if (status < 100)
        return bad_response(problem, "the status is below 100");
    head->status = status;
    head->reason = slice_of(line.data + 12, line.len - 12);
    if (head->reason.len > 0)
        head->reason = slice_of(head->reason.data + 1, head->reason.len - 1);
    return is_field_text(head->reason) ||
           bad_response(problem, "the reason has a control character");
}

static bool read_field(
    struct http_field *field, enum http_kind kind, struct slice line, struct http_problem *problem)
{
    const char *colon = memchr(line.data, ':', line.len);
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return bad(kind, problem, "a field is folded over two lines");
    if (!colon)
        return bad(kind, problem, "a field line has no colon");
    field->name = slice_of(line.data, (size_t)(colon - line.data));
    field->value = slice_trim(slice_of(colon + 1, line.len - field->name.len - 1));
    if (!is_token(field->name))
        return bad(kind, problem, "a field name is empty or no token");
    return is_field_text(field->value) ||
           bad(kind, problem, "a field value has a control character");
}

static bool read_fields(
    struct http_head *head, enum http_kind kind, struct slice rest, struct http_problem *problem)
{
    struct slice line;
    while (next_line(&rest, &line)) {
        if (line.len == 0)
            return rest.len == 0 || bad(kind, problem, "the head goes on after its empty line");
        if (head->n_fields == HTTP_FIELDS_MAX)
            return refuse(problem, 431, "head_too_large", "the head has more than 256 fields");
        if (!read_field(&head->fields[head->n_fields], kind, line, problem))
            return false;
        head->n_fields++;
    }
    return bad(kind, problem, "a line does not end with CRLF");
}

static size_t count_fields(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->n_fields; i++)
        count += slice_is_nocase(head->fields[i].name, name);
    return count;
}

struct slice http_head_field(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (slice_is_nocase(head->fields[i].name, name))
            return head->fields[i].value;
    return slice_of(NULL, 0);
}

static bool list_has_token(struct slice list, const char *token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;
        if (slice_is_nocase(slice_trim(slice_of(list.data, len)), token))
            return true;
        size_t skip = comma ? len + 1 : len;
        list = slice_of(list.data + skip, list.len - skip);
    }
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

/* 1*DIGIT without leading zeros: what one parser reads as octal or twice, no parser gets. */
static bool read_content_length(struct http_head *head, struct slice text)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 19 || (text.len > 1 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.data[i]))
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    head->content_length = value;
    head->has_content_length = true;
    return value <= CONTENT_LENGTH_MAX;
}

static bool read_transfer_encoding(
    struct http_head *head, enum http_kind kind, size_t count, struct http_problem *problem)
{
    struct slice value = http_head_field(head, "Transfer-Encoding");
    if (head->version_minor == 0)
        return bad(kind, problem, "Transfer-Encoding in an HTTP/1.0 message");
    if (head->has_content_length)
        return bad(kind, problem, "both Content-Length and Transfer-Encoding");
    if (count > 1 || !slice_is_nocase(value, "chunked")) {
        /* A coding before chunked is valid HTTP that we do not speak; the rest is not valid. */
        bool valid = count > 1 ||
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
static bool read_framing(struct http_head *head, enum http_kind kind, struct http_problem *problem)
{
    size_t lengths = count_fields(head, "Content-Length");
    size_t codings = count_fields(head, "Transfer-Encoding");
    if (lengths > 1)
        return bad(kind, problem, "more than one Content-Length");
    if (lengths == 1 && !read_content_length(head, http_head_field(head, "Content-Length")))
        return bad(kind, problem, "the Content-Length is no plain number");
    if (codings > 0 && !read_transfer_encoding(head, kind, codings, problem))
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
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return bad_request(problem, "the target has a character that no target has");
    }
    if (slice_is(head->method, "CONNECT")) {
        if (!is_authority(target) || !memchr(target.data, ':', target.len) ||
            !isdigit((unsigned char)target.data[target.len - 1]))
            return bad_request(problem, "CONNECT takes HOST:PORT");
        if (head->has_content_length || head->chunked)
            return bad_request(problem, "CONNECT with a body");
        return true;
    }
    struct slice authority = http_target_authority(target);
    if (target.data[0] == '/' || is_authority(authority) ||
        (slice_is(target, "*") && slice_is(head->method, "OPTIONS")))
        return true;
    return bad_request(problem, "the target is no path, URL or *");
}

static bool check_host(const struct http_head *head, struct http_problem *problem)
{
    size_t count = count_fields(head, "Host");
    struct slice host = http_head_field(head, "Host");
    struct slice authority = http_target_authority(head->target);
    if (count > 1)
        return bad_request(problem, "more than one Host");
    if (count == 0)
        return head->version_minor == 0 || bad_request(problem, "no Host");
    if (!http_is_host(host))
        return bad_request(problem, "the Host is no host");
    if (authority.data &&
        (authority.len != host.len || strncasecmp(authority.data, host.data, host.len) != 0))
        return bad_request(problem, "the target and the Host name different hosts");
    return true;
}

static void read_connection(struct http_head *head)
{
    bool close = http_head_has_token(head, "Connection", "close");
    head->keep_alive = !close && (head->version_minor == 1 ||
                                     http_head_has_token(head, "Connection", "keep-alive"));
    head->upgrade =
        count_fields(head, "Upgrade") > 0 && http_head_has_token(head, "Connection", "upgrade");
    head->expect_continue =
        head->version_minor == 1 && http_head_has_token(head, "Expect", "100-continue");
}

bool http_head_read(struct http_head *head, enum http_kind kind, struct slice bytes,
    struct http_field *fields, struct http_problem *problem)
{
    struct slice rest = bytes, line;
    *head = (struct http_head){.bytes = bytes, .fields = fields};
    do {
        if (!next_line(&rest, &line))
            return bad(kind, problem, "a line does not end with CRLF");
    } while (line.len == 0 && kind == HTTP_KIND_REQUEST); /* RFC 9112 §2.2 */
    if (kind == HTTP_KIND_REQUEST ? !read_request_line(head, line, problem)
                                  : !read_status_line(head, line, problem))
        return false;
    if (!read_fields(head, kind, rest, problem) || !read_framing(head, kind, problem))
        return false;
    read_connection(head);
    return kind == HTTP_KIND_RESPONSE || (check_target(head, problem) && check_host(head, problem));
}
