/* SPDX-License-Identifier: Apache-2.0 */
/* What the client asks for; the settings are listed in guest/protocol.h. */
#ifndef MICROVM_GUEST_INIT_OPTIONS_H
#define MICROVM_GUEST_INIT_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest/init/failure.h"
#include "guest/protocol.h"

#define OPTIONS_RUNTIME_MAX 8

/* Of the VM. */
struct machine_options {
    bool overlay_on_disk;
    char hostname[65]; /* as long as Linux allows, and a NUL */
    /* Of the first Ethernet interface, in network byte order; address 0 = there is none. */
    in_addr_t address, gateway;
    int prefix; /* bits of its netmask */
    int mtu;    /* 0 = as it is */
};

/* Of one process. */
struct process_options {
    bool terminal;
    bool standard_input;
    bool trace;
    bool runtime_signals;
    /* Within `text`. */
    const char *runtime;
    const char *runtime_options[OPTIONS_RUNTIME_MAX + 1]; /* null at the end */
    char text[PROTOCOL_SETTINGS_MAX + 1];
};

/* Both fill *options from the `size` bytes of a message's settings. A bad value is a failure, an
 * unknown key is ignored. */
int machine_options_parse(const void *settings, size_t size, struct machine_options *options,
                          struct failure *failure);
int process_options_parse(const void *settings, size_t size, struct process_options *options,
                          struct failure *failure);

#endif
