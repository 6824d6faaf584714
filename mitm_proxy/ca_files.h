/*
 * The two files of a certificate authority in its directory.
 */
#ifndef MITM_PROXY_CA_FILES_H
#define MITM_PROXY_CA_FILES_H

#include <stddef.h>

#include "lib/slice.h"

#define CA_CERTIFICATE_FILE "ca.pem"
#define CA_KEY_FILE "ca-key.pem"

/*
 * Both files or none: DIR is made with mode 0700 if it is missing, the certificate is for all to
 * read, the key for its owner alone. What is there is never overwritten. 0, or -1 with a sentence
 * in WHY (WHY_SIZE bytes).
 */
int ca_files_write(
    const char *dir, struct slice certificate, struct slice key, char *why, size_t why_size);

#endif
