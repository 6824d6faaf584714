#include "lib/tls_sessions.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

static struct tls_session *find(struct tls_sessions *sessions, const char *host)
{
    for (size_t i = 0; i < TLS_SESSIONS_MAX; i++)
        if (sessions->kept[i].session && strcmp(sessions->kept[i].host, host) == 0)
            return &sessions->kept[i];
    return NULL;
}

/* A free place was never used. */
static struct tls_session *oldest(struct tls_sessions *sessions)
{
    struct tls_session *place = &sessions->kept[0];
    for (size_t i = 1; i < TLS_SESSIONS_MAX; i++)
        if (sessions->kept[i].used < place->used)
            place = &sessions->kept[i];
    return place;
}

static void forget(struct tls_session *kept)
{
    SSL_SESSION_free(kept->session);
    free(kept->host);
    *kept = (struct tls_session){0};
}

SSL_SESSION *tls_sessions_find(struct tls_sessions *sessions, const char *host)
{
    struct tls_session *kept = find(sessions, host);
    if (!kept)
        return NULL;
    kept->used = ++sessions->uses;
    return kept->session;
}

int tls_sessions_keep(struct tls_sessions *sessions, const char *host, SSL_SESSION *session)
{
    struct tls_session *place = find(sessions, host);
    char *name = strdup(host);
    if (!name)
        return UV_ENOMEM;
    if (!place)
        place = oldest(sessions);
    forget(place);
    *place = (struct tls_session){session, name, ++sessions->uses};
    return 0;
}

void tls_sessions_deinit(struct tls_sessions *sessions)
{
    for (size_t i = 0; i < TLS_SESSIONS_MAX; i++)
        forget(&sessions->kept[i]);
}
