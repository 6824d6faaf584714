#include "agent_a/proof.h"

#include "agent_a/tool_call.h"

/* The head of our own request, as the other side will read it. */
static bool read_own_head(struct slice request, struct http_head *head, struct http_field *fields)
{
    struct http_problem problem;
    const char *end = memmem(request.data, request.len, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    request.len = (size_t)(end - request.data) + 4;
    return http_head_read(head, HTTP_KIND_REQUEST, request, fields, &problem);
}

static int append_proof(const struct defence *defence, struct slice call, struct buf *out)
{
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_head head;
    struct buf whole;
    buf_init(&whole, TOOL_CALL_HEAD_MAX);
    int status = buf_append(&whole, out->data, out->len);
    if (status == 0)
        status = buf_append(&whole, "\r\n", 2);
    if (status == 0 && !read_own_head(slice_of(whole.data, whole.len), &head, fields))
        status = UV_EINVAL;
    if (status == 0)
        status = defence_sign_request(defence, &head, call, out);
    buf_deinit(&whole);
    return status;
}

int proof_request(
    const struct defence *defence, const struct http_url *url, struct slice call, struct buf *out)
{
    int status = tool_call_head(url, call, out);
    if (status == 0)
        status = append_proof(defence, call, out);
    if (status == 0)
        status = buf_append(out, "\r\n", 2);
    return status == 0 ? buf_append(out, call.data, call.len) : status;
}

static bool check_json(
    const struct defence *defence, struct slice body, struct defence_refusal *refusal)
{
    struct json_text *json = json_text_parse(body, NULL, NULL);
    bool good = json == NULL || defence_check_json(defence, json, body, refusal);
    json_text_free(json);
    return good;
}

bool proof_check(const struct defence *defence, struct slice request,
    const struct client_answer *answer, struct slice content, struct defence_refusal *refusal)
{
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_head head;
    *refusal = (struct defence_refusal){"no_memory", "the own request cannot be read", 0};
    return read_own_head(request, &head, fields) &&
           defence_check_response(defence, &head, answer->head, answer->body, refusal) &&
           check_json(defence, content, refusal);
}
