/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody would try who has taken a monitor over: linked into a monitor of its own
 * (module.mk) around jail_close(), so that each attempt is made by a real thread of a real monitor,
 * at the moment at which its jail has closed and no guest has run.
 *
 * The file `attempt` beside the program says what to do, in one line: THREAD HOW NAME. THREAD: loop
 * or vcpu. HOW: "filtered" makes the attempt NAME with the list of system calls in force, which is
 * to kill the process; "unfiltered" leaves the list out and makes all attempts in a row, each of
 * which is to fail by the other rungs alone. Lines "escape: NAME: RESULT" go to standard error.
 * What attempts aim at, the test has put there: TARGET/file, TARGET/socket (a listener), and
 * process 1 of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/confine/jail.h"

#define ANY_FD 2 /* one that is open in every monitor */

static char thread_wanted[8];
static char how[16];
static char name_wanted[32];
static char target[80];
static pid_t victim; /* a process of the test */
static key_t segment;

/* ---- the attempts: 0 or more = it worked, which is an escape ---- */

static const char *path_of(const char *name)
{
    static char path[96];

    snprintf(path, sizeof(path), "%s/%s", target, name);
    return path;
}

static long read_file(void)
{
    return open(path_of("file"), O_RDONLY);
}
static long make_file(void)
{
    return open("/escaped", O_WRONLY | O_CREAT, 0600);
}
static long remove_file(void)
{
    return unlinkat(AT_FDCWD, path_of("file"), 0);
}
static long climb_out(void)
{
    return open("../../../../../../../../etc/passwd", O_RDONLY);
}
static long look_at_processes(void)
{
    return open("/proc/1/status", O_RDONLY);
}
static long connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of("socket"));
    return fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&address, sizeof(address));
}
static long connect_abstract(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path + 1, "microvm-escape");
    return fd < 0 ? -1
                  : connect(fd, (const struct sockaddr *)&address,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 15));
}
static long connect_network(void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htobe16(2022), .sin_addr = {htobe32(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&address, sizeof(address));
}
static long signal_process(void)
{
    return kill(victim, SIGKILL);
}
static long signal_by_descriptor(void)
{
    return fcntl(ANY_FD, F_SETOWN, victim);
}
static long trace_process(void)
{
    return ptrace(PTRACE_ATTACH, victim, NULL, NULL);
}
static long read_memory(void)
{
    char byte;
    struct iovec local = {&byte, 1};
    struct iovec remote = {(void *)0x400000, 1};

    return syscall(SYS_process_vm_readv, victim, &local, 1L, &remote, 1L, 0L);
}
static long shared_memory(void)
{
    return shmget(segment, 1, 0);
}
static long mount_something(void)
{
    return mount("none", "/", "proc", 0, NULL);
}
static long make_device(void)
{
    return mknod("/memory", S_IFCHR | 0600, 1 << 8 | 1);
}
static long load_module(void)
{
    return syscall(SYS_init_module, "", 0L, "");
}
static long set_clock(void)
{
    return syscall(SYS_clock_settime, 0L, &(struct timespec){0, 0});
}
static long set_host_name(void)
{
    return sethostname("escaped", 7);
}
static long execute(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}
static long pass_descriptor(void)
{
    struct msghdr message = {0};

    return sendmsg(ANY_FD, &message, 0);
}
static long make_process(void)
{
    return syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
}
static long make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}

static const struct attempt {
    const char *name;
    long (*make)(void);
    bool only_filtered; /* harmless by itself: the other rungs need not forbid it */
    bool is_safe;       /* may succeed outside of a jail, and is to */
} attempts[] = {
    {"read-file", read_file, false, true},
    {"make-file", make_file, false, false},
    {"remove-file", remove_file, false, false},
    {"climb-out", climb_out, false, true},
    {"look-at-processes", look_at_processes, false, true},
    {"connect-unix", connect_unix, false, true},
    {"connect-abstract", connect_abstract, false, true},
    {"connect-network", connect_network, false, true},
    {"signal-process", signal_process, false, false},
    {"signal-by-descriptor", signal_by_descriptor, false, false},
    {"trace-process", trace_process, false, false},
    {"read-memory", read_memory, false, false},
    {"shared-memory", shared_memory, false, true},
    {"mount", mount_something, false, false},
    {"make-device", make_device, false, false},
    {"load-module", load_module, false, false},
    {"set-clock", set_clock, false, false},
    {"set-host-name", set_host_name, false, false},
    {"execute", execute, false, false},
    {"pass-descriptor", pass_descriptor, true, false},
    {"make-process", make_process, true, false},
    {"make-code", make_code, true, false},
};

static void say(const char *name, const char *result)
{
    char line[128];
    int size = snprintf(line, sizeof(line), "escape: %s: %s\n", name, result);

    (void)!write(STDERR_FILENO, line, (size_t)size);
}

static void make_all(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
        if (attempts[i].only_filtered)
            continue;
        errno = 0;
        say(attempts[i].name, attempts[i].make() < 0 ? strerrorname_np(errno) : "ESCAPED");
    }
    say("all", "done");
    syscall(SYS_exit_group, 0);
}

static void make_one(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
        if (strcmp(attempts[i].name, name_wanted) != 0)
            continue;
        attempts[i].make();
        say(name_wanted, "ALLOWED");
    }
    syscall(SYS_exit_group, 0);
}

int __real_jail_close(const struct syscall_rules *lists, size_t count, struct error *err);
int __wrap_jail_close(const struct syscall_rules *lists, size_t count, struct error *err);

/* A list without accept4(2) is that of a vCPU's thread. */
static const char *thread_of(const struct syscall_rules *lists, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lists[i].count; k++)
            if (lists[i].rules[k].call == SYS_accept4)
                return "loop";
    return "vcpu";
}

int __wrap_jail_close(const struct syscall_rules *lists, size_t count, struct error *err)
{
    int rc;

    if (strcmp(thread_of(lists, count), thread_wanted) != 0)
        return __real_jail_close(lists, count, err);
    if (strcmp(how, "unfiltered") == 0)
        make_all();
    rc = __real_jail_close(lists, count, err);
    if (rc == 0)
        make_one();
    return rc;
}

/* Before main(), while files can be read. */
__attribute__((constructor(101))) static void read_attempt(void)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 16);
    FILE *file;

    if (size < 0)
        return;
    path[size] = '\0';
    strcpy(strrchr(path, '/') + 1, "attempt");
    file = fopen(path, "re");
    if (!file)
        return;
    if (fscanf(file, "%7s %15s %31s %79s %d %d", thread_wanted, how, name_wanted, target, &victim,
               &segment) != 6)
        abort();
    fclose(file);
}

/* Outside of any jail, those work that do no harm: so a failure inside says something. */
static void make_safe(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++)
        if (attempts[i].is_safe && attempts[i].make() < 0)
            say(attempts[i].name, strerrorname_np(errno));
    exit(0);
}

/* `microvm --list`: the names, for the test; `microvm --bare`. */
__attribute__((constructor(102))) static void list_attempts(void)
{
    char line[64] = "";
    FILE *file = fopen("/proc/self/cmdline", "re");

    if (!file)
        return;
    if (fread(line, 1, sizeof(line) - 1, file) > 0 &&
        strcmp(line + strlen(line) + 1, "--list") == 0) {
        for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++)
            puts(attempts[i].name);
        exit(0);
    }
    if (strcmp(line + strlen(line) + 1, "--bare") == 0)
        make_safe();
    fclose(file);
}
