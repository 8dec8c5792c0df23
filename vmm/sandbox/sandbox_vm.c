/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a bundle inside a VM: packs it behind the initramfs, describes the
 * machine, launches the monitor, and holds the session with the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/protocol.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/program_file.h"
#include "vmm/machine/host_check.h"
#include "vmm/sandbox/cpio.h"
#include "vmm/sandbox/registry.h"
#include "vmm/sandbox/session.h"
#include "vmm/sandbox/writable_disk.h"

#define BUNDLE_ARCHIVE "bundle.cpio"

/* Paths within a cpio archive have no leading slash. */
#define BUNDLE_DIRECTORY (PROTOCOL_BUNDLE_DIR + 1)
#define CONF_PATH        (PROTOCOL_CONF_PATH + 1)

static int add_conf(struct cpio *cpio, const struct sandbox_request *request, struct error *err)
{
    AUTO_FREE char *text = NULL;
    int size = asprintf(&text, "terminal=%d\nstdin=%d\ntrace=%d\noverlay=%s\nhostname=%s\n",
                        request->terminal, request->interactive, request->explanation != NULL,
                        request->disk_bytes > 0 ? "disk" : "tmpfs", request->hostname);

    if (size < 0)
        return error_set_errno(err, ENOMEM, "init.conf");
    return cpio_add_file(cpio, CONF_PATH, 0644, text, (size_t)size, err);
}

static int pack_bundle(const struct sandbox_request *request, struct cpio *cpio, struct error *err)
{
    int rc = cpio_add_directory(cpio, BUNDLE_DIRECTORY, 0755, err);

    for (unsigned i = 0; rc == 0 && i < request->bundle->count; i++) {
        const struct bundle_file *file = &request->bundle->files[i];
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", BUNDLE_DIRECTORY, file->name);
        rc = cpio_add_file(cpio, path, file->mode, file->data, file->size, err);
    }
    if (rc == 0)
        rc = add_conf(cpio, request, err);
    if (rc == 0)
        rc = cpio_finish(cpio, err);
    return rc;
}

/* Writes the archive of the bundle into the instance's directory. */
static int write_bundle(const struct sandbox_request *request, struct error *err)
{
    AUTO_CLOSE int fd = openat(request->directory_fd, BUNDLE_ARCHIVE,
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct cpio cpio = {0};
    int rc;

    if (fd < 0)
        return error_set_errno(err, errno, "%s/%s", request->directory, BUNDLE_ARCHIVE);
    rc = pack_bundle(request, &cpio, err);
    if (rc == 0) {
        rc = io_write_all(fd, cpio.data, cpio.size);
        if (rc < 0)
            error_set_errno(err, -rc, "%s/%s", request->directory, BUNDLE_ARCHIVE);
    }
    cpio_release(&cpio);
    return rc;
}

static int add_disk(struct machine_spec *spec, const char *path, bool read_only, const char *serial)
{
    struct machine_disk *disk = &spec->disks[spec->disk_count];

    disk->path = strdup(path);
    if (!disk->path)
        return -ENOMEM;
    disk->read_only = read_only;
    snprintf(disk->serial, sizeof(disk->serial), "%s", serial);
    spec->disk_count++;
    return 0;
}

/* `disk` is the writable layer's file or -1. */
static int describe_machine(const struct sandbox_request *request, int disk,
                            struct machine_spec *spec, struct error *err)
{
    char disk_path[64];

    spec->memory_bytes = request->memory_bytes;
    spec->vcpu_count = request->vcpu_count;
    spec->vsock = true;
    spec->earlycon = request->earlycon;
    spec->timed = request->explanation;
    spec->narrated = request->explanation && request->explanation->live;
    spec->kernel_path = strdup(request->kernel_path);
    spec->initramfs_path = strdup(request->initramfs_path);
    if (asprintf(&spec->initramfs_tail_path, "%s/%s", request->directory, BUNDLE_ARCHIVE) < 0)
        spec->initramfs_tail_path = NULL;
    /* The file has no name of its own; this one lives as long as this process. */
    snprintf(disk_path, sizeof(disk_path), "/proc/%d/fd/%d", getpid(), disk);
    if (!spec->kernel_path || !spec->initramfs_path || !spec->initramfs_tail_path ||
        add_disk(spec, request->root_path, true, "root") < 0 ||
        (disk >= 0 && add_disk(spec, disk_path, false, "overlay") < 0))
        return error_set_errno(err, ENOMEM, "machine");
    return 0;
}

static int launch_vm(const struct sandbox_request *request, struct session *session, int disk,
                     struct error *err)
{
    struct machine_spec spec = {0};
    const struct monitor_launch launch = {
        .directory = request->directory,
        .directory_fd = request->directory_fd,
        .lock_fd = request->lock_fd,
        .control_listener = request->control_listener,
        .console_fd = -1,
        .narration_fd = session->narration[1],
        .spec = &spec,
    };
    int rc = describe_machine(request, disk, &spec, err);

    if (rc == 0)
        rc = monitor_launch(&launch, &session->link, err);
    if (rc == 0)
        timeline_note(request->timeline, TIMELINE_MONITOR, io_now_ns());
    machine_spec_clear(&spec);
    return rc;
}

static int vm_prepare(struct sandbox_request *request, struct error *err)
{
    int rc = sandbox_check_request(&sandbox_vm, request, err);

    if (rc == 0)
        rc = host_require_kvm(true, err);
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
    options->cpu_thousandths =
        request->limits.cpu_thousandths % 1000 ? request->limits.cpu_thousandths : 0;
    options->pids = request->limits.pids;
    return 0;
}

static int vm_run(const struct sandbox_request *request, int *status, struct error *err)
{
    AUTO_CLOSE int disk = -1;
    struct session session = {
        .interactive = request->interactive,
        .terminal_wanted = request->terminal,
        .calls = request->explanation ? &request->explanation->calls : NULL,
        .narrated = request->explanation && request->explanation->live,
        .timeline = request->timeline,
        .keeper = SESSION_KEEPER_MONITOR,
        .link = MONITOR_LINK_INIT,
    };
    int monitor_status;
    int rc = session_prepare(&session, request->directory, err);

    if (rc == 0)
        rc = write_bundle(request, err);
    if (rc == 0 && request->disk_bytes > 0) {
        disk = disk_create(request->disk_bytes, err);
        rc = disk < 0 ? disk : 0;
    }
    if (rc == 0)
        rc = launch_vm(request, &session, disk, err);
    if (rc == 0)
        rc = session_run(&session, err);
    session_release(&session);
    monitor_status = monitor_link_reap(&session.link);
    if (rc == 0)
        rc = session_result(&session, monitor_status, status, err);
    if (rc == 0 && session.last.type == PROTOCOL_FAILURE)
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
