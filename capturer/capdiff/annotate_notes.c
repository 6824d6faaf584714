#include "capturer/capdiff/annotate_notes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_view.h"
#include "capturer/capdiff/report_index.h"

static uint64_t flow_of(const struct endpoint *from, const struct endpoint *to)
{
    uint64_t hash = hash_bytes(HASH_START, from->address, sizeof(from->address));

    hash = hash_bytes(hash, &from->port, sizeof(from->port));
    hash = hash_bytes(hash, to->address, sizeof(to->address));
    return hash_bytes(hash, &to->port, sizeof(to->port));
}

static struct note *add(struct notes *notes)
{
    notes->items = memory_room(notes->items, notes->count, &notes->room, sizeof(*notes->items));
    notes->items[notes->count] = (struct note){.source = SOURCE_PROXY};
    return &notes->items[notes->count++];
}

/* Where in the message the finding's place is; its first byte where that is not known. */
static uint64_t offset_in(
    const struct finding *finding, const struct message *message, bool response)
{
    const struct place *place = &finding->place;
    uint64_t offset = finding->kind == FINDING_CHANGED ? place->offset : 0;

    if (finding->kind == FINDING_CHANGED &&
        (place->kind == PLACE_BODY || place->kind == PLACE_JSON)) {
        struct message_view view;

        message_view_open(&view, message, response);
        offset = message_view_offset(&view, place->offset);
        message_view_close(&view);
    }
    return offset < message->len || message->len == 0 ? offset : message->len - 1;
}

static void add_at(
    struct notes *notes, size_t finding, const struct exchange *exchange, enum view view)
{
    const struct finding *item = &notes->findings->items[finding];
    bool response = item->kind == FINDING_LOG_STATUS || item->kind == FINDING_UNASKED ||
                    strncmp(item->place.text, "response", 8) == 0;
    const struct connection *connection = exchange->connection;
    const struct endpoint *client = connection_client(connection);
    const struct endpoint *server = connection_server(connection);
    const struct message *message;
    struct note *note;

    if ((response ? exchange->response.len : exchange->request.len) == 0)
        response = !response;
    message = response ? &exchange->response : &exchange->request;
    if (message->len == 0)
        return;
    note = add(notes);
    note->finding = finding;
    note->source = view_source(view);
    note->flow = response ? flow_of(server, client) : flow_of(client, server);
    note->seq = message->seq + (uint32_t)offset_in(item, message, response);
    note->from_ns = message->first_ns;
    note->to_ns = message->last_ns;
}

/* True if the finding is about this clash: it shows its later version. */
static bool is_of(const struct finding *finding, const struct clash *clash)
{
    char *later;
    bool same;

    if (clash == NULL || clash->time_ns != finding->time_ns || finding->place.after == NULL)
        return false;
    later = excerpt_around(slice_of(clash->later, clash->len), clash->at);
    same = strcmp(later, finding->place.after) == 0;
    free(later);
    return same;
}

static void add_overlap(
    struct notes *notes, size_t finding, const struct recording *recording, enum source source)
{
    const struct connections *connections = &recording->connections;

    for (size_t i = 0; i < connections->count; i++) {
        const struct connection *connection = connections->items[i];
        const struct clash *clash = connection->clash;
        struct note *note;

        if (!is_of(&notes->findings->items[finding], clash))
            continue;
        note = add(notes);
        note->finding = finding;
        note->source = source;
        note->flow = flow_of(&connection->ends[clash->sender], &connection->ends[!clash->sender]);
        note->seq = clash->seq + (uint32_t)clash->at;
        note->from_ns = note->to_ns = clash->time_ns;
        note->clash = clash;
    }
}

static int compare(const struct note *a, const struct note *b)
{
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    if (a->flow != b->flow)
        return a->flow < b->flow ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return 0;
}

static int by_place(const void *left, const void *right)
{
    const struct note *a = left, *b = right;
    int order = compare(a, b);

    return order != 0 ? order : (a->finding > b->finding) - (a->finding < b->finding);
}

void notes_init(
    struct notes *notes, const struct findings *findings, const struct evidence *evidence)
{
    *notes = (struct notes){.findings = findings};
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        int near = (int)hop_near(finding->hop);

        for (int source = 0; finding->kind == FINDING_OVERLAP && source < SOURCES; source++) {
            if (evidence->has[source])
                add_overlap(notes, i, &evidence->recordings[source], (enum source)source);
        }
        for (int view = near; view <= near + 1; view++) {
            if (finding->crossing != NULL && finding->crossing->at[view] != NULL)
                add_at(notes, i, finding->crossing->at[view], (enum view)view);
        }
    }
    if (notes->count > 0)
        qsort(notes->items, notes->count, sizeof(*notes->items), by_place);
}

void notes_deinit(struct notes *notes)
{
    free(notes->items);
    *notes = (struct notes){.findings = NULL};
}

/* The first note that does not stand before WANTED. */
static size_t lower_bound(const struct notes *notes, const struct note *wanted)
{
    size_t low = 0, high = notes->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&notes->items[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the byte of a clash is the later one here; what was not recorded is taken for it. */
static bool has_later(const struct note *note, const struct segment *segment)
{
    size_t at = note->seq - segment->seq;

    return note->clash == NULL || at >= segment->len ||
           segment->payload[at] == (uint8_t)note->clash->later[note->clash->at];
}

/* Those for bytes from FIRST to LAST of the segment. */
static size_t take(struct notes *notes, enum source source, const struct segment *segment,
    uint32_t first, uint32_t last, size_t *found, size_t count)
{
    struct note wanted = {
        .source = source, .flow = flow_of(&segment->from, &segment->to), .seq = first};
    uint64_t time_ns = segment->time_ns;

    for (size_t i = lower_bound(notes, &wanted); i < notes->count && count < NOTES_FOUND_MAX; i++) {
        struct note *note = &notes->items[i];

        if (note->source != wanted.source || note->flow != wanted.flow || note->seq > last)
            break;
        if (note->written || time_ns < note->from_ns || time_ns > note->to_ns ||
            !has_later(note, segment))
            continue;
        note->written = true;
        found[count++] = note->finding;
    }
    return count;
}

size_t notes_take(
    struct notes *notes, enum source source, const struct segment *segment, size_t *found)
{
    uint32_t last = segment->seq + (uint32_t)segment->wire_len - 1;
    size_t count;

    if (segment->wire_len == 0)
        return 0;
    if (last >= segment->seq)
        return take(notes, source, segment, segment->seq, last, found, 0);
    count = take(notes, source, segment, segment->seq, UINT32_MAX, found, 0);
    return take(notes, source, segment, 0, last, found, count); /* the numbers begin again in it */
}

void note_text(const struct finding *finding, struct buf *out)
{
    memory_need(buf_append_str(out, "capdiff: "));
    if (finding->number != 0)
        memory_need(buf_printf(out, "exchange %" PRIu64 ", ", finding->number));
    if (finding->call_id != NULL)
        memory_need(buf_printf(out, "%s, ", finding->call_id));
    memory_need(buf_printf(out, "%s: %s", hop_text(finding->hop), finding->place.text));
    if (finding->place.before == NULL && finding->place.after == NULL)
        return;
    memory_need(buf_printf(out, "\n- %s\n+ %s",
        finding->place.before != NULL ? finding->place.before : "(absent)",
        finding->place.after != NULL ? finding->place.after : "(absent)"));
}
