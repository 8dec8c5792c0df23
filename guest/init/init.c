/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of the guest. Prepares the VM for one container, runs it, reports its end
 * and rings the doorbell. Never returns: the end of process 1 would be a kernel panic.
 *
 * The same program is process 1 of a container's outer namespaces on a host (`microvm-init --host
 * DIRECTORY`): there the client has mounted everything, and what is left to do is the same.
 *
 * The connection to the host is begun before the mounts and needed after them, so that the host's
 * work on it runs beside the guest's.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guest/init/mount.h"
#include "guest/init/network.h"
#include "guest/init/session.h"
#include "guest/init/settings.h"
#include "guest/init/targets.h"
#include "guest/protocol.h"

/* What the client's request decides: the container's root, the network and the host name. */
static int prepare_machine(const struct machine_options *options, struct failure *failure)
{
    if (mount_container_root(options->overlay_on_disk, failure) < 0 ||
        network_start(options, failure) < 0)
        return -1;
    if (sethostname(options->hostname, strlen(options->hostname)) < 0)
        return failure_set_errno(failure, "hostname %s", options->hostname);
    return 0;
}

/* In a VM: the system's file systems and settings, while the client's request is on its way. */
static int prepare_system(struct failure *failure)
{
    if (mount_system(failure) < 0)
        return -1;
    network_start_loopback();
    settings_network();
    settings_memory();
    return 0;
}

static int prepare(struct session *session, bool on_host, struct failure *failure)
{
    if (session_start_connecting(session, failure) < 0 ||
        (!on_host && prepare_system(failure) < 0) ||
        session_receive_request(session, failure) < 0 ||
        (!on_host && prepare_machine(&session->machine, failure) < 0) ||
        targets_make(session->directory, failure) < 0)
        return -1;
    settings_limits();
    return process_finish_connecting(&session->process, session->transport, failure);
}

/* What is inherited is for init, not for the runtime. */
static void keep_descriptors(void)
{
    for (int fd = PROTOCOL_LOCK_FD; fd < PROTOCOL_FDS_END; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
    static struct session session;
    const char *directory = argc == 3 && strcmp(argv[1], "--host") == 0 ? argv[2] : NULL;
    struct failure failure;
    int result;

    if (directory)
        keep_descriptors();
    session.transport = directory ? &transport_unix : &transport_vsock;
    session.directory = directory ? directory : "";
    session.control.fd = -1;
    if (!directory)
        session.transport->mark(&session.control, DOORBELL_MARK_INIT);
    process_init(&session.process);
    result = prepare(&session, directory != NULL, &failure);
    if (result == 0) {
        session.transport->mark(&session.control, DOORBELL_MARK_RUNTIME);
        result = session_run(&session, &failure);
    }
    if (result < 0)
        session_report_failure(&session, &failure);
    session_wait_drained(&session);
    session.transport->end(session.process.status);
}
