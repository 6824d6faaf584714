/*
 * Which connections of the captures are the client leg, the upstream leg, or neither; and which
 * connection of one capture is which of another.
 *
 * The upstream leg is what stands in the server's capture too. The client leg goes to the service
 * whose requests come again, later, on the upstream leg: that needs no option, also where every
 * address is 127.0.0.1 and both captures hold both legs.
 *
 * A transparent proxy has connections diverted to it, and both legs go to the server's address.
 * Then it counts who opened a connection: the proxy's host, or another. The capture tells that
 * itself, or else the exchange log by the proxy's own addresses, or else that the server's capture
 * has it.
 */
#ifndef CAPDIFF_LEGS_H
#define CAPDIFF_LEGS_H

#include "capturer/capdiff/lane.h"
#include "capturer/capdiff/recording.h"

/* What the options overrule, or the log tells; 0, or none: find out. */
struct legs_ports {
    uint16_t proxy;
    uint16_t server;
    struct addresses own;    /* the proxy's, towards servers */
    struct addresses called; /* where its clients' connections went */
};

#define LEGS_PORTS_MAX 16

struct legs {
    struct endpoint proxy, server; /* the services; valid as said below */
    bool has_proxy, has_server;
    bool diverted;                  /* both are the same */
    uint16_t ports[LEGS_PORTS_MAX]; /* of all such services */
    size_t n_ports;
    struct addresses called;            /* and their hosts */
    struct addresses own;               /* the proxy's, towards servers */
    bool lone;                          /* there is no upstream leg at all: see lone_leg.h */
    bool one_leg;                       /* two captures of the same leg: see one_leg.h */
    uint64_t other_proxy, other_server; /* connections with exchanges that are on neither leg */
};

/*
 * Finds the counterpart of each connection of NEAR in FAR, two recordings of the same wire: same
 * endpoints and initial sequence number, or else the nearest in time. Sets towards_server of the
 * one, towards_client of the other, and how.
 */
void legs_match(const struct connections *near, const struct connections *far);

/* Sets the leg of each connection in both, and matches the upstream leg with the server's view. */
void legs_find(struct recording *proxy, struct recording *server, const struct legs_ports *ports,
    struct legs *legs);

/* Who opened a connection of the proxy's recording; OWN are the addresses of the proxy's host. */
enum opener legs_opener(const struct connection *connection, const struct addresses *own);

/* The leg of a connection that came after the legs were found. */
enum leg legs_of(const struct connection *connection, const struct legs *legs, bool at_server);

/*
 * The counterpart of NEAR in FAR, or of FAR in NEAR, by endpoints and initial sequence number, as
 * far as it is there by now, and has none. Joins the two.
 */
void legs_match_near(struct connection *near, const struct connections *far);
void legs_match_far(struct connection *far, const struct connections *near);

/* All has been read: what legs_find does, for the rest. */
void legs_complete(
    const struct connections *proxy, const struct connections *server, struct legs *legs);

/*
 * Chooses the legs once more, from all that has come since they were chosen; the connections are
 * as they were matched and paired. Sets only the services of AGAIN.
 */
void legs_choose(
    const struct connections *proxy, const struct legs_ports *ports, struct legs *again);

/* Takes back all that was found out about a recording's connections. */
void legs_forget(const struct connections *table);

#endif
