#include "capturer/capdiff/capture.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/fragments.h"
#include "capturer/capdiff/progress.h"

#define PROGRESS_EVERY 4096 /* packets */

struct reading {
    struct capture_facts *facts;
    struct fragments *fragments;
    capture_segment_cb on_segment;
    void *arg;
    int unread_link;
};

static void count_packet(struct capture_facts *facts, const struct savefile_packet *packet)
{
    if (facts->packets == 0 || packet->time_ns < facts->first_ns)
        facts->first_ns = packet->time_ns;
    if (packet->time_ns > facts->last_ns)
        facts->last_ns = packet->time_ns;
    facts->packets++;
    facts->bytes += packet->len;
}

static void take_segment(struct reading *reading, struct segment *segment)
{
    reading->facts->snapped += segment->wire_len > segment->len;
    reading->on_segment(reading->arg, segment);
}

static void take_fragment(struct reading *reading, struct segment *segment)
{
    const uint8_t *payload;
    size_t len;

    if (!fragments_take(reading->fragments, segment, &payload, &len))
        return;
    switch (packet_decode_payload(segment->fragment.next, payload, len, segment)) {
    case PACKET_TCP:
        take_segment(reading, segment);
        break;
    case PACKET_OTHER:
        break;
    default:
        reading->facts->malformed++;
        break;
    }
}

static void take_packet(struct reading *reading, const struct savefile_packet *packet)
{
    struct segment segment;
    enum packet_kind kind;

    count_packet(reading->facts, packet);
    if (!packet_link_known(packet->link)) {
        reading->facts->unread++;
        reading->unread_link = packet->link;
        return;
    }
    kind = packet_decode(packet->link, packet->data, packet->len, packet->wire_len, &segment);
    segment.time_ns = packet->time_ns;
    segment.packet = reading->facts->packets;
    segment.place = packet->offset;
    if (kind == PACKET_TCP)
        take_segment(reading, &segment);
    else if (kind == PACKET_FRAGMENT)
        take_fragment(reading, &segment);
    else
        reading->facts->malformed += kind == PACKET_MALFORMED;
}

static void note_end(
    struct capture_facts *facts, const struct savefile *file, enum savefile_event event)
{
    facts->dropped = savefile_dropped(file, &facts->drops_known);
    if (event == SAVEFILE_END)
        return;
    facts->end = event == SAVEFILE_CUT ? CAPTURE_CUT : CAPTURE_DAMAGED;
    snprintf(facts->end_reason, sizeof(facts->end_reason), "%s", savefile_reason(file));
}

int capture_read_file(struct savefile *file, const char *name, capture_segment_cb on_segment,
    void *arg, struct capture_facts *facts, char *err, size_t err_size)
{
    struct reading reading = {facts, fragments_new(), on_segment, arg, 0};
    struct savefile_packet packet;
    enum savefile_event event;

    memset(facts, 0, sizeof(*facts));
    while ((event = savefile_next(file, &packet)) == SAVEFILE_PACKET) {
        take_packet(&reading, &packet);
        if (facts->packets % PROGRESS_EVERY == 0)
            progress_at(packet.offset);
    }
    note_end(facts, file, event);
    facts->fragments = fragments_lost(reading.fragments);
    fragments_free(reading.fragments);
    if (facts->unread == 0 || facts->unread < facts->packets)
        return 0;
    snprintf(err, err_size, "%s has the link type %d: record on an Ethernet, any or lo device",
        name, reading.unread_link);
    return UV_EINVAL;
}

int capture_read(const char *path, capture_segment_cb on_segment, void *arg,
    struct capture_facts *facts, char *err, size_t err_size)
{
    struct savefile *file;
    int status = savefile_open(&file, path, err, err_size);

    if (status != 0)
        return status;
    progress_begin(path, savefile_size(file));
    status = capture_read_file(file, strcmp(path, "-") == 0 ? "standard input" : path, on_segment,
        arg, facts, err, err_size);
    progress_end();
    savefile_close(file);
    return status;
}
