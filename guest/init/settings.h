/* SPDX-License-Identifier: Apache-2.0 */
/* What docker sets around each container, and the kernel by itself does not. */
#ifndef MICROVM_GUEST_INIT_SETTINGS_H
#define MICROVM_GUEST_INIT_SETTINGS_H

/*
 * Gives this process, and with it the container, the resource limits of docker's (setrlimit(2)):
 * 1048576 open files, and no limit on what a caller's shell may have limited. Where the right to
 * raise a limit is missing, the soft one becomes the hard one.
 */
void settings_limits(void);

/*
 * Lets every user of a VM open ports below 1024 and ICMP sockets, as docker does for its own
 * network namespaces (ip-sysctl). In a container the runtime does the same, by config.json.
 */
void settings_network(void);

/* Has the kernel of a VM end a process soon once memory is exhausted. */
void settings_memory(void);

/*
 * An interface that comes up sends its addresses by ARP. The other end of a network without DHCP
 * learns the guest's MAC address that way: before, passt resets the first connection from outside.
 */
void settings_announce_addresses(void);

#endif
