#include "capturer/capdiff/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#define FILE_BUFFER ((size_t)256 * 1024)
#define NS_PER_S 1000000000u

/* A sentence for the beginnings of files that people hand over by mistake; NULL for a capture. */
static const char *foreign_format(const unsigned char *magic, size_t len)
{
    if (len >= 2 && memcmp(magic, "\x1f\x8b", 2) == 0)
        return "is compressed with gzip: unpack it first (gunzip)";
    if (len >= 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
        return "is compressed with zstd: unpack it first (unzstd)";
    return NULL;
}

/* Opens what may be a capture: a file with something in it. */
static int file_open(const char *path, FILE **file, char *err, size_t err_size)
{
    unsigned char magic[4];
    const char *why = NULL;
    struct stat st;
    size_t len;
    int status = UV_EINVAL;

    *file = fopen(path, "rb");
    if (*file == NULL) {
        status = uv_translate_sys_error(errno);
        snprintf(err, err_size, "cannot open the capture %s: %s", path, uv_strerror(status));
        return status;
    }
    (void)setvbuf(*file, NULL, _IOFBF, FILE_BUFFER);
    if (fstat(fileno(*file), &st) == 0 && S_ISDIR(st.st_mode)) {
        why = "is a directory: give the capture file in it";
        goto out;
    }
    len = fread(magic, 1, sizeof(magic), *file);
    if (len == 0) {
        why = "is empty: nothing has been recorded into it";
        status = UV_EOF;
        goto out;
    }
    why = foreign_format(magic, len);
    if (why == NULL && fseek(*file, 0, SEEK_SET) != 0)
        why = "cannot be read from its beginning: give a file, not a pipe";
out:
    if (why == NULL)
        return 0;
    snprintf(err, err_size, "%s %s", path, why);
    fclose(*file);
    return status;
}

/* Hands the file over to libpcap; it closes it, also when this fails. */
static int pcap_start(const char *path, FILE *file, pcap_t **pcap, char *err, size_t err_size)
{
    char why[PCAP_ERRBUF_SIZE] = "";

    *pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (*pcap == NULL) {
        bool torn = strncmp(why, "truncated", 9) == 0 || strstr(why, "has no Interface") != NULL;

        fclose(file);
        snprintf(err, err_size,
            torn ? "%s ends inside its header: nothing has been recorded into it (%s)"
                 : "%s is not a capture that can be read: give a pcap or pcapng file (%s)",
            path, why);
        return torn ? UV_EOF : UV_EINVAL;
    }
    if (packet_link_known(pcap_datalink(*pcap)))
        return 0;

    const char *name = pcap_datalink_val_to_name(pcap_datalink(*pcap));

    snprintf(err, err_size, "%s has the link type %s (%d): record on an Ethernet, any or lo device",
        path, name != NULL ? name : "unknown", pcap_datalink(*pcap));
    pcap_close(*pcap);
    return UV_EINVAL;
}

static void count_packet(struct capture_facts *facts, const struct pcap_pkthdr *header, uint64_t ns)
{
    if (facts->packets == 0 || ns < facts->first_ns)
        facts->first_ns = ns;
    if (ns > facts->last_ns)
        facts->last_ns = ns;
    facts->packets++;
    facts->bytes += header->caplen;
}

static void take_packet(const struct pcap_pkthdr *header, const uint8_t *data, int link,
    struct capture_facts *facts, capture_segment_cb on_segment, void *arg)
{
    uint64_t ns = (uint64_t)header->ts.tv_sec * NS_PER_S + (uint64_t)header->ts.tv_usec;
    struct segment segment;

    count_packet(facts, header, ns);
    switch (packet_decode(link, data, header->caplen, header->len, &segment)) {
    case PACKET_TCP:
        segment.time_ns = ns;
        facts->snapped += segment.wire_len > segment.len;
        on_segment(arg, &segment);
        break;
    case PACKET_FRAGMENT:
        facts->fragments++;
        break;
    case PACKET_MALFORMED:
        facts->malformed++;
        break;
    case PACKET_OTHER:
        break;
    }
}

int capture_read(const char *path, capture_segment_cb on_segment, void *arg,
    struct capture_facts *facts, char *err, size_t err_size)
{
    struct pcap_pkthdr *header;
    const uint8_t *data;
    pcap_t *pcap;
    FILE *file;
    int status;

    memset(facts, 0, sizeof(*facts));
    status = file_open(path, &file, err, err_size);
    if (status != 0)
        return status;
    status = pcap_start(path, file, &pcap, err, err_size);
    if (status != 0)
        return status;

    while ((status = pcap_next_ex(pcap, &header, &data)) == 1)
        take_packet(header, data, pcap_datalink(pcap), facts, on_segment, arg);
    if (status == PCAP_ERROR) {
        bool torn = strncmp(pcap_geterr(pcap), "truncated", 9) == 0;

        facts->end = torn ? CAPTURE_CUT : CAPTURE_DAMAGED;
        snprintf(facts->end_reason, sizeof(facts->end_reason), "%.*s",
            (int)sizeof(facts->end_reason) - 1, pcap_geterr(pcap));
    }
    pcap_close(pcap);
    return 0;
}
