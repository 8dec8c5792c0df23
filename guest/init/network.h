/* SPDX-License-Identifier: Apache-2.0 */
/* The VM's network interfaces. */
#ifndef MICROVM_GUEST_INIT_NETWORK_H
#define MICROVM_GUEST_INIT_NETWORK_H

#include "guest/init/failure.h"
#include "guest/init/options.h"

/* Brings the loopback interface up. A kernel without a network is no reason not to run. */
void network_start_loopback(void);

/* Gives the first Ethernet interface what the options say, and brings it up. Nothing to do without
 * an address. */
int network_start(const struct machine_options *options, struct failure *failure);

#endif
