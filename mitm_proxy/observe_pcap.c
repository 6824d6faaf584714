#include "mitm_proxy/observe_pcap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "mitm_proxy/capture_end.h"
#include "mitm_proxy/synthetic_packet.h"

#define GATHERED_MAX (4 << 20)     /* bytes that may wait to be written */
#define GATHERED_ENOUGH (64 << 10) /* past this they are: more at once is no cheaper */
#define WRITTEN_AT_ONCE (16 << 10) /* a payload of so many bytes is not gathered */
#define PACKETS_AT_ONCE ((SINK_FILE_PIECES_MAX - 1) / 2)
#define HEADER_MAX 4096
#define LINKTYPE_RAW 101

/* Block and option codes of pcapng. */
enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    OPTION_COMMENT = 1,
    OPTION_USERAPPL = 4,
    OPTION_EPB_FLAGS = 2,
    OPTION_IF_TSRESOL = 9,
};

struct observe_pcap {
    struct sink_file *file; /* its own, or another one's */
    struct buf gathered;
    uint64_t gathered_packets;
    struct sink_file own;
    struct buf header; /* what each file begins with */
};

/* Appends in the machine's byte order, as a section may; *ERR keeps the first failure. */
static void put(struct buf *out, int *err, const void *data, size_t len)
{
    static const char zeros[4];
    if (!*err)
        *err = buf_append(out, data, len);
    if (!*err)
        *err = buf_append(out, zeros, (4 - len % 4) % 4);
}

static void put32(struct buf *out, int *err, uint32_t value)
{
    put(out, err, &value, 4);
}

static void put_option(struct buf *out, int *err, uint16_t code, const char *value, uint16_t len)
{
    uint16_t head[2] = {code, len};
    put(out, err, head, 4);
    put(out, err, value, len);
}

/* Sets both length words of the block that began at START. */
static void end_block(struct buf *out, int *err, size_t start)
{
    put32(out, err, 0);
    if (*err)
        return;
    uint32_t len = (uint32_t)(out->len - start);
    memcpy(out->data + start + 4, &len, 4);
    memcpy(out->data + out->len - 4, &len, 4);
}

static size_t begin_block(struct buf *out, int *err, uint32_t type)
{
    size_t start = out->len;
    put32(out, err, type);
    put32(out, err, 0);
    return start;
}

static void put_text(struct buf *out, int *err, uint16_t code, const char *text)
{
    put_option(out, err, code, text, (uint16_t)strlen(text));
}

static void put_interface(struct buf *out, int *err)
{
    static const char nanoseconds = 9;
    uint16_t interface[2] = {LINKTYPE_RAW, 0};
    size_t start = begin_block(out, err, BLOCK_INTERFACE);
    put(out, err, interface, 4);
    put32(out, err, 0); /* no snap length */
    put_option(out, err, OPTION_IF_TSRESOL, &nanoseconds, 1);
    put_option(out, err, 0, "", 0);
    end_block(out, err, start);
}

static int put_file_header(struct buf *out)
{
    uint16_t version[2] = {1, 0};
    int err = 0;
    size_t start = begin_block(out, &err, BLOCK_SECTION);
    put32(out, &err, 0x1a2b3c4d);
    put(out, &err, version, 4);
    put32(out, &err, UINT32_MAX); /* the section's length is not known */
    put32(out, &err, UINT32_MAX);
    put_text(out, &err, OPTION_COMMENT,
        "payload capture: packets made from the bytes that mitm_proxy read and wrote; handshakes, "
        "sequence numbers and packet borders are not those of the wire");
    put_text(out, &err, OPTION_USERAPPL, "mitm_proxy " AGENT_MITM_VERSION);
    put_option(out, &err, 0, "", 0);
    end_block(out, &err, start);
    put_interface(out, &err);
    return err;
}

static void write_gathered(struct observe_pcap *pcap)
{
    struct buf *out = &pcap->gathered;
    if (out->len == 0)
        return;
    sink_file_write(pcap->file, out->data, out->len, pcap->gathered_packets);
    buf_clear(out);
    pcap->gathered_packets = 0;
}

/* Numbers that are told apart by eye, and that need no memory: made from the connection's. */
static uint32_t first_sequence(const struct connection *connection, enum leg leg, bool response)
{
    return (uint32_t)(connection->id * 2654435761u) ^ ((uint32_t)leg << 31) ^
           ((uint32_t)response << 30);
}

static uint32_t sequence(const struct connection *connection, enum leg leg, bool response)
{
    const struct connection_leg *of = &connection->legs[leg];
    return first_sequence(connection, leg, response) + 1 + (uint32_t)of->bytes[response] +
           of->fin[response];
}

static bool is_inbound(enum leg leg, bool response)
{
    return (leg == LEG_CLIENT) != response;
}

/* What stands around a packet in its block, in the machine's byte order, as a section may. */
struct packet_start {
    uint32_t type, block_len, interface, ts_high, ts_low, captured, original;
};

/* The flags say which way the proxy saw it go. The ends alone do not tell the legs apart where the
 * proxy has its client's address towards the server. */
struct packet_end {
    uint16_t flags_code, flags_len;
    uint32_t flags, end_of_options, block_len;
};

enum { INBOUND = 1, OUTBOUND = 2 };

/* A packet's block in pieces: START and HEADERS, then the payload, then padding and END. */
struct packet {
    struct packet_start start;
    unsigned char headers[SYNTHETIC_HEADERS_MAX]; /* their length is a multiple of 4 */
    uint32_t headers_len, padding, block_len;
    struct packet_end end;
};

static void fill_packet(
    struct packet *packet, bool inbound, const struct synthetic_segment *segment, uint64_t wall_ns)
{
    packet->headers_len = (uint32_t)synthetic_headers(segment, packet->headers);
    uint32_t len = packet->headers_len + (uint32_t)segment->payload_len;
    packet->padding = -len & 3;
    packet->block_len =
        (uint32_t)sizeof packet->start + len + packet->padding + (uint32_t)sizeof packet->end;
    packet->start = (struct packet_start){
        BLOCK_PACKET, packet->block_len, 0, (uint32_t)(wall_ns >> 32), (uint32_t)wall_ns, len, len};
    packet->end = (struct packet_end){OPTION_EPB_FLAGS, sizeof packet->end.flags,
        inbound ? INBOUND : OUTBOUND, 0, packet->block_len};
}

static void *copied(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static const uint32_t no_padding = 0;

static void gather_packet(
    struct observe_pcap *pcap, const struct packet *packet, const char *payload, size_t payload_len)
{
    struct buf *out = &pcap->gathered;
    if (buf_reserve(out, packet->block_len)) {
        pcap->file->lost++;
        return;
    }
    char *at = copied(out->data + out->len, &packet->start, sizeof packet->start);
    at = copied(at, packet->headers, packet->headers_len);
    if (payload_len > 0)
        at = copied(at, payload, payload_len);
    at = copied(at, &no_padding, packet->padding);
    copied(at, &packet->end, sizeof packet->end);
    out->len += packet->block_len;
    pcap->gathered_packets++;
    if (out->len > GATHERED_ENOUGH)
        write_gathered(pcap);
}

/* What stands between two payloads: a packet's end and the next one's start, or one of these. */
struct border {
    size_t len;
    char bytes[sizeof no_padding + sizeof(struct packet_end) + sizeof(struct packet_start) +
               SYNTHETIC_HEADERS_MAX];
};

static void add_start(struct border *border, const struct packet *packet)
{
    char *at = border->bytes + border->len;
    at = copied(at, &packet->start, sizeof packet->start);
    at = copied(at, packet->headers, packet->headers_len);
    border->len = (size_t)(at - border->bytes);
}

static void add_end(struct border *border, const struct packet *packet)
{
    char *at = border->bytes + border->len;
    at = copied(at, &no_padding, packet->padding);
    at = copied(at, &packet->end, sizeof packet->end);
    border->len = (size_t)(at - border->bytes);
}

/*
 * As many packets of the payload as one write takes, behind what is gathered, without a copy; so
 * many bytes of it. SEGMENT is the first one's.
 */
static size_t write_packets(struct observe_pcap *pcap, bool inbound,
    struct synthetic_segment segment, const char *payload, size_t len, uint64_t wall_ns)
{
    struct border borders[PACKETS_AT_ONCE + 1], *border = borders;
    struct iovec pieces[SINK_FILE_PIECES_MAX], *piece = pieces;
    size_t done = 0;
    border->len = 0;
    for (; done < len && border < borders + PACKETS_AT_ONCE; done += segment.payload_len) {
        struct packet packet;
        segment.payload_len =
            len - done < SYNTHETIC_PAYLOAD_MAX ? len - done : SYNTHETIC_PAYLOAD_MAX;
        fill_packet(&packet, inbound, &segment, wall_ns);
        add_start(border, &packet);
        *piece++ = (struct iovec){border->bytes, border->len};
        *piece++ = (struct iovec){(char *)(uintptr_t)payload + done, segment.payload_len};
        border++;
        border->len = 0;
        add_end(border, &packet);
        segment.seq += (uint32_t)segment.payload_len;
    }
    *piece++ = (struct iovec){border->bytes, border->len};
    write_gathered(pcap);
    (void)sink_file_write_pieces(
        pcap->file, pieces, (int)(piece - pieces), (uint64_t)(border - borders));
    return done;
}

static void add_packet(struct observe_pcap *pcap, bool inbound,
    const struct synthetic_segment *segment, const char *payload, uint64_t wall_ns)
{
    struct packet packet;
    fill_packet(&packet, inbound, segment, wall_ns);
    gather_packet(pcap, &packet, payload, segment->payload_len);
}

static struct synthetic_segment segment_of(
    const struct connection *connection, enum leg leg, bool response, uint8_t flags)
{
    const struct connection_leg *of = &connection->legs[leg];
    return (struct synthetic_segment){
        .from = response ? &of->server : &of->opener,
        .to = response ? &of->opener : &of->server,
        .seq = sequence(connection, leg, response),
        .ack = sequence(connection, leg, !response),
        .flags = flags,
    };
}

static void on_leg_opened(void *state, const struct connection *connection, enum leg leg)
{
    struct observe_pcap *pcap = state;
    uint64_t now = clock_wall_ns();
    struct synthetic_segment syn = segment_of(connection, leg, false, TCP_SYN);
    struct synthetic_segment syn_ack = segment_of(connection, leg, true, TCP_SYN | TCP_ACK);
    struct synthetic_segment ack = segment_of(connection, leg, false, TCP_ACK);
    syn.seq--; /* a SYN takes the number before the first byte */
    syn_ack.seq--;
    add_packet(pcap, is_inbound(leg, false), &syn, NULL, now);
    add_packet(pcap, is_inbound(leg, true), &syn_ack, NULL, now);
    add_packet(pcap, is_inbound(leg, false), &ack, NULL, now);
}

static void on_bytes(void *state, const struct connection *connection, enum leg leg,
    enum direction direction, const uv_buf_t *runs, unsigned int count, uint64_t wall_ns)
{
    struct observe_pcap *pcap = state;
    bool response = direction == DIRECTION_RESPONSE, inbound = is_inbound(leg, response);
    struct synthetic_segment segment = segment_of(connection, leg, response, TCP_PSH | TCP_ACK);
    for (unsigned int i = 0; i < count; i++) {
        const char *payload = runs[i].base;
        size_t left = runs[i].len, some = 0;
        for (; left >= WRITTEN_AT_ONCE; left -= some, payload += some) {
            some = write_packets(pcap, inbound, segment, payload, left, wall_ns);
            segment.seq += (uint32_t)some;
        }
        if (left > 0) {
            segment.payload_len = left;
            add_packet(pcap, inbound, &segment, payload, wall_ns);
            segment.seq += (uint32_t)left;
        }
    }
}

static void on_leg_ended(void *state, const struct connection *connection, enum leg leg,
    enum direction direction, bool reset)
{
    bool response = direction == DIRECTION_RESPONSE;
    struct synthetic_segment segment =
        segment_of(connection, leg, response, (uint8_t)(TCP_ACK | (reset ? TCP_RST : TCP_FIN)));
    add_packet(state, is_inbound(leg, response), &segment, NULL, clock_wall_ns());
}

static void on_flush(void *state)
{
    write_gathered(state);
}

static void on_reopen(void *state)
{
    struct observe_pcap *pcap = state;
    write_gathered(pcap);
    if (sink_file_reopen(pcap->file))
        sink_file_write(pcap->file, NULL, 0, 0);
}

static void on_close(void *state)
{
    struct observe_pcap *pcap = state;
    write_gathered(pcap);
    if (pcap->file == &pcap->own)
        sink_file_close(pcap->file);
    buf_deinit(&pcap->gathered);
    buf_deinit(&pcap->header);
    free(pcap);
}

struct observe_pcap *observe_pcap_join(struct observe_pcap *first)
{
    struct observe_pcap *pcap = calloc(1, sizeof *pcap);
    if (!pcap)
        return NULL;
    pcap->file = first ? first->file : NULL;
    buf_init(&pcap->gathered, GATHERED_MAX);
    return pcap;
}

struct observe_pcap *observe_pcap_new(const char *path, int *err)
{
    struct observe_pcap *pcap = observe_pcap_join(NULL);
    *err = UV_ENOMEM;
    if (!pcap)
        return NULL;
    pcap->file = &pcap->own;
    buf_init(&pcap->header, HEADER_MAX);
    *err = put_file_header(&pcap->header);
    if (!*err)
        *err = sink_file_open_headed(pcap->file, path, "payload capture", pcap->header.data,
            pcap->header.len, capture_end_pcapng);
    if (*err) {
        buf_deinit(&pcap->header);
        free(pcap);
        return NULL;
    }
    sink_file_write(pcap->file, NULL, 0, 0);
    return pcap;
}

struct observer observe_pcap_observer(struct observe_pcap *pcap)
{
    return (struct observer){
        .state = pcap,
        .leg_opened = on_leg_opened,
        .bytes = on_bytes,
        .times = true,
        .leg_ended = on_leg_ended,
        .flush = on_flush,
        .reopen = on_reopen,
        .close = on_close,
    };
}

struct sink_file *observe_pcap_file(struct observe_pcap *pcap)
{
    return pcap->file;
}
