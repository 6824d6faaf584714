#include "agent_a/proof.h"

#include <stdio.h>

#include "agent_a/tool_call.h"
#include "lib/log.h"

#define WORD_SHOWN_MAX 40

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

/* ", WORD" of an answer {"error":{"word":…}}, fit to be printed, or "". */
static const char *error_word(struct slice body, char *out, size_t size)
{
    struct json_text *json = json_text_parse(body, NULL, NULL);
    int word = json != NULL ? json_text_find(json, "/error/word") : -1;
    out[0] = '\0';
    if (word >= 0 && json_text_type(json, word) == JSON_STRING) {
        struct slice quoted = json_text_raw(json, word);
        memcpy(out, ", ", 2);
        log_escape(slice_of(quoted.data + 1, quoted.len - 2), out + 2, size - 2);
    }
    json_text_free(json);
    return out;
}

static bool check_json(
    const struct defence *defence, struct slice body, struct defence_refusal *refusal)
{
    struct json_text *json = json_text_parse(body, NULL, NULL);
    bool good = json == NULL || defence_check_json(defence, json, body, refusal);
    json_text_free(json);
    return good;
}

/* An answer with an error is told with its word, although what is not proven may be a lie. */
bool proof_check(const struct defence *defence, struct slice request,
    const struct client_answer *answer, char *reason, size_t size)
{
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_head head;
    char word[WORD_SHOWN_MAX];
    struct defence_refusal refusal = {"no_memory", "the own request cannot be read", 0};
    bool good = read_own_head(request, &head, fields) &&
                defence_check_response(defence, &head, answer->head, answer->body, &refusal) &&
                check_json(defence, answer->body, &refusal);
    bool is_error = answer->status < 200 || answer->status > 299;
    if (is_error)
        error_word(answer->body, word, sizeof word);
    if (is_error && good)
        snprintf(reason, size, "the status is %d%s", answer->status, word);
    else if (is_error)
        snprintf(reason, size, "%s: %s; its status is %d%s", refusal.word, refusal.reason,
            answer->status, word);
    else if (!good)
        snprintf(reason, size, "%s: %s", refusal.word, refusal.reason);
    return good && !is_error;
}
