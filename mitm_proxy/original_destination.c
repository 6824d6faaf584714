#include "mitm_proxy/original_destination.h"

#include <string.h>

#define ORIGINAL_DST 80 /* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST of the kernel's netfilter */

/* What netfilter remembers of a redirected connection. */
static bool ask_netfilter(const struct stream *client, struct sockaddr_storage *address)
{
    uv_os_fd_t fd;
    socklen_t len = sizeof *address;
    if (uv_fileno((const uv_handle_t *)&client->tcp, &fd))
        return false;
    if (getsockopt(fd, IPPROTO_IP, ORIGINAL_DST, address, &len) == 0)
        return true;
    len = sizeof *address;
    return getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST, address, &len) == 0;
}

bool original_destination(const struct stream *client, struct destination *to)
{
    struct sockaddr_storage address = {0};
    const char *why;
    if (!ask_netfilter(client, &address) && stream_local_address(client, &address))
        return false;
    *to = (struct destination){0};
    sockaddr_text((struct sockaddr *)&address, to->authority, sizeof to->authority);
    return hostport_parse(&to->origin, to->authority, &why) == 0;
}
