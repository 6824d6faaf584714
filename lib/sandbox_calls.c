/* Which system calls: a seccomp filter, made by libseccomp. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"

#define ARGS_MAX 3

/* An int in argument N: what stands in the upper half of the register is not looked at. */
#define MASKED(n, mask, value)                                                                     \
    {                                                                                              \
        n, SCMP_CMP_MASKED_EQ, mask, value                                                         \
    }
#define INT(n, value) MASKED(n, 0xffffffffU, value)

/* A call that is allowed where all of these hold. */
struct call {
    int number;
    unsigned count;
    struct scmp_arg_cmp args[ARGS_MAX];
};

/* Those that every exchange makes are here: the kernel passes them without running the filter. */
static const int everyone[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
    SCMP_SYS(close), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
    SCMP_SYS(send), SCMP_SYS(recv), SCMP_SYS(futex), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(brk), SCMP_SYS(munmap)};

static const int proxys[] = {
    /* waiting, and time */
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_create1), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep), SCMP_SYS(eventfd2), SCMP_SYS(pipe2),
    /* connections */
    SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(connect), SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    /* files: which ones is for sandbox_files */
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(lseek),
    SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(ftruncate),
    SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(lstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
    /* the same by their names on 32 bits */
    SCMP_SYS(fcntl64), SCMP_SYS(_llseek), SCMP_SYS(ftruncate64), SCMP_SYS(stat64),
    SCMP_SYS(fstat64), SCMP_SYS(lstat64), SCMP_SYS(fstatat64), SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(futex_time64), SCMP_SYS(ppoll_time64),
    SCMP_SYS(ugetrlimit),
    /* memory and threads */
    SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address), SCMP_SYS(sigaltstack), SCMP_SYS(membarrier), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(getrandom),
    /* who and where it is */
    SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(uname), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(sysinfo)};

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
        CLONE_NEWCGROUP)
#define SOCKET_TYPE 0xfU

static const struct call proxys_if[] = {
    {SCMP_SYS(socket), 3, {INT(0, AF_INET), MASKED(1, SOCKET_TYPE, SOCK_STREAM), INT(2, 0)}},
    {SCMP_SYS(socket), 3, {INT(0, AF_INET6), MASKED(1, SOCKET_TYPE, SOCK_STREAM), INT(2, 0)}},
    /* names: to servers, and for the order of addresses; local ones to nscd and systemd-resolved */
    {SCMP_SYS(socket), 3, {INT(0, AF_INET), MASKED(1, SOCKET_TYPE, SOCK_DGRAM), INT(2, 0)}},
    {SCMP_SYS(socket), 3, {INT(0, AF_INET6), MASKED(1, SOCKET_TYPE, SOCK_DGRAM), INT(2, 0)}},
    {SCMP_SYS(socket), 3,
        {INT(0, AF_INET), MASKED(1, SOCKET_TYPE, SOCK_DGRAM), INT(2, IPPROTO_UDP)}},
    {SCMP_SYS(socket), 3,
        {INT(0, AF_INET6), MASKED(1, SOCKET_TYPE, SOCK_DGRAM), INT(2, IPPROTO_UDP)}},
    {SCMP_SYS(socket), 3, {INT(0, AF_UNIX), MASKED(1, SOCKET_TYPE, SOCK_STREAM), INT(2, 0)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_TCP), INT(2, TCP_NODELAY)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_TCP), INT(2, TCP_KEEPIDLE)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_TCP), INT(2, TCP_KEEPINTVL)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_TCP), INT(2, TCP_KEEPCNT)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, SOL_SOCKET), INT(2, SO_KEEPALIVE)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, SOL_SOCKET), INT(2, SO_LINGER)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_IP), INT(2, IP_RECVERR)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_IP), INT(2, IP_MTU_DISCOVER)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_IPV6), INT(2, IPV6_RECVERR)}},
    {SCMP_SYS(ioctl), 1, {INT(1, FIONBIO)}},
    {SCMP_SYS(ioctl), 1, {INT(1, FIOCLEX)}},
    {SCMP_SYS(ioctl), 1, {INT(1, FIONREAD)}},
    {SCMP_SYS(ioctl), 1, {INT(1, TCGETS)}},
    /* no memory that was written is run; but a file may be, as names may need a library late */
    {SCMP_SYS(mprotect), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mmap), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mmap), 2,
        {MASKED(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), MASKED(3, MAP_ANONYMOUS, 0)}},
    {SCMP_SYS(mmap2), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mmap2), 2,
        {MASKED(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), MASKED(3, MAP_ANONYMOUS, 0)}},
    {SCMP_SYS(clone), 1, {MASKED(0, CLONE_THREAD | NAMESPACES, CLONE_THREAD)}},
    {SCMP_SYS(prlimit64), 2, {INT(0, 0), {2, SCMP_CMP_EQ, 0, 0}}}, /* it is asked, not set */
    {SCMP_SYS(fchmod), 1, {INT(1, 0600)}},                         /* the key log's own */
    {SCMP_SYS(rt_sigaction), 1, {{0, SCMP_CMP_NE, SIGSYS, 0}}},
};

static const struct call tproxys_if[] = {
    {SCMP_SYS(bind), 0, {{0, 0, 0, 0}}},
    {SCMP_SYS(setsockopt), 2, {INT(1, SOL_SOCKET), INT(2, SO_REUSEADDR)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_IPV6), INT(2, IPV6_V6ONLY)}},
};

static const struct call brokers_if[] = {
    {SCMP_SYS(socket), 3, {INT(0, AF_INET), MASKED(1, SOCKET_TYPE, SOCK_STREAM), INT(2, 0)}},
    {SCMP_SYS(socket), 3, {INT(0, AF_INET6), MASKED(1, SOCKET_TYPE, SOCK_STREAM), INT(2, 0)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_IP), INT(2, IP_TRANSPARENT)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, IPPROTO_IPV6), INT(2, IPV6_TRANSPARENT)}},
    {SCMP_SYS(setsockopt), 2, {INT(1, SOL_SOCKET), INT(2, SO_REUSEADDR)}},
};

/* What only an intruder would do. */
static const int deadly[] = {
    /* other programs and processes */
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp), SCMP_SYS(kill),
    SCMP_SYS(tkill), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
    /* namespaces and what is mounted */
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
    SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at),
    /* the kernel itself */
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(init_module),
    SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(syslog),
    SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key),
    /* other users, and other servers */
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
    SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),
    SCMP_SYS(capset), SCMP_SYS(listen)};

const char *sandbox_excuse(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    return "this program was built with sanitizers";
#else
    return NULL;
#endif
}

/* SIGSYS is blocked while this runs, and comes again with its default action when it returns. */
static void on_forbidden(int number, siginfo_t *info, void *context)
{
    (void)context;
    log_error("the sandbox ends it: system call %d is none that it makes, so somebody else has got "
              "in, or this is a fault of ours",
        info->si_syscall);
    (void)raise(number);
}

static int add_plain(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int err = 0;
    for (size_t i = 0; !err && i < count; i++)
        err = seccomp_rule_add_array(filter, action, calls[i], 0, NULL);
    return err;
}

static int add_calls(scmp_filter_ctx filter, const struct call *calls, size_t count)
{
    int err = 0;
    for (size_t i = 0; !err && i < count; i++)
        err = seccomp_rule_add_array(
            filter, SCMP_ACT_ALLOW, calls[i].number, calls[i].count, calls[i].args);
    return err;
}

/* abort() sends itself a signal; a process is a clone that is no thread. */
static int add_common(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp own = INT(0, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp process = MASKED(0, CLONE_THREAD, 0);
    int err = add_plain(filter, SCMP_ACT_ALLOW, everyone, sizeof everyone / sizeof everyone[0]);
    if (!err)
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own);
    if (!err)
        err = seccomp_rule_add_array(filter, SCMP_ACT_TRAP, SCMP_SYS(clone), 1, &process);
    if (!err)
        err = add_plain(filter, SCMP_ACT_TRAP, deadly, sizeof deadly / sizeof deadly[0]);
    return err;
}

static int add_role(scmp_filter_ctx filter, enum sandbox_role role)
{
    if (role == SANDBOX_BROKER)
        return add_calls(filter, brokers_if, sizeof brokers_if / sizeof brokers_if[0]);
    int err = add_plain(filter, SCMP_ACT_ALLOW, proxys, sizeof proxys / sizeof proxys[0]);
    if (!err)
        err = add_calls(filter, proxys_if, sizeof proxys_if / sizeof proxys_if[0]);
    if (!err && role == SANDBOX_TPROXY)
        err = add_calls(filter, tproxys_if, sizeof tproxys_if / sizeof tproxys_if[0]);
    return err;
}

/*
 * Without the kernel's guard against speculation, which before Linux 5.16 a filter turns on and
 * which slows everything down: no foreign code runs in here.
 */
static int load(scmp_filter_ctx filter)
{
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own error */
    int err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    return err ? err : seccomp_load(filter);
}

int sandbox_begin(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return -ENOMEM;
    int err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    if (!err)
        err = load(filter);
    seccomp_release(filter);
    return err;
}

int sandbox_calls(enum sandbox_role role)
{
    struct sigaction action = {
        .sa_sigaction = on_forbidden,
        .sa_flags = SA_SIGINFO | (int)SA_RESETHAND,
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return -ENOMEM;
    int err = add_common(filter);
    if (!err)
        err = add_role(filter, role);
    if (!err && sigaction(SIGSYS, &action, NULL) != 0)
        err = -errno;
    if (!err)
        err = load(filter);
    seccomp_release(filter);
    return err;
}
