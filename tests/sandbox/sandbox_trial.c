/*
 * sandbox_trial ROLE ATTEMPT [FILE]: enters the sandbox of ROLE (none, begun, proxy, tproxy,
 * broker), does one thing, and prints what came of it: done, or the name of the error. The proxy's
 * rules are in rules/, its log in log/.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/process.h"
#include "mitm_proxy/confinement.h"

#define STREAM_FD 8 /* a TCP socket that was open before */
#define FILE_FD 9   /* log/x.ndjson, so, too */
#define X32 0x40000000L
#define CALLS 1000000

/* What takes more than one call. 0, or -1 with errno. */
struct deed {
    const char *name;
    int (*act)(const char *file);
};

/* FILE stands for the word of the command line. */
struct call {
    const char *name;
    long number;
    long args[5];
    bool takes_file; /* as its first argument */
};

static int do_nothing(const char *file)
{
    (void)file;
    return 0;
}

static int do_exec(const char *file)
{
    char *const argv[] = {(char[]){"echo"}, (char[]){"done"}, NULL};
    (void)fflush(stdout);
    (void)file;
    return execv("/bin/echo", argv);
}

static int do_fork(const char *file)
{
    (void)file;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static void *in_thread(void *arg)
{
    return arg;
}

static int do_thread(const char *file)
{
    pthread_t thread;
    (void)file;
    errno = pthread_create(&thread, NULL, in_thread, NULL);
    return errno ? -1 : pthread_join(thread, NULL);
}

static int do_read(const char *file)
{
    char byte;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    return fd < 0 || read(fd, &byte, 1) < 0 ? -1 : 0;
}

static int do_write(const char *file)
{
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 ? -1 : 0;
}

static int do_list(const char *file)
{
    DIR *folder = opendir(file);
    return folder && readdir(folder) ? 0 : -1;
}

static int do_rename(const char *file)
{
    return rename(file, "log/elsewhere");
}

static int do_run_memory(const char *file)
{
    (void)file;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? -1 : mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

static int map_file(const char *file, int protection)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    return fd < 0 || mmap(NULL, 1, protection, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

static int do_map_library(const char *file)
{
    return map_file(file, PROT_READ | PROT_EXEC);
}

static int do_map_writable_library(const char *file)
{
    return map_file(file, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int do_names(const char *file)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    (void)file;
    int err = getaddrinfo("localhost", "80", &hints, &found);
    if (err)
        printf("%s ", gai_strerror(err));
    return err ? -1 : 0;
}

static int do_catch(const char *file)
{
    (void)file;
    return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1 : 0;
}

static int do_bind(const char *file)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)file;
    return bind(STREAM_FD, (struct sockaddr *)&any, sizeof any);
}

static int do_connect(const char *file)
{
    struct sockaddr_in port = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)file;
    return connect(STREAM_FD, (struct sockaddr *)&port, sizeof port);
}

static int set_option(int level, int option)
{
    int one = 1;
    return setsockopt(STREAM_FD, level, option, &one, sizeof one);
}

static int do_mark(const char *file)
{
    (void)file;
    return set_option(SOL_SOCKET, SO_MARK);
}

static int do_transparent(const char *file)
{
    (void)file;
    return set_option(IPPROTO_IP, IP_TRANSPARENT);
}

static int do_limit(const char *file)
{
    struct rlimit limit = {10, 10};
    (void)file;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static int do_abort(const char *file)
{
    (void)file;
    abort();
}

static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* What a call costs without a condition on its arguments, and with one. */
static int do_cost(const char *file)
{
    double start = cpu_ns();
    (void)file;
    for (int i = 0; i < CALLS; i++)
        (void)syscall(SYS_read, -1, 0, 0);
    double between = cpu_ns();
    for (int i = 0; i < CALLS; i++)
        (void)set_option(IPPROTO_TCP, TCP_NODELAY);
    printf("read %.0f ns, setsockopt %.0f ns ", (between - start) / CALLS,
        (cpu_ns() - between) / CALLS);
    return 0;
}

static const struct deed deeds[] = {
    {"nothing", do_nothing},
    {"exec", do_exec},
    {"fork", do_fork},
    {"thread", do_thread},
    {"read", do_read},
    {"write", do_write},
    {"list", do_list},
    {"rename", do_rename},
    {"run-memory", do_run_memory},
    {"map-library", do_map_library},
    {"map-writable-library", do_map_writable_library},
    {"names", do_names},
    {"catch", do_catch},
    {"bind", do_bind},
    {"connect", do_connect},
    {"mark", do_mark},
    {"transparent", do_transparent},
    {"limit", do_limit},
    {"abort", do_abort},
    {"cost", do_cost},
};

/* With arguments that do no harm where they are let through. */
static const struct call calls[] = {
    {"clone", SYS_clone, {CLONE_SIGHAND}, false},
    {"clone-user", SYS_clone, {CLONE_THREAD | CLONE_NEWUSER}, false},
    {"clone3", SYS_clone3, {0, 0}, false},
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME}, false},
    {"peek", SYS_process_vm_readv, {1, 0, 0, 0, 0}, false},
    {"poke", SYS_process_vm_writev, {1, 0, 0, 0, 0}, false},
    {"kill", SYS_kill, {1, 0}, false},
    {"tgkill", SYS_tgkill, {1, 1, 0}, false},
    {"pidfd", SYS_pidfd_open, {1, 0}, false},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}, false},
    {"setns", SYS_setns, {-1, 0}, false},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}, false},
    {"umount", SYS_umount2, {0, 0}, false},
    {"chroot", SYS_chroot, {0}, true},
    {"pivot-root", SYS_pivot_root, {0, 0}, false},
    {"handle", SYS_open_by_handle_at, {-1, 0, 0}, false},
    {"bpf", SYS_bpf, {0, 0, 0}, false},
    {"perf", SYS_perf_event_open, {0, 0, 0, 0, 0}, false},
    {"userfault", SYS_userfaultfd, {-1}, false},
    {"module", SYS_finit_module, {-1, 0, 0}, false},
    {"kexec", SYS_kexec_load, {0, -1, 0, -1}, false},
    {"keys", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0}, false},
    {"uring", SYS_io_uring_setup, {0, 0}, false},
    {"setuid", SYS_setuid, {65534}, false},
    {"setgroups", SYS_setgroups, {0, 0}, false},
    {"capset", SYS_capset, {0, 0}, false},
    {"listen", SYS_listen, {STREAM_FD, 1}, false},
    {"tcp", SYS_socket, {AF_INET, SOCK_STREAM, 0}, false},
    {"tcp6", SYS_socket, {AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0}, false},
    {"udp", SYS_socket, {AF_INET, SOCK_DGRAM, 0}, false},
    {"unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, false},
    {"packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, false},
    {"raw", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}, false},
    {"ping", SYS_socket, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, false},
    {"mptcp", SYS_socket, {AF_INET, SOCK_STREAM, 262}, false},
    {"netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, false},
    {"algorithm", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, false},
    {"vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, false},
    {"unlink", SYS_unlink, {0}, true},
    {"mkdir", SYS_mkdir, {0, 0700}, true},
    {"mknod", SYS_mknod, {0, S_IFIFO | 0600, 0}, true},
    {"truncate", SYS_truncate, {0, 0}, true},
    {"chmod", SYS_chmod, {0, 0777}, true},
    {"chown", SYS_chown, {0, 0, 0}, true},
    {"fchmod-all", SYS_fchmod, {FILE_FD, 0777}, false},
    {"fchmod-own", SYS_fchmod, {FILE_FD, 0600}, false},
    {"anonymous-code", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}, false},
    {"type", SYS_ioctl, {STREAM_FD, TIOCSTI, 0}, false},
    {"dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}, false},
    {"personality", SYS_personality, {0xffffffff}, false},
    {"memfd", SYS_memfd_create, {0, 0}, false},
    {"x32", X32 | SYS_getpid, {0}, false},
    {"unknown", 10000, {0}, false},
};

/* What is open stays open, at numbers that the table knows. */
static bool prepare(const char *role)
{
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int file = open("log/x.ndjson", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (dup2(stream, STREAM_FD) < 0 || dup2(file, FILE_FD) < 0)
        return false;
    struct confinement in_force;
    struct proxy_options options = {
        .sandbox = SANDBOX_REQUIRE,
        .rules = "rules/rules.json",
        .exchange_log = "log/x.ndjson",
        .proxy.tproxy = strcmp(role, "tproxy") == 0,
    };
    if (strcmp(role, "none") == 0)
        return true;
    confine_begin(SANDBOX_REQUIRE);
    if (strcmp(role, "begun") == 0)
        return true;
    if (strcmp(role, "broker") == 0)
        return confine_broker(SANDBOX_REQUIRE) == 0;
    return confine(&in_force, &options) == 0;
}

static long attempt(const char *name, const char *file)
{
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        if (strcmp(deeds[i].name, name) == 0)
            return deeds[i].act(file);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const long *args = calls[i].args;
        if (strcmp(calls[i].name, name) == 0)
            return syscall(calls[i].number, calls[i].takes_file ? (long)file : args[0], args[1],
                args[2], args[3], args[4]);
    }
    printf("no such attempt: ");
    errno = EINVAL;
    return -1;
}

int main(int argc, char **argv)
{
    log_init("sandbox_trial");
    process_init();
    if (argc < 3 || !prepare(argv[1]))
        return 2;
    errno = 0;
    bool done = attempt(argv[2], argv[3]) >= 0;
    printf("%s\n", done ? "done" : strerrorname_np(errno));
    return 0;
}
