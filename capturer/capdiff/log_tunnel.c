#include "capturer/capdiff/log_tunnel.h"

#include "capturer/capdiff/connection.h"

bool log_tunnel_holds(
    const struct log_record *record, const struct exchange *exchange, bool response, uint64_t *wire)
{
    const struct message *message = response ? &exchange->response : &exchange->request;
    const struct connection *connection = exchange->connection;

    /* What the captures can read is part of a tunnel at most, or what was in its TLS; a request's
     * body would count as well; and of what is broken off, something may be on its way. */
    if (!record->has_tunnel || !exchange_is_unread(exchange) || record->error != NULL ||
        connection->reset || !connection_is_sure(connection) || !connection_has_ended(connection) ||
        (record->method != NULL && record->request_bytes > 0))
        return true;
    *wire = record->method != NULL ? message->len - message->head_len : message->len;
    return *wire == record->tunnel_bytes[response];
}
