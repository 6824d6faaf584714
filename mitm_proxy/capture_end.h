/*
 * Where a capture file can be gone on with: behind its last whole packet.
 *
 * A proxy that was killed may have left half a packet; what stands before it is evidence and stays.
 */
#ifndef MITM_PROXY_CAPTURE_END_H
#define MITM_PROXY_CAPTURE_END_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Offset behind the last whole packet of FD's pcap (pcap-savefile(5)), or -1 if it does not begin
 * with HEADER.
 */
off_t capture_end_pcap(int fd, const void *header, size_t header_len);

/* The same for pcapng (draft-ietf-opsawg-pcapng §3.1), whose header is a section and an interface.
 */
off_t capture_end_pcapng(int fd, const void *header, size_t header_len);

#endif
