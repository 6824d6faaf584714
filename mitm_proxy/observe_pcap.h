/*
 * The payload capture: packets built from the bytes that the proxy read and wrote, as pcapng.
 *
 * Needs no privilege and never drops. It is no evidence of what was on the wire: sequence numbers,
 * handshakes and packet borders are made up, and the file says so in its section header.
 * It has one interface, of link type LINKTYPE_RAW, with stamps in nanoseconds; the flags of each
 * packet say whether it came to the proxy or went from it (draft-ietf-opsawg-pcapng §4).
 */
#ifndef MITM_PROXY_OBSERVE_PCAP_H
#define MITM_PROXY_OBSERVE_PCAP_H

#include "mitm_proxy/observer.h"
#include "mitm_proxy/sink_file.h"

struct observe_pcap;

/* Goes on behind what PATH holds. NULL with *ERR (UV_E*) on failure. */
struct observe_pcap *observe_pcap_new(const char *path, int *err);

/*
 * One more that writes to the file of FIRST, which has to outlive it: for another thread. NULL when
 * there is no memory.
 */
struct observe_pcap *observe_pcap_join(struct observe_pcap *first);

/* The observer; its close hook frees everything. */
struct observer observe_pcap_observer(struct observe_pcap *pcap);

/* The file, for its counters of packets and its failure hook. */
struct sink_file *observe_pcap_file(struct observe_pcap *pcap);

#endif
