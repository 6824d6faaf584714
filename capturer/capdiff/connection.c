#include "capturer/capdiff/connection.h"

const struct endpoint *connection_client(const struct connection *connection)
{
    return &connection->ends[connection->client];
}

const struct endpoint *connection_server(const struct connection *connection)
{
    return &connection->ends[!connection->client];
}

uint64_t connection_exchanges(const struct connection *connection)
{
    return connection->settled + connection->http.count;
}

bool connection_has_ended(const struct connection *connection)
{
    return connection->reset ||
           (connection->streams[0].fin_given && connection->streams[1].fin_given);
}

bool connection_is_over(const struct connection *connection)
{
    const struct tcp_stream *streams = connection->streams;

    return (connection_has_ended(connection) || connection->superseded) &&
           streams[0].pieces == NULL && streams[1].pieces == NULL &&
           exchanges_are_idle(&connection->http);
}

uint64_t connection_client_left_ns(const struct connection *connection)
{
    return connection->closed_ns[connection->client];
}

uint64_t connection_gaps(const struct connection *connection)
{
    return connection->streams[0].gaps + connection->streams[1].gaps;
}

bool connection_is_sure(const struct connection *connection)
{
    return !connection->late && connection_gaps(connection) == 0;
}

bool connection_carried_data(const struct connection *connection)
{
    return connection_exchanges(connection) > 0 || connection_gaps(connection) > 0 ||
           connection->http.sides[SIDE_CLIENT].skipped > 0 ||
           connection->http.sides[SIDE_SERVER].skipped > 0;
}

bool connection_is_doubtful(const struct connection *connection)
{
    return !connection_is_sure(connection) && connection_carried_data(connection);
}

void connection_rest(struct connection *connection)
{
    tcp_history_deinit(&connection->streams[0].history);
    tcp_history_deinit(&connection->streams[1].history);
}

struct connection *connection_older(const struct connection *connection)
{
    return connection->older;
}
