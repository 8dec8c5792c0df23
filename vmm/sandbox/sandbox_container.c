/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: runs a bundle as a plain container on this machine: the same bundle, init and session as
 * in a virtual machine, and the host's kernel in place of a guest's.
 *
 *   client (session) -- UNIX sockets -- init, process 1 of the outer namespaces
 *                                         '-- OCI runtime -- the container
 *
 * The layout of the instance's directory is that of a guest's root: /bundle, /bundle/rootfs, /run,
 * /lower, /overlay. gVisor is the same with another runtime, whose kernel is a program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/protocol.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cgroup.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/program_file.h"
#include "vmm/base/search_path.h"
#include "vmm/sandbox/container_process.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/sandbox/session.h"
#include "vmm/sandbox/writable_disk.h"

#define GVISOR_PROGRAM "runsc"
#define RUNTIME_STATE  PROTOCOL_RUN_DIR "/runtime"
#define CONF_TEXT_MAX  8192
#define MEMORY_MINIMUM (6ULL << 20) /* docker's */
#define LAYER_SHARE    2 /* of the memory, as a guest's kernel gives a tmpfs half of its */
#define MEMORY_MAXIMUM (1ULL << 62) /* config.json has signed numbers, and swap on top */

/* ---- before there is an instance ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_gvisor(const struct sandbox_request *request)
{
    return strncmp(base_name(request->runtime_path), GVISOR_PROGRAM, strlen(GVISOR_PROGRAM)) == 0;
}

static int check_limits(const struct sandbox_request *request, struct error *err)
{
    const char *parent = request->cgroup_parent;

    if (request->limits.memory_bytes > 0 && request->limits.memory_bytes < MEMORY_MINIMUM)
        return error_set(err, ERANGE, "--memory: %llu KiB are too little; give at least 6m",
                         (unsigned long long)request->limits.memory_bytes >> 10);
    if (request->limits.memory_bytes >= MEMORY_MAXIMUM)
        return error_set(err, ERANGE, "--memory: %llu MiB are more than there can be",
                         (unsigned long long)request->limits.memory_bytes >> 20);
    if (parent && !cgroup_path_is_valid(parent))
        return error_set(err, EINVAL,
                         "--cgroup-parent: '%s' is not an absolute path within /sys/fs/cgroup",
                         parent);
    return 0;
}

static int prepare_with(struct sandbox_request *request, const char *program, struct error *err)
{
    int rc = check_limits(request, err);

    if (rc == 0 && request->earlycon)
        rc = error_set(err, EINVAL,
                       "--earlycon: a container has no serial port; use "
                       "--isolation=vm");
    if (rc == 0 && request->explanation && request->explanation->live)
        rc = error_set(err, EINVAL,
                       "--explain=live: a container has no machine that could tell; use --explain "
                       "or --isolation=vm");
    if (rc == 0)
        rc = program_file_find(&program_file_init, NULL, &request->init_path, err);
    if (rc < 0)
        return rc;
    request->runtime_is_ours = !program && !request->runtime;
    if (request->runtime_is_ours)
        return program_file_find(&program_file_crun, NULL, &request->runtime_path, err);
    request->runtime_path = search_path_find(request->runtime ? request->runtime : program);
    if (request->runtime_path && program && !is_gvisor(request))
        return error_set(err, EINVAL,
                         "--isolation=gvisor: --runtime %s is not gVisor's runsc; use "
                         "--isolation=container for other runtimes",
                         request->runtime);
    if (request->runtime_path)
        return 0;
    if (request->runtime)
        return error_set(err, ENOENT, "--runtime: %s is not an executable program",
                         request->runtime);
    return error_set(err, ENOENT,
                     "--isolation=gvisor: there is no %s in PATH; install gVisor (package runsc), "
                     "or name it by --runtime",
                     program);
}

static int container_prepare(struct sandbox_request *request, struct error *err)
{
    return prepare_with(request, NULL, err);
}

static int gvisor_prepare(struct sandbox_request *request, struct error *err)
{
    if (geteuid() != 0)
        return error_set(err, EPERM,
                         "--isolation=gvisor needs root; use sudo, or "
                         "--isolation=container");
    return prepare_with(request, GVISOR_PROGRAM, err);
}

/* ---- where the bundle is, and what is limited ---- */

/*
 * Without the devices controller root's runtimes make no group at all. (Without root, the user
 * namespace closes devices, and the runtime can do without.)
 */
static bool can_group(const char *parent)
{
    if (geteuid() == 0 && !cgroup_is_writable("devices", parent))
        return false;
    return cgroup_is_writable("memory", parent) || cgroup_is_writable("cpu", parent) ||
           cgroup_is_writable("pids", parent);
}

/* gVisor takes part in no group where there is a version 1. */
static bool ignores_groups(const struct sandbox_request *request)
{
    return is_gvisor(request) && cgroup_version() != CGROUP_V2;
}

/* Whether a limit of `controller` can be kept; says so by the option's name when it cannot. */
static bool can_limit(const struct sandbox_request *request, const char *controller,
                      const char *option, const char *parent)
{
    char directory[PATH_MAX];

    if (ignores_groups(request)) {
        log_warning("%s is not kept: gVisor limits by control groups of version 2 only", option);
        return false;
    }
    if (cgroup_is_writable(controller, parent)) {
        if (can_group(parent))
            return true;
        controller = "devices"; /* is what there is none without */
    }
    if (cgroup_version() == CGROUP_NONE)
        log_warning("%s is not kept: no control groups are mounted at /sys/fs/cgroup", option);
    else if (!cgroup_directory(controller, "", directory))
        log_warning("%s is not kept: this machine has no %s controller in /sys/fs/cgroup", option,
                    controller);
    else
        log_warning("%s is not kept: control group %s is not yours to write; run as root, or name "
                    "a delegated one by --cgroup-parent",
                    option, *parent ? parent : "/");
    return false;
}

static void place_limits(const struct sandbox_request *request, const char *parent,
                         struct bundle_options *options)
{
    const struct sandbox_limits *limits = &request->limits;

    options->memory_bytes = 0;
    options->cpu_thousandths = 0;
    options->pids = 0;
    if (limits->memory_bytes > 0 && can_limit(request, "memory", "--memory", parent)) {
        options->memory_bytes = limits->memory_bytes;
        options->swap_unlimited = !cgroup_limits_swap();
    }
    if (limits->cpu_thousandths > 0 && can_limit(request, "cpu", "--cpus", parent))
        options->cpu_thousandths = limits->cpu_thousandths;
    if (limits->pids > 0 && can_limit(request, "pids", "--pids-limit", parent))
        options->pids = limits->pids;
}

static void place_users(struct sandbox_request *request, struct bundle_options *options)
{
    if (geteuid() != 0 && !id_map_find(&request->ids))
        log_warning(
            "only root exists in this container: other users need ranges in /etc/subuid and "
            "/etc/subgid, and newuidmap (package uidmap)");
    options->group_count = id_map_group_count(&request->ids);
}

/* A device file opens the machine's device unless a control group or a user namespace forbids it.
 */
static bool closes_devices(const struct sandbox_request *request)
{
    return geteuid() == 0 && !request->cgroup_path;
}

static int container_place(struct sandbox_request *request, struct bundle_options *options,
                           struct error *err)
{
    const char *directory = request->directory;
    const char *parent = request->cgroup_parent ? request->cgroup_parent : "";

    if (asprintf(&request->bundle_path, "%s" PROTOCOL_BUNDLE_DIR, directory) < 0 ||
        asprintf(&request->root_mount, "%s" PROTOCOL_ROOTFS_PATH, directory) < 0 ||
        (can_group(parent) &&
         asprintf(&request->cgroup_path, "%s/microvm-%s", parent, request->name) < 0))
        return error_set_errno(err, ENOMEM, "bundle");
    place_limits(request, parent, options);
    options->bundle_path = request->bundle_path;
    options->root_path = request->root_mount;
    options->cgroup_path = request->cgroup_path;
    options->no_devices = closes_devices(request);
    options->network_namespace = true;
    place_users(request, options);
    options->compiled_seccomp = request->runtime_is_ours;
    if (request->cgroup_parent && (!request->cgroup_path || ignores_groups(request)))
        log_warning("--cgroup-parent: no control group is made in %s: %s", parent,
                    ignores_groups(request) ? "gVisor uses those of version 2 only"
                                            : "it is not yours to write");
    return 0;
}

/* ---- the run ---- */

static int make_directories(const struct sandbox_request *request, struct error *err)
{
    static const char *const names[] = {PROTOCOL_BUNDLE_DIR, PROTOCOL_ROOTFS_PATH, PROTOCOL_RUN_DIR,
                                        CONTAINER_ROOT_LOWER, CONTAINER_ROOT_OVERLAY};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (mkdirat(request->directory_fd, names[i] + 1, 0700) < 0)
            return error_set_errno(err, errno, "%s%s", request->directory, names[i]);
    return 0;
}

/* `path` begins with a slash. */
static int write_file(const struct sandbox_request *request, const char *path, mode_t mode,
                      const void *data, size_t size, struct error *err)
{
    AUTO_CLOSE int fd = openat(request->directory_fd, path + 1,
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    int rc = fd < 0 ? -errno : io_write_all(fd, data, size);

    return rc < 0 ? error_set_errno(err, -rc, "%s%s", request->directory, path) : 0;
}

/* What each runtime needs to be told before its command; others take --root as these do. */
static const char *runtime_options(const struct sandbox_request *request)
{
    const char *name = base_name(request->runtime_path);

    if (strncmp(name, "runsc", 5) == 0)
        return request->cgroup_path && !ignores_groups(request)
                   ? "runtime_option=--network=none\nruntime_signals=1\n"
                   : "runtime_option=--network=none\nruntime_option=--ignore-cgroups\n"
                     "runtime_signals=1\n";
    if (strcmp(name, "crun") == 0 && !request->cgroup_path)
        return "runtime_option=--cgroup-manager=disabled\n";
    return "";
}

static int write_conf(const struct sandbox_request *request, struct error *err)
{
    char text[CONF_TEXT_MAX];
    int size;

    if (strpbrk(request->runtime_path, "\n") || strpbrk(request->directory, "\n"))
        return error_set(
            err, EINVAL, "%s: its path has a newline, which cannot be passed on; choose another",
            strpbrk(request->runtime_path, "\n") ? "runtime program" : "runtime directory");
    size =
        snprintf(text, sizeof(text),
                 "terminal=%d\nstdin=%d\ntrace=%d\nruntime=%s\nruntime_option=--root=%s%s\n%s",
                 request->terminal, request->interactive,
                 request->explanation && !request->explanation->calls_unseen, request->runtime_path,
                 request->directory, RUNTIME_STATE, runtime_options(request));

    if (size >= (int)sizeof(text))
        return error_set_errno(err, ENAMETOOLONG, "%s", request->runtime_path);
    return write_file(request, PROTOCOL_CONF_PATH, 0600, text, (size_t)size, err);
}

/* The files that the container sees are root's, and readable by its users. */
static int write_bundle(const struct sandbox_request *request, struct error *err)
{
    int rc = make_directories(request, err);

    for (unsigned i = 0; rc == 0 && i < request->bundle->count; i++) {
        const struct bundle_file *file = &request->bundle->files[i];
        char path[128];

        snprintf(path, sizeof(path), PROTOCOL_BUNDLE_DIR "/%s", file->name);
        rc = write_file(request, path, file->mode, file->data, file->size, err);
    }
    if (rc == 0)
        rc = write_conf(request, err);
    /* For whoever cleans up after us. */
    if (rc == 0 && request->cgroup_path)
        rc = write_file(request, "/" SANDBOX_CGROUP_FILE, 0600, request->cgroup_path,
                        strlen(request->cgroup_path), err);
    return rc;
}

static int start(const struct sandbox_request *request, struct session *session, struct error *err)
{
    AUTO_CLOSE int image = open(request->root_path, O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int disk = -1;
    struct container_process process = {
        .init = request->init_path,
        .runtime = request->runtime_is_ours ? request->runtime_path : NULL,
        .root = {.directory = request->directory,
                 .rootless = geteuid() != 0,
                 .no_devices = closes_devices(request),
                 .layer_bytes = request->limits.memory_bytes / LAYER_SHARE},
        .ids = request->ids,
        .lock = request->lock_fd,
    };
    int rc;

    if (image < 0)
        return error_set_errno(err, errno, "root of the image");
    if (request->disk_bytes > 0) {
        disk = disk_create(request->disk_bytes, err);
        if (disk < 0)
            return disk;
    }
    process.root.image = image;
    process.root.disk = disk;
    rc = container_process_start(&process, &session->link.pid, err);
    if (rc < 0) {
        session->link.pid = -1;
        return rc;
    }
    session->link.pid_fd = pidfd_open(session->link.pid, 0);
    return session->link.pid_fd < 0 ? error_set_errno(err, errno, "pidfd_open") : 0;
}

static void note_count(struct timeline *timeline, const char *name, uint64_t value)
{
    struct timeline_counts *counts = &timeline->counts[CONTROL_COUNTS_END];
    struct control_count *item;

    if (counts->count >= CONTROL_COUNTS_MAX)
        return;
    item = &counts->items[counts->count++];
    snprintf(item->name, sizeof(item->name), "%s", name);
    item->value = value;
}

/* Takes what the container's group has counted, and the group away. */
static void finish_cgroup(const struct sandbox_request *request)
{
    uint64_t value;

    if (!request->cgroup_path)
        return;
    if (cgroup_read_cpu_time(request->cgroup_path, &value))
        note_count(request->timeline, "inside.cpu_us", value);
    if (cgroup_read_memory_peak(request->cgroup_path, &value))
        note_count(request->timeline, "inside.memory_peak_bytes", value);
    (void)cgroup_remove(request->cgroup_path);
}

static int container_run(const struct sandbox_request *request, int *status, struct error *err)
{
    struct session session = {
        .interactive = request->interactive,
        .terminal_wanted = request->terminal,
        .calls = request->explanation ? &request->explanation->calls : NULL,
        .timeline = request->timeline,
        .keeper = SESSION_KEEPER_INIT,
        .link = MONITOR_LINK_INIT,
    };
    int init_status;
    int rc = session_prepare(&session, request->directory, err);

    if (request->explanation && is_gvisor(request))
        request->explanation->calls_unseen =
            "gVisor's own kernel answers them, unseen from outside";
    if (rc == 0)
        rc = write_bundle(request, err);
    if (rc == 0)
        rc = start(request, &session, err);
    if (rc == 0)
        rc = session_run(&session, err);
    session_release(&session);
    init_status = monitor_link_reap(&session.link);
    finish_cgroup(request);
    if (rc == 0)
        rc = session_result(&session, init_status, status, err);
    if (rc == 0 && session.last.type == PROTOCOL_FAILURE)
        sandbox_say_failure(request->bundle, session.last.text);
    return rc;
}

const struct sandbox sandbox_container = {
    .name = "container",
    .prepare = container_prepare,
    .place = container_place,
    .run = container_run,
};

const struct sandbox sandbox_gvisor = {
    .name = "gvisor",
    .prepare = gvisor_prepare,
    .place = container_place,
    .run = container_run,
};
