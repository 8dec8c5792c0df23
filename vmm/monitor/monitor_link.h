/* SPDX-License-Identifier: Apache-2.0 */
/* How a client starts, watches and ends a monitor. */
#ifndef MICROVM_MONITOR_MONITOR_LINK_H
#define MICROVM_MONITOR_MONITOR_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"
#include "vmm/machine/spec.h"

/*
 * The process that runs a VM or a container: its monitor or its init.
 *
 * A monitor ends soon after it was stopped, or has reported the end of its VM, whatever its guest
 * does. If it does not, it is killed.
 */
struct monitor_link {
    pid_t pid;
    int pid_fd;         /* readable when it has ended */
    int control_fd;     /* connected: control_receive_event() of control_protocol.h; -1 for an init
                         */
    uint64_t end_by_ns; /* when it must have ended; 0 = not set */
    bool killed;        /* because it had not */
};

#define MONITOR_LINK_INIT                                                                          \
    {                                                                                              \
        -1, -1, -1, 0, false                                                                       \
    }

#define MONITOR_END_MS 10000

/* The range of process IDs, and so of user IDs. */
#define MONITOR_JAIL_USERS 4194304U
/* Above the user IDs of usual hosts and of containers; process IDs go up to 4194304. */
#define MONITOR_JAIL_USER 2000000000U

/* Gives the process `ms` to end, unless it has less already. */
void monitor_link_end_by(struct monitor_link *link, unsigned ms);

/* How long poll(2) may wait for the process: -1 = forever. */
int monitor_link_patience_ms(const struct monitor_link *link);

/*
 * To be called when that time may have passed. Kills a process that is late, and logs it. Returns
 * true if it does not end even then, because it waits for a hanging disk: the caller must not wait
 * for it any longer.
 */
bool monitor_link_is_overdue(struct monitor_link *link);

/* The user's settings of the jail (vmm/confine/jail.h). */
struct monitor_jail {
    bool required;       /* it is an error if the host does not allow all of it */
    uint32_t first_user; /* of root's monitors, see monitor_launch(); 0 = MONITOR_JAIL_USER */
};

/* What a monitor is started with; the caller still owns everything. */
struct monitor_launch {
    const char *directory; /* of the instance, contains control.sock */
    int directory_fd;      /* console.log is created in it; -1 = no log */
    int lock_fd;           /* the instance's lock, which the monitor holds */
    int *control_listener; /* listens at control.sock; consumed, and -1 then */
    int trace_fd;          /* writing end of a pipe, with spec->traced; or -1 */
    struct monitor_jail jail;
    const struct machine_spec *spec;
    const struct fd_table *descriptors; /* those of spec.h */
};

/*
 * Re-executes this program as a monitor, with only these descriptors, an empty environment and a
 * new session (a terminal's signals only go to the client), and connects to it. A monitor started
 * by root gets the user ID jail.first_user + the caller's process ID, so that no two share one.
 * Errors: of open(2), connect(2), clone(2), execve(2).
 */
int monitor_launch(const struct monitor_launch *launch, struct monitor_link *link,
                   struct error *err);

/* Stops the monitor if it still runs, reaps it, closes the link. Returns its wait status. May be
 * called on MONITOR_LINK_INIT, to which it also resets the link. */
int monitor_link_reap(struct monitor_link *link);

#endif
