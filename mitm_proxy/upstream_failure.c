#include "mitm_proxy/upstream_failure.h"

#include <uv.h>

struct upstream_failure upstream_failure(int err)
{
    switch (err) {
    case UV_EMFILE:
    case UV_ENFILE:
        return (struct upstream_failure){503, "no_descriptors", "no file descriptor is free"};
    case UV_ENOMEM:
        return (struct upstream_failure){503, "no_memory", "out of memory"};
    case UV_ETIMEDOUT:
        return (struct upstream_failure){504, "connect_timeout", "the upstream took no connection"};
    case UV_ECONNREFUSED:
        return (struct upstream_failure){
            502, "connect_failed", "the upstream refused the connection"};
    default:
        if (err <= UV_EAI_ADDRFAMILY && err >= UV_EAI_PROTOCOL)
            return (struct upstream_failure){
                502, "dns_failed", "the upstream's name did not resolve"};
        return (struct upstream_failure){502, "connect_failed", "the upstream cannot be reached"};
    }
}
