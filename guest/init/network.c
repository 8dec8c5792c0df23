/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM's network interfaces. The client says all addresses, so there is no DHCP and nothing to
 * wait for.
 */
#include "guest/init/network.h"
#include "guest/init/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERFACE "eth0"

static int set_flags(int fd, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_UP};

    memcpy(request.ifr_name, name, strlen(name) + 1);
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

void network_start_loopback(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    set_flags(fd, "lo");
    close(fd);
}

static struct sockaddr_in ipv4(in_addr_t address)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {address}};
}

static int set_address(int fd, unsigned long request_number, in_addr_t address)
{
    struct ifreq request = {.ifr_name = INTERFACE};
    struct sockaddr_in value = ipv4(address);

    memcpy(&request.ifr_addr, &value, sizeof(value));
    return ioctl(fd, (int)request_number, &request);
}

static int set_mtu(int fd, int mtu)
{
    struct ifreq request = {.ifr_name = INTERFACE, .ifr_mtu = mtu};

    return mtu > 0 ? ioctl(fd, SIOCSIFMTU, &request) : 0;
}

static int add_default_route(int fd, in_addr_t gateway)
{
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    struct sockaddr_in addresses[] = {ipv4(INADDR_ANY), ipv4(INADDR_ANY), ipv4(gateway)};

    memcpy(&route.rt_dst, &addresses[0], sizeof(addresses[0]));
    memcpy(&route.rt_genmask, &addresses[1], sizeof(addresses[1]));
    memcpy(&route.rt_gateway, &addresses[2], sizeof(addresses[2]));
    return ioctl(fd, SIOCADDRT, &route);
}

int network_start(const struct machine_options *options, struct failure *failure)
{
    in_addr_t mask = htonl(options->prefix > 0 ? 0xffffffffU << (32 - options->prefix) : 0);
    int result = 0;
    int fd;

    if (options->address == 0)
        return 0;
    settings_announce_addresses();
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || set_mtu(fd, options->mtu) < 0 ||
        set_address(fd, SIOCSIFADDR, options->address) < 0 ||
        set_address(fd, SIOCSIFNETMASK, mask) < 0 || set_flags(fd, INTERFACE) < 0 ||
        (options->gateway != 0 && add_default_route(fd, options->gateway) < 0))
        result = failure_set_errno(failure, "network interface " INTERFACE);
    if (fd >= 0)
        close(fd);
    return result;
}
