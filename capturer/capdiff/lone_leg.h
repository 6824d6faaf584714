/*
 * A proxy that never asked the server: its recording holds the client leg alone, so that nothing on
 * the upstream leg can tell which connections those are.
 */
#ifndef CAPDIFF_LONE_LEG_H
#define CAPDIFF_LONE_LEG_H

#include "capturer/capdiff/evidence.h"

/*
 * Finds the service that is the proxy: by its port, where that is known; or as the only one
 * there is, where the server's recording was running all the time and
 * heard nobody but its own host. False where it cannot be told.
 */
bool lone_leg_find(
    const struct evidence *evidence, const struct legs_ports *ports, struct endpoint *proxy);

#endif
