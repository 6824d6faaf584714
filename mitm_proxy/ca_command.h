/*
 * "mitm_proxy ca …": makes and shows the certificate authority of this installation.
 */
#ifndef MITM_PROXY_CA_COMMAND_H
#define MITM_PROXY_CA_COMMAND_H

/* ARGV begins with the word "ca". Returns the exit status. */
int ca_command(int argc, char **argv);

#endif
