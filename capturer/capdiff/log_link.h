/*
 * Exchanges that went on another upstream connection than their client connection's first one, as
 * the exchange log says: the server had given that up.
 */
#ifndef CAPDIFF_LOG_LINK_H
#define CAPDIFF_LOG_LINK_H

#include "capturer/capdiff/connection.h"

/* Pairs them one by one, where the bytes bear the log out. The exchanges have their records. */
void log_link(const struct connections *table);

#endif
