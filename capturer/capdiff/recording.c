#include "capturer/capdiff/recording.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"

void recording_add(struct recording *recording, const struct connection *connection)
{
    recording->exchanges += connection_exchanges(connection);
    recording->late_connections += connection->late && connection_exchanges(connection) > 0;
    recording->clashes += connection->clashes;
    recording->mixed += connection->mixed;
    for (int side = 0; side < 2; side++) {
        recording->gaps += connection->streams[side].gaps;
        recording->gap_bytes += connection->streams[side].gap_bytes;
        recording->retransmissions += connection->streams[side].retransmissions;
    }
}

int recording_open(struct recording *recording, const char *path, char *err, size_t err_size)
{
    const char *slash = strrchr(path, '/');
    int status;

    memset(recording, 0, sizeof(*recording));
    status = capture_open(&recording->capture, path, err, err_size);
    if (status != 0)
        return status;
    recording->path = path;
    recording->name =
        excerpt_text(slice_str(slash != NULL && slash[1] != '\0' ? slash + 1 : path), NAME_MAX);
    connections_init(&recording->connections, RECORDING_KEPT_MAX);
    recording->connections.shared->path = path;
    return 0;
}

void recording_read(struct recording *recording, uint64_t len)
{
    recording->over =
        !capture_read(recording->capture, len, connections_segment, &recording->connections);
    recording->facts = *capture_facts(recording->capture);
}

int recording_finish(struct recording *recording, char *err, size_t err_size)
{
    int status = capture_check(recording->capture, err, err_size);

    if (status != 0) {
        recording_deinit(recording);
        return status;
    }
    capture_close(recording->capture);
    recording->capture = NULL;
    connections_finish(&recording->connections);
    for (size_t i = 0; i < recording->connections.count; i++)
        recording_add(recording, recording->connections.items[i]);
    return 0;
}

int recording_load(struct recording *recording, const char *path, char *err, size_t err_size)
{
    int status = recording_open(recording, path, err, err_size);

    if (status != 0)
        return status;
    recording_read(recording, UINT64_MAX);
    return recording_finish(recording, err, err_size);
}

uint64_t recording_connections(const struct recording *recording)
{
    return recording->connections.count + recording->connections.forgotten;
}

void recording_deinit(struct recording *recording)
{
    capture_close(recording->capture);
    connections_deinit(&recording->connections);
    free(recording->name);
    recording->capture = NULL;
    recording->name = NULL;
}

bool recording_is_whole(const struct recording *recording)
{
    return recording->facts.end == CAPTURE_WHOLE && recording->gaps == 0 &&
           recording->facts.fragments == 0 && recording->facts.dropped == 0 &&
           recording->mixed == 0;
}
