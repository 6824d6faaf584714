#include "capturer/capdiff/endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include "capturer/capdiff/hash.h"

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
    return a->ipv6 == b->ipv6 && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && endpoint_same_address(a, b);
}

void addresses_add(struct addresses *addresses, const struct endpoint *endpoint)
{
    if (addresses->count < ADDRESSES_MAX && !addresses_have(addresses, endpoint))
        addresses->items[addresses->count++] = *endpoint;
}

bool addresses_have(const struct addresses *addresses, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (endpoint_same_address(&addresses->items[i], endpoint))
            return true;
    }
    return false;
}

bool endpoint_is_loopback(const struct endpoint *endpoint)
{
    static const uint8_t v6[16] = {[15] = 1};
    static const uint8_t mapped[13] = {[10] = 0xff, 0xff, 127};

    if (!endpoint->ipv6)
        return endpoint->address[0] == 127;
    return memcmp(endpoint->address, v6, sizeof(v6)) == 0 ||
           memcmp(endpoint->address, mapped, sizeof(mapped)) == 0;
}

uint64_t endpoint_hash(const struct endpoint *endpoint)
{
    uint64_t low = hash_word(endpoint->address), high = hash_word(endpoint->address + 8);

    return hash_mix(low ^ endpoint->port ^ hash_secret[0], high ^ hash_secret[1]);
}

uint64_t endpoint_pair_hash(const struct endpoint *a, const struct endpoint *b)
{
    return hash_mix((endpoint_hash(a) + endpoint_hash(b)) ^ hash_secret[2], hash_secret[3]);
}

bool endpoint_parse(struct endpoint *endpoint, const char *text)
{
    struct hostport hostport;
    const char *why;

    memset(endpoint, 0, sizeof(*endpoint));
    if (hostport_parse(&hostport, text, &why) != 0)
        return false;
    endpoint->port = hostport.port;
    endpoint->ipv6 = strchr(hostport.host, ':') != NULL;
    return inet_pton(endpoint->ipv6 ? AF_INET6 : AF_INET, hostport.host, endpoint->address) == 1;
}

const char *endpoint_text(const struct endpoint *endpoint, char *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};

    memcpy(&v4.sin_addr, endpoint->address, sizeof(v4.sin_addr));
    memcpy(&v6.sin6_addr, endpoint->address, sizeof(v6.sin6_addr));
    return sockaddr_text(
        endpoint->ipv6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4, out,
        HOSTPORT_TEXT_MAX);
}
