/*
 * Why the upstream could not be connected to, as an answer and for the log.
 */
#ifndef MITM_PROXY_UPSTREAM_FAILURE_H
#define MITM_PROXY_UPSTREAM_FAILURE_H

struct upstream_failure {
    int status; /* 502, 503 or 504 */
    const char *word, *reason;
};

/* ERR: UV_E* or UV_EAI_*. */
struct upstream_failure upstream_failure(int err);

#endif
