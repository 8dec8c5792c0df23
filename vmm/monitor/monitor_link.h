/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor seen by its client: how it is started, watched and ended. */
#ifndef MICROVM_MONITOR_MONITOR_LINK_H
#define MICROVM_MONITOR_MONITOR_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"
#include "vmm/machine/spec.h"

/*
 * The process that keeps a machine, or a container: its monitor or its init.
 *
 * A monitor ends soon when it is told to, or has said that its machine has ended, whatever its
 * guest does. Should it not, nobody waits for it for ever.
 */
struct monitor_link {
    pid_t pid;
    int pid_fd;         /* readable when it has ended */
    int control_fd;     /* connected: control_receive_event() of control_protocol.h; -1 for an init
                         */
    uint64_t end_by_ns; /* when it has to be gone; 0 = nobody has asked for that */
    bool killed;        /* because it was not */
};

#define MONITOR_LINK_INIT                                                                          \
    {                                                                                              \
        -1, -1, -1, 0, false                                                                       \
    }

#define MONITOR_END_MS 10000

/* Process ids, and so a range of user ids, go up to it. */
#define MONITOR_JAIL_USERS 4194304U
/* Above all users of a usual host, and of containers; process ids go up to 4194304. */
#define MONITOR_JAIL_USER 2000000000U

/* Gives the process `ms` to end, if it has not less already. */
void monitor_link_end_by(struct monitor_link *link, unsigned ms);

/* How long poll(2) may wait for the process, at most: -1 = for ever. */
int monitor_link_patience_ms(const struct monitor_link *link);

/*
 * To be called when that time may have passed. Kills a process that is late, and says so; one that
 * even so does not end, because it waits for a disk that hangs, is not waited for any longer: then
 * it returns true.
 */
bool monitor_link_is_overdue(struct monitor_link *link);

/* What the user wants of a monitor's jail (vmm/confine/jail.h). */
struct monitor_jail {
    bool required;       /* an error where the host cannot give all of it */
    uint32_t first_user; /* of root's monitors: see monitor_launch(); 0 = MONITOR_JAIL_USER */
};

/* What a monitor is started with; all stays the caller's. */
struct monitor_launch {
    const char *directory; /* of the instance, in which control.sock is */
    int directory_fd;      /* console.log is made in it; -1 = none is kept */
    int lock_fd;           /* the instance's lock, which the monitor keeps */
    int *control_listener; /* listens at control.sock; consumed, and -1 then */
    int trace_fd;          /* writing end of a pipe, with spec->traced; or -1 */
    struct monitor_jail jail;
    const struct machine_spec *spec;
    const struct fd_table *descriptors; /* those of spec.h */
};

/*
 * Re-executes this program as monitor, with those descriptors and no others, an empty environment
 * and a session of its own (signals that a terminal sends are the client's), and connects to it.
 * Root's monitor gets the user id jail.first_user + the caller's process id, so that no two share
 * one. Errors: of open(2), connect(2), clone(2), execve(2).
 */
int monitor_launch(const struct monitor_launch *launch, struct monitor_link *link,
                   struct error *err);

/* Stops the monitor if it still runs, reaps it, closes the link. Returns its wait status. Safe on
 * MONITOR_LINK_INIT, which is also what it leaves behind. */
int monitor_link_reap(struct monitor_link *link);

#endif
