#include "lib/http_parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/http_heads.h"

#define LEADING_MAX 8 /* bytes of empty lines before a request line */

/*
 * Two readers must agree: llhttp finds where the head and a body in chunks end, http_head_read
 * reads the whole head again by the stricter rules, and on anything that one of them refuses the
 * message is refused.
 */
enum phase {
    PHASE_BETWEEN, /* no byte of the next message was taken; the last one's head may be there */
    PHASE_HEAD,    /* in a head that is not whole yet */
    PHASE_BODY,    /* the head was told; its END was not */
    PHASE_CLOSED,  /* the last message said that none follows */
    PHASE_ERROR,   /* for good */
};

struct http_parser {
    llhttp_t llhttp;
    enum http_kind kind;
    enum phase phase;
    http_body_cb on_body;
    void *arg;
    struct http_heads own, *heads; /* whence this comes: the parser's own, or shared ones */
    struct http_reading *reading;  /* of the head so far, or of the last one; NULL: there is none */
    struct http_problem problem;
    bool sized;          /* the head alone said how long the body is, of which … */
    uint64_t rest;       /* … so much is to come; llhttp does not see it */
    const char *framing; /* in this feed: where the bytes that are no content go on */
    size_t framing_run;  /* framing bytes since the last content byte */
    bool after_cr;       /* the last framing byte was a CR */
    bool bare_line_end;  /* a CR or LF stood alone */
    bool long_framing;   /* framing_run passed its limit */
    char trailer[sizeof "Transfer-Encoding"]; /* the name of the trailer field at hand … */
    size_t trailer_len;                       /* … as far as it fits */
    bool framing_trailer;                     /* a trailer field would frame the message */
    bool no_body_next;
};

/* Looks for a CR or LF that stands alone: one parser ends a line there, another does not. */
static void check_line_ends(struct http_parser *parser, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool lf = data[i] == '\n';
        if (lf != parser->after_cr)
            parser->bare_line_end = true;
        parser->after_cr = data[i] == '\r';
    }
}

static void check_framing(struct http_parser *parser, const char *end)
{
    size_t len = (size_t)(end - parser->framing);
    check_line_ends(parser, parser->framing, len);
    parser->framing_run += len;
    if (parser->framing_run > HTTP_HEAD_MAX)
        parser->long_framing = true;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    llhttp->upgrade = 0; /* it stays HTTP until a 101 says otherwise, and that is not ours to say */
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static int on_content(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = llhttp->data;
    check_framing(parser, at);
    parser->framing = at + len;
    parser->framing_run = 0;
    if (parser->on_body && len > 0)
        parser->on_body(parser->arg, at, len);
    return 0;
}

static int on_field_name(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = llhttp->data;
    for (size_t i = 0; i < len && parser->trailer_len < sizeof parser->trailer; i++)
        parser->trailer[parser->trailer_len++] = at[i];
    return 0;
}

/* Who merges trailers into the head would frame by them what is framed already. */
static int on_field_name_end(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    struct slice name = slice_of(parser->trailer, parser->trailer_len);
    if (slice_is_nocase(name, "Content-Length") || slice_is_nocase(name, "Transfer-Encoding"))
        parser->framing_trailer = true;
    parser->trailer_len = 0;
    return 0;
}

/* A head is read as a whole, once it is there. */
static const llhttp_settings_t in_head = {
    .on_headers_complete = on_headers_complete,
};

static const llhttp_settings_t in_body = {
    .on_header_field = on_field_name,
    .on_header_field_complete = on_field_name_end,
    .on_body = on_content,
    .on_message_complete = on_message_complete,
};

struct http_parser *http_parser_new(enum http_kind kind, http_body_cb on_body, void *arg)
{
    struct http_parser *parser = calloc(1, sizeof *parser);
    if (!parser)
        return NULL;
    parser->kind = kind;
    parser->on_body = on_body;
    parser->arg = arg;
    parser->own.variety = 1;
    parser->heads = &parser->own;
    llhttp_init(
        &parser->llhttp, kind == HTTP_KIND_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &in_head);
    parser->llhttp.data = parser;
    return parser;
}

void http_parser_use_heads(struct http_parser *parser, struct http_heads *heads)
{
    parser->heads = heads;
}

void http_parser_free(struct http_parser *parser)
{
    if (!parser)
        return;
    http_heads_give(parser->heads, parser->kind, parser->reading);
    http_heads_deinit(&parser->own);
    free(parser);
}

struct http_parser *http_parser_renew(struct http_parser *parser)
{
    struct http_parser *renewed = http_parser_new(parser->kind, parser->on_body, parser->arg);
    if (!renewed)
        return NULL;
    if (parser->heads != &parser->own)
        renewed->heads = parser->heads;
    http_parser_free(parser);
    return renewed;
}

static enum http_event fail(
    struct http_parser *parser, int status, const char *word, const char *reason)
{
    parser->phase = PHASE_ERROR;
    parser->problem = (struct http_problem){.word = word, .reason = reason, .status = status};
    return HTTP_EVENT_ERROR;
}

static enum http_event fail_bad(struct http_parser *parser, const char *reason)
{
    if (parser->kind == HTTP_KIND_RESPONSE)
        return fail(parser, 502, "bad_response", reason);
    return fail(parser, 400, "bad_request", reason);
}

static bool is_method_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '\r' || c == '\n';
}

/* Is what came of the request line, with the byte that llhttp refused, a method by its form? */
static bool method_is_token(const struct http_parser *parser, char refused)
{
    const struct buf *bytes = &parser->reading->bytes;
    for (size_t i = 0; i < bytes->len; i++)
        if (!is_method_char(bytes->data[i]))
            return false;
    return is_method_char(refused);
}

/* AT is where llhttp stopped, within the data that was fed up to END. */
static enum http_event fail_llhttp(struct http_parser *parser, const char *at, const char *end)
{
    char refused = '\0';
    if (at && at < end)
        refused = *at;
    const char *reason = llhttp_get_error_reason(&parser->llhttp);
    if (!reason || !*reason)
        reason = "this is not HTTP/1.1";
    switch (llhttp_get_errno(&parser->llhttp)) {
    case HPE_PAUSED_H2_UPGRADE:
        return fail(
            parser, 505, "http_2", "HTTP/2 with prior knowledge: only HTTP/1.1 is spoken here");
    case HPE_INVALID_VERSION:
        if (parser->kind == HTTP_KIND_REQUEST && strcmp(reason, "Invalid HTTP version") == 0)
            return fail(parser, 505, "bad_version", "only HTTP/1.0 and HTTP/1.1 are spoken");
        break;
    case HPE_INVALID_METHOD:
        if (method_is_token(parser, refused))
            return fail(parser, 501, "not_implemented", "the method is not known");
        break;
    default:
        break;
    }
    return fail_bad(parser, reason);
}

/* The fields stay as long as the bytes that they show. */
static bool keep_fields(struct http_reading *reading)
{
    struct http_head *head = &reading->head;
    int err = buf_append(&reading->fields, head->fields, head->n_fields * sizeof *head->fields);
    if (err)
        head->n_fields = 0;
    head->fields = (struct http_field *)(void *)reading->fields.data;
    return err == 0;
}

/* The head is known; what follows depends on what the parser was told, too. */
static enum http_event head_known(struct http_parser *parser)
{
    const struct http_head *head = &parser->reading->head;
    parser->llhttp = parser->reading->llhttp;
    parser->llhttp.data = parser;
    parser->llhttp.settings = (void *)(uintptr_t)&in_body;
    if (parser->kind == HTTP_KIND_RESPONSE &&
        (parser->no_body_next || head->status < 200 || head->status == 204 || head->status == 304))
        parser->llhttp.flags |= F_SKIPBODY;
    if (head->status >= 200)
        parser->no_body_next = false;
    parser->phase = PHASE_BODY;
    parser->sized = http_parser_body_size(parser, &parser->rest);
    return HTTP_EVENT_HEAD;
}

static enum http_event head_complete(struct http_parser *parser)
{
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_reading *reading = parser->reading;
    struct slice bytes = slice_of(reading->bytes.data, reading->bytes.len);
    struct http_head *head = &reading->head;
    bool good = http_head_read(head, parser->kind, bytes, fields, &parser->problem);
    parser->after_cr = false;
    if (!keep_fields(reading))
        return fail(parser, 500, "no_memory", "out of memory");
    if (!good)
        check_line_ends(parser, bytes.data, bytes.len); /* that is what people are told, then */
    if (parser->bare_line_end)
        return fail_bad(parser, "a line does not end with CRLF");
    if (!good) {
        parser->phase = PHASE_ERROR;
        return HTTP_EVENT_ERROR;
    }
    bool chunked = parser->llhttp.flags & F_CHUNKED,
         sized = parser->llhttp.flags & F_CONTENT_LENGTH;
    if (chunked != head->chunked || sized != head->has_content_length ||
        (sized && parser->llhttp.content_length != head->content_length))
        return fail_bad(parser, "the length can be read in two ways");
    reading->llhttp = parser->llhttp;
    reading->whole = true;
    return head_known(parser);
}

static enum http_event head_too_large(struct http_parser *parser)
{
    const struct buf *bytes = &parser->reading->bytes;
    if (parser->kind == HTTP_KIND_RESPONSE)
        return fail_bad(parser, "the head is longer than 64 KiB");
    if (!memchr(bytes->data + LEADING_MAX, '\n', bytes->len - LEADING_MAX))
        return fail(parser, 414, "target_too_long", "the target is longer than 16 KiB");
    return fail(parser, 431, "head_too_large", "the head is longer than 64 KiB");
}

/* How many empty-line bytes the head begins with. */
static size_t leading_bytes(const struct http_parser *parser)
{
    const struct buf *bytes = &parser->reading->bytes;
    size_t n = 0;
    while (n < bytes->len && (bytes->data[n] == '\r' || bytes->data[n] == '\n'))
        n++;
    return n;
}

static enum http_event feed_head(
    struct http_parser *parser, const char *data, size_t len, size_t *used)
{
    struct buf *bytes = &parser->reading->bytes;
    size_t room = HTTP_HEAD_MAX + 1 - bytes->len;
    const char *end = data + (len < room ? len : room);
    llhttp_errno_t err = llhttp_execute(&parser->llhttp, data, (size_t)(end - data));
    const char *stop = err == HPE_OK ? end : llhttp_get_error_pos(&parser->llhttp);
    *used = stop && stop >= data && stop <= end ? (size_t)(stop - data) : 0;
    if (err != HPE_PAUSED) /* else http_head_read sees all of its lines */
        check_line_ends(parser, data, *used);
    if (parser->bare_line_end)
        return fail_bad(parser, "a line does not end with CRLF");
    if (err != HPE_OK && err != HPE_PAUSED)
        return fail_llhttp(parser, stop, end);
    if (buf_append(bytes, data, *used))
        return fail(parser, 500, "no_memory", "out of memory");
    if (leading_bytes(parser) > (parser->kind == HTTP_KIND_REQUEST ? LEADING_MAX : 0))
        return fail_bad(parser, "empty lines where a message should begin");
    if (bytes->len > HTTP_HEAD_MAX)
        return head_too_large(parser);
    return err == HPE_PAUSED ? head_complete(parser) : HTTP_EVENT_MORE;
}

static enum http_event begin_head(
    struct http_parser *parser, const char *data, size_t len, size_t *used)
{
    http_heads_give(parser->heads, parser->kind, parser->reading);
    parser->reading = http_heads_take(parser->heads, parser->kind, data, len);
    if (!parser->reading) {
        llhttp_reset(&parser->llhttp); /* the last message's method is not this one's */
        return fail(parser, 500, "no_memory", "out of memory");
    }
    parser->after_cr = false;
    parser->bare_line_end = false;
    parser->framing_run = 0;
    parser->phase = PHASE_HEAD;
    if (parser->reading->whole) {
        *used = parser->reading->bytes.len;
        return head_known(parser);
    }
    parser->llhttp.settings = (void *)(uintptr_t)&in_head;
    llhttp_reset(&parser->llhttp);
    return feed_head(parser, data, len, used);
}

static enum http_event message_end(struct http_parser *parser)
{
    const struct http_head *head = &parser->reading->head;
    parser->phase = head->keep_alive || head->status / 100 == 1 ? PHASE_BETWEEN : PHASE_CLOSED;
    return HTTP_EVENT_END;
}

static enum http_event feed_sized_body(
    struct http_parser *parser, const char *data, size_t len, size_t *used)
{
    *used = len < parser->rest ? len : (size_t)parser->rest;
    parser->rest -= *used;
    if (parser->on_body && *used > 0)
        parser->on_body(parser->arg, data, *used);
    return parser->rest > 0 ? HTTP_EVENT_MORE : message_end(parser);
}

static enum http_event feed_body(
    struct http_parser *parser, const char *data, size_t len, size_t *used)
{
    static const char nothing[1];
    if (len == 0)
        data = nothing;
    parser->framing = data;
    if (llhttp_get_errno(&parser->llhttp) == HPE_PAUSED)
        llhttp_resume(&parser->llhttp);
    llhttp_errno_t err = llhttp_execute(&parser->llhttp, data, len);
    const char *stop = err == HPE_OK ? data + len : llhttp_get_error_pos(&parser->llhttp);
    *used = stop && stop >= data && stop <= data + len ? (size_t)(stop - data) : 0;
    if (parser->framing < data + *used)
        check_framing(parser, data + *used);
    if (parser->bare_line_end)
        return fail_bad(parser, "a line of the chunked coding does not end with CRLF");
    if (parser->long_framing)
        return fail_bad(parser, "more than 64 KiB of chunk extensions or trailers");
    if (parser->framing_trailer)
        return fail_bad(parser, "a trailer that would frame the message again");
    if (err == HPE_OK)
        return HTTP_EVENT_MORE;
    return err == HPE_PAUSED ? message_end(parser) : fail_llhttp(parser, stop, data + len);
}

enum http_event http_parser_feed(
    struct http_parser *parser, const char *data, size_t len, size_t *used)
{
    *used = 0;
    switch (parser->phase) {
    case PHASE_BETWEEN:
        return len > 0 ? begin_head(parser, data, len, used) : HTTP_EVENT_MORE;
    case PHASE_HEAD:
        return len > 0 ? feed_head(parser, data, len, used) : HTTP_EVENT_MORE;
    case PHASE_BODY:
        return parser->sized ? feed_sized_body(parser, data, len, used)
                             : feed_body(parser, data, len, used);
    case PHASE_CLOSED:
        if (len == 0)
            return HTTP_EVENT_MORE;
        return fail(parser, 400, "after_close", "bytes after the last message of the connection");
    case PHASE_ERROR:
        break;
    }
    return HTTP_EVENT_ERROR;
}

enum http_event http_parser_eof(struct http_parser *parser)
{
    if (parser->phase == PHASE_ERROR)
        return HTTP_EVENT_ERROR;
    if (parser->phase == PHASE_CLOSED || http_parser_idle(parser))
        return HTTP_EVENT_MORE;
    if (parser->phase == PHASE_BODY && http_parser_until_close(parser))
        return message_end(parser);
    return fail(parser, 400, "incomplete", "the connection ended before the message did");
}

void http_parser_expect_no_body(struct http_parser *parser)
{
    parser->no_body_next = true;
}

const struct http_head *http_parser_head(const struct http_parser *parser)
{
    static const struct http_head none;
    return parser->reading ? &parser->reading->head : &none;
}

void http_parser_forget_head(struct http_parser *parser)
{
    if (parser->phase != PHASE_BETWEEN && parser->phase != PHASE_CLOSED)
        return;
    http_heads_give(parser->heads, parser->kind, parser->reading);
    parser->reading = NULL;
}

struct slice http_parser_partial_head(const struct http_parser *parser)
{
    if (parser->phase != PHASE_HEAD)
        return slice_of(NULL, 0);
    return slice_of(parser->reading->bytes.data, parser->reading->bytes.len);
}

bool http_parser_idle(const struct http_parser *parser)
{
    return parser->phase == PHASE_BETWEEN ||
           (parser->phase == PHASE_HEAD && leading_bytes(parser) == parser->reading->bytes.len);
}

bool http_parser_in_head(const struct http_parser *parser)
{
    return parser->phase == PHASE_BETWEEN || parser->phase == PHASE_HEAD;
}

bool http_parser_until_close(const struct http_parser *parser)
{
    const struct http_head *head = http_parser_head(parser);
    return parser->kind == HTTP_KIND_RESPONSE && !(parser->llhttp.flags & F_SKIPBODY) &&
           !head->chunked && !head->has_content_length;
}

bool http_parser_body_size(const struct http_parser *parser, uint64_t *size)
{
    if (parser->phase != PHASE_BODY)
        return false;
    const struct http_head *head = &parser->reading->head;
    *size = 0;
    if (parser->llhttp.flags & F_SKIPBODY)
        return true;
    if (head->chunked || http_parser_until_close(parser))
        return false;
    *size = head->has_content_length ? head->content_length : 0;
    return true;
}

void http_parser_pass_body(struct http_parser *parser)
{
    if (parser->phase == PHASE_BODY)
        (void)message_end(parser);
}

bool http_parser_is_to_head(const struct http_parser *parser)
{
    return parser->kind == HTTP_KIND_REQUEST && parser->llhttp.method == HTTP_HEAD;
}

const struct http_problem *http_parser_problem(const struct http_parser *parser)
{
    return &parser->problem;
}
