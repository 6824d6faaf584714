/*
 * Those who watch the traffic: a list of hook tables, called in order.
 *
 * Observers get const data and cannot block, change or fail an exchange. A NULL hook means not
 * interested. What is passed is valid only during the call.
 */
#ifndef MITM_PROXY_OBSERVER_H
#define MITM_PROXY_OBSERVER_H

#include <uv.h>

#include "mitm_proxy/connection.h"
#include "mitm_proxy/exchange.h"

#define OBSERVERS_MAX 8

struct observer {
    void *state;
    /* A leg's handshake is done. */
    void (*leg_opened)(void *state, const struct connection *connection, enum leg leg);
    /*
     * Bytes were read, or are about to be written. connection->legs[leg].bytes[direction] does not
     * count them yet. WALL_NS is when.
     */
    void (*bytes)(void *state, const struct connection *connection, enum leg leg,
        enum direction direction, const uv_buf_t *runs, unsigned int count, uint64_t wall_ns);
    bool times; /* WALL_NS is wanted; else it may be 0 */
    /* One direction of a leg ended: by FIN, or by RST, which ends both. */
    void (*leg_ended)(void *state, const struct connection *connection, enum leg leg,
        enum direction direction, bool reset);
    /* Before the last byte of the response is passed on, or when the exchange failed. A commit
       comes before the byte goes. */
    void (*exchange)(void *state, const struct exchange *exchange);
    bool contents; /* the exchange's digests and names are wanted: they cost more than the rest */
    void (*connection_closed)(void *state, const struct connection *connection);
    void (*commit)(void *state); /* bytes are about to go: records of them are on record before */
    void (*flush)(void *state);  /* soon after anything else: what was gathered is to be written */
    void (*reopen)(void *state); /* files may have been moved */
    void (*close)(void *state);  /* the last call: writes what is left and frees */
};

struct observers {
    struct observer list[OBSERVERS_MAX];
    size_t count;
    bool times;     /* one of them wants the bytes' */
    bool gathering; /* something was told of since the last flush */
};

/* There is room for OBSERVERS_MAX. */
void observers_add(struct observers *observers, const struct observer *observer);

void observers_leg_opened(
    struct observers *observers, const struct connection *connection, enum leg leg);
/* Counts the bytes into the connection afterwards. */
void observers_bytes(struct observers *observers, struct connection *connection, enum leg leg,
    enum direction direction, const uv_buf_t *runs, unsigned int count);
/* Tells each direction's end once; a reset ends both. */
void observers_leg_ended(struct observers *observers, struct connection *connection, enum leg leg,
    enum direction direction, bool reset);
void observers_exchange(struct observers *observers, const struct exchange *exchange);
bool observers_want_contents(const struct observers *observers);
void observers_connection_closed(struct observers *observers, const struct connection *connection);
void observers_commit(struct observers *observers);
void observers_flush(struct observers *observers);
void observers_reopen(struct observers *observers);
void observers_close(struct observers *observers);

#endif
