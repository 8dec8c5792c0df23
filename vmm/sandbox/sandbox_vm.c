/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a bundle inside a VM: describes the VM, launches the monitor, and holds the session with the
 * guest, which is sent the bundle while its kernel boots.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/protocol.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/program_file.h"
#include "vmm/machine/guest_files.h"
#include "vmm/machine/host_check.h"
#include "vmm/machine/kvm.h"
#include "vmm/network/passt.h"
#include "vmm/sandbox/registry.h"
#include "vmm/sandbox/session.h"
#include "vmm/sandbox/writable_disk.h"

static const char *network_settings(const struct sandbox_options *options)
{
    return options->network ? "address=" PASST_ADDRESS "/" PASST_PREFIX "\ngateway=" PASST_GATEWAY
                              "\nmtu=" PASST_MTU "\n"
                            : "";
}

/* What the guest's init receives as soon as it connects. */
static int make_guest_request(const struct sandbox_request *request,
                              struct guest_request *guest_request, struct error *err)
{
    const struct sandbox_options *options = request->options;
    AUTO_FREE char *setup = NULL;
    AUTO_FREE char *run = NULL;

    if (asprintf(&setup, "overlay=%s\nhostname=%s\n%s", options->disk_bytes > 0 ? "disk" : "tmpfs",
                 request->config->hostname, network_settings(options)) < 0 ||
        asprintf(&run, "terminal=%d\nstdin=%d\ntrace=%d\n", options->terminal, options->interactive,
                 options->explanation != NULL) < 0)
        return error_set_errno(err, ENOMEM, "request to the guest");
    return guest_request_make(request->bundle, setup, run, guest_request, err);
}

struct vm_state {
    /* What prepare() finds. */
    char *kernel_path;
    char *initramfs_path;
    struct passt passt; /* while it runs, with a network */
};

/* What a VM is made from, while it is launched. */
struct vm_files {
    int kernel, initramfs, kvm;
    int disk; /* of the writable layer, -1 = in memory */
};

#define VM_FILES_INIT                                                                              \
    {                                                                                              \
        -1, -1, -1, -1                                                                             \
    }

static void close_files(struct vm_files *files)
{
    cleanup_close(&files->kernel);
    cleanup_close(&files->initramfs);
    cleanup_close(&files->kvm);
    cleanup_close(&files->disk);
}

static int open_files(const struct vm_state *state, const struct sandbox_options *options,
                      struct vm_files *files, struct error *err)
{
    files->kernel = guest_files_open_kernel(state->kernel_path, err);
    if (files->kernel < 0)
        return files->kernel;
    files->initramfs = guest_files_open_initramfs(state->initramfs_path, err);
    if (files->initramfs < 0)
        return files->initramfs;
    files->kvm = kvm_open(err);
    if (files->kvm < 0)
        return files->kvm;
    if (options->disk_bytes > 0)
        files->disk = disk_create(options->disk_bytes, err);
    return options->disk_bytes > 0 && files->disk < 0 ? files->disk : 0;
}

static int list_files(const struct vm_files *files, struct fd_table *descriptors, struct error *err)
{
    int rc = fd_table_add(descriptors, "kvm", files->kvm, err);

    if (rc < 0)
        return rc;
    rc = fd_table_add(descriptors, "kernel", files->kernel, err);
    return rc < 0 ? rc : fd_table_add(descriptors, "initramfs", files->initramfs, err);
}

static int list_disks(int root_fd, const struct vm_files *files, struct machine_spec *spec,
                      struct fd_table *descriptors, struct error *err)
{
    int rc =
        machine_spec_add_disk(spec, descriptors, root_fd, "root file system", true, "root", err);

    if (rc < 0 || files->disk < 0)
        return rc;
    return machine_spec_add_disk(spec, descriptors, files->disk, "writable layer", false, "overlay",
                                 err);
}

static int describe_machine(const struct vm_state *state, const struct sandbox_request *request,
                            const struct vm_files *files, struct machine_spec *spec,
                            struct fd_table *descriptors, struct error *err)
{
    const struct sandbox_options *options = request->options;
    int rc;

    spec->memory_bytes = options->vm_memory_bytes;
    spec->vcpu_count = options->vcpu_count;
    spec->vsock = true;
    spec->earlycon = options->earlycon;
    spec->timed = options->explanation;
    spec->traced = options->explanation && options->explanation->live;
    spec->kernel_name = strdup(state->kernel_path);
    if (!spec->kernel_name)
        return error_set_errno(err, ENOMEM, "VM");
    rc = list_files(files, descriptors, err);
    if (rc < 0)
        return rc;
    rc = list_disks(request->root_fd, files, spec, descriptors, err);
    if (rc < 0 || !options->network)
        return rc;
    return machine_spec_add_net(spec, descriptors, state->passt.guest_fd, MACHINE_NET_STREAM,
                                PASST_MAC, 0, err);
}

static int launch_with(const struct vm_state *state, const struct sandbox_request *request,
                       struct session *session, struct vm_files *files, struct machine_spec *spec,
                       struct error *err)
{
    const struct sandbox_instance *instance = request->instance;
    struct fd_table descriptors = {.count = 0};
    const struct monitor_launch launch = {
        .directory = instance->directory,
        .directory_fd = instance->directory_fd,
        .lock_fd = instance->lock_fd,
        .control_listener = instance->control_listener,
        .trace_fd = session->trace_pipe[1],
        .jail = request->options->jail,
        .spec = spec,
        .descriptors = &descriptors,
    };
    int rc = open_files(state, request->options, files, err);

    if (rc < 0)
        return rc;
    rc = describe_machine(state, request, files, spec, &descriptors, err);
    if (rc < 0)
        return rc;
    rc = session_connect(session, err);
    if (rc < 0)
        return rc;
    rc = session_list_guest_ends(session, &descriptors, err);
    if (rc < 0)
        return rc;
    return monitor_launch(&launch, &session->monitor.link, err);
}

static int launch_vm(const struct vm_state *state, const struct sandbox_request *request,
                     struct session *session, struct error *err)
{
    struct machine_spec spec = {0};
    struct vm_files files = VM_FILES_INIT;
    int rc = launch_with(state, request, session, &files, &spec, err);

    if (rc == 0)
        timeline_note(request->timeline, TIMELINE_MONITOR, io_now_ns());
    machine_spec_clear(&spec);
    close_files(&files);
    return rc;
}

static int vm_prepare(const struct sandbox_options *options, void **opaque, struct error *err)
{
    struct vm_state *state = calloc(1, sizeof(*state));
    int rc;

    *opaque = state;
    if (!state)
        return error_set_errno(err, ENOMEM, "VM");
    state->passt = (struct passt)PASST_INIT;
    rc = sandbox_check_options(&sandbox_vm, options, err);
    if (rc < 0)
        return rc;
    rc = host_require_kvm(err);
    if (rc < 0)
        return rc;
    rc = program_file_find(&program_file_kernel, options->kernel, &state->kernel_path, err);
    if (rc < 0)
        return rc;
    return program_file_find(&program_file_initramfs, options->initramfs, &state->initramfs_path,
                             err);
}

static void vm_release(void *opaque)
{
    struct vm_state *state = opaque;

    if (!state)
        return;
    free(state->kernel_path);
    free(state->initramfs_path);
    free(state);
}

/* The VM has the memory; what is left of the limits is enforced by its kernel, and its network is
 * the container's. */
static int vm_transform(void *opaque, const struct sandbox_options *options,
                        const struct sandbox_instance *instance, struct oci_config *config,
                        struct error *err)
{
    const struct sandbox_limits *limits = &options->limits;
    int rc = oci_config_set_bundle(config, PROTOCOL_BUNDLE_DIR, err);

    (void)opaque;
    (void)instance;
    if (rc < 0)
        return rc;
    config->resources.millicpus = limits->millicpus % 1000 ? limits->millicpus : 0;
    config->resources.pids_limit = limits->pids;
    config->seccomp_compiled = true;
    return oci_config_set_network(config, false, 0, err);
}

static int run_session(struct vm_state *state, const struct sandbox_request *request,
                       struct session *session, struct error *err)
{
    int rc = session_prepare(session, err);

    if (rc < 0)
        return rc;
    if (request->options->network) {
        rc = passt_start(&request->options->ports, &state->passt, err);
        if (rc < 0)
            return rc;
    }
    rc = launch_vm(state, request, session, err);
    if (rc < 0)
        return rc;
    cleanup_close(&state->passt.guest_fd); /* from here on it is the monitor's alone */
    state->passt.guest_fd = -1;
    return session_run(session, err);
}

static int vm_run(void *opaque, const struct sandbox_request *request, int *status,
                  struct error *err)
{
    const struct sandbox_options *options = request->options;
    struct vm_state *state = opaque;
    AUTO_GUEST_REQUEST struct guest_request guest_request = {0};
    struct session session = {
        .request = &guest_request,
        .interactive = options->interactive,
        .terminal_wanted = options->terminal,
        .calls = options->explanation ? &options->explanation->calls : NULL,
        .traced = options->explanation && options->explanation->live,
        .timeline = request->timeline,
        .child = SESSION_CHILD_MONITOR,
        .monitor = MONITOR_CLIENT_INIT,
    };
    int monitor_status;
    int rc = make_guest_request(request, &guest_request, err);

    if (rc < 0)
        return rc;
    rc = run_session(state, request, &session, err);
    session_release(&session);
    monitor_status = monitor_link_reap(&session.monitor.link);
    passt_stop(&state->passt);
    if (rc < 0)
        return rc;
    rc = session_result(&session, monitor_status, status, err);
    if (rc == 0 && session.last.type == PROTOCOL_FAILED)
        sandbox_note_failure(request, session.last.text);
    return rc;
}

const struct sandbox sandbox_vm = {
    .name = "vm",
    .title = "micro-VM",
    .traits = SANDBOX_VM | SANDBOX_NETWORK | SANDBOX_HYPERVISOR | SANDBOX_MONITOR |
              SANDBOX_DOORBELL | SANDBOX_EXIT_STATISTICS | SANDBOX_EARLY_SERIAL,
    .beneath = "the hypervisor",
    .prepare = vm_prepare,
    .transform = vm_transform,
    .run = vm_run,
    .release = vm_release,
};
