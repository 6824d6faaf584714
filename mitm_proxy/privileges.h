/*
 * Giving up what was only needed at the start.
 */
#ifndef MITM_PROXY_PRIVILEGES_H
#define MITM_PROXY_PRIVILEGES_H

/*
 * Removes CAPABILITY, as CAP_NET_RAW, from this thread's sets, and no_new_privs keeps it gone. Call
 * before any other thread is made: capabilities belong to threads (capabilities(7)). 0 or UV_E*.
 */
int privileges_drop(unsigned int capability);

#endif
