/*
 * Room on a loop for descriptors. libuv makes it as they come, and ends the program where there is
 * no memory for it then.
 */
#ifndef LIB_LOOP_ROOM_H
#define LIB_LOOP_ROOM_H

#include <stddef.h>
#include <uv.h>

/*
 * Makes it for COUNT descriptors now, or for as many as the process may have; 8 bytes each. Runs
 * the loop once. 0 or UV_E*.
 */
int loop_room(uv_loop_t *loop, size_t count);

#endif
