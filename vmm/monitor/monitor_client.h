/* SPDX-License-Identifier: Apache-2.0 */
/* A client of one monitor: receives its events, up to the end, and sends commands. */
#ifndef MICROVM_MONITOR_MONITOR_CLIENT_H
#define MICROVM_MONITOR_MONITOR_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/monitor/control_protocol.h"
#include "vmm/monitor/monitor_link.h"

struct monitor_client {
    struct monitor_link link;
    bool ended;               /* no more events will come */
    bool end_known;           /* the last one was `end` */
    struct control_event end; /* valid if end_known */
};

#define MONITOR_CLIENT_INIT                                                                        \
    {                                                                                              \
        .link = MONITOR_LINK_INIT                                                                  \
    }

/* What poll(2) waits for: the control connection until its end; -1 after it. */
int monitor_client_fd(const struct monitor_client *client);

/*
 * Receives one event. Returns 1 with *event filled, or 0 when the monitor has closed the
 * connection. After an end event the monitor has MONITOR_END_MS to end. Errors: EINVAL (not of this
 * protocol), of recv(2).
 */
int monitor_client_receive(struct monitor_client *client, struct control_event *event,
                           struct error *err);

/* Requests the monitor to end its VM within MONITOR_END_MS. Kills it if the request cannot be sent.
 */
void monitor_client_stop(struct monitor_client *client);

/* Sends the size of the attached console, in characters. */
void monitor_client_send_window(const struct monitor_client *client, uint16_t rows,
                                uint16_t columns);

#endif
