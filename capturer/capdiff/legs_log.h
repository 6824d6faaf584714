/*
 * Which services of a recording are the proxy and the server, as the exchange log tells by the
 * addresses of its clients and of its own connections.
 */
#ifndef CAPDIFF_LEGS_LOG_H
#define CAPDIFF_LEGS_LOG_H

#include "capturer/capdiff/legs.h"
#include "capturer/capdiff/log_read.h"

/*
 * Fills in those of the ports that are 0, and the proxy's own addresses, as far as the proxy's
 * recording bears the log out.
 */
void legs_by_log(
    const struct exchange_log *log, const struct connections *proxy, struct legs_ports *ports);

#endif
