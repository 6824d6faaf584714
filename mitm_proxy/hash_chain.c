#include "mitm_proxy/hash_chain.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define BLOCK 65536 /* bytes */

int hash_chain_init(struct hash_chain *chain)
{
    *chain = (struct hash_chain){.sha = sha256_new()};
    memset(chain->head, '0', sizeof chain->head - 1);
    return chain->sha ? 0 : UV_ENOMEM;
}

void hash_chain_deinit(struct hash_chain *chain)
{
    sha256_free(chain->sha);
    chain->sha = NULL;
}

/* The offset behind the last line feed before END, or 0; below 0: UV_E*. */
static off_t line_start(int fd, off_t end, char *block)
{
    while (end > 0) {
        off_t from = end > BLOCK ? end - BLOCK : 0;
        ssize_t n = pread(fd, block, (size_t)(end - from), from);
        if (n != end - from)
            return UV_EIO;
        const char *feed = memrchr(block, '\n', (size_t)n);
        if (feed)
            return from + (feed - block) + 1;
        end = from;
    }
    return 0;
}

static int hash_range(struct hash_chain *chain, int fd, off_t from, off_t end, char *block)
{
    sha256_reset(chain->sha);
    while (from < end) {
        size_t len = end - from > BLOCK ? BLOCK : (size_t)(end - from);
        ssize_t n = pread(fd, block, len, from);
        if (n <= 0)
            return UV_EIO;
        sha256_update(chain->sha, block, (size_t)n);
        from += n;
    }
    sha256_hex(chain->sha, chain->head);
    return 0;
}

int hash_chain_resume(struct hash_chain *chain, int fd)
{
    struct stat now;
    char last;
    if (fstat(fd, &now) != 0 || !S_ISREG(now.st_mode) || now.st_size == 0)
        return 0;
    if (pread(fd, &last, 1, now.st_size - 1) != 1)
        return UV_EIO;
    char *block = malloc(BLOCK);
    if (!block)
        return UV_ENOMEM;
    off_t end = last == '\n' ? now.st_size - 1 : now.st_size;
    off_t from = line_start(fd, end, block);
    int err = from < 0 ? (int)from : hash_range(chain, fd, from, end, block);
    free(block);
    return err;
}

void hash_chain_add(struct hash_chain *chain, struct slice line)
{
    sha256_reset(chain->sha);
    sha256_update(chain->sha, line.data, line.len);
    sha256_hex(chain->sha, chain->head);
    chain->records++;
}
