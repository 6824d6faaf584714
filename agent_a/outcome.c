#include "agent_a/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void outcome_set(struct outcome *outcome, enum outcome_kind kind, const char *word,
    const char *format, va_list args)
{
    outcome->kind = kind;
    snprintf(outcome->word, sizeof outcome->word, "%s", word);
    vsnprintf(outcome->reason, sizeof outcome->reason, format, args);
}

bool outcome_fail(struct outcome *outcome, const char *word, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    outcome_set(outcome, OUTCOME_FAILED, word, format, args);
    va_end(args);
    return false;
}

bool outcome_refuse(
    struct outcome *outcome, enum outcome_by by, const char *word, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    outcome_set(outcome, OUTCOME_REFUSED, word, format, args);
    va_end(args);
    outcome->by = by;
    return false;
}

bool outcome_is_silence(const struct outcome *outcome)
{
    static const char *const words[] = {"connect_failed", "tls_failed", "timeout",
        "connection_closed", "connection_reset", "unasked_response"};
    if (outcome->kind != OUTCOME_FAILED)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(outcome->word, words[i]) == 0)
            return true;
    }
    return false;
}

bool outcome_is_astray(const struct outcome *outcome)
{
    return outcome->by == OUTCOME_BY_AGENT_A || strcmp(outcome->word, "id_mismatch") == 0;
}
