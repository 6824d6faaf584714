#include "mitm_proxy/first_bytes.h"

#include <ctype.h>
#include <stdint.h>

#define RECORD_HEADER 5
#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO 1
#define EXTENSION_SERVER_NAME 0

static const char http_2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const char ssh[] = "SSH-";

/* Bytes that are read from the front; what is not there any more is 0, and leaves it empty. */
static size_t take_number(struct slice *from, size_t bytes)
{
    size_t number = 0;
    if (from->len < bytes) {
        from->len = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | (uint8_t)from->data[i];
    *from = slice_of(from->data + bytes, from->len - bytes);
    return number;
}

/* A run whose length stands before it, in so many bytes. */
static struct slice take_run(struct slice *from, size_t length_bytes)
{
    size_t len = take_number(from, length_bytes);
    if (len > from->len)
        len = from->len;
    struct slice run = slice_of(from->data, len);
    *from = slice_of(from->data + len, from->len - len);
    return run;
}

static struct slice read_server_name(struct slice extension)
{
    struct slice list = take_run(&extension, 2);
    while (list.len > 0) {
        size_t type = take_number(&list, 1);
        struct slice name = take_run(&list, 2);
        if (type == 0)
            return name;
    }
    return slice_of(NULL, 0);
}

/* HELLO: the ClientHello without its handshake header. */
static struct slice find_server_name(struct slice hello)
{
    (void)take_number(&hello, 2); /* version */
    for (int i = 0; i < 32; i++)
        (void)take_number(&hello, 1); /* random */
    (void)take_run(&hello, 1);        /* session */
    (void)take_run(&hello, 2);        /* cipher suites */
    (void)take_run(&hello, 1);        /* compression */
    struct slice extensions = take_run(&hello, 2);
    while (extensions.len > 0) {
        size_t type = take_number(&extensions, 2);
        struct slice extension = take_run(&extensions, 2);
        if (type == EXTENSION_SERVER_NAME)
            return read_server_name(extension);
    }
    return slice_of(NULL, 0);
}

/* The handshake's bytes, of which records are the cover: how many are there. */
static size_t uncover(struct slice bytes, char *scratch)
{
    size_t len = 0;
    while (bytes.len > RECORD_HEADER && bytes.data[0] == RECORD_HANDSHAKE) {
        bytes = slice_of(bytes.data + 3, bytes.len - 3);
        struct slice record = take_run(&bytes, 2);
        if (record.len > 0)
            memcpy(scratch + len, record.data, record.len);
        len += record.len;
    }
    return len;
}

static enum first_bytes look_at_hello(struct slice bytes, char *scratch, struct slice *server_name)
{
    struct slice handshake = slice_of(scratch, uncover(bytes, scratch));
    size_t there = handshake.len, type = take_number(&handshake, 1);
    size_t wanted = take_number(&handshake, 3);
    bool whole = there >= 4 && (type != CLIENT_HELLO || handshake.len >= wanted);
    if (!whole)
        return bytes.len < FIRST_BYTES_MAX ? FIRST_BYTES_MORE : FIRST_BYTES_TLS;
    if (type == CLIENT_HELLO)
        *server_name = find_server_name(slice_of(handshake.data, wanted));
    return FIRST_BYTES_TLS;
}

/* True: it begins as TEXT does, and is WHOLE once there is all of that. */
static bool begins_as(
    struct slice bytes, struct slice text, enum first_bytes whole, enum first_bytes *answer)
{
    size_t len = bytes.len < text.len ? bytes.len : text.len;
    *answer = len < text.len ? FIRST_BYTES_MORE : whole;
    return memcmp(bytes.data, text.data, len) == 0;
}

/* A method, or an empty line before it. */
static bool begins_request(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~\r\n", c));
}

enum first_bytes first_bytes_look(struct slice bytes, char *scratch, struct slice *server_name)
{
    enum first_bytes answer;
    *server_name = slice_of(NULL, 0);
    /* What is told does not depend on how much else came with it. */
    bytes.len = bytes.len < FIRST_BYTES_MAX ? bytes.len : FIRST_BYTES_MAX;
    if (bytes.len == 0)
        return FIRST_BYTES_MORE;
    if (bytes.data[0] == RECORD_HANDSHAKE)
        return bytes.len > 1 && bytes.data[1] != 3 ? FIRST_BYTES_OTHER
                                                   : look_at_hello(bytes, scratch, server_name);
    if (begins_as(bytes, slice_str(http_2), FIRST_BYTES_HTTP_2, &answer) ||
        begins_as(bytes, slice_str(ssh), FIRST_BYTES_OTHER, &answer))
        return answer;
    return begins_request(bytes.data[0]) ? FIRST_BYTES_HTTP : FIRST_BYTES_OTHER;
}
