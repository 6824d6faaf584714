#include "mitm_proxy/confinement.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/own_file.h"
#include "lib/sandbox.h"
#include "lib/sha256.h"

#define PATHS_MAX 64
#define TEXT_MAX 8192

/* Each may be gone, or come later: then the one that it is in counts. */
static const char *const always[] = {
    /* names: getaddrinfo, its configuration, and the libraries that nsswitch.conf wants */
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf",
    "/etc/services", "/etc/ld.so.cache", "/run/systemd/resolve", "/run/resolvconf",
    "/run/NetworkManager", "/run/nscd", "/lib", "/lib64", "/usr/lib", "/usr/lib64",
    "/usr/local/lib",
    /* the local time */
    "/etc/localtime", "/usr/share/zoneinfo"};

/* Certificates are looked up here one by one while upstreams are verified. */
static const char *const trusted[] = {
    "/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"};

struct paths {
    struct sandbox_path list[PATHS_MAX];
    size_t count;
    char text[TEXT_MAX]; /* of those that are made here */
    size_t used;
    bool full;
};

static void add(struct paths *paths, const char *path, enum sandbox_access access)
{
    paths->full = paths->full || paths->count == PATHS_MAX;
    if (!paths->full)
        paths->list[paths->count++] = (struct sandbox_path){path, access};
}

/* A copy of the first LEN bytes. */
static char *copy(struct paths *paths, const char *path, size_t len)
{
    char *out = paths->text + paths->used;
    paths->full = paths->full || len >= TEXT_MAX - paths->used;
    if (paths->full)
        return NULL;
    memcpy(out, path, len);
    out[len] = '\0';
    paths->used += len + 1;
    return out;
}

static void add_folder_of(struct paths *paths, const char *path, enum sandbox_access access)
{
    char *folder = path ? copy(paths, path, strlen(path)) : NULL;
    if (folder)
        add(paths, dirname(folder), access);
}

/* A pipe or a device is not begun anew. */
static void add_written(struct paths *paths, const char *path)
{
    struct stat what;
    if (path && !own_file_is_descriptor(path) && (stat(path, &what) != 0 || S_ISREG(what.st_mode)))
        add_folder_of(paths, path, SANDBOX_WRITE);
}

static void add_each(struct paths *paths, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(paths, list[i], SANDBOX_READ);
}

/* Where OpenSSL looks for certificates, "A:B", if not in its own folder. */
static void add_trusted(struct paths *paths)
{
    add_each(paths, trusted, sizeof trusted / sizeof trusted[0]);
    for (const char *at = getenv("SSL_CERT_DIR"); at && *at;) {
        size_t len = strcspn(at, ":");
        const char *folder = copy(paths, at, len);
        if (folder)
            add(paths, folder, SANDBOX_READ);
        at += len + (at[len] == ':');
    }
}

/* From here libpcap reads what the interface dropped. */
static void add_statistics(struct paths *paths, const char *interface)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "/sys/class/net/%s/statistics", interface);
    const char *statistics = len < PATH_MAX ? copy(paths, path, (size_t)len) : NULL;
    if (statistics)
        add(paths, statistics, SANDBOX_READ);
}

/*
 * All of /etc, as its files are often replaced by others, which is then another file to the kernel.
 * What is not for everybody is kept from the proxy by its user, unless that is root.
 */
static void collect(struct paths *paths, const struct proxy_options *options)
{
    bool wire = options->pcap && options->pcap_source == PCAP_SOURCE_WIRE;
    add_each(paths, always, sizeof always / sizeof always[0]);
    if (geteuid() != 0)
        add(paths, "/etc", SANDBOX_READ);
    add_trusted(paths);
    if (wire)
        add_statistics(paths, options->pcap_interface);
    add_folder_of(paths, options->rules, SANDBOX_READ);
    add_written(paths, options->exchange_log);
    add_written(paths, options->pcap);
    add_written(paths, options->tls.keylog);
}

/* What is read once, at its first use, is used: OpenSSL's configuration and the time zone. */
static void read_early(void)
{
    struct sha256 *digest = sha256_new();
    sha256_free(digest);
    tzset();
}

/* ERR is of PART, which would keep it from WHAT. 0 where that may be. */
static int lacking(enum sandbox_wish wish, const char *part, int err, const char *what)
{
    const char *why = err == UV_ENOSYS || err == UV_ENOTSUP ? "this kernel has none"
                      : err == UV_EPERM                     ? "it is not permitted here"
                                                            : uv_strerror(err);
    if (wish == SANDBOX_REQUIRE)
        log_error("--sandbox require: %s: %s", part, why);
    else
        log_info("goes on without %s, which would keep it from %s: %s", part, what, why);
    return wish == SANDBOX_REQUIRE ? UV_ENOTSUP : 0;
}

/* True: there is to be one, and there may be. */
static bool is_wanted(enum sandbox_wish wish, int *err)
{
    const char *excuse = sandbox_excuse();
    *err = 0;
    if (wish == SANDBOX_OFF || !excuse)
        return wish != SANDBOX_OFF;
    if (wish == SANDBOX_REQUIRE) {
        log_error("--sandbox require: %s", excuse);
        *err = UV_ENOTSUP;
    } else {
        log_info("goes on without a sandbox: %s", excuse);
    }
    return false;
}

void confine_begin(enum sandbox_wish wish)
{
    if (wish != SANDBOX_OFF && !sandbox_excuse())
        (void)sandbox_begin(); /* what it fails at, confine does, too, and says it */
}

int confine(struct confinement *in_force, const struct proxy_options *options)
{
    static struct paths paths;
    bool binds = options->proxy.tproxy;
    int err;
    *in_force = (struct confinement){false, 0};
    if (!is_wanted(options->sandbox, &err))
        return err;
    read_early();
    collect(&paths, options);
    int version = paths.full ? UV_E2BIG : sandbox_files(paths.list, paths.count, binds);
    if (version > 0)
        in_force->files = version;
    else
        err = lacking(options->sandbox, "Landlock", version, "other files");
    if (err)
        return err;
    int calls = sandbox_calls(binds ? SANDBOX_TPROXY : SANDBOX_PROXY);
    in_force->calls = calls == 0;
    return calls == 0 ? 0 : lacking(options->sandbox, "seccomp", calls, "other system calls");
}

int confine_broker(enum sandbox_wish wish)
{
    if (wish == SANDBOX_OFF || sandbox_excuse())
        return 0;
    int version = sandbox_files(NULL, 0, false);
    int calls = sandbox_calls(SANDBOX_BROKER);
    if (wish != SANDBOX_REQUIRE)
        return 0; /* the proxy will say what there is not */
    int err = version < 0 ? lacking(wish, "Landlock", version, NULL) : 0;
    return err || calls == 0 ? err : lacking(wish, "seccomp", calls, NULL);
}
