#include "capturer/capdiff/redeal.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"

/* A response without its exchange. */
struct dealt {
    struct message message;
    int status;
};

/* How many responses there should be to a request. */
static size_t expected(const struct exchange *exchange)
{
    const struct log_record *record = exchange->record;

    if (exchange->request.state == MESSAGE_NONE)
        return 0; /* it is a response alone */
    if (record == NULL)
        return 1;
    for (int response = 0; response < 2; response++) {
        if (log_record_change(record, LOG_CHANGE_DROP, response != 0) != NULL)
            return 0;
    }
    return log_record_change(record, LOG_CHANGE_DUPLICATE, true) != NULL ? 2 : 1;
}

bool redeal_is_uneven(const struct log_record *record)
{
    return log_record_change(record, LOG_CHANGE_DROP, false) != NULL ||
           log_record_change(record, LOG_CHANGE_DROP, true) != NULL ||
           log_record_change(record, LOG_CHANGE_DUPLICATE, true) != NULL;
}

/* Where bytes are missing, or are no HTTP any more, responses were not counted. */
static bool is_countable(const struct connection *connection)
{
    bool good = connection->leg == LEG_CLIENT && connection_is_sure(connection);

    for (size_t k = 0; k < connection->http.count; k++)
        good = good && !connection->http.items[k]->tunnel;
    return good;
}

static size_t take_all(struct exchanges *http, struct dealt *hand)
{
    size_t count = 0;

    for (size_t k = 0; k < http->count; k++) {
        struct exchange *exchange = http->items[k];

        if (exchange->response.state == MESSAGE_NONE)
            continue;
        hand[count++] = (struct dealt){exchange->response, exchange->status};
        message_init(&exchange->response);
        exchange->status = 0;
    }
    return count;
}

static void give(struct exchange *exchange, const struct dealt *response)
{
    exchange->response = response->message;
    exchange->status = response->status;
}

static void deal(struct exchanges *http, struct dealt *hand, size_t count)
{
    size_t next = 0;

    for (size_t k = 0; k < http->count && next < count; k++) {
        struct exchange *exchange = http->items[k];

        if (expected(exchange) == 0)
            continue;
        give(exchange, &hand[next++]);
        exchange->twice = expected(exchange) == 2 && next < count &&
                          message_equal(&exchange->response, &hand[next].message);
        if (exchange->twice)
            message_drop(&hand[next++].message, &http->shared->messages);
    }
    for (size_t k = 0; k < http->count && next < count; k++) {
        if (http->items[k]->request.state == MESSAGE_NONE)
            give(http->items[k], &hand[next++]);
    }
    while (next < count)
        message_drop(&hand[next++].message, &http->shared->messages);
}

/* The responses are as many as the log says, or may be yet. */
static bool fits(const struct connection *connection)
{
    const struct exchanges *http = &connection->http;
    size_t wanted = 0, count = 0;

    for (size_t k = 0; k < http->count; k++) {
        wanted += expected(http->items[k]);
        count += http->items[k]->response.state != MESSAGE_NONE;
    }
    return count == wanted || (count < wanted && !connection_has_ended(connection));
}

void redeal_responses(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];
        struct dealt *hand;
        size_t count;

        if (!connection->uneven || !is_countable(connection) || !fits(connection))
            continue;
        hand = memory_new(connection->http.count, sizeof(*hand));
        count = take_all(&connection->http, hand);
        deal(&connection->http, hand, count);
        free(hand);
    }
}
