#include "capturer/capdiff/recording.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"

static void add_up(struct recording *recording)
{
    for (size_t i = 0; i < recording->connections.count; i++) {
        const struct connection *connection = recording->connections.items[i];

        recording->exchanges += connection->http.count;
        recording->late_connections += connection->late && connection->http.count > 0;
        recording->clashes += connection->clashes;
        for (int side = 0; side < 2; side++) {
            recording->gaps += connection->streams[side].gaps;
            recording->gap_bytes += connection->streams[side].gap_bytes;
            recording->retransmissions += connection->streams[side].retransmissions;
        }
    }
}

int recording_load(struct recording *recording, const char *path, char *err, size_t err_size)
{
    const char *slash = strrchr(path, '/');
    int status;

    memset(recording, 0, sizeof(*recording));
    recording->path = path;
    recording->name =
        excerpt_text(slice_str(slash != NULL && slash[1] != '\0' ? slash + 1 : path), NAME_MAX);
    connections_init(&recording->connections, RECORDING_KEPT_MAX);
    status = capture_read(
        path, connections_segment, &recording->connections, &recording->facts, err, err_size);
    if (status != 0) {
        recording_deinit(recording);
        return status;
    }
    connections_finish(&recording->connections);
    add_up(recording);
    return 0;
}

void recording_deinit(struct recording *recording)
{
    connections_deinit(&recording->connections);
    free(recording->name);
    recording->name = NULL;
}

bool recording_is_whole(const struct recording *recording)
{
    return recording->facts.end == CAPTURE_WHOLE && recording->gaps == 0 &&
           recording->facts.fragments == 0 && recording->facts.dropped == 0;
}
