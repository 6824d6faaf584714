/*
 * A line of the exchange log, and two messages that its changes are to lead from one to the other.
 * Input: the line, a NUL, what came in, a NUL, what went out; the first byte says of which side.
 */
#include <string.h>

#include "capturer/capdiff/declared.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/story.h"
#include "tests/fuzz/fuzz.h"

static struct slice take_part(struct slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->data, '\0', rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
    struct slice part = slice_of(rest->data, len);

    len += end != NULL;
    *rest = slice_of(rest->data + len, rest->len - len);
    return part;
}

/* A whole message of these bytes; without a whole head it has none. */
static void make(struct message *message, struct slice bytes)
{
    const char *end = bytes.len > 0 ? memmem(bytes.data, bytes.len, "\r\n\r\n", 4) : NULL;

    message_init(message);
    message->state = MESSAGE_WHOLE;
    message->plain = true;
    message->raw.max = bytes.len + 1;
    memory_need(buf_append(&message->raw, bytes.data, bytes.len));
    message->len = bytes.len;
    message->head_len = end != NULL ? (uint64_t)(end - bytes.data) + 4 : 0;
    message->content_len = message->len - message->head_len;
}

struct judge {
    struct declared declared;
    size_t asked, covered;
};

static enum place_standing on_place(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    struct judge *judge = arg;
    bool covers = declared_covers(&judge->declared, kind, response, name, before, after);

    judge->asked++;
    judge->covered += covers;
    return covers ? STANDING_DECLARED : STANDING_REAL;
}

/* Nothing is explained that is not declared; what is explained wholly is no finding of the log's.
 */
static void check(const struct log_record *record, bool response, const struct message *before,
    const struct message *after)
{
    struct judge judge = {.asked = 0};
    struct compare_terms terms = {.judge = on_place, .arg = &judge, .patch_max = 1 << 16};
    struct crossing crossing = {.record = record};
    struct findings findings = {.counting = false};
    struct places places;

    declared_init(&judge.declared, record);
    declared_follow(&judge.declared, response, before, after);
    compare_messages(before, after, response, &terms, &places);
    declared_say_rest(&judge.declared, &findings, &crossing);
    PROMISE(judge.covered <= judge.asked);
    PROMISE(judge.covered == 0 || record->n_changes > 0);
    PROMISE(findings.total == 0 || record->n_changes > record->n_unknown);
    PROMISE(!judge.declared.sides[!response].has_content);
    places_deinit(&places);
    findings_deinit(&findings);
    declared_deinit(&judge.declared);
}

static void tell(const struct log_record *record)
{
    struct crossing crossing = {.record = record};

    for (size_t i = 0; i < record->n_changes; i++) {
        struct buf sentence;

        buf_init(&sentence, STORY_MAX);
        story_append(&crossing, &record->changes[i], &sentence);
        PROMISE(sentence.len > 0 && memchr(sentence.data, '\n', sentence.len) == NULL);
        buf_deinit(&sentence);
    }
    (void)log_record_ending(record, false);
    (void)log_record_excuses(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice rest = slice_of((const char *)data, len);
    struct slice line, came, went;
    struct message before, after;
    struct log_record *record;
    bool response = len > 0 && data[0] == '>';

    if (len > 0)
        rest = slice_of(rest.data + 1, rest.len - 1);
    line = take_part(&rest);
    came = take_part(&rest);
    went = rest;
    record = log_record_read(line);
    if (record == NULL)
        return 0;
    make(&before, came);
    make(&after, went);
    tell(record);
    check(record, response, &before, &after);
    message_deinit(&before);
    message_deinit(&after);
    log_record_free(record);
    return 0;
}
