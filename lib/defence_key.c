#include "lib/defence_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

#define FILE_MAX (64UL * 1024)
#define SECRET_MIN 16 /* bytes: fewer are guessed */

static const char pem_begins[] = "-----BEGIN ";

static bool read_key_file(const char *path, struct buf *out)
{
    char piece[4096];
    size_t got;
    errno = 0;
    FILE *file = fopen(path, "rbe");
    int status = file == NULL ? -1 : 0;
    while (status == 0 && (got = fread(piece, 1, sizeof piece, file)) > 0)
        status = buf_append(out, piece, got);
    if (file != NULL && ferror(file) != 0)
        status = -1;
    if (status != 0)
        log_error("cannot read the key in %s: %s", path,
            errno != 0 ? strerror(errno) : "it is larger than 64 KiB");
    if (file != NULL)
        fclose(file);
    return status == 0;
}

static bool is_pem(struct slice text)
{
    return memmem(text.data, text.len, pem_begins, sizeof pem_begins - 1) != NULL;
}

/* An editor's line end does not belong to the secret. */
static struct slice without_line_end(struct slice text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    return text;
}

/* One secret signs and verifies; what tells the sides apart is the keyid, which is signed. */
static bool take_secret(struct defence_keys *keys, struct slice secret)
{
    if (secret.len < SECRET_MIN) {
        log_error("the shared secret is shorter than %d bytes: make one with openssl rand -hex 32",
            SECRET_MIN);
        return false;
    }
    keys->own = crypto_key_secret(secret);
    keys->peer = crypto_key_secret(secret);
    if (keys->own == NULL || keys->peer == NULL)
        log_error("there is not enough memory for the key");
    return keys->own != NULL && keys->peer != NULL;
}

static bool take_pair(
    struct defence_keys *keys, struct slice pem, const struct defence_options *options)
{
    struct buf peer;
    bool good = false;
    keys->own = crypto_key_private(pem);
    if (keys->own == NULL) {
        log_error("%s is no Ed25519 private key without a password: make one with openssl genpkey "
                  "-algorithm ed25519",
            options->key);
        return false;
    }
    if (options->peer_key == NULL) {
        log_error("an Ed25519 --key needs the other agent's public key too: --peer-key FILE");
        return false;
    }
    buf_init(&peer, FILE_MAX);
    if (read_key_file(options->peer_key, &peer)) {
        keys->peer = crypto_key_public(slice_of(peer.data, peer.len));
        good = keys->peer != NULL;
        if (!good)
            log_error("%s is no Ed25519 public key: make one with openssl pkey -pubout",
                options->peer_key);
    }
    buf_deinit(&peer);
    return good;
}

bool defence_keys_load(struct defence_keys *keys, const struct defence_options *options)
{
    const char *secret = getenv("AGENT_SECRET");
    struct buf text;
    *keys = (struct defence_keys){0};
    if (options->key == NULL && secret != NULL && *secret != '\0')
        return take_secret(keys, slice_str(secret));
    if (options->key == NULL) {
        log_error("this --defence signs: give it a key with --key FILE or AGENT_SECRET");
        return false;
    }
    buf_init(&text, FILE_MAX);
    bool good = read_key_file(options->key, &text);
    struct slice key = slice_of(text.data != NULL ? text.data : "", text.len);
    if (good)
        good =
            is_pem(key) ? take_pair(keys, key, options) : take_secret(keys, without_line_end(key));
    if (text.data != NULL)
        explicit_bzero(text.data, text.size);
    buf_deinit(&text);
    return good;
}

void defence_keys_deinit(struct defence_keys *keys)
{
    crypto_key_free(keys->own);
    crypto_key_free(keys->peer);
    *keys = (struct defence_keys){0};
}
