/*
 * One persistent HTTP/1.1 connection to an origin, by TLS or without, straight or through a proxy:
 * a request out, its answer in, then the next.
 *
 * The connection is opened when first needed and again when the server closed it between two
 * exchanges. A request that was sent and got no answer is never sent again from in here (RFC 9110
 * §9.2.2): it fails, and the next one has a new connection. So has one before which bytes came that
 * nobody had asked for: they are not its answer (RFC 9112 §9.2). What comes when it is on its way
 * already cannot be told from its answer.
 */
#ifndef AGENT_A_CLIENT_H
#define AGENT_A_CLIENT_H

#include <stdint.h>
#include <uv.h>

#include "lib/hostport.h"
#include "lib/http_head.h"
#include "lib/slice.h"
#include "lib/tls.h"

#define CLIENT_ANSWER_MAX (16UL * 1024 * 1024) /* bytes of an answer's body */

struct client;

struct client_answer {
    const char *failure; /* NULL, or why there is no answer: a clause for people */
    const char *word;    /* with a failure: its word, of those in outcome.h */
    int status;
    const struct http_head *head; /* with an answer */
    struct slice body;            /* with an answer: there, if empty */
    uint64_t latency_ns; /* from client_send to here: connecting counts where it was needed */
};

/* Never called from within client_send. The answer lives as long as the call. */
typedef void (*client_cb)(void *arg, const struct client_answer *answer);

struct client_config {
    const struct hostport *origin; /* must outlive the client */
    const struct hostport *proxy;  /* the same: whom to connect to instead, and with TLS to ask for
                                      a tunnel to the origin; NULL: nobody */
    struct tls_context *tls;       /* a client's, with which the origin is verified; NULL: no TLS */
    uint64_t timeout;              /* ms for one exchange, connecting included */
    client_cb on_answer;
    /*
     * The head of the answer, and its body bit by bit, as they come: for who does not want to wait
     * for on_answer, which has all of it, or says that it was cut. Either may be NULL; they must
     * not send or close.
     */
    void (*on_head)(void *arg, const struct http_head *head);
    void (*on_body)(void *arg, struct slice bytes);
    /*
     * The server sent what no request had asked for, and the connection is given up. May be NULL;
     * it must not send or close. Comes before an on_answer that it came with.
     */
    void (*on_unasked)(void *arg);
    void *arg;
};

/* NULL when there is no memory. */
struct client *client_new(uv_loop_t *loop, const struct client_config *config);

/*
 * Sends a whole request; on_answer follows, once. REQUEST must stay in place until then, and no
 * other may be sent before; from on_answer on, the next may.
 */
void client_send(struct client *client, struct slice request);

/* Gives the connection up; the next request has a new one. Only while none is under way. */
void client_hang_up(struct client *client);

/* Closes at any time, also from on_answer, which is not called again. It frees itself. */
void client_close(struct client *client);

#endif
