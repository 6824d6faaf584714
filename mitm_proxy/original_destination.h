/*
 * Where a connection was going before the kernel diverted it to us: netfilter's REDIRECT
 * (SO_ORIGINAL_DST), or TPROXY, which leaves the address as it was.
 */
#ifndef MITM_PROXY_ORIGINAL_DESTINATION_H
#define MITM_PROXY_ORIGINAL_DESTINATION_H

#include "lib/stream.h"
#include "mitm_proxy/destination.h"

/* True with *TO filled; false where that is not known. */
bool original_destination(const struct stream *client, struct destination *to);

#endif
