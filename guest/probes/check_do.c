/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of what can be done from inside, without side effects: with arguments with which success
 * changes nothing, or which the kernel refuses after it has checked the permission.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* wants a struct sockaddr */

#include "guest/probes/check.h"

static void set_call(struct fact *fact, long call, long first, long second)
{
    fact->call = call;
    fact->arguments[0] = first;
    fact->arguments[1] = second;
}

/* Opened for writing and closed again: nothing is written. */
static void open_for_writing(const char *path, struct fact *fact)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    snprintf(fact->path, sizeof(fact->path), "%s", path);
    fact_set_result(fact, fd);
    if (fd >= 0)
        close(fd);
}

/* ---- kernel ---------------------------------------------------------------------------------- */

/* ADJ_TICK with a tick of 0 is out of range, which the kernel checks after the capability. */
void check_clock(const struct check_context *context, struct fact *fact)
{
    struct timex change = {.modes = ADJ_TICK, .tick = 0};

    (void)context;
    set_call(fact, SYS_adjtimex, 0, 0);
    fact->capability = CAP_SYS_TIME;
    fact_set_result_unless(fact, syscall(SYS_adjtimex, &change), EINVAL);
}

/* To its present name. */
void check_set_hostname(const struct check_context *context, struct fact *fact)
{
    struct utsname names;

    (void)context;
    set_call(fact, SYS_sethostname, 0, 0);
    fact->capability = CAP_SYS_ADMIN;
    if (uname(&names) == 0)
        fact_set_result(fact, sethostname(names.nodename, strlen(names.nodename)));
}

/* An empty module is refused. */
void check_module(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_call(fact, SYS_init_module, 0, 0);
    fact->capability = CAP_SYS_MODULE;
    fact_set_result_unless(fact, syscall(SYS_init_module, NULL, 0UL, ""), ENOEXEC);
}

/* With wrong magic numbers. */
void check_reboot(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_call(fact, SYS_reboot, 0, 0);
    fact->capability = CAP_SYS_BOOT;
    fact_set_result_unless(fact, syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL);
}

void check_sysctl(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_for_writing("/proc/sys/kernel/panic", fact);
}

void check_sysrq(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_for_writing("/proc/sysrq-trigger", fact);
}

void check_cgroup_write(const struct check_context *context, struct fact *fact)
{
    static const char *const paths[] = {
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/pids/cgroup.procs",
        "/sys/fs/cgroup/memory/cgroup.procs",
    };

    (void)context;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        open_for_writing(paths[i], fact);
        if (fact->error != ENOENT)
            return;
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

static bool has_target(const struct check_context *context, struct fact *fact)
{
    if (context->outside <= 0)
        fact_set_text(fact, "no process of the host was given");
    return context->outside > 0;
}

void check_signal(const struct check_context *context, struct fact *fact)
{
    set_call(fact, SYS_kill, context->outside, 0);
    fact->capability = CAP_KILL;
    if (has_target(context, fact))
        fact_set_result(fact, kill(context->outside, 0));
}

/* Seizes it without stopping it; the end of this process releases it. */
void check_ptrace(const struct check_context *context, struct fact *fact)
{
    set_call(fact, SYS_ptrace, PTRACE_SEIZE, context->outside);
    fact->capability = CAP_SYS_PTRACE;
    if (has_target(context, fact))
        fact_set_result(fact, ptrace(PTRACE_SEIZE, context->outside, NULL, NULL));
}

/* ---- namespaces and mounts ------------------------------------------------------------------- */

static void unshare_one(int flag, struct fact *fact)
{
    set_call(fact, SYS_unshare, flag, 0);
    fact->capability = flag == CLONE_NEWUSER ? -1 : CAP_SYS_ADMIN;
    fact_set_result(fact, unshare(flag));
}

#define NAMESPACE_CHECK(name, flag)                                                                \
    void check_namespace_##name(const struct check_context *context, struct fact *fact)            \
    {                                                                                              \
        (void)context;                                                                             \
        unshare_one(flag, fact);                                                                   \
    }
NAMESPACE_CHECK(user, CLONE_NEWUSER)
NAMESPACE_CHECK(mount, CLONE_NEWNS)
NAMESPACE_CHECK(pid, CLONE_NEWPID)
NAMESPACE_CHECK(net, CLONE_NEWNET)
NAMESPACE_CHECK(uts, CLONE_NEWUTS)
NAMESPACE_CHECK(ipc, CLONE_NEWIPC)
NAMESPACE_CHECK(cgroup, CLONE_NEWCGROUP)
NAMESPACE_CHECK(time, CLONE_NEWTIME)

/* Into the namespace of this process. */
void check_setns(const struct check_context *context, struct fact *fact)
{
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

    (void)context;
    set_call(fact, SYS_setns, fd, CLONE_NEWUTS);
    fact->capability = CAP_SYS_ADMIN;
    fact_set_result(fact, fd < 0 ? -1 : setns(fd, CLONE_NEWUTS));
}

/* A type of file system that no kernel has. */
void check_mount(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_call(fact, SYS_mount, 0, 0);
    fact->capability = CAP_SYS_ADMIN;
    fact_set_result_unless(fact, mount("none", "/", "microvm-none", 0, NULL), ENODEV);
}

static long make_directory(char *path, size_t size)
{
    static const char *const places[] = {"/dev/shm", "/tmp", "/run", "/"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, size, "%s/microvm-probe-root", places[i]);
        if (mkdir(path, 0700) == 0)
            return 0;
    }
    return -1;
}

/* The known escape: keep a directory open, change the root below it, go up. Reports where it ends.
 */
void check_chroot(const struct check_context *context, struct fact *fact)
{
    int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char path[64];
    struct stat status;

    (void)context;
    set_call(fact, SYS_chroot, 0, 0);
    fact->capability = CAP_SYS_CHROOT;
    if (make_directory(path, sizeof(path)) < 0) {
        fact_set_text(fact, "cannot make a directory: %s", strerror(errno));
        return;
    }
    fact_set_result(fact, chroot(path));
    if (fact->outcome == FACT_ALLOWED && fchdir(top) == 0) {
        for (int i = 0; i < 64; i++)
            if (chdir("..") < 0)
                break;
        if (chroot(".") == 0 && stat("/", &status) == 0)
            fact_set_text(fact, "root %llu:%llu", (unsigned long long)status.st_dev,
                          (unsigned long long)status.st_ino);
        rmdir(path);
    } else {
        rmdir(path);
    }
}

/* A type of handle that no file system makes: with the capability, the kernel finds it stale. */
void check_file_handle(const struct check_context *context, struct fact *fact)
{
    struct {
        unsigned bytes;
        int type;
        unsigned char data[8];
    } handle = {.bytes = 8, .type = 0xfe};
    int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)context;
    set_call(fact, SYS_open_by_handle_at, top, 0);
    fact->capability = CAP_DAC_READ_SEARCH;
    fact_set_result_unless(fact, syscall(SYS_open_by_handle_at, top, &handle, O_RDONLY), ESTALE);
}

/* ---- interfaces with past vulnerabilities ---------------------------------------------------- */

void check_keyctl(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_call(fact, SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING);
    fact_set_result_unless(
        fact, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), ENOKEY);
}

/* Reads the number of a loaded program, and does not open it. */
void check_bpf(const struct check_context *context, struct fact *fact)
{
    union bpf_attr attributes;

    (void)context;
    memset(&attributes, 0, sizeof(attributes));
    set_call(fact, SYS_bpf, BPF_PROG_GET_NEXT_ID, 0);
    fact->capability = CAP_SYS_ADMIN;
    fact_set_result_unless(
        fact, syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attributes, sizeof(attributes)), ENOENT);
}

/* A counter that counts nothing, for this process including its time in the kernel. */
void check_perf(const struct check_context *context, struct fact *fact)
{
    struct perf_event_attr attributes;
    long fd;

    (void)context;
    memset(&attributes, 0, sizeof(attributes));
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof(attributes);
    attributes.config = PERF_COUNT_SW_DUMMY;
    attributes.disabled = 1;
    set_call(fact, SYS_perf_event_open, 0, 0);
    fact->capability = CAP_PERFMON;
    fd = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    fact_set_result(fact, fd);
    if (fd >= 0)
        close((int)fd);
}

void check_userfaultfd(const struct check_context *context, struct fact *fact)
{
    long fd;

    (void)context;
    set_call(fact, SYS_userfaultfd, O_CLOEXEC, 0);
    fact->capability = CAP_SYS_PTRACE;
    fd = syscall(SYS_userfaultfd, O_CLOEXEC);
    fact_set_result(fact, fd);
    if (fd >= 0)
        close((int)fd);
}

void check_io_uring(const struct check_context *context, struct fact *fact)
{
    struct io_uring_params parameters;
    long fd;

    (void)context;
    memset(&parameters, 0, sizeof(parameters));
    set_call(fact, SYS_io_uring_setup, 1, 0);
    fd = syscall(SYS_io_uring_setup, 1, &parameters);
    fact_set_result(fact, fd);
    if (fd >= 0)
        close((int)fd);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void open_socket(int family, int type, int protocol, int capability, struct fact *fact)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);

    set_call(fact, SYS_socket, family, type | SOCK_CLOEXEC);
    fact->arguments[2] = protocol;
    fact->capability = capability;
    fact_set_result(fact, fd);
    if (fd >= 0)
        close(fd);
}

void check_raw_socket(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP, CAP_NET_RAW, fact);
}

/* Protocol 0: it receives no frame. */
void check_packet_socket(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_socket(AF_PACKET, SOCK_RAW, 0, CAP_NET_RAW, fact);
}

void check_netlink_socket(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_socket(AF_NETLINK, SOCK_RAW, 0, -1, fact);
}

void check_vsock(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_socket(AF_VSOCK, SOCK_STREAM, 0, -1, fact);
}

/* ---- devices --------------------------------------------------------------------------------- */

/*
 * Makes a node and opens it, without reading or writing. The path of the fact is that of the node,
 * so that its mount shows whether device nodes are allowed on it.
 */
static void open_device(mode_t kind, unsigned major_number, unsigned minor_number, int flags,
                        struct fact *fact)
{
    static const char *const places[] = {"/dev", "/dev/shm", "/tmp", "/run", ""};
    int fd;
    int error = 0;

    set_call(fact, SYS_mknodat, AT_FDCWD, 0);
    fact->capability = CAP_MKNOD;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(fact->path, sizeof(fact->path), "%s/microvm-probe-node", places[i]);
        if (mknodat(AT_FDCWD, fact->path, kind | 0600, makedev(major_number, minor_number)) == 0) {
            error = 0;
            break;
        }
        error = errno;
        if (error != EROFS && error != ENOENT)
            break;
    }
    if (error) {
        errno = error;
        fact_set_result(fact, -1);
        fact_set_text(fact, "mknod");
        return;
    }
    fd = open(fact->path, flags | O_CLOEXEC | O_NONBLOCK);
    fact_set_result(fact, fd);
    if (fd < 0) {
        fact_set_text(fact, "open");
        set_call(fact, SYS_openat, 0, 0);
    }
    unlink(fact->path);
    if (fd >= 0)
        close(fd);
}

void check_mem(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_device(S_IFCHR, 1, 1, O_RDONLY, fact);
}

void check_kmsg(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_device(S_IFCHR, 1, 11, O_RDONLY, fact);
}

void check_block_device(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_device(S_IFBLK, 7, 0, O_RDONLY, fact);
}

void check_kvm(const struct check_context *context, struct fact *fact)
{
    (void)context;
    open_device(S_IFCHR, 10, 232, O_RDWR, fact);
}
