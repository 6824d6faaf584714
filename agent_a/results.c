#include "agent_a/results.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "agent_a/client.h"
#include "lib/buf.h"
#include "lib/json_text.h"
#include "lib/log.h"
#include "lib/utf8.h"

#define LINE_MAX_BYTES (6 * CLIENT_ANSWER_MAX + (1UL << 20)) /* a string may take six for one */

/* /dev/null, for one, is not to become its owner's alone. */
static int begin_file(int fd)
{
    struct stat facts;
    int status = fstat(fd, &facts);
    if (status == 0 && !S_ISREG(facts.st_mode))
        return UV_EINVAL;
    if (status == 0)
        status = fchmod(fd, 0600);
    if (status == 0)
        status = ftruncate(fd, 0);
    return status == 0 ? 0 : uv_translate_sys_error(errno);
}

int results_open(struct results *results, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int status = begin_file(fd);
    if (status != 0)
        close(fd);
    else
        *results = (struct results){.out = {.fd = fd, .name = "the results"}};
    return status;
}

static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = utf8_length(text);
        if (len == 0)
            return false;
        text = slice_of(text.data + len, text.len - len);
    }
    return true;
}

/* JSON has line breaks between its tokens only, and what is unsafe in strings. TEXT is UTF-8. */
static int append_on_one_line(struct slice text, struct buf *line)
{
    int status = 0;
    while (status == 0 && text.len > 0) {
        struct slice character = slice_of(text.data, utf8_length(text));
        char escape[JSON_ESCAPE_MAX];
        if (*text.data == '\n' || *text.data == '\r')
            status = buf_append_char(line, ' ');
        else if (*text.data != '\t' && utf8_is_unsafe(character))
            status = buf_append(line, escape, json_escape(character, escape));
        else
            status = buf_append(line, character.data, character.len);
        text = slice_of(text.data + character.len, text.len - character.len);
    }
    return status;
}

static int append_text(struct slice text, struct buf *line)
{
    if (text.data == NULL)
        return buf_append_str(line, "null");
    struct json_text *json = is_utf8(text) ? json_text_parse(text, NULL, NULL) : NULL;
    int status = json != NULL ? append_on_one_line(text, line) : json_string_encode(text, line);
    json_text_free(json);
    return status;
}

/* ,"NAME":"WORD", or null for "". */
static int append_word(const char *name, const char *word, struct buf *line)
{
    if (word[0] == '\0')
        return buf_printf(line, ",\"%s\":null", name);
    return buf_printf(line, ",\"%s\":\"%s\"", name, word);
}

/* The call as it was sent: its number, id and tool, and how often. */
static int append_call(const struct result *result, struct buf *line)
{
    struct json_text *json = json_text_parse(result->text, NULL, NULL);
    struct slice id = {0};
    struct slice tool_name = {0};
    if (json != NULL) {
        id = json_text_raw(json, json_text_member(json, 0, "id"));
        tool_name = json_text_raw(json, json_text_member(json, 0, "tool_name"));
    }
    int status = buf_printf(line, "{\"call\":%" PRIu64 ",\"id\":", result->call);
    if (status == 0)
        status = append_text(id, line);
    if (status == 0)
        status = buf_append_str(line, ",\"tool_name\":");
    if (status == 0)
        status = append_text(tool_name, line);
    if (status == 0)
        status = buf_printf(line, ",\"attempts\":%" PRIu64, result->attempts);
    json_text_free(json);
    return status;
}

static int append_outcome(const struct outcome *outcome, struct buf *line)
{
    static const char *const kinds[] = {
        [OUTCOME_ACCEPTED] = "accepted",
        [OUTCOME_REFUSED] = "refused",
        [OUTCOME_FAILED] = "failed",
    };
    static const char *const agents[] = {
        [OUTCOME_BY_NOBODY] = "",
        [OUTCOME_BY_AGENT_A] = "agent_a",
        [OUTCOME_BY_AGENT_B] = "agent_b",
    };
    int status = append_word("outcome", kinds[outcome->kind], line);
    if (status == 0)
        status = append_word("word", outcome->word, line);
    if (status == 0)
        status = append_word("by", agents[outcome->by], line);
    return status == 0 ? append_word("claimed", outcome->claimed, line) : status;
}

static int append_answer(
    const struct results *results, const struct result *result, struct buf *line)
{
    int status = result->status != 0 ? buf_printf(line, ",\"status\":%d", result->status)
                                     : buf_append_str(line, ",\"status\":null");
    if (status == 0)
        status = buf_printf(line, ",\"duration_ms\":%" PRIu64 ".%03" PRIu64,
            result->duration_ns / 1000000, result->duration_ns / 1000 % 1000);
    if (status == 0)
        status = buf_printf(line, ",\"unasked_responses\":%" PRIu64, results->unasked);
    if (status == 0)
        status = result->streamed ? buf_printf(line, ",\"events\":%" PRIu64, result->events)
                                  : buf_append_str(line, ",\"events\":null");
    if (status == 0)
        status = buf_append_str(line, ",\"response\":");
    if (status == 0)
        status = append_text(result->response, line);
    return status == 0 ? buf_append_str(line, "}\n") : status;
}

void results_write(struct results *results, const struct result *result)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    int status = append_call(result, &line);
    if (status == 0)
        status = append_outcome(result->outcome, &line);
    if (status == 0)
        status = append_answer(results, result, &line);
    if (status == 0) {
        line_out_write(&results->out, slice_of(line.data, line.len));
        results->unasked = 0;
    } else {
        results->out.lost++;
        log_error("there is not enough memory for a result");
    }
    buf_deinit(&line);
}

bool results_close(struct results *results)
{
    line_out_report(&results->out);
    close(results->out.fd);
    return results->out.lost == 0;
}
