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
#include <signal.h>
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
#include "vmm/sandbox/container_limits.h"
#include "vmm/sandbox/container_process.h"
#include "vmm/sandbox/id_map.h"
#include "vmm/sandbox/registry.h"
#include "vmm/sandbox/sandbox_container.h"
#include "vmm/sandbox/session.h"
#include "vmm/sandbox/writable_disk.h"

#define RUNTIME_STATE PROTOCOL_RUN_DIR "/runtime"
#define LAYER_SHARE   2 /* of the memory, as a guest's kernel gives a tmpfs half of its */

/* What prepare() finds and transform() decides. */
struct container_state {
    char *init_path;
    char *runtime_path;
    bool runtime_is_ours;
    struct id_map ids; /* without root */
    char *cgroup_path; /* of the container; NULL = none */
};

/* ---- before there is an instance ---- */

/* A runtime that the user named, or the sandbox's own where that is not bundled. */
static int find_runtime(const struct sandbox *sandbox, const char *given,
                        struct container_state *state, struct error *err)
{
    const struct sandbox_runtime *runtime = sandbox->runtime;

    state->runtime_path = search_path_find(given ? given : runtime->program);
    if (!state->runtime_path && given)
        return error_set(err, ENOENT, "--runtime: %s is not an executable", given);
    if (!state->runtime_path)
        return error_set(err, ENOENT,
                         "--isolation=%s: %s not found in PATH; install %s (package %s), or name "
                         "it by --runtime",
                         sandbox->name, runtime->program, sandbox->title, runtime->package);
    if (!runtime->bundled && sandbox_runtime_find(state->runtime_path) != runtime)
        return error_set(err, EINVAL,
                         "--isolation=%s: --runtime %s is not %s; use --isolation=container for "
                         "other runtimes",
                         sandbox->name, given, runtime->program);
    return 0;
}

int container_prepare(const struct sandbox *sandbox, const struct sandbox_options *options,
                      void **opaque, struct error *err)
{
    struct container_state *state = calloc(1, sizeof(*state));
    int rc;

    *opaque = state;
    if (!state)
        return error_set_errno(err, ENOMEM, "container");
    rc = sandbox_check_options(sandbox, options, err);
    if (rc < 0)
        return rc;
    rc = container_limits_check(options, err);
    if (rc < 0)
        return rc;
    rc = program_file_find(&program_file_init, NULL, &state->init_path, err);
    if (rc < 0)
        return rc;
    state->runtime_is_ours = sandbox->runtime->bundled && !options->runtime;
    if (state->runtime_is_ours)
        return program_file_find(&program_file_crun, NULL, &state->runtime_path, err);
    return find_runtime(sandbox, options->runtime, state, err);
}

void container_release(void *opaque)
{
    struct container_state *state = opaque;

    if (!state)
        return;
    free(state->init_path);
    free(state->runtime_path);
    free(state->cgroup_path);
    free(state);
}

/* ---- what the container needs on this host ---- */

/* A device file opens the host's device unless a cgroup or a user namespace forbids it. */
static bool forbids_devices(const struct container_state *state)
{
    return geteuid() == 0 && !state->cgroup_path;
}

static int transform_users(struct container_state *state, struct oci_config *config,
                           struct error *err)
{
    uint64_t group_count;

    if (geteuid() != 0 && !id_map_find(&state->ids))
        log_warning(
            "only root exists in this container: other users need ranges in /etc/subuid and "
            "/etc/subgid, and newuidmap (package uidmap)");
    group_count = id_map_group_count(&state->ids);
    oci_config_limit_groups(config, group_count);
    return oci_config_set_network(config, true, group_count, err);
}

static int transform_cgroup(struct container_state *state, const struct sandbox_options *options,
                            const struct sandbox_instance *instance, struct oci_config *config,
                            struct error *err)
{
    const char *parent = options->cgroup_parent ? options->cgroup_parent : "";
    bool ignored = container_limits_are_ignored(state->runtime_path);

    if (container_limits_can_group(parent) &&
        asprintf(&state->cgroup_path, "%s/microvm-%s", parent, instance->name) < 0) {
        state->cgroup_path = NULL;
        return error_set_errno(err, ENOMEM, "cgroup");
    }
    container_limits_apply(&options->limits, state->runtime_path, parent, &config->resources);
    if (options->cgroup_parent && (!state->cgroup_path || ignored))
        log_warning("--cgroup-parent: no cgroup is created in %s: %s", parent,
                    ignored ? "gVisor uses those of version 2 only" : "it is not writable for you");
    return state->cgroup_path ? oci_config_set_cgroup(config, state->cgroup_path, err) : 0;
}

int container_transform(void *opaque, const struct sandbox_options *options,
                        const struct sandbox_instance *instance, struct oci_config *config,
                        struct error *err)
{
    struct container_state *state = opaque;
    AUTO_FREE char *bundle = NULL;
    int rc;

    if (asprintf(&bundle, "%s" PROTOCOL_BUNDLE_DIR, instance->directory) < 0) {
        bundle = NULL;
        return error_set_errno(err, ENOMEM, "bundle");
    }
    rc = oci_config_set_bundle(config, bundle, err);
    if (rc < 0)
        return rc;
    rc = transform_cgroup(state, options, instance, config, err);
    if (rc < 0)
        return rc;
    if (forbids_devices(state))
        oci_config_forbid_devices(config);
    config->seccomp_compiled = state->runtime_is_ours;
    return transform_users(state, config, err);
}

/* ---- the run ---- */

static int make_directories(const struct sandbox_instance *instance, struct error *err)
{
    static const char *const names[] = {PROTOCOL_BUNDLE_DIR, PROTOCOL_RUN_DIR, CONTAINER_ROOT_LOWER,
                                        CONTAINER_ROOT_OVERLAY};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (mkdirat(instance->directory_fd, names[i] + 1, 0700) < 0)
            return error_set_errno(err, errno, "%s%s", instance->directory, names[i]);
    return 0;
}

/* For the sweep, should this process be killed. */
static int note_cgroup(const struct sandbox_instance *instance, const char *path, struct error *err)
{
    AUTO_CLOSE int fd = openat(instance->directory_fd, SANDBOX_CGROUP_FILE,
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : io_write_all(fd, path, strlen(path));

    return rc < 0 ? error_set_errno(err, -rc, "%s/" SANDBOX_CGROUP_FILE, instance->directory) : 0;
}

/* What the runtime needs to be told before its command; others take --root as known ones do. */
static const char *runtime_configuration(const struct container_state *state)
{
    const struct sandbox_runtime *runtime = sandbox_runtime_find(state->runtime_path);
    bool grouped = state->cgroup_path && !container_limits_are_ignored(state->runtime_path);

    return runtime ? runtime->configuration(grouped) : "";
}

/* What init receives as soon as it runs. */
static int make_guest_request(const struct container_state *state,
                              const struct sandbox_request *request,
                              struct guest_request *guest_request, struct error *err)
{
    const struct sandbox_options *options = request->options;
    const char *directory = request->instance->directory;
    AUTO_FREE char *run = NULL;

    if (strpbrk(state->runtime_path, "\n") || strpbrk(directory, "\n"))
        return error_set(
            err, EINVAL, "%s: its path has a newline, which cannot be passed on; choose another",
            strpbrk(state->runtime_path, "\n") ? "runtime program" : "runtime directory");
    if (asprintf(&run,
                 "terminal=%d\nstdin=%d\ntrace=%d\nruntime=%s\nruntime_option=--root=%s%s\n%s",
                 options->terminal, options->interactive,
                 options->explanation && !options->explanation->calls_unseen, state->runtime_path,
                 directory, RUNTIME_STATE, runtime_configuration(state)) < 0) {
        run = NULL;
        return error_set_errno(err, ENOMEM, "request to init");
    }
    return guest_request_make(request->bundle, "", run, guest_request, err);
}

/* How large the writable layer may become; 0 = as large as the kernel lets it. The bundle is on it.
 */
static uint64_t layer_bytes(uint64_t memory_bytes, uint64_t bundle_bytes)
{
    return memory_bytes > 0 ? memory_bytes / LAYER_SHARE + bundle_bytes : 0;
}

static int start(const struct container_state *state, const struct sandbox_request *request,
                 struct session *session, struct error *err)
{
    const struct sandbox_options *options = request->options;
    AUTO_CLOSE int image = fcntl(request->root_fd, F_DUPFD_CLOEXEC, 0);
    AUTO_CLOSE int disk = -1;
    struct container_process process = {
        .init = state->init_path,
        .runtime = state->runtime_is_ours ? state->runtime_path : NULL,
        .root = {.directory = request->instance->directory,
                 .rootless = geteuid() != 0,
                 .no_devices = forbids_devices(state),
                 .layer_bytes = layer_bytes(options->limits.memory_bytes, session->request->size)},
        .ids = state->ids,
        .lock = request->instance->lock_fd,
        .connections = session->guest_ends,
    };
    int rc;

    if (image < 0)
        return error_set_errno(err, errno, "root of the image");
    if (options->disk_bytes > 0) {
        disk = disk_create(options->disk_bytes, err);
        if (disk < 0)
            return disk;
    }
    process.root.image = image;
    process.root.disk = disk;
    rc = container_process_start(&process, &session->monitor.link.pid, err);
    if (rc < 0) {
        session->monitor.link.pid = -1;
        return rc;
    }
    session->monitor.link.pid_fd = pidfd_open(session->monitor.link.pid, 0);
    return session->monitor.link.pid_fd < 0 ? error_set_errno(err, errno, "pidfd_open") : 0;
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

/* Reads what the container's cgroup has counted, and removes it. */
static void finish_cgroup(const char *path, struct timeline *timeline)
{
    uint64_t value;

    if (!path)
        return;
    if (cgroup_read_cpu_time(path, &value))
        note_count(timeline, "inside.cpu_us", value);
    if (cgroup_read_memory_peak(path, &value))
        note_count(timeline, "inside.memory_peak_bytes", value);
    (void)cgroup_remove(path);
}

/* The session until the container has ended; whatever comes of it, session_release() follows. */
static int run_session(const struct container_state *state, const struct sandbox_request *request,
                       struct session *session, struct error *err)
{
    const struct sandbox_instance *instance = request->instance;
    int rc = session_prepare(session, err);

    if (rc < 0)
        return rc;
    rc = make_directories(instance, err);
    if (rc < 0)
        return rc;
    if (state->cgroup_path) {
        rc = note_cgroup(instance, state->cgroup_path, err);
        if (rc < 0)
            return rc;
    }
    rc = session_connect(session, err);
    if (rc < 0)
        return rc;
    rc = start(state, request, session, err);
    return rc < 0 ? rc : session_run(session, err);
}

int container_run(void *opaque, const struct sandbox_request *request, int *status,
                  struct error *err)
{
    const struct container_state *state = opaque;
    const struct sandbox_options *options = request->options;
    const struct sandbox_runtime *runtime = sandbox_runtime_find(state->runtime_path);
    AUTO_GUEST_REQUEST struct guest_request guest_request = {0};
    struct session session = {
        .request = &guest_request,
        .interactive = options->interactive,
        .terminal_wanted = options->terminal,
        .calls = options->explanation ? &options->explanation->calls : NULL,
        .timeline = request->timeline,
        .child = SESSION_CHILD_INIT,
        .monitor = MONITOR_CLIENT_INIT,
    };
    int init_status;
    int rc;

    if (options->explanation && runtime)
        options->explanation->calls_unseen = runtime->calls_unseen;
    rc = make_guest_request(state, request, &guest_request, err);
    if (rc < 0)
        return rc;
    rc = run_session(state, request, &session, err);
    if (rc < 0 && session.monitor.link.pid > 0)
        kill(session.monitor.link.pid, SIGKILL); /* it has nobody to run the container for */
    session_release(&session);
    init_status = monitor_link_reap(&session.monitor.link);
    finish_cgroup(state->cgroup_path, request->timeline);
    if (rc < 0)
        return rc;
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

static int prepare(const struct sandbox_options *options, void **state, struct error *err)
{
    return container_prepare(&sandbox_container, options, state, err);
}

const struct sandbox sandbox_container = {
    .name = "container",
    .title = "container",
    .traits = SANDBOX_BASELINE | SANDBOX_OCI_RUNTIME,
    .runtime = &crun,
    .prepare = prepare,
    .transform = container_transform,
    .run = container_run,
    .release = container_release,
};
