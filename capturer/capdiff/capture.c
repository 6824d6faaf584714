#include "capturer/capdiff/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/fragments.h"
#include "capturer/capdiff/memory.h"

struct capture {
    struct capture_facts facts;
    struct savefile *file;
    struct fragments *fragments;
    const char *name; /* what messages call it */
    uint64_t offset;
    uint64_t from; /* what is before this is passed over */
    int unread_link;
    capture_segment_cb on_segment; /* of the call that is under way */
    void *arg;
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

static void take_segment(struct capture *capture, struct segment *segment)
{
    capture->facts.snapped += segment->wire_len > segment->len;
    capture->on_segment(capture->arg, segment);
}

static void take_fragment(struct capture *capture, struct segment *segment)
{
    const uint8_t *payload;
    size_t len;

    if (!fragments_take(capture->fragments, segment, &payload, &len))
        return;
    switch (packet_decode_payload(segment->fragment.next, payload, len, segment)) {
    case PACKET_TCP:
        take_segment(capture, segment);
        break;
    case PACKET_OTHER:
        break;
    default:
        capture->facts.malformed++;
        break;
    }
}

static void take_packet(struct capture *capture, const struct savefile_packet *packet)
{
    struct segment segment;
    enum packet_kind kind;

    count_packet(&capture->facts, packet);
    if (!packet_link_known(packet->link)) {
        capture->facts.unread++;
        capture->unread_link = packet->link;
        return;
    }
    kind = packet_decode(packet->link, packet->data, packet->len, packet->wire_len, &segment);
    if (packet->direction == SAVEFILE_INBOUND)
        segment.way = WAY_IN;
    else if (packet->direction == SAVEFILE_OUTBOUND)
        segment.way = WAY_OUT;
    segment.time_ns = packet->time_ns;
    segment.packet = capture->facts.packets;
    segment.place = packet->offset;
    if (kind == PACKET_TCP)
        take_segment(capture, &segment);
    else if (kind == PACKET_FRAGMENT)
        take_fragment(capture, &segment);
    else
        capture->facts.malformed += kind == PACKET_MALFORMED;
}

/* What the file says at its end. */
static void note_end(struct capture *capture, enum savefile_event event)
{
    struct capture_facts *facts = &capture->facts;

    facts->dropped = savefile_dropped(capture->file, &facts->drops_known);
    facts->payload = savefile_is_payload(capture->file);
    facts->fragments = fragments_lost(capture->fragments);
    if (event == SAVEFILE_END)
        return;
    facts->end = event == SAVEFILE_CUT ? CAPTURE_CUT : CAPTURE_DAMAGED;
    snprintf(facts->end_reason, sizeof(facts->end_reason), "%s", savefile_reason(capture->file));
}

static int start(struct capture **out, struct savefile *file, const char *name)
{
    struct capture *capture = memory_new(1, sizeof(*capture));

    capture->file = file;
    capture->name = name;
    capture->fragments = fragments_new();
    *out = capture;
    return 0;
}

int capture_open(struct capture **out, const char *path, char *err, size_t err_size)
{
    struct savefile *file;
    int status = savefile_open(&file, path, err, err_size);

    *out = NULL;
    if (status != 0)
        return status;
    return start(out, file, strcmp(path, "-") == 0 ? "standard input" : path);
}

int capture_open_memory(
    struct capture **out, const void *data, size_t len, char *err, size_t err_size)
{
    struct savefile *file;
    int status = savefile_open_memory(&file, data, len, "it", err, err_size);

    *out = NULL;
    return status != 0 ? status : start(out, file, "it");
}

void capture_close(struct capture *capture)
{
    if (capture == NULL)
        return;
    fragments_free(capture->fragments);
    savefile_close(capture->file);
    free(capture);
}

bool capture_read(struct capture *capture, uint64_t len, capture_segment_cb on_segment, void *arg)
{
    uint64_t until = len < UINT64_MAX - capture->offset ? capture->offset + len : UINT64_MAX;
    struct savefile_packet packet;
    enum savefile_event event;

    capture->on_segment = on_segment;
    capture->arg = arg;
    while ((event = savefile_next(capture->file, &packet)) == SAVEFILE_PACKET) {
        if (packet.offset >= capture->from)
            take_packet(capture, &packet);
        capture->offset = packet.offset;
        if (packet.offset >= until)
            return true;
    }
    note_end(capture, event);
    return false;
}

void capture_seek(struct capture *capture, uint64_t place)
{
    capture->from = place;
    if (savefile_seek(capture->file, place))
        capture->offset = place;
}

int capture_check(const struct capture *capture, char *err, size_t err_size)
{
    if (capture->facts.unread == 0 || capture->facts.unread < capture->facts.packets)
        return 0;
    snprintf(err, err_size, "%s has the link type %d: record on an Ethernet, any or lo device",
        capture->name, capture->unread_link);
    return UV_EINVAL;
}

const struct capture_facts *capture_facts(const struct capture *capture)
{
    return &capture->facts;
}

uint64_t capture_offset(const struct capture *capture)
{
    return capture->offset;
}

uint64_t capture_size(const struct capture *capture)
{
    return savefile_size(capture->file);
}
