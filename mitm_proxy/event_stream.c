#include "mitm_proxy/event_stream.h"

static bool name_is(const struct event_stream *stream, const char *name)
{
    return slice_is(slice_of(stream->name, stream->name_len), name);
}

/* The name is whole: what comes behind its colon, if there is one. */
static enum event_place end_name(struct event_stream *stream)
{
    stream->has_data = stream->has_data || name_is(stream, "data");
    if (!name_is(stream, "event"))
        return EVENT_REST;
    stream->type_len = 0;
    return EVENT_TYPE_BEGINS;
}

static void take_name(struct event_stream *stream, char c)
{
    if (c == ':')
        stream->place = end_name(stream);
    else if (stream->name_len == sizeof stream->name)
        stream->place = EVENT_REST; /* too long for a name that matters */
    else
        stream->name[stream->name_len++] = c;
}

static void take_type(struct event_stream *stream, char c)
{
    if (stream->type_len < sizeof stream->type)
        stream->type[stream->type_len++] = c;
}

static void take_byte(struct event_stream *stream, char c)
{
    switch (stream->place) {
    case EVENT_LINE_BEGINS:
        stream->place = stream->aside ? EVENT_REST : EVENT_NAME;
        stream->name_len = 0;
        if (!stream->aside)
            take_name(stream, c);
        break;
    case EVENT_NAME:
        take_name(stream, c);
        break;
    case EVENT_TYPE_BEGINS:
        stream->place = EVENT_TYPE;
        if (c != ' ')
            take_type(stream, c);
        break;
    case EVENT_TYPE:
        take_type(stream, c);
        break;
    case EVENT_REST:
        break;
    }
}

static enum event_end end_block(struct event_stream *stream)
{
    stream->ending = false;
    stream->over = true;
    return stream->has_data ? EVENT_IS_OVER : EVENT_IS_NONE;
}

static enum event_end end_line(struct event_stream *stream, char c)
{
    bool blank = stream->place == EVENT_LINE_BEGINS;
    bool crs = stream->line_break != NULL && strcmp(stream->line_break, "\r") == 0;
    if (stream->place == EVENT_NAME)
        end_name(stream);
    stream->place = EVENT_LINE_BEGINS;
    stream->line_break = c == '\r' ? "\r" : "\n";
    stream->after_cr = c == '\r';
    stream->ending = blank && stream->after_cr && !crs;
    if (!blank || stream->ending)
        return EVENT_GOES_ON;
    stream->aside = true; /* an LF that follows */
    return end_block(stream);
}

/* What follows a CR. True when it is an LF, or the end of a block. */
static bool take_lf(struct event_stream *stream, char c, struct event_run *run)
{
    bool ending = stream->ending;
    stream->after_cr = false;
    *run = (struct event_run){c == '\n', stream->aside, EVENT_GOES_ON};
    if (c == '\n')
        stream->line_break = "\r\n";
    if (ending)
        run->end = end_block(stream);
    return c == '\n' || ending;
}

struct event_run event_stream_next(struct event_stream *stream, struct slice content)
{
    struct event_run run;
    if (stream->after_cr && take_lf(stream, content.data[0], &run))
        return run;
    if (stream->over) {
        stream->over = stream->has_data = false;
        stream->type_len = 0;
    }
    if (stream->place == EVENT_LINE_BEGINS)
        stream->aside = content.data[0] == ':';
    run = (struct event_run){0, stream->aside, EVENT_GOES_ON};
    while (run.len < content.len) {
        char c = content.data[run.len++];
        if (c == '\r' || c == '\n') {
            run.end = end_line(stream, c);
            return run;
        }
        take_byte(stream, c);
    }
    return run;
}

enum event_end event_stream_end(struct event_stream *stream)
{
    stream->after_cr = false;
    return stream->ending ? end_block(stream) : EVENT_GOES_ON;
}

struct slice event_stream_type(const struct event_stream *stream)
{
    return stream->type_len > 0 ? slice_of(stream->type, stream->type_len) : slice_str("message");
}
