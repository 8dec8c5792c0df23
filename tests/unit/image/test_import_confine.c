/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The confinement of the import, tested by attempts to escape. Each attempt runs in a child, since
 * confinement cannot be undone; all of them as the caller, and again as nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/image/import/confine.h"

#define NOBODY 65534

/* The descriptors of the confined process: those of microvm-import, with other numbers. */
struct cell {
    char directory[64]; /* outside: for instance the store */
    char secret[96];    /* a file of it */
    int source;         /* opened for reading and writing, as a careless caller would */
    int channel;
    int file; /* of the import */
    pid_t parent;
};

static struct cell cell;

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

/* The call fails, with EPERM from the filter or another error of the kernel. */
#define DENIED(call)                                                                               \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if ((call) >= 0 || (errno != EPERM && errno != EACCES))                                    \
            return __LINE__;                                                                       \
    } while (0)

static int parse_cage(void)
{
    REQUIRE(confine_to_reading(-1, NULL) == 0);
    REQUIRE(confine_to_parsing(cell.channel, cell.source, NULL) == 0);
    return 0;
}

static int check_files(void)
{
    int rc = parse_cage();

    REQUIRE(rc == 0);
    DENIED(open("/etc/passwd", O_RDONLY));
    DENIED(open(cell.secret, O_WRONLY));
    DENIED(open(cell.secret, O_RDONLY | O_PATH));
    DENIED(openat(cell.source, ".", O_RDONLY));
    DENIED(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0));
    DENIED(open("/tmp", O_TMPFILE | O_RDWR, 0600));
    DENIED(unlink(cell.secret));
    DENIED(rename(cell.secret, "/tmp/x"));
    DENIED(syscall(SYS_renameat2, AT_FDCWD, cell.secret, AT_FDCWD, "/tmp/x", 0));
    DENIED(link(cell.secret, "/tmp/x"));
    DENIED(syscall(SYS_linkat, cell.file, "", AT_FDCWD, "/tmp/x", AT_EMPTY_PATH));
    DENIED(symlink("x", "/tmp/x"));
    DENIED(mkdir("/tmp/x", 0700));
    DENIED(mkfifo("/tmp/x", 0600));
    DENIED(truncate(cell.secret, 0));
    DENIED(chmod(cell.secret, 0777));
    DENIED(fchmod(cell.file, 04755));
    DENIED(fchown(cell.file, 1, 1));
    DENIED(chroot("/"));
    DENIED(chdir("/"));
    DENIED(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
    DENIED(syscall(SYS_open_tree, AT_FDCWD, "/", 0));
    DENIED(fsetxattr(cell.file, "user.x", "y", 1, 0));
    DENIED(ioctl(cell.file, 0x5401));
    DENIED(syscall(SYS_memfd_create, "x", 0));
    DENIED(syscall(SYS_io_uring_setup, 1, NULL));
    DENIED(flock(cell.file, 2));
    /* Its allowed work. */
    REQUIRE(write(cell.file, "x", 1) == 1);
    REQUIRE(pwrite(cell.file, "x", 1, 5) == 1);
    REQUIRE(ftruncate(cell.file, 0) == 0);
    return 0;
}

/* The source cannot be written, even if the descriptor would allow it. */
static int check_source(void)
{
    char byte;
    int rc = parse_cage();

    REQUIRE(rc == 0);
    REQUIRE(read(cell.source, &byte, 1) == 1);
    DENIED(write(cell.source, "x", 1));
    DENIED(pwrite(cell.source, "x", 1, 0));
    DENIED(ftruncate(cell.source, 0));
    DENIED(dup(cell.source));
    DENIED(dup2(cell.source, 100));
    DENIED(fcntl(cell.source, F_DUPFD_CLOEXEC, 0));
    DENIED(fcntl(cell.source, F_SETFL, O_ASYNC));
    DENIED(fallocate(cell.source, 0, 0, 1));
    DENIED(syscall(SYS_sendfile, cell.source, cell.file, NULL, 1));
    DENIED(syscall(SYS_splice, cell.file, NULL, cell.source, NULL, 1, 0));
    return 0;
}

static int check_processes(void)
{
    struct rlimit limit;
    char *const arguments[] = {(char *)"true", NULL};
    int rc = parse_cage();

    REQUIRE(rc == 0);
    DENIED(kill(cell.parent, SIGSTOP));
    DENIED(kill(getpid(), 0));
    DENIED(syscall(SYS_tgkill, cell.parent, cell.parent, SIGTERM));
    DENIED(syscall(SYS_tkill, cell.parent, SIGTERM));
    DENIED(syscall(SYS_rt_sigqueueinfo, cell.parent, SIGTERM, NULL));
    DENIED(syscall(SYS_pidfd_open, cell.parent, 0));
    DENIED(fcntl(cell.channel, F_SETOWN, cell.parent));
    DENIED(fcntl(cell.channel, 10 /* F_SETSIG */, SIGKILL));
    DENIED(syscall(SYS_ptrace, 16, cell.parent, 0, 0));
    DENIED(syscall(SYS_process_vm_readv, cell.parent, NULL, 0, NULL, 0, 0));
    DENIED(syscall(SYS_prlimit64, cell.parent, RLIMIT_CPU, NULL, &limit));
    DENIED(prlimit(cell.parent, RLIMIT_NOFILE, &(struct rlimit){0, 0}, NULL));
    DENIED(prlimit(0, RLIMIT_CORE, &(struct rlimit){1, 1}, NULL));
    REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
    DENIED(setpriority(PRIO_PROCESS, 0, 19));
    DENIED(execv("/bin/true", arguments));
    DENIED(fork());
    DENIED(syscall(SYS_vfork));
    DENIED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    DENIED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    DENIED(syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                  CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                  CLONE_CHILD_CLEARTID | CLONE_NEWUSER));
    REQUIRE(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
    DENIED(unshare(CLONE_NEWUSER));
    DENIED(syscall(SYS_setns, cell.file, 0));
    DENIED(syscall(SYS_setuid, 0));
    DENIED(socket(AF_UNIX, SOCK_STREAM, 0));
    DENIED(socket(AF_INET, SOCK_DGRAM, 0));
    DENIED(socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}));
    DENIED(syscall(SYS_sendmsg, cell.channel, NULL, 0));
    DENIED(syscall(SYS_recvmsg, cell.file, NULL, 0));
    DENIED(syscall(SYS_bpf, 0, NULL, 0));
    DENIED(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    DENIED(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    DENIED(syscall(SYS_userfaultfd, 0));
    return 0;
}

static void *nothing(void *context)
{
    return context;
}

/* Code that came with the data cannot run; threads of the C library can. */
static int check_memory(void)
{
    pthread_t thread;
    void *page;
    void *result;
    int rc = parse_cage();

    REQUIRE(rc == 0);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    DENIED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
    REQUIRE(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                MAP_FAILED &&
            errno == EPERM);
    REQUIRE(pthread_create(&thread, NULL, nothing, page) == 0);
    REQUIRE(pthread_join(thread, &result) == 0 && result == page);
    return 0;
}

static int check_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};
    FILE *status;
    char line[256];
    int seen = 0;
    int fd = open("/proc/thread-self/status", O_RDONLY);

    /* Opened before: reading it shows the present state. */
    REQUIRE(fd >= 0 && confine_to_reading(-1, NULL) == 0);
    REQUIRE(confine_to_parsing(cell.channel, cell.source, NULL) == 0);
    status = fdopen(fd, "r");
    REQUIRE(status);
    while (fgets(line, sizeof(line), status)) {
        if (strncmp(line, "Cap", 3) == 0) {
            REQUIRE(strtoull(line + 7, NULL, 16) == 0 ||
                    (strncmp(line, "CapBnd", 6) == 0 && getuid() == NOBODY));
            seen++;
        }
        if (strncmp(line, "NoNewPrivs:\t1", 13) == 0 || strncmp(line, "Seccomp:\t2", 10) == 0)
            seen += 100;
    }
    REQUIRE(seen == 205); /* five sets, and the two lines */
    DENIED(syscall(SYS_capget, &header, sets));
    return 0;
}

/* The confinement for packing a directory: reads beneath it (with Landlock), writes nowhere. */
static int check_reading(void)
{
    int directory = open("/usr/share", O_RDONLY | O_DIRECTORY);
    bool landlock = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) > 0;

    REQUIRE(directory >= 0 && confine_to_reading(directory, NULL) == 0);
    REQUIRE(openat(directory, ".", O_RDONLY) >= 0);
    REQUIRE(!landlock || (open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES));
    DENIED(open(cell.secret, O_WRONLY));
    DENIED(open(cell.secret, O_RDWR));
    DENIED(open("/tmp/x", O_RDONLY | O_CREAT, 0600));
    DENIED(open(cell.secret, O_RDONLY | O_TRUNC));
    DENIED(open("/tmp", O_TMPFILE | O_RDWR, 0600));
    DENIED(unlink(cell.secret));
    DENIED(kill(cell.parent, SIGSTOP));
    DENIED(fork());
    DENIED(socket(AF_INET, SOCK_STREAM, 0));
    return 0;
}

static int check_process(void)
{
    struct rlimit limit;

    REQUIRE(confine_process(7, 1 << 20, NULL) == 0);
    REQUIRE(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_max <= 8ULL << 30);
    REQUIRE(getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_max <= 4ULL << 30);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_max <= 1 << 20);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max <= 64);
    REQUIRE(getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_max < RLIM_INFINITY);
    REQUIRE(prctl(PR_GET_DUMPABLE) == 0);
    for (int fd = 3; fd < 256; fd++)
        REQUIRE(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
    return 0;
}

/* Runs `check` in a child, which returns the number of the line that failed, or 0. */
static void run_as(int (*check)(void), bool as_nobody)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        if (as_nobody && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
            _exit(255);
        _exit(check() & 0xff);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s: status %x: line %d modulo 256", as_nobody ? "nobody" : "caller",
                 (unsigned)status, WEXITSTATUS(status));
}

static void run_in_cage(int (*check)(void))
{
    run_as(check, false);
    if (geteuid() == 0)
        run_as(check, true);
}

#define CAGED(name)                                                                                \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_cage(check_##name);                                                                 \
    }

CAGED(files)
CAGED(source)
CAGED(processes)
CAGED(memory)
CAGED(capabilities)
CAGED(reading)
CAGED(process)

static int set_up(void **state)
{
    int pair[2];

    (void)state;
    strcpy(cell.directory, "/tmp/test-confine.XXXXXX");
    assert_non_null(mkdtemp(cell.directory));
    assert_int_equal(chmod(cell.directory, 0777), 0); /* so that file modes deny nothing */
    snprintf(cell.secret, sizeof(cell.secret), "%s/secret", cell.directory);
    cell.source = open(cell.secret, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    assert_true(cell.source >= 0);
    assert_int_equal(fchmod(cell.source, 0666), 0);
    assert_int_equal(write(cell.source, "secret", 6), 6);
    assert_int_equal(lseek(cell.source, 0, SEEK_SET), 0);
    cell.file = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    cell.channel = pair[1];
    cell.parent = getpid();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(cell.secret);
    return rmdir(cell.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),        cmocka_unit_test(test_source),
        cmocka_unit_test(test_processes),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_capabilities), cmocka_unit_test(test_reading),
        cmocka_unit_test(test_process),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
