#include "capturer/capdiff/annotate.h"

#include "capturer/capdiff/annotate_notes.h"
#include "capturer/capdiff/fragments.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/pcapng_write.h"

#define LINKS_MAX 16 /* link types of one capture that are told apart */
#define TEXT_MAX ((size_t)64 * 1024)

/* One capture, with its next packet. */
struct reel {
    const struct recording *recording;
    struct savefile *file;
    struct savefile_packet packet;
    bool over;
    struct fragments *fragments;
    struct {
        int link;
        uint32_t interface;
    } links[LINKS_MAX];
    size_t n_links;
};

struct cut {
    const struct report *report;
    FILE *file;
    struct reel reels[SOURCES];
    uint32_t interfaces;
    struct notes notes;
};

static void advance(struct reel *reel)
{
    reel->over = savefile_next(reel->file, &reel->packet) != SAVEFILE_PACKET;
}

static int open_reels(struct cut *cut, char *err, size_t err_size)
{
    const struct evidence *evidence = cut->report->evidence;
    int status = 0;

    for (int i = 0; i < SOURCES; i++) {
        struct reel *reel = &cut->reels[i];

        *reel = (struct reel){.recording = &evidence->recordings[i], .over = true};
        if (!evidence->has[i] || status != 0)
            continue;
        status = savefile_open(&reel->file, reel->recording->path, err, err_size);
        if (status != 0)
            reel->file = NULL;
        else
            advance(reel);
        reel->fragments = fragments_new();
    }
    return status;
}

static void close_reels(struct cut *cut)
{
    for (int i = 0; i < SOURCES; i++) {
        if (cut->reels[i].file != NULL)
            savefile_close(cut->reels[i].file);
        fragments_free(cut->reels[i].fragments);
    }
}

/* The interface for the packet at hand, which may be a new one. */
static uint32_t interface_of(struct cut *cut, struct reel *reel)
{
    for (size_t i = 0; i < reel->n_links; i++) {
        if (reel->links[i].link == reel->packet.link)
            return reel->links[i].interface;
    }
    pcapng_write_interface(cut->file, reel->packet.link, slice_str(reel->recording->name));
    if (reel->n_links < LINKS_MAX) {
        reel->links[reel->n_links].link = reel->packet.link;
        reel->links[reel->n_links++].interface = cut->interfaces;
    }
    return cut->interfaces++;
}

/* The segment that is whole with the packet at hand; false: none is. */
static bool read_segment(struct reel *reel, struct segment *segment)
{
    const struct savefile_packet *packet = &reel->packet;
    enum packet_kind kind;
    const uint8_t *payload;
    size_t len;

    if (!packet_link_known(packet->link))
        return false;
    kind = packet_decode(packet->link, packet->data, packet->len, packet->wire_len, segment);
    segment->time_ns = packet->time_ns;
    if (kind == PACKET_FRAGMENT && fragments_take(reel->fragments, segment, &payload, &len))
        kind = packet_decode_payload(segment->fragment.next, payload, len, segment);
    return kind == PACKET_TCP;
}

static void write_packet(struct cut *cut, enum source source)
{
    struct reel *reel = &cut->reels[source];
    const struct savefile_packet *packet = &reel->packet;
    size_t found[NOTES_FOUND_MAX], count = 0;
    struct slice comments[NOTES_FOUND_MAX];
    struct buf texts[NOTES_FOUND_MAX];
    uint32_t interface = interface_of(cut, reel);
    struct segment segment;

    if (read_segment(reel, &segment))
        count = notes_take(&cut->notes, source, &segment, found);
    for (size_t i = 0; i < count; i++) {
        buf_init(&texts[i], TEXT_MAX);
        note_text(&cut->report->findings->items[found[i]], &texts[i]);
        comments[i] = slice_of(texts[i].data, texts[i].len);
    }
    pcapng_write_packet(cut->file, interface, packet, comments, count);
    for (size_t i = 0; i < count; i++)
        buf_deinit(&texts[i]);
}

/* The capture whose next packet comes first; SOURCES: all are over. */
static int earliest(const struct cut *cut)
{
    int first = SOURCES;

    for (int i = 0; i < SOURCES; i++) {
        if (!cut->reels[i].over &&
            (first == SOURCES || cut->reels[i].packet.time_ns < cut->reels[first].packet.time_ns))
            first = i;
    }
    return first;
}

static void write_section(const struct cut *cut)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    report_summary(cut->report, &text);
    if (text.len > PCAPNG_COMMENT_MAX)
        text.len = PCAPNG_COMMENT_MAX;
    pcapng_write_section(
        cut->file, slice_str("capdiff " AGENT_MITM_VERSION), slice_of(text.data, text.len));
    buf_deinit(&text);
}

int annotate_write(const struct report *report, FILE *file, char *err, size_t err_size)
{
    struct cut cut = {.report = report, .file = file};
    int status = open_reels(&cut, err, err_size), source;

    if (status == 0) {
        notes_init(&cut.notes, report->findings, report->evidence);
        write_section(&cut);
        while ((source = earliest(&cut)) != SOURCES) {
            write_packet(&cut, (enum source)source);
            advance(&cut.reels[source]);
        }
        notes_deinit(&cut.notes);
    }
    close_reels(&cut);
    return status;
}
