/* SPDX-License-Identifier: Apache-2.0 */
/* virtio network device with one pair of queues (virtio 1.2, 5.1). */
#ifndef MICROVM_DEVICES_NET_NET_H
#define MICROVM_DEVICES_NET_NET_H

#include <stdint.h>

#include "devices/net/backend.h"
#include "devices/virtio/device.h"

#define NET_MAC_SIZE 6

struct net_options {
    uint8_t mac[NET_MAC_SIZE];
    uint16_t mtu; /* 68 to 65535; 0 = the driver's choice */
};

/*
 * Takes *backend over when it succeeds. The caller ignores SIGPIPE. When the other end goes away
 * the link is down, and what the guest sends is dropped. Errors: ENOMEM.
 */
int net_create(const struct net_options *options, struct net_backend *backend,
               struct virtio_device **device, struct error *err);

/* Its class, for code that collects the devices' needs. */
extern const struct virtio_device_class net_class;

#endif
