/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the directory of one running instance, and the sweep of those whose owners are gone.
 *
 * RUNTIME is $MICROVM_RUNTIME, else /run/microvm for root, else $XDG_RUNTIME_DIR/microvm, else
 * /tmp/microvm-UID. It belongs to the caller alone. RUNTIME/.lock marks it as microvm's (nothing is
 * ever removed from a directory without it) and is held, exclusively and shortly, by whoever adds
 * or removes an instance.
 *
 * RUNTIME/NAME/ (mode 0700) holds: lock, control.sock, machine.json, vsock_PORT sockets,
 * console.log and the per-VM cpio; for a container on this machine its bundle, the directories that
 * it is mounted on, and the path of its control group. The client takes a shared flock on `lock`
 * and the monitor inherits the same open file description: the lock is free only when both are
 * gone, however they died; then the directory is stale and the next command removes it.
 */
#ifndef MICROVM_INSTANCE_INSTANCE_H
#define MICROVM_INSTANCE_INSTANCE_H

#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/machine/spec.h"

/* In the directory: path of the control group of a container on this machine (vmm/base/cgroup.h).
 */
#define INSTANCE_CGROUP_FILE "cgroup"

#define INSTANCE_NAME_MAX 63 /* [a-zA-Z0-9][a-zA-Z0-9_.-]*, as docker's names */

struct instance {
    char name[INSTANCE_NAME_MAX + 1];
    char *directory; /* path; short enough for a UNIX socket in it */
    int directory_fd;
    int runtime_fd; /* RUNTIME and its .lock */
    int runtime_lock_fd;
    int lock_fd;
    int control_listener; /* bound to control.sock, listening; for the monitor */
};

#define INSTANCE_INIT                                                                              \
    {                                                                                              \
        "", NULL, -1, -1, -1, -1, -1                                                               \
    }

/* Path of RUNTIME; the caller frees *path. Errors: EINVAL ($MICROVM_RUNTIME is relative), ENOMEM.
 */
int instance_runtime_path(char **path, struct error *err);

/* Checks a name that a person gave. Errors: EINVAL. */
int instance_check_name(const char *name, struct error *err);

/*
 * Makes the directory. `name` NULL: one is invented (two words, as docker). Errors: EEXIST (name in
 * use), EINVAL (bad name), EPERM (RUNTIME is not ours alone), ENAMETOOLONG, of mkdir(2).
 */
int instance_create(const char *name, struct instance *instance, struct error *err);
/* Removes the directory with all that is in it, releases all members. Safe on INSTANCE_INIT. */
void instance_destroy(struct instance *instance);
/* Removes the directories of dead instances; never blocks on living ones. Quiet. */
void instance_sweep(void);

/* File descriptors that a monitor is started with: `microvm __monitor DIRECTORY`. */
enum monitor_fd {
    MONITOR_FD_FIRST = 3,
    MONITOR_FD_CONTROL = 3,   /* listening control.sock */
    MONITOR_FD_LOCK = 4,      /* keeps the instance's lock */
    MONITOR_FD_CONSOLE = 5,   /* stream socket of the console, with spec.console_attached */
    MONITOR_FD_NARRATION = 6, /* pipe for what happens, with spec.narrated */
    MONITOR_FD_END
};

/* The process that keeps a machine, or a container: its monitor or its init. */
struct monitor_link {
    pid_t pid;
    int pid_fd;         /* readable when it has ended */
    int control_fd;     /* connected to control.sock: control_receive_event() of control.h;
                           -1 for an init */
    uint64_t end_by_ns; /* when it has to be gone; 0 = nobody has asked for that */
    bool killed;        /* because it was not */
};

/*
 * A monitor ends soon when it is told to, or has said that its machine has ended, whatever its
 * guest does. Should it not, nobody waits for it for ever:
 */
#define INSTANCE_END_MS 10000

/* Gives the process `ms` to end, if it has not less already. */
void instance_end_by(struct monitor_link *link, unsigned ms);

/* How long poll(2) may wait for the process, at most: -1 = for ever. */
int instance_patience_ms(const struct monitor_link *link);

/*
 * To be called when that time may have passed. Kills a process that is late, and says so; one that
 * even so does not end, because it waits for a disk that hangs, is not waited for any longer: then
 * it returns true.
 */
bool instance_is_overdue(struct monitor_link *link);

/*
 * Writes machine.json, re-executes this program as monitor and connects to it. `console_fd` is a
 * stream socket for the guest's console or -1, `narration_fd` the writing end of a pipe or -1 (both
 * stay the caller's). The monitor holds none of
 * the caller's other descriptors, has an empty environment and a session of its own: signals that a
 * terminal sends are the client's. Consumes instance->control_listener.
 */
int instance_launch(struct instance *instance, const struct machine_spec *spec, int console_fd,
                    int narration_fd, struct monitor_link *link, struct error *err);
#define MONITOR_LINK_INIT                                                                          \
    {                                                                                              \
        -1, -1, -1, 0, false                                                                       \
    }
/* Stops the monitor if it still runs, reaps it, closes the link. Returns its wait status. Safe on
 * MONITOR_LINK_INIT, which is also what it leaves behind. */
int instance_reap(struct monitor_link *link);

/* The monitor process: builds the machine of DIRECTORY/machine.json, runs it, serves control.sock;
 * exit status. */
int monitor_main(const char *directory);

#endif
