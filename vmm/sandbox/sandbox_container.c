/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a bundle as a plain container on this host: the same bundle, init and session as in a VM,
 * and the host's kernel instead of a guest's.
 *
 *   client (session) -- socket pairs -- init, process 1 of the outer namespaces
 *                                         '-- OCI runtime -- the container
 *
 * The layout of the instance's directory is that of a guest's root: /bundle, /bundle/rootfs, /run,
 * /lower, /overlay. A sandbox that is the same with another runtime starts from the functions of
 * sandbox_container.h.
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
#include "vmm/sandbox/registry.h"
#include "vmm/sandbox/sandbox_container.h"
#include "vmm/sandbox/session.h"
#include "vmm/sandbox/writable_disk.h"

#define RUNTIME_STATE  PROTOCOL_RUN_DIR "/runtime"
#define MEMORY_MINIMUM (6ULL << 20) /* docker's */
#define LAYER_SHARE    2 /* of the memory, as a guest's kernel gives a tmpfs half of its */
#define MEMORY_MAXIMUM (1ULL << 62) /* config.json has signed numbers, and swap on top */

/* ---- before there is an instance ---- */

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

/* A runtime that the user named, or the sandbox's own where that is not bundled. */
static int find_runtime(const struct sandbox *sandbox, struct sandbox_request *request,
                        struct error *err)
{
    const struct sandbox_runtime *runtime = sandbox->runtime;

    request->runtime_path =
        search_path_find(request->runtime ? request->runtime : runtime->program);
    if (!request->runtime_path && request->runtime)
        return error_set(err, ENOENT, "--runtime: %s is not an executable", request->runtime);
    if (!request->runtime_path)
        return error_set(err, ENOENT,
                         "--isolation=%s: %s not found in PATH; install %s (package %s), or name "
                         "it by --runtime",
                         sandbox->name, runtime->program, sandbox->title, runtime->package);
    if (!runtime->bundled && sandbox_runtime_find(request->runtime_path) != runtime)
        return error_set(err, EINVAL,
                         "--isolation=%s: --runtime %s is not %s; use --isolation=container for "
                         "other runtimes",
                         sandbox->name, request->runtime, runtime->program);
    return 0;
}

int container_prepare(const struct sandbox *sandbox, struct sandbox_request *request,
                      struct error *err)
{
    int rc = sandbox_check_request(sandbox, request, err);

    if (rc == 0)
        rc = check_limits(request, err);
    if (rc == 0)
        rc = program_file_find(&program_file_init, NULL, &request->init_path, err);
    if (rc < 0)
        return rc;
    request->runtime_is_ours = sandbox->runtime->bundled && !request->runtime;
    if (request->runtime_is_ours)
        return program_file_find(&program_file_crun, NULL, &request->runtime_path, err);
    return find_runtime(sandbox, request, err);
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

static bool ignores_groups(const struct sandbox_request *request)
{
    const struct sandbox_runtime *runtime = sandbox_runtime_find(request->runtime_path);

    return runtime && runtime->needs_cgroup2 && cgroup_version() != CGROUP_V2;
}

/* Whether a limit of `controller` can be enforced; warns by the option's name when it cannot. */
static bool can_limit(const struct sandbox_request *request, const char *controller,
                      const char *option, const char *parent)
{
    char directory[PATH_MAX];

    if (ignores_groups(request)) {
        log_warning("%s is not enforced: %s limits by cgroups of version 2 only", option,
                    sandbox_runtime_find(request->runtime_path)->program);
        return false;
    }
    if (cgroup_is_writable(controller, parent)) {
        if (can_group(parent))
            return true;
        controller = "devices"; /* is what there is none without */
    }
    if (cgroup_version() == CGROUP_NONE)
        log_warning("%s is not enforced: no cgroups are mounted at /sys/fs/cgroup", option);
    else if (!cgroup_directory(controller, "", directory))
        log_warning("%s is not enforced: this host has no %s controller in /sys/fs/cgroup", option,
                    controller);
    else
        log_warning("%s is not enforced: cgroup %s is not writable for you; run as root, or name "
                    "a delegated one by --cgroup-parent",
                    option, *parent ? parent : "/");
    return false;
}

static void place_limits(const struct sandbox_request *request, const char *parent,
                         struct bundle_options *options)
{
    const struct sandbox_limits *limits = &request->limits;

    options->memory_bytes = 0;
    options->millicpus = 0;
    options->pids = 0;
    if (limits->memory_bytes > 0 && can_limit(request, "memory", "--memory", parent)) {
        options->memory_bytes = limits->memory_bytes;
        options->swap_unlimited = !cgroup_limits_swap();
    }
    if (limits->millicpus > 0 && can_limit(request, "cpu", "--cpus", parent))
        options->millicpus = limits->millicpus;
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

int container_place(struct sandbox_request *request, struct bundle_options *options,
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
    static const char *const names[] = {PROTOCOL_BUNDLE_DIR, PROTOCOL_RUN_DIR, CONTAINER_ROOT_LOWER,
                                        CONTAINER_ROOT_OVERLAY};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (mkdirat(request->directory_fd, names[i] + 1, 0700) < 0)
            return error_set_errno(err, errno, "%s%s", request->directory, names[i]);
    return 0;
}

/* `path` begins with a slash. */
static int write_file(const struct sandbox_request *request, const char *path, const char *text,
                      struct error *err)
{
    AUTO_CLOSE int fd = openat(request->directory_fd, path + 1,
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));

    return rc < 0 ? error_set_errno(err, -rc, "%s%s", request->directory, path) : 0;
}

/* What the runtime needs to be told before its command; others take --root as known ones do. */
static const char *runtime_configuration(const struct sandbox_request *request)
{
    const struct sandbox_runtime *runtime = sandbox_runtime_find(request->runtime_path);

    return runtime ? runtime->configuration(request->cgroup_path && !ignores_groups(request)) : "";
}

/* What init is sent, as soon as it runs. */
static int make_guest_request(const struct sandbox_request *request,
                              struct guest_request *guest_request, struct error *err)
{
    AUTO_FREE char *run = NULL;

    if (strpbrk(request->runtime_path, "\n") || strpbrk(request->directory, "\n"))
        return error_set(
            err, EINVAL, "%s: its path has a newline, which cannot be passed on; choose another",
            strpbrk(request->runtime_path, "\n") ? "runtime program" : "runtime directory");
    if (asprintf(&run,
                 "terminal=%d\nstdin=%d\ntrace=%d\nruntime=%s\nruntime_option=--root=%s%s\n%s",
                 request->terminal, request->interactive,
                 request->explanation && !request->explanation->calls_unseen, request->runtime_path,
                 request->directory, RUNTIME_STATE, runtime_configuration(request)) < 0)
        return error_set_errno(err, ENOMEM, "request to init");
    return guest_request_make(request->bundle, "", run, guest_request, err);
}

/* The directories that it mounts on, and a note for whoever cleans up after us. */
static int prepare_directory(const struct sandbox_request *request, struct error *err)
{
    int rc = make_directories(request, err);

    if (rc < 0 || !request->cgroup_path)
        return rc;
    return write_file(request, "/" SANDBOX_CGROUP_FILE, request->cgroup_path, err);
}

/* How large the writable layer may become; 0 = as large as the kernel lets it. The bundle is on it.
 */
static uint64_t layer_bytes(const struct sandbox_request *request,
                            const struct guest_request *guest_request)
{
    if (request->limits.memory_bytes == 0)
        return 0;
    return request->limits.memory_bytes / LAYER_SHARE + guest_request->size;
}

static int start(const struct sandbox_request *request, struct session *session, struct error *err)
{
    AUTO_CLOSE int image = fcntl(request->root_fd, F_DUPFD_CLOEXEC, 0);
    AUTO_CLOSE int disk = -1;
    struct container_process process = {
        .init = request->init_path,
        .runtime = request->runtime_is_ours ? request->runtime_path : NULL,
        .root = {.directory = request->directory,
                 .rootless = geteuid() != 0,
                 .no_devices = closes_devices(request),
                 .layer_bytes = layer_bytes(request, session->request)},
        .ids = request->ids,
        .lock = request->lock_fd,
        .connections = session->guest_ends,
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

int container_run(const struct sandbox_request *request, int *status, struct error *err)
{
    AUTO_GUEST_REQUEST struct guest_request guest_request = {0};
    struct session session = {
        .request = &guest_request,
        .interactive = request->interactive,
        .terminal_wanted = request->terminal,
        .calls = request->explanation ? &request->explanation->calls : NULL,
        .timeline = request->timeline,
        .keeper = SESSION_KEEPER_INIT,
        .link = MONITOR_LINK_INIT,
    };
    const struct sandbox_runtime *runtime = sandbox_runtime_find(request->runtime_path);
    int init_status;
    int rc = session_prepare(&session, err);

    if (request->explanation && runtime)
        request->explanation->calls_unseen = runtime->calls_unseen;
    if (rc == 0)
        rc = make_guest_request(request, &guest_request, err);
    if (rc == 0)
        rc = prepare_directory(request, err);
    if (rc == 0)
        rc = session_connect(&session, err);
    if (rc == 0)
        rc = start(request, &session, err);
    if (rc == 0)
        rc = session_run(&session, err);
    session_release(&session);
    init_status = monitor_link_reap(&session.link);
    finish_cgroup(request);
    if (rc == 0)
        rc = session_result(&session, init_status, status, err);
    if (rc == 0 && session.last.type == PROTOCOL_FAILED)
        sandbox_note_failure(request, session.last.text);
    return rc;
}

static const char *crun_configuration(bool grouped)
{
    return grouped ? "" : "runtime_option=--cgroup-manager=disabled\n";
}

static const struct sandbox_runtime crun = {
    .program = "crun",
    .package = "crun",
    .bundled = true,
    .configuration = crun_configuration,
};

static int prepare(struct sandbox_request *request, struct error *err)
{
    return container_prepare(&sandbox_container, request, err);
}

const struct sandbox sandbox_container = {
    .name = "container",
    .title = "container",
    .traits = SANDBOX_BASELINE | SANDBOX_OCI_RUNTIME,
    .runtime = &crun,
    .prepare = prepare,
    .place = container_place,
    .run = container_run,
};
