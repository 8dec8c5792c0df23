/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor seen by its client: how it is started, watched and ended. */
#ifndef MICROVM_MONITOR_MONITOR_LINK_H
#define MICROVM_MONITOR_MONITOR_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/machine/spec.h"

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
    int control_fd;     /* connected to control.sock: control_receive_event() of control_protocol.h;
                           -1 for an init */
    uint64_t end_by_ns; /* when it has to be gone; 0 = nobody has asked for that */
    bool killed;        /* because it was not */
};

#define MONITOR_LINK_INIT                                                                          \
    {                                                                                              \
        -1, -1, -1, 0, false                                                                       \
    }

/*
 * A monitor ends soon when it is told to, or has said that its machine has ended, whatever its
 * guest does. Should it not, nobody waits for it for ever:
 */
#define MONITOR_END_MS 10000

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

struct monitor_launch {
    const char *directory; /* of the instance: path, and open */
    int directory_fd;
    int lock_fd;           /* its lock, which the monitor keeps */
    int *control_listener; /* listens at control.sock; consumed, and -1 then */
    int console_fd;        /* stream socket for the guest's console, or -1 */
    int narration_fd;      /* writing end of a pipe, or -1 */
    const struct machine_spec *spec;
};

/*
 * Writes machine.json, re-executes this program as monitor and connects to it. The descriptors stay
 * the caller's, but for the listener. The monitor holds none of the caller's other descriptors, has
 * an empty environment and a session of its own: signals that a terminal sends are the client's.
 * Errors: of open(2), connect(2), posix_spawn(3).
 */
int monitor_launch(const struct monitor_launch *launch, struct monitor_link *link,
                   struct error *err);

/* Stops the monitor if it still runs, reaps it, closes the link. Returns its wait status. Safe on
 * MONITOR_LINK_INIT, which is also what it leaves behind. */
int monitor_link_reap(struct monitor_link *link);

#endif
