/* SPDX-License-Identifier: Apache-2.0 */
/* Ports of the host that lead to ports of a container: docker's --publish. */
#ifndef MICROVM_NETWORK_PUBLISH_H
#define MICROVM_NETWORK_PUBLISH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"

#define PUBLISH_MAX 64

/* Ports host to host + count - 1 of `address` lead to guest and so on. */
struct published_port {
    char address[INET_ADDRSTRLEN]; /* "0.0.0.0": all of the host's */
    uint16_t host, guest;
    unsigned count;
    bool udp;
};

struct published_ports {
    struct published_port items[PUBLISH_MAX];
    unsigned count;
};

/*
 * Parses each of `texts`, "[IP:]HOST:GUEST[/tcp|udp]", where HOST and GUEST are ports or ranges
 * FIRST-LAST of one length. Errors: EINVAL, ERANGE (a port), E2BIG (more than PUBLISH_MAX).
 */
int publish_parse(const struct string_list *texts, struct published_ports *ports,
                  struct error *err);

/* Whether all these ports of the host are free now. Errors: EADDRINUSE, those of bind(2). */
int publish_check(const struct published_ports *ports, struct error *err);

#endif
