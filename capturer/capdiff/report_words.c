/* The sentences that both kinds of report use. */
#include <inttypes.h>
#include <string.h>

#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report.h"
#include "lib/clock.h"

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void append_exchange(struct buf *out, const struct doubt *doubt)
{
    if (doubt->first_number != 0)
        memory_need(buf_printf(out, "exchange %" PRIu64, doubt->first_number));
    if (doubt->first_call_id != NULL)
        memory_need(
            buf_printf(out, "%s%s", doubt->first_number != 0 ? ", " : "", doubt->first_call_id));
}

/* "(first: exchange 3, call-0003)", where there is something to name. */
static void append_first(struct buf *out, const struct doubt *doubt)
{
    if (doubt->first_number == 0 && doubt->first_call_id == NULL)
        return;
    memory_need(buf_append_str(out, doubt->count == 1 ? " (" : " (first: "));
    append_exchange(out, doubt);
    memory_need(buf_append_char(out, ')'));
}

static void append_time(struct buf *out, const char *before, uint64_t ns)
{
    char text[CLOCK_RFC3339_SIZE];

    if (ns != 0)
        memory_need(buf_printf(out, "%s%s", before, clock_rfc3339(ns, text)));
}

/* Why there was nothing to compare, as far as the files tell. */
static void append_nothing(struct buf *out, const struct evidence *evidence)
{
    for (int i = 0; i < SOURCES; i++) {
        const struct recording *recording = &evidence->recordings[i];

        if (!evidence->has[i] || recording->exchanges > 0)
            continue;
        memory_need(buf_printf(out, "there is nothing to compare: %s holds no %s", recording->name,
            recording->facts.packets == 0 ? "packet" : "HTTP exchange"));
        return;
    }
    memory_need(buf_printf(out,
        "no exchange was seen in every view: is %s the proxy's capture and %s the server's?",
        evidence->recordings[SOURCE_PROXY].name, evidence->recordings[SOURCE_SERVER].name));
}

static void append_lacks(struct buf *out, enum doubt_kind kind, const struct recording *recording,
    const struct doubt *doubt)
{
    const char *name = kind == DOUBT_MISSED    ? ": missed by the capture, which lacks packets"
                       : kind == DOUBT_OUTSIDE ? ": outside its window"
                                               : ": why is inconclusive";

    memory_need(buf_printf(out, "%s lacks %" PRIu64 " exchange%s that another capture has",
        recording->name, doubt->count, plural(doubt->count)));
    append_first(out, doubt);
    append_time(out, doubt->count == 1 ? ", of " : ", from ", doubt->first_ns);
    if (doubt->count > 1)
        append_time(out, " to ", doubt->last_ns);
    memory_need(buf_append_str(out, name));
    append_time(out, "; it begins at ", recording->facts.first_ns);
    append_time(out, " and ends at ", recording->facts.last_ns);
}

static void append_file_doubt(struct buf *out, enum doubt_kind kind,
    const struct recording *recording, const struct doubt *doubt)
{
    const char *name = recording->name, *s = plural(doubt->count);

    if (kind == DOUBT_CUT) {
        memory_need(
            buf_printf(out, "%s ends inside a packet: what came after it is missing", name));
    } else if (kind == DOUBT_DAMAGED) {
        memory_need(buf_printf(out, "%s cannot be read beyond packet %" PRIu64 ": %s", name,
            recording->facts.packets, recording->facts.end_reason));
    } else if (kind == DOUBT_LATE) {
        memory_need(buf_printf(
            out, "%s begins in the middle of %" PRIu64 " connection%s", name, doubt->count, s));
        append_time(out, ", at ", doubt->first_ns);
    } else if (kind == DOUBT_GAP) {
        memory_need(buf_printf(out,
            "%s lacks bytes of %" PRIu64 " connection%s, which were "
            "acknowledged and not recorded",
            name, doubt->count, s));
    } else if (kind == DOUBT_FRAGMENTS) {
        memory_need(
            buf_printf(out, "%s has %" PRIu64 " IP fragment%s of packets that are not whole", name,
                recording->facts.fragments, plural(recording->facts.fragments)));
    } else if (kind == DOUBT_DROPPED) {
        memory_need(buf_printf(out, "%s lacks %" PRIu64 " packet%s that its recorder dropped", name,
            recording->facts.dropped, plural(recording->facts.dropped)));
    } else if (kind == DOUBT_CROWDED) {
        memory_need(buf_printf(out,
            "%" PRIu64 " exchange%s of %s could not be held in memory until the other views had "
            "%s, and %s not compared: say --hold",
            doubt->count, s, name, doubt->count == 1 ? "it" : "them",
            doubt->count == 1 ? "was" : "were"));
    } else if (kind == DOUBT_TLS) {
        memory_need(buf_printf(out,
            "%" PRIu64
            " connection%s of %s speak%s TLS, which cannot be read: give payload captures, "
            "which have what is said within it",
            doubt->count, s, name, doubt->count == 1 ? "s" : ""));
    } else if (kind == DOUBT_SAME_ENDS) {
        memory_need(buf_printf(out,
            "%s has %" PRIu64
            " pair%s of connections with the same ends at the same time, and does "
            "not tell their packets apart: record on the device any, or the proxy's payload",
            name, doubt->count, s));
    } else {
        memory_need(buf_printf(out,
            "no connection to the proxy was recognised in %s: say --proxy-port and --server-port",
            name));
    }
}

static void append_log_doubt(
    struct buf *out, enum doubt_kind kind, const struct report *report, const struct doubt *doubt)
{
    const char *s = plural(doubt->count);

    if (kind == DOUBT_LOG_TORN) {
        memory_need(buf_printf(out,
            "%" PRIu64 " line%s of the exchange log cannot be read (first: "
            "line %" PRIu64 ")",
            doubt->count, s, report->evidence->log.unreadable_line));
        return;
    }
    if (kind == DOUBT_UNLOGGED)
        memory_need(buf_printf(out,
            "%" PRIu64 " exchange%s may have been in the lines of the log that cannot be read",
            doubt->count, s));
    else if (kind == DOUBT_LOG_CHANGE)
        memory_need(buf_printf(out,
            "the exchange log declares %" PRIu64 " change%s that cannot be understood, and "
            "explain%s nothing",
            doubt->count, s, doubt->count == 1 ? "s" : ""));
    else
        memory_need(
            buf_printf(out, "the exchange log tells of %" PRIu64 " exchange%s that no capture has",
                doubt->count, s));
    append_first(out, doubt);
    append_time(out, doubt->count == 1 ? ", of " : ", from ", doubt->first_ns);
    if (doubt->count > 1)
        append_time(out, " to ", doubt->last_ns);
}

void report_doubt(
    const struct report *report, enum doubt_kind kind, enum source source, struct buf *out)
{
    const struct recording *recording = &report->evidence->recordings[source];
    const struct doubt *doubt = &report->findings->doubts[kind][source];

    switch (kind) {
    case DOUBT_NOTHING:
        append_nothing(out, report->evidence);
        break;
    case DOUBT_MISSED:
    case DOUBT_OUTSIDE:
    case DOUBT_LACKS:
        append_lacks(out, kind, recording, doubt);
        break;
    case DOUBT_INCOMPLETE:
        memory_need(buf_printf(out,
            "%" PRIu64 " exchange%s not whole: the captures end, or the "
            "connection did, before it was over",
            doubt->count, doubt->count == 1 ? " is" : "s are"));
        append_first(out, doubt);
        break;
    case DOUBT_LOG_ALONE:
    case DOUBT_LOG_TORN:
    case DOUBT_UNLOGGED:
    case DOUBT_LOG_CHANGE:
        append_log_doubt(out, kind, report, doubt);
        break;
    default:
        append_file_doubt(out, kind, recording, doubt);
        break;
    }
}

static unsigned count_views(const struct report *report)
{
    return report->evidence->has[SOURCE_CLIENT_HOST] ? VIEWS : VIEWS - 1;
}

static void append_same(struct buf *out, const struct report *report)
{
    const struct findings *findings = report->findings;
    bool plain = findings->declared == 0 && findings->ignored == 0;
    uint64_t ended = findings->declared_unasked;

    if (findings->compared == 0 && ended > 0) {
        memory_need(buf_printf(out,
            "same: %" PRIu64 " exchange%s, which the proxy answered or ended itself, as the "
            "exchange log declares",
            ended, plural(ended)));
        return;
    }

    memory_need(buf_printf(out, "same: %" PRIu64 " exchange%s, %sin ", findings->compared,
        plural(findings->compared), plain ? "byte for byte, " : ""));
    if (report->evidence->legs.one_leg)
        memory_need(buf_append_str(out, "both captures of one leg"));
    else
        memory_need(buf_printf(out, "all %u views", count_views(report)));
    if (findings->declared > 0)
        memory_need(buf_printf(out, "; %" PRIu64 " difference%s declared by the exchange log",
            findings->declared, plural(findings->declared)));
    if (ended > 0)
        memory_need(buf_printf(out,
            "; %" PRIu64 " answered or ended by the proxy itself, as the log declares", ended));
    if (findings->ignored > 0)
        memory_need(buf_printf(out, "; %" PRIu64 " difference%s ignored", findings->ignored,
            plural(findings->ignored)));
}

static void append_differ(struct buf *out, const struct findings *findings)
{
    const char *separator = ": ";

    memory_need(buf_printf(
        out, "differ: %" PRIu64 " difference%s", findings->total, plural(findings->total)));
    if (findings->exchanges > 0)
        memory_need(buf_printf(out, " in %" PRIu64 " exchange%s (%" PRIu64 " compared)",
            findings->exchanges, plural(findings->exchanges), findings->compared));
    for (int hop = 0; hop < HOPS; hop++) {
        if (findings->per_hop[hop] == 0)
            continue;
        memory_need(buf_printf(
            out, "%s%" PRIu64 " %s", separator, findings->per_hop[hop], hop_text((enum hop)hop)));
        separator = ", ";
    }
}

void report_summary(const struct report *report, struct buf *out)
{
    enum verdict verdict = findings_verdict(report->findings);
    uint64_t doubts = 0;

    if (verdict == VERDICT_SAME)
        append_same(out, report);
    else if (verdict == VERDICT_DIFFER)
        append_differ(out, report->findings);
    for (int i = 0; verdict == VERDICT_INCONCLUSIVE && i < DOUBT_KINDS * SOURCES; i++) {
        enum doubt_kind kind = (enum doubt_kind)(i / SOURCES);
        enum source source = (enum source)(i % SOURCES);

        if (report->findings->doubts[kind][source].count == 0 || doubts++ > 0)
            continue;
        memory_need(buf_append_str(out, "inconclusive: "));
        report_doubt(report, kind, source, out);
    }
    if (doubts > 1)
        memory_need(
            buf_printf(out, " (and %" PRIu64 " more doubt%s)", doubts - 1, plural(doubts - 1)));
}

static void append_count(struct buf *out, uint64_t count, const char *one, const char *many)
{
    if (count > 0)
        memory_need(buf_printf(out, "%" PRIu64 " %s\n", count, count == 1 ? one : many));
}

#define NS_PER_MS 1e6
#define CROSSED_NS 1000000u /* stamps of one host may be this much out of order */

void report_clock(const struct report *report, enum source source, struct buf *out)
{
    const struct evidence *evidence = report->evidence;
    const struct clock_offset *clock = &evidence->clocks[source];
    int64_t ns = evidence_offset_ns(evidence, source);
    double give = (double)clock_offset_uncertainty_ns(clock) / NS_PER_MS;
    const char *name = evidence->recordings[source].name;
    const char *proxy = evidence->recordings[SOURCE_PROXY].name;

    if (!clock_offset_known(clock))
        return;
    if (ns == 0)
        memory_need(buf_printf(
            out, "the clock of %s agrees with that of %s within %.3f ms", name, proxy, give));
    else
        memory_need(buf_printf(out,
            "the clock of %s is %.3f ms %s that of %s, give or take %.3f ms", name,
            (double)(ns < 0 ? -ns : ns) / NS_PER_MS, ns > 0 ? "ahead of" : "behind", proxy, give));
    if (clock->crossed && clock->high_ns - clock->low_ns > (int64_t)CROSSED_NS)
        memory_need(buf_append_str(out, ", and it was set or drifts meanwhile"));
}

static void append_pairing(struct buf *out, const struct evidence *evidence)
{
    for (int i = PAIR_SURENESSES; i < PAIR_HOWS * PAIR_SURENESSES; i++) {
        enum pair_how how = (enum pair_how)(i / PAIR_SURENESSES);
        enum pair_sureness sure = (enum pair_sureness)(i % PAIR_SURENESSES);
        uint64_t count = evidence->pooled[how][sure];

        if (count > 0)
            memory_need(
                buf_printf(out, "%" PRIu64 " exchange%s of pooled connections paired %s (%s)\n",
                    count, plural(count), pair_how_text(how), pair_sureness_word(sure)));
    }
    append_count(out, evidence->unsure_pairs,
        "connection was paired with one of several that fit: that is not sure",
        "connections were paired with one of several that fit: that is not sure");
}

void report_notes(const struct report *report, struct buf *out)
{
    const struct evidence *evidence = report->evidence;
    const struct findings *findings = report->findings;

    append_pairing(out, evidence);
    if (evidence->turned)
        memory_need(buf_printf(out, "%s holds both legs, and is taken for the proxy's capture\n",
            evidence->recordings[SOURCE_PROXY].name));
    append_count(out, findings->declared_unasked,
        "exchange was answered or ended by the proxy itself, as its log says",
        "exchanges were answered or ended by the proxy itself, as its log says");
    append_count(out, findings->consistent_cuts,
        "exchange was cut alike in every view, and the log tells of its error",
        "exchanges were cut alike in every view, and the log tells of their errors");
    append_count(out, findings->declared, "difference is declared by the exchange log",
        "differences are declared by the exchange log");
    append_count(out, findings->ignored, "difference is ignored, as --ignore says",
        "differences are ignored, as --ignore says");
    append_count(out, findings->unread,
        "exchange was compared as bytes and not read: a tunnel, TLS, or what is no HTTP",
        "exchanges were compared as bytes and not read: tunnels, TLS, or what is no HTTP");
    append_count(out, findings->in_proxy, "exchange was compared inside the proxy only",
        "exchanges were compared inside the proxy only");
    append_count(out, findings->aside,
        "exchange went to the server without the proxy, and was left out",
        "exchanges went to the server without the proxy, and were left out");
    append_count(out, evidence->legs.other_proxy,
        "connection at the proxy is on neither leg, and was left out",
        "connections at the proxy are on neither leg, and were left out");
    append_count(out, evidence->legs.other_server,
        "connection at the server is to another service, and was left out",
        "connections at the server are to other services, and were left out");
    if (evidence->log.torn)
        memory_need(
            buf_append_str(out, "the last line of the exchange log is torn, and was not used\n"));
}
