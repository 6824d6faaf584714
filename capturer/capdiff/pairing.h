/*
 * All that is found out about which is which, in its order: the legs, their connections, and the
 * exchanges of those.
 *
 * Twice over: while the captures are read, for what is beyond doubt by then, and once more at the
 * end, for the rest.
 */
#ifndef CAPDIFF_PAIRING_H
#define CAPDIFF_PAIRING_H

#include "capturer/capdiff/evidence.h"

/*
 * Finds the legs in what was read so far. False: that is not enough yet, and nothing was found. It
 * is enough when the server's recording bears them out, or when PRESSED.
 */
bool pairing_begin(struct evidence *evidence, const struct legs_ports *ports, bool pressed);

/*
 * The legs were found in the beginning of the captures, and all of them shows others. To be asked
 * before pairing_finish.
 */
bool pairing_was_hasty(const struct evidence *evidence, const struct legs_ports *ports);

/* All has been read. */
void pairing_finish(struct evidence *evidence, const struct legs_ports *ports);

/* Counts a connection among the paired ones, by how it was; of the proxy's recording. */
void pairing_count(struct evidence *evidence, const struct connection *connection);

#endif
