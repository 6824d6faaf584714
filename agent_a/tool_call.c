#include "agent_a/tool_call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#include "lib/json_text.h"
#include "lib/log.h"

#define SHOWN_ID_MAX 120 /* bytes of an id in a sentence */

int tool_call_default(uint64_t number, struct buf *out)
{
    return buf_printf(out,
        "{\"id\":\"call-%04" PRIu64 "\",\"type\":\"tool_call\","
        "\"tool_name\":\"analyze_dependency\","
        "\"arguments\":{\"repo\":\"demo-repo\",\"target\":\"libssl\",\"depth\":2}}",
        number);
}

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        char piece[16 * 1024];
        ssize_t got = read(fd, piece, sizeof piece);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return uv_translate_sys_error(errno);
        int status = got > 0 ? buf_append(out, piece, (size_t)got) : 0;
        if (status != 0)
            return status;
    }
}

int tool_call_load(const char *path, struct buf *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int status = read_all(fd, out);
    close(fd);
    return status;
}

int tool_call_head(const struct http_url *url, struct slice call, struct buf *out)
{
    return buf_printf(out,
        "POST %s HTTP/1.1\r\n"
        "Host: %s\r\n"
        "User-Agent: agent_a/" AGENT_MITM_VERSION "\r\n"
        "Content-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\n"
        "Content-Length: %zu\r\n",
        url->target, url->authority, call.len);
}

int tool_call_request(const struct http_url *url, struct slice call, struct buf *out)
{
    int status = tool_call_head(url, call, out);
    if (status == 0)
        status = buf_append(out, "\r\n", 2);
    return status == 0 ? buf_append(out, call.data, call.len) : status;
}

/* Where the texts of two ids differ, both may still name the same characters. */
static bool same_id(struct slice sent, struct slice received)
{
    struct buf decoded;
    if (slice_equal(sent, received))
        return true;
    buf_init(&decoded, TOOL_CALL_MAX);
    bool same = json_string_decode(sent, &decoded) == 0 &&
                json_string_is(received, slice_of(decoded.data, decoded.len));
    buf_deinit(&decoded);
    return same;
}

static bool check_id(struct slice id, const struct json_text *answer, struct outcome *outcome)
{
    char sent[SHOWN_ID_MAX];
    char received[SHOWN_ID_MAX];
    int value = json_text_member(answer, 0, "id");
    struct slice got = json_text_raw(answer, value);
    if (value >= 0 && same_id(id, got))
        return true;
    log_escape(id, sent, sizeof sent);
    if (value < 0)
        return outcome_fail(outcome, "id_mismatch", "the answer has no id; %s was sent", sent);
    return outcome_fail(outcome, "id_mismatch", "the answer has the id %s; %s was sent",
        log_escape(got, received, sizeof received), sent);
}

static bool fail_memory(struct outcome *outcome)
{
    return outcome_fail(outcome, "no_memory", "%s to check the answer", JSON_TEXT_NO_MEMORY);
}

static bool check_answer(struct slice id, struct slice answer, struct outcome *outcome)
{
    const char *why;
    size_t at;
    struct json_text *json = json_text_parse(answer, &why, &at);
    if (json == NULL && why == JSON_TEXT_NO_MEMORY)
        return fail_memory(outcome);
    if (json == NULL)
        return outcome_fail(
            outcome, "bad_response", "the answer is no JSON: at byte %zu, %s", at, why);
    bool good = check_id(id, json, outcome);
    json_text_free(json);
    return good;
}

bool tool_call_check(struct slice call, struct slice answer, struct outcome *outcome)
{
    const char *why = NULL;
    bool good = true;
    struct json_text *json = json_text_parse(call, &why, NULL);
    if (why == JSON_TEXT_NO_MEMORY)
        return fail_memory(outcome);
    int id = json != NULL ? json_text_member(json, 0, "id") : -1;
    if (id >= 0)
        good = check_answer(json_text_raw(json, id), answer, outcome);
    json_text_free(json);
    return good;
}

const char *tool_call_name(struct slice call, char *out, size_t size)
{
    struct json_text *json = json_text_parse(call, NULL, NULL);
    int id = json != NULL ? json_text_member(json, 0, "id") : -1;
    log_escape(id >= 0 ? json_text_raw(json, id) : slice_str("without id"), out, size);
    json_text_free(json);
    return out;
}
