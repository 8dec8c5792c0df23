/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `microvm doctor`: one line for each thing that a run needs, and how to fix what is missing. A
 * check is a function; the table at the end is their order.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/protocol.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cgroup.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/program_file.h"
#include "vmm/base/search_path.h"
#include "vmm/base/table.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/kernel_banner.h"
#include "vmm/cli/options.h"
#include "vmm/cli/vm_options.h"
#include "vmm/confine/jail.h"
#include "vmm/container/instance.h"
#include "vmm/image/store.h"
#include "vmm/machine/host_check.h"
#include "vmm/monitor/monitor_link.h"
#include "vmm/sandbox/id_map.h"
#include "vmm/sandbox/registry.h"

#define INITRAMFS_MAX  (64U << 20)
#define STORE_FREE_MIN (1ULL << 30)

enum verdict { OK, WARN, FAIL };

struct doctor {
    struct table table;
    unsigned failures;
};

static void report_begin(struct doctor *doctor, enum verdict verdict, const char *what)
{
    static const char *const words[] = {[OK] = "ok", [WARN] = "warn", [FAIL] = "FAIL"};

    doctor->failures += verdict == FAIL;
    table_add(&doctor->table, "%s", words[verdict]);
    table_add(&doctor->table, "%s", what);
}

/* One line: report(doctor, verdict, what, format, ...). */
#define report(doctor, verdict, what, ...)                                                         \
    (report_begin(doctor, verdict, what), table_add(&(doctor)->table, __VA_ARGS__))

static void check_kvm(struct doctor *doctor)
{
    enum host_kvm state = host_kvm_state();

    if (state == HOST_KVM_READY)
        report(doctor, OK, "kvm", "/dev/kvm works, with hardware virtualization");
    else
        report(doctor, FAIL, "kvm", "%s", host_kvm_advice(state));
}

static void check_capabilities(struct doctor *doctor)
{
    struct host_kvm_report kvm;
    struct error err = ERROR_INIT;
    bool complete = true;

    if (host_kvm_state() == HOST_KVM_MISSING || host_kvm_state() == HOST_KVM_DENIED)
        return; /* reported already */
    if (host_kvm_report(&kvm, &err) < 0) {
        report(doctor, FAIL, "kvm api", "%s", err.text);
        return;
    }
    if (kvm.api_version != 12)
        report(doctor, FAIL, "kvm api", "version %d instead of 12; upgrade the kernel",
               kvm.api_version);
    for (size_t i = 0; i < ARRAY_LENGTH(kvm.capabilities); i++) {
        const struct host_capability *capability = &kvm.capabilities[i];

        if (capability->value > 0)
            continue;
        complete = false;
        report(doctor, capability->needed ? FAIL : WARN, "kvm api",
               "KVM_CAP_%s is missing (%s); upgrade the host's kernel", capability->name,
               capability->what);
    }
    if (complete)
        report(doctor, OK, "kvm api", "version %d, all capabilities, at most %d vCPUs per VM",
               kvm.api_version, kvm.vcpus_max);
}

static void check_kernel(struct doctor *doctor)
{
    AUTO_FREE char *path = NULL;
    struct error err = ERROR_INIT;
    char version[KERNEL_BANNER_SIZE];

    if (program_file_find(&program_file_kernel, NULL, &path, &err) < 0)
        report(doctor, FAIL, "kernel", "%s", err.text);
    else if (kernel_banner_read(path, version, &err) < 0)
        report(doctor, FAIL, "kernel", "%s; build one with 'make kernel'", err.text);
    else
        report(doctor, OK, "kernel", "Linux %s, %s", version, path);
}

static void check_initramfs(struct doctor *doctor)
{
    static const char runtime[] = "crun"; /* with its NUL, as a name ends in a cpio archive */
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *data = NULL;
    struct error err = ERROR_INIT;
    size_t size = 0;

    if (program_file_find(&program_file_initramfs, NULL, &path, &err) < 0 ||
        io_read_file(AT_FDCWD, path, INITRAMFS_MAX, &data, &size, &err) < 0)
        report(doctor, FAIL, "initramfs", "%s", err.text);
    else if (!memmem(data, size, runtime, sizeof(runtime)))
        report(doctor, FAIL, "initramfs", "%s: contains no crun; build it again with 'make'", path);
    else
        report(doctor, OK, "initramfs", "with crun, %s", path);
}

static void check_import(struct doctor *doctor)
{
    AUTO_FREE char *path = NULL;
    struct error err = ERROR_INIT;

    if (program_file_find(&program_file_import, NULL, &path, &err) < 0)
        report(doctor, FAIL, "import", "%s", err.text);
    else if (access(path, X_OK) < 0)
        report(doctor, FAIL, "import", "%s: cannot be executed; chmod +x", path);
    else
        report(doctor, OK, "import", "%s; confined by its seccomp filter%s", path,
               syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0
                   ? " and Landlock"
                   : " only: this kernel has no Landlock, so an import could read other files");
}

static bool program_exists(const char *name)
{
    AUTO_FREE const char *path = search_path_find(name);

    return path != NULL;
}

static void check_mke2fs(struct doctor *doctor)
{
    if (program_exists("mke2fs"))
        report(doctor, OK, "mke2fs", "found");
    else
        report(doctor, WARN, "mke2fs",
               "not found, 'run --disk' needs it; install the package e2fsprogs");
}

static void check_memory(struct doctor *doctor)
{
    AUTO_FCLOSE FILE *file = fopen("/proc/meminfo", "re");
    unsigned long long available = 0;
    char line[128];

    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "MemAvailable:", 13) == 0)
            available = strtoull(line + 13, NULL, 10) >> 10; /* kB to MiB */
    }
    if (available < host_memory_minimum() >> 20)
        report(doctor, FAIL, "memory", "%llu MiB available; a VM needs at least %llu", available,
               (unsigned long long)(host_memory_minimum() >> 20));
    else if (available < VM_OPTIONS_MEMORY_DEFAULT >> 20)
        report(doctor, WARN, "memory",
               "%llu MiB available, less than the default of %llu per VM; use --memory", available,
               VM_OPTIONS_MEMORY_DEFAULT >> 20);
    else
        report(doctor, OK, "memory", "%llu MiB available", available);
}

static void check_huge_pages(struct doctor *doctor)
{
    AUTO_FCLOSE FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
    char line[128] = "";

    if (!file || !fgets(line, sizeof(line), file) || strstr(line, "[never]"))
        report(doctor, WARN, "huge pages",
               "off: guests run slower; fix it with: echo madvise > "
               "/sys/kernel/mm/transparent_hugepage/enabled");
    else
        report(doctor, OK, "huge pages", "on");
}

/* The nearest directory that exists, `path` or above it, is where the store will be made. */
static void check_store(struct doctor *doctor)
{
    AUTO_FREE char *path = NULL;
    char place[PATH_MAX];
    struct error err = ERROR_INIT;
    struct statvfs space;
    char *slash;

    if (store_default_path(&path, &err) < 0) {
        report(doctor, FAIL, "image store", "%s", err.text);
        return;
    }
    snprintf(place, sizeof(place), "%s", path);
    while (access(place, F_OK) < 0 && (slash = strrchr(place, '/')) && slash > place)
        *slash = '\0';
    if (access(place, W_OK) < 0 || statvfs(place, &space) < 0)
        report(doctor, FAIL, "image store", "%s: %s; set MICROVM_STORE to another directory", place,
               strerror(errno));
    else if ((uint64_t)space.f_bavail * space.f_frsize < STORE_FREE_MIN)
        report(doctor, WARN, "image store", "%s: only %llu MiB free", path,
               (unsigned long long)space.f_bavail * space.f_frsize >> 20);
    else
        report(doctor, OK, "image store", "%s", path);
}

static void check_runtime(struct doctor *doctor)
{
    AUTO_FREE char *path = NULL;
    struct instance instance = INSTANCE_INIT;
    struct error err = ERROR_INIT;

    if (instance_runtime_path(&path, &err) < 0 || instance_create(NULL, &instance, &err) < 0) {
        report(doctor, FAIL, "instances", "%s", err.text);
        return;
    }
    instance_destroy(&instance);
    report(doctor, OK, "instances", "%s", path);
}

/* A line for each part that a monitor's jail lacks here. */
static void check_jail(struct doctor *doctor)
{
    struct jail_report jail = {0};
    struct error err = ERROR_INIT;
    bool complete = true;

    if (jail_try(MONITOR_JAIL_USER, &jail, &err) < 0) {
        report(doctor, WARN, "monitor's jail", "%s", err.text);
        return;
    }
    for (int step = 0; step < JAIL_SYSCALLS; step++) {
        if (jail.held[step])
            continue;
        report(doctor, WARN, "monitor's jail", "without %s: %s",
               jail_step_title((enum jail_step)step), jail.why[step].text);
        complete = false;
    }
    if (complete)
        report(doctor, OK, "monitor's jail", "complete");
}

/* What --isolation=container needs in addition. VMs run without it. */
static void check_containers(struct doctor *doctor)
{
    AUTO_FREE char *init = NULL;
    AUTO_FREE char *runtime = NULL;
    struct error err = ERROR_INIT;
    struct id_map ids;

    if (program_file_find(&program_file_init, NULL, &init, &err) < 0 ||
        program_file_find(&program_file_crun, NULL, &runtime, &err) < 0)
        report(doctor, WARN, "containers", "%s", err.text);
    else if (geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) < 0)
        report(doctor, WARN, "containers", "/dev/loop-control: %s; load the kernel module loop",
               strerror(errno));
    else if (geteuid() != 0 && !program_exists("squashfuse"))
        report(doctor, WARN, "containers", "without root, they need the package squashfuse");
    else if (geteuid() != 0 && !id_map_find(&ids))
        report(doctor, WARN, "containers",
               "their only user is root: no ranges in /etc/subuid and /etc/subgid, or no "
               "newuidmap (package uidmap)");
    else
        report(doctor, OK, "containers", "%s", geteuid() == 0 ? "as root" : "without root");
}

/* A container gets as many as its init may have. A VM has its own kernel, without a hard limit. */
static void check_open_files(struct doctor *doctor)
{
    const struct rlimit wanted = {PROTOCOL_OPEN_FILES, PROTOCOL_OPEN_FILES};
    struct rlimit limit = wanted;

    if (setrlimit(RLIMIT_NOFILE, &wanted) < 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0)
        report(doctor, WARN, "open files",
               "%llu in a container instead of docker's %d, because of your hard limit (ulimit "
               "-Hn); raise it with LimitNOFILE= or limits.conf(5)",
               (unsigned long long)limit.rlim_max, PROTOCOL_OPEN_FILES);
    else
        report(doctor, OK, "open files", "%d in a container, as with docker", PROTOCOL_OPEN_FILES);
}

static void check_cgroups(struct doctor *doctor)
{
    static const char *const controllers[] = {"memory", "cpu", "pids"};
    const char *version = cgroup_version() == CGROUP_V2 ? "version 2" : "version 1";
    char missing[64] = "";

    for (size_t i = 0; i < ARRAY_LENGTH(controllers); i++)
        if (!cgroup_is_writable(controllers[i], ""))
            snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " %s",
                     controllers[i]);
    if (missing[0])
        report(doctor, WARN, "cgroups",
               "cannot limit the%s of containers; run as root, or use --cgroup-parent with a "
               "delegated cgroup",
               missing);
    else
        report(doctor, OK, "cgroups", "%s", version);
}

/* The runtimes that are not bundled. */
static void check_runtimes(struct doctor *doctor)
{
    for (size_t i = 0; i < SANDBOX_COUNT; i++) {
        const struct sandbox *sandbox = sandbox_registry[i];

        if (!sandbox->runtime || sandbox->runtime->bundled)
            continue;
        if (sandbox_is_installed(sandbox))
            report(doctor, OK, sandbox->title, "found");
        else
            report(doctor, OK, sandbox->title, "not installed; --isolation=%s needs the package %s",
                   sandbox->name, sandbox->runtime->package);
    }
}

/* The first is the one of --kvm. */
static void (*const checks[])(struct doctor *) = {
    check_kvm,        check_capabilities, check_kernel,     check_initramfs, check_import,
    check_mke2fs,     check_memory,       check_huge_pages, check_store,     check_runtime,
    check_containers, check_open_files,   check_cgroups,    check_runtimes,  check_jail,
};

struct doctor_options {
    bool kvm;
};

static const struct option_row rows[] = {
    {0, OPTION_FLAG, "kvm", NULL, "check /dev/kvm only (for scripts: can VMs run here?)",
     offsetof(struct doctor_options, kvm)},
};

static const struct option_table option_table = {
    .usage = "doctor [OPTIONS]",
    .about = "Checks what a run needs, and shows how to fix what is missing.",
    .more = "Exit status: 0 when images can run here, 1 when not.",
    .rows = rows,
    .count = ARRAY_LENGTH(rows),
};

static int look_around(bool kvm_only)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_LEFT, 5}, {NULL, TABLE_LEFT, 12}, {NULL, TABLE_LEFT, 0}};
    struct doctor doctor = {
        .table = {.columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1}};
    bool complete;

    for (size_t i = 0; i < (kvm_only ? 1 : ARRAY_LENGTH(checks)); i++)
        checks[i](&doctor);
    complete = table_write(&doctor.table, stdout) == 0;
    table_release(&doctor.table);
    if (doctor.failures > 0 && !kvm_only)
        printf("\nImages cannot run here: fix what is marked FAIL.\n");
    else if (!kvm_only)
        printf("\nImages can run here.\n");
    return doctor.failures > 0 || !complete;
}

int cli_doctor(int argc, char **argv)
{
    struct doctor_options options = {0};
    struct error err = ERROR_INIT;
    int first = options_parse(&option_table, argc, argv, &options, &err);

    if (first == 0)
        return 0;
    if (first > 0 && first < argc)
        first =
            error_set(&err, EINVAL, "doctor: unexpected argument '%s'; see 'microvm doctor --help'",
                      argv[first]);
    if (first < 0) {
        log_error("%s", err.text);
        return CLI_FAILURE;
    }
    return look_around(options.kvm);
}
