/* Requests that rules sent again: what the log declares of them, and those that it does not. */
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/settle.h"
#include "capturer/capdiff/verdict_state.h"

#define NS_PER_MS UINT64_C(1000000)
#define LATE_NS (1000 * NS_PER_MS) /* that a copy may come after it should have */

static int by_exchange(const void *left, const void *right)
{
    const struct copies *a = left, *b = right;

    if (a->record->exchange != b->record->exchange)
        return a->record->exchange < b->record->exchange ? -1 : 1;
    return 0;
}

static bool has_copies(const struct log_change *change)
{
    return !change->response &&
           (change->kind == LOG_CHANGE_REPLAY || change->kind == LOG_CHANGE_DUPLICATE);
}

void verdict_copies_deinit(struct court *court)
{
    free(court->copies);
    free(court->sent);
}

static bool same_word(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_author(const struct log_change *a, const struct log_change *b)
{
    return same_word(a->rule, b->rule) && same_word(a->action, b->action);
}

/* What the exchange that is repeated declares of that, by the same rule; NULL: nothing. */
static struct copies *find_copies(const struct court *court, const struct log_record *copy)
{
    const struct log_change *change = log_record_change(copy, LOG_CHANGE_COPY, false);
    size_t low = 0, high = court->n_copies;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (court->copies[middle].record->exchange < copy->copy_of)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < court->n_copies && court->copies[low].record->exchange == copy->copy_of; low++) {
        if (same_author(court->copies[low].change, change))
            return &court->copies[low];
    }
    return NULL;
}

static void count_told(struct court *court)
{
    const struct exchange_log *log = &court->evidence->log;

    for (size_t i = 0; i < log->count; i++) {
        struct copies *copies =
            log->items[i]->copy_of != 0 ? find_copies(court, log->items[i]) : NULL;

        if (copies != NULL)
            copies->told++;
    }
}

/* Takes one declaration, perhaps another one of its rule. */
static void take_copies(
    struct court *court, const struct log_record *record, const struct log_change *change)
{
    uint64_t times = change->kind == LOG_CHANGE_REPLAY ? change->numbers[0] : 1;
    uint64_t after_ms = change->kind == LOG_CHANGE_REPLAY ? change->numbers[1] : 0;
    struct copies *copies = NULL;

    for (size_t i = court->n_copies;
         i > 0 && copies == NULL && court->copies[i - 1].record == record; i--) {
        if (same_author(court->copies[i - 1].change, change))
            copies = &court->copies[i - 1];
    }
    if (copies == NULL) {
        court->copies = memory_room(
            court->copies, court->n_copies, &court->copies_room, sizeof(*court->copies));
        copies = &court->copies[court->n_copies++];
        *copies = (struct copies){.record = record, .change = change};
    }
    copies->times += times;
    if (after_ms > 0 && times > (UINT64_MAX - copies->last_ms) / after_ms)
        copies->last_ms = UINT64_MAX;
    else
        copies->last_ms += times * after_ms;
}

void verdict_copies_init(struct court *court)
{
    const struct exchange_log *log = &court->evidence->log;

    for (size_t i = 0; i < log->count; i++) {
        const struct log_record *record = log->items[i];

        for (size_t k = 0; k < record->n_changes; k++) {
            if (has_copies(&record->changes[k]))
                take_copies(court, record, &record->changes[k]);
        }
    }
    if (court->n_copies > 0)
        qsort(court->copies, court->n_copies, sizeof(*court->copies), by_exchange);
    count_told(court);
}

/* Lines are missing from the log, which may have told of anything. */
static bool log_has_holes(const struct court *court)
{
    return court->evidence->log.unreadable > 0 || court->evidence->log.torn;
}

static bool is_the_same(const struct exchange *copy, const struct log_record *original)
{
    const struct exchange *sent = original->seen != NULL ? original->seen->after : NULL;

    return sent != NULL && message_equal(&copy->request, &sent->request);
}

bool verdict_copy(struct court *court, struct case_state *state)
{
    const struct log_record *record = state->crossing->record;
    unsigned long long of = record != NULL ? record->copy_of : 0;
    struct copies *copies = of != 0 ? find_copies(court, record) : NULL;

    if (of == 0)
        return false;
    if (copies == NULL && log_has_holes(court)) {
        findings_doubt(court->findings, DOUBT_UNLOGGED, SOURCE_PROXY, state->crossing);
        return true;
    }
    if (copies == NULL)
        verdict_say_false(court, state, NULL, NULL,
            "request, declared as a copy of exchange %llu, and of that the log declares none", of);
    else if (copies->told > copies->times)
        verdict_say_false(court, state, NULL, NULL,
            "request, declared as a copy of exchange %llu, which has more of them than it declares",
            of);
    else if (!is_the_same(state->crossing->at[VIEW_UPSTREAM_LEG], copies->record))
        verdict_say_false(court, state, NULL, NULL,
            "request, declared as a copy of exchange %llu, and its bytes are not the same", of);
    else {
        court->findings->declared++;
        return true;
    }
    return false;
}

/* The recording went on for so long that all copies must be in it. */
static bool is_covered(const struct court *court, const struct copies *copies)
{
    const struct recording *proxy = &court->evidence->recordings[SOURCE_PROXY];
    const struct exchange *seen = copies->record->seen;
    uint64_t last_ns = seen != NULL && seen->response.last_ns > copies->record->ts_ns
                           ? seen->response.last_ns
                           : copies->record->ts_ns;

    return evidence_is_whole(court->evidence, SOURCE_PROXY) && last_ns > 0 &&
           proxy->facts.last_ns > last_ns + LATE_NS &&
           (proxy->facts.last_ns - last_ns - LATE_NS) / NS_PER_MS >= copies->last_ms;
}

static void say_missing(struct court *court, const struct copies *copies)
{
    struct crossing alone = {.record = copies->record,
        .number = copies->record->exchange,
        .time_ns = copies->record->ts_ns};
    struct case_state state = {.crossing = &alone};

    /* Else they may have been still to come. */
    if (is_covered(court, copies) && !log_has_holes(court))
        verdict_say_false(court, &state, NULL, NULL,
            "request, declared as sent %llu times more, and the log tells of %llu",
            (unsigned long long)copies->times, (unsigned long long)copies->told);
}

void verdict_copies_rest(struct court *court)
{
    for (size_t i = 0; i < court->n_copies; i++) {
        if (court->copies[i].told < court->copies[i].times)
            say_missing(court, &court->copies[i]);
    }
}

/* --- requests that were sent before --- */

static int by_digest(const void *left, const void *right)
{
    return memcmp(left, right, SHA256_HEX_SIZE);
}

/* The digests of all requests of the upstream leg that a client had asked for. */
static void collect_sent(struct court *court)
{
    size_t room = 0;

    for (size_t i = 0; i < court->evidence->count; i++) {
        const struct crossing *crossing = &court->evidence->crossings[i];

        if (crossing->at[VIEW_CLIENT_LEG] == NULL || crossing->at[VIEW_UPSTREAM_LEG] == NULL)
            continue;
        court->sent = memory_room(court->sent, court->n_sent, &room, SHA256_HEX_SIZE);
        (void)message_raw_sha256(
            &crossing->at[VIEW_UPSTREAM_LEG]->request, court->sent[court->n_sent++]);
    }
    if (court->n_sent > 0)
        qsort(court->sent, court->n_sent, SHA256_HEX_SIZE, by_digest);
    court->sent_known = true;
}

bool verdict_is_replay(struct court *court, const struct exchange *exchange)
{
    char hex[SHA256_HEX_SIZE];

    if (!exchange->repeated || exchange->request.content_len == 0)
        return false;
    if (settle_knows(&court->evidence->settled, exchange))
        return true;
    if (!court->sent_known)
        collect_sent(court);
    return court->n_sent > 0 && bsearch(message_raw_sha256(&exchange->request, hex), court->sent,
                                    court->n_sent, SHA256_HEX_SIZE, by_digest) != NULL;
}
