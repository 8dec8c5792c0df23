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
#include "vmm/sandbox/registry.h"
#include "vmm/sandbox/session.h"
#include "vmm/sandbox/writable_disk.h"

/* What the guest's init is sent, as soon as it connects. */
static int make_guest_request(const struct sandbox_request *request,
                              struct guest_request *guest_request, struct error *err)
{
    AUTO_FREE char *setup = NULL;
    AUTO_FREE char *run = NULL;

    if (asprintf(&setup, "overlay=%s\nhostname=%s\n", request->disk_bytes > 0 ? "disk" : "tmpfs",
                 request->hostname) < 0 ||
        asprintf(&run, "terminal=%d\nstdin=%d\ntrace=%d\n", request->terminal, request->interactive,
                 request->explanation != NULL) < 0)
        return error_set_errno(err, ENOMEM, "request to the guest");
    return guest_request_make(request->bundle, setup, run, guest_request, err);
}

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

static int open_files(const struct sandbox_request *request, struct vm_files *files,
                      struct error *err)
{
    files->kernel = guest_files_open_kernel(request->kernel_path, err);
    if (files->kernel < 0)
        return files->kernel;
    files->initramfs = guest_files_open_initramfs(request->initramfs_path, err);
    if (files->initramfs < 0)
        return files->initramfs;
    files->kvm = kvm_open(err);
    if (files->kvm < 0)
        return files->kvm;
    if (request->disk_bytes > 0)
        files->disk = disk_create(request->disk_bytes, err);
    return request->disk_bytes > 0 && files->disk < 0 ? files->disk : 0;
}

static int list_files(const struct vm_files *files, struct fd_table *descriptors, struct error *err)
{
    int rc = fd_table_add(descriptors, "kvm", files->kvm, err);

    if (rc < 0)
        return rc;
    rc = fd_table_add(descriptors, "kernel", files->kernel, err);
    return rc < 0 ? rc : fd_table_add(descriptors, "initramfs", files->initramfs, err);
}

static int list_disks(const struct sandbox_request *request, const struct vm_files *files,
                      struct machine_spec *spec, struct fd_table *descriptors, struct error *err)
{
    int rc = machine_spec_add_disk(spec, descriptors, request->root_fd, "root file system", true,
                                   "root", err);

    if (rc < 0 || files->disk < 0)
        return rc;
    return machine_spec_add_disk(spec, descriptors, files->disk, "writable layer", false, "overlay",
                                 err);
}

static int describe_machine(const struct sandbox_request *request, const struct vm_files *files,
                            struct machine_spec *spec, struct fd_table *descriptors,
                            struct error *err)
{
    int rc;

    spec->memory_bytes = request->memory_bytes;
    spec->vcpu_count = request->vcpu_count;
    spec->vsock = true;
    spec->earlycon = request->earlycon;
    spec->timed = request->explanation;
    spec->traced = request->explanation && request->explanation->live;
    spec->kernel_name = strdup(request->kernel_path);
    if (!spec->kernel_name)
        return error_set_errno(err, ENOMEM, "VM");
    rc = list_files(files, descriptors, err);
    return rc < 0 ? rc : list_disks(request, files, spec, descriptors, err);
}

static int launch_vm(const struct sandbox_request *request, struct session *session,
                     struct error *err)
{
    struct machine_spec spec = {0};
    struct vm_files files = VM_FILES_INIT;
    struct fd_table descriptors = {.count = 0};
    const struct monitor_launch launch = {
        .directory = request->directory,
        .directory_fd = request->directory_fd,
        .lock_fd = request->lock_fd,
        .control_listener = request->control_listener,
        .trace_fd = session->narration[1],
        .jail = request->jail,
        .spec = &spec,
        .descriptors = &descriptors,
    };
    int rc = open_files(request, &files, err);

    if (rc == 0)
        rc = describe_machine(request, &files, &spec, &descriptors, err);
    if (rc == 0)
        rc = session_connect(session, err);
    if (rc == 0)
        rc = session_list_guest_ends(session, &descriptors, err);
    if (rc == 0)
        rc = monitor_launch(&launch, &session->link, err);
    if (rc == 0)
        timeline_note(request->timeline, TIMELINE_MONITOR, io_now_ns());
    machine_spec_clear(&spec);
    close_files(&files);
    return rc;
}

static int vm_prepare(struct sandbox_request *request, struct error *err)
{
    int rc = sandbox_check_request(&sandbox_vm, request, err);

    if (rc == 0)
        rc = host_require_kvm(err);
    if (rc == 0)
        rc = program_file_find(&program_file_kernel, request->kernel, &request->kernel_path, err);
    if (rc == 0)
        rc = program_file_find(&program_file_initramfs, request->initramfs,
                               &request->initramfs_path, err);
    return rc;
}

/* Memory is the machine's; what is left of the limits is kept by the guest. */
static int vm_place(struct sandbox_request *request, struct bundle_options *options,
                    struct error *err)
{
    (void)err;
    options->root_path = PROTOCOL_ROOTFS_PATH;
    options->bundle_path = PROTOCOL_BUNDLE_DIR;
    options->compiled_seccomp = true;
    options->millicpus = request->limits.millicpus % 1000 ? request->limits.millicpus : 0;
    options->pids = request->limits.pids;
    return 0;
}

static int vm_run(const struct sandbox_request *request, int *status, struct error *err)
{
    AUTO_GUEST_REQUEST struct guest_request guest_request = {0};
    struct session session = {
        .request = &guest_request,
        .interactive = request->interactive,
        .terminal_wanted = request->terminal,
        .calls = request->explanation ? &request->explanation->calls : NULL,
        .narrated = request->explanation && request->explanation->live,
        .timeline = request->timeline,
        .keeper = SESSION_KEEPER_MONITOR,
        .link = MONITOR_LINK_INIT,
    };
    int monitor_status;
    int rc = session_prepare(&session, err);

    if (rc == 0)
        rc = make_guest_request(request, &guest_request, err);
    if (rc == 0)
        rc = launch_vm(request, &session, err);
    if (rc == 0)
        rc = session_run(&session, err);
    session_release(&session);
    monitor_status = monitor_link_reap(&session.link);
    if (rc == 0)
        rc = session_result(&session, monitor_status, status, err);
    if (rc == 0 && session.last.type == PROTOCOL_FAILED)
        sandbox_note_failure(request, session.last.text);
    return rc;
}

const struct sandbox sandbox_vm = {
    .name = "vm",
    .title = "micro-VM",
    .traits = SANDBOX_VM | SANDBOX_HYPERVISOR | SANDBOX_MONITOR | SANDBOX_DOORBELL |
              SANDBOX_EXIT_STATISTICS | SANDBOX_EARLY_SERIAL,
    .beneath = "the hypervisor",
    .prepare = vm_prepare,
    .place = vm_place,
    .run = vm_run,
};
