/*
 * Exchanges get their numbers in the order in which their requests came, on the leg nearest to the
 * client that the proxy's recording has. When they get them makes no difference.
 */
#ifndef CAPDIFF_NUMBERING_H
#define CAPDIFF_NUMBERING_H

#include "capturer/capdiff/evidence.h"

/* Numbers those of some connections of the proxy's recording that have none, and were read. */
void numbering_go_on(struct evidence *evidence, const struct connection_list *list);

#endif
