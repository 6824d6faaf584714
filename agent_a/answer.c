#include "agent_a/answer.h"

#include <stdio.h>

#include "agent_a/proof.h"
#include "agent_a/tool_call.h"
#include "lib/json_text.h"

/* Our words are lower case and underscores; whatever else stands there is none. */
static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] < 'a' || text.data[i] > 'z') && text.data[i] != '_')
            return false;
    }
    return text.len > 0 && text.len < OUTCOME_WORD_MAX;
}

static void copy_word(const struct json_text *json, const char *pointer, char *out)
{
    int value = json_text_find(json, pointer);
    struct slice raw = json_text_raw(json, value);
    if (json_text_type(json, value) == JSON_STRING && is_word(slice_of(raw.data + 1, raw.len - 2)))
        snprintf(out, OUTCOME_WORD_MAX, "%.*s", (int)raw.len - 2, raw.data + 1);
}

/*
 * The word of an error: agent_b's {"error":{"word":…}}, or that of a tool in its result. False
 * where someone between says to have made it.
 */
static bool read_word(struct slice body, char *out)
{
    struct json_text *json = json_text_parse(body, NULL, NULL);
    out[0] = '\0';
    if (json == NULL)
        return true;
    copy_word(json, "/result/error/word", out);
    copy_word(json, "/error/word", out);
    bool by_agent_b = json_text_find(json, "/error/by") < 0;
    json_text_free(json);
    return by_agent_b;
}

static void refuse_unproven(const struct defence_refusal *refusal, struct outcome *outcome)
{
    if (strcmp(refusal->word, "no_memory") == 0)
        outcome_fail(outcome, refusal->word, "%s", refusal->reason);
    else
        outcome_refuse(
            outcome, OUTCOME_BY_AGENT_A, refusal->word, "%s: %s", refusal->word, refusal->reason);
}

/* REFUSAL is NULL for an answer that is proven, or need not be. */
static void judge_error(const struct client_answer *answer, const struct defence_refusal *refusal,
    struct outcome *outcome)
{
    char word[OUTCOME_WORD_MAX];
    char status[OUTCOME_WORD_MAX + 32];
    bool by_agent_b = read_word(answer->body, word) && refusal == NULL && word[0] != '\0';
    snprintf(status, sizeof status, "%d%s%s", answer->status, word[0] != '\0' ? ", " : "", word);
    if (by_agent_b) {
        outcome_refuse(outcome, OUTCOME_BY_AGENT_B, word, "the status is %s", status);
        return;
    }
    memcpy(outcome->claimed, word, sizeof outcome->claimed);
    if (refusal == NULL)
        outcome_fail(outcome, "status", "the status is %s", status);
    else if (strcmp(refusal->word, "no_memory") == 0)
        refuse_unproven(refusal, outcome);
    else
        outcome_refuse(outcome, OUTCOME_BY_AGENT_A, refusal->word, "%s: %s; its status is %s",
            refusal->word, refusal->reason, status);
}

void answer_judge(const struct question *question, const struct client_answer *answer,
    struct slice content, struct outcome *outcome)
{
    struct defence_refusal refusal;
    bool proven = question->defence == NULL ||
                  proof_check(question->defence, question->request, answer, content, &refusal);
    if (answer->status < 200 || answer->status > 299)
        judge_error(answer, proven ? NULL : &refusal, outcome);
    else if (!proven)
        refuse_unproven(&refusal, outcome);
    else if (content.data == NULL)
        outcome_fail(outcome, "no_result", "the answer is events, and none of them is the result");
    else
        (void)tool_call_check(question->call, content, outcome);
}
