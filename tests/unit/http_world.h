/* A server on loopback and clients that talk to it, for the tests of lib/http_server.h.
 *
 * Every wait ends the test when nothing happens for GUARD milliseconds.
 */
#ifndef TESTS_HTTP_WORLD_H
#define TESTS_HTTP_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/http_server.h"
#include "lib/stream.h"

#define GUARD 60000
#define BIG (1UL << 20) /* bytes of the answer to /big */

struct world {
    uv_loop_t loop;
    uv_timer_t guard;
    struct http_server *server;
    struct sockaddr_storage address;
    int handled;
    int stopped;
};

struct client {
    struct stream stream;
    struct buf got;
    bool connected, eof, failed, closed;
};

/* No limit of it is reached by accident. */
struct http_server_config world_config(void);

void world_open(struct world *world, struct http_server_config config);
/* Stops the server, when the test has not. */
void world_close(struct world *world);
/* One turn of the loop, waiting for an event. */
void world_turn(struct world *world);

/* Returns when it is connected. */
void client_open(struct client *client, struct world *world);
void client_close(struct client *client, struct world *world);
void client_send_bytes(struct client *client, const char *data, size_t len);
void client_send(struct client *client, const char *text);
/* Whether TEXT has come, and how often. */
bool client_has(const struct client *client, const char *text);
size_t client_count(const struct client *client, const char *text);
/* Until TEXT has come; until the server has ended the connection in order. */
void client_wait(struct world *world, struct client *client, const char *text);
void client_wait_end(struct world *world, struct client *client);

/* Sends TEXT on a connection of its own; what comes back, up to EOF, must begin and end so. */
void assert_last_words(
    struct http_server_config config, const char *text, const char *status, const char *end);

#endif
